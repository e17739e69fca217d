"""Projectors: from an encoder's features to the tokens of a language model; published weights load."""

from photosite.tokens.projectors.asking import GatedResampler, PerceiverResampler, QFormer
from photosite.tokens.projectors.joined import LinearProjector, MeanProjector, MLPProjector, RMSNorm
from photosite.tokens.projectors.published import load_projector, newline_of
from photosite.tokens.projectors.token_learner import TokenLearner

__all__ = [
    "GatedResampler",
    "LinearProjector",
    "MLPProjector",
    "MeanProjector",
    "PerceiverResampler",
    "QFormer",
    "RMSNorm",
    "TokenLearner",
    "load_projector",
    "newline_of",
]
