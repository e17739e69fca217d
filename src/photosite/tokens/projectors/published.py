"""The projector out of a published vision-language model's weights: found by its names, built from its shapes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from torch import Tensor, nn

from photosite.errors import WeightsError
from photosite.nets.checkpoints.weight_files import read_weights
from photosite.nets.checkpoints.weights import load_weights
from photosite.tokens.projectors.forms import FORMS, Form, Tensors


def load_projector(source: str | os.PathLike[str] | Tensors, *, heads: int | None = None, every: int = 2) -> nn.Module:
    """Take the projector out of a vision-language model's weights.

    Args:
        source: a file of weights, as published or with the projector alone; or tensors by name.
        heads: of the attention, for projectors that have one: weights do not say it.
        every: of a Q-Former's blocks, how many lie from one that looks at the places to the next; checked by the names.
    Returns:
        In evaluation mode; as `FrontEnd.tokens` takes it.
    Raises:
        WeightsError: it has no projector of a form that is known, or its tensors do not fit together.
        CorruptWeightsError, UnsafeWeightsError: the file cannot be trusted.
    """
    weights = source if isinstance(source, Mapping) else read_weights(source).tensors
    for form in FORMS:
        found = _renamed(form, weights)
        if found is not None:
            given = {"every": every} | ({} if heads is None else {"heads": heads})
            try:
                module = form.build(found, given)
            except (KeyError, IndexError, ValueError, RuntimeError) as error:
                raise WeightsError(f"projector of {form.said}: its tensors do not fit together: {error}") from error
            load_weights(module, found)
            return module.eval()
    known = ", ".join(form.said for form in FORMS)
    raise WeightsError(f"no projector found among {len(weights)} tensors; known: {known}")


def newline_of(source: str | os.PathLike[str] | Tensors) -> Tensor:
    """The learned vector that ends a row, (W,), out of LLaVA-NeXT's weights.

    Args:
        source: a file of weights, or tensors by name.
    Raises:
        WeightsError: there is none.
    """
    weights = source if isinstance(source, Mapping) else read_weights(source).tensors
    for name, tensor in weights.items():
        if name.split(".")[-1] == "image_newline" and tensor.ndim == 1:
            return tensor
    raise WeightsError("no image_newline among the weights: LLaVA-NeXT has one")


def _renamed(form: Form, weights: Tensors) -> dict[str, Tensor] | None:
    """The tensors of a form by our names; None where the weights are of another form.

    What stands beside them in the same module and is not known makes it another form: leaving it out would give
    numbers that are wrong.
    """
    by_prefix: dict[str, dict[str, Tensor]] = {}
    matched: set[str] = set()
    modules: set[str] = set()
    for name, tensor in weights.items():
        for pattern, ours in form.names.items():
            found = re.fullmatch(rf"(?P<prefix>(?:.*\.)?){pattern}", name)
            if found is not None:
                renamed = found.expand(ours)
                by_prefix.setdefault(found["prefix"], {})[renamed] = form.change(renamed, tensor)
                matched.add(name)
                modules.add(found["prefix"] + name.removeprefix(found["prefix"]).split(".")[0] + ".")
                break
    whole = {prefix: found for prefix, found in by_prefix.items() if all(need in found for need in form.needs)}
    if len(whole) > 1:
        raise WeightsError(f"projector of {form.said}: there are {len(whole)}, behind {', '.join(map(repr, whole))}")
    if any(name.startswith(tuple(modules)) and name not in matched for name in weights):
        return None
    return next(iter(whole.values()), None)
