"""Which steps stand together: chapters by module, and rows that a convolution, addition or pooling opens.

Reads names only. Knows no pictures and no HTML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from photosite.trace.values import Step

CHAPTER_AT_MOST = 40
"""A longer chapter is divided by the next part of its module path, where it has one."""
CHAPTER_AT_LEAST = 3
"""Shorter neighbors become one chapter."""

# Read in this order: "batch_norm" is a norm, "adaptive_avg_pool2d" pooling, "conv2d" convolution.
_KINDS: tuple[tuple[str, str], ...] = (
    ("convolution", r"conv"),
    ("norm", r"norm"),
    ("pooling", r"pool|^mean"),
    ("attention", r"attention|sdpa"),
    ("linear", r"^linear|addmm|matmul|\bmm\b|bmm|einsum"),
    ("activation", r"relu|gelu|silu|swish|sigmoid|tanh|softmax|hardtanh|mish|elu"),
    ("addition", r"^i?add"),
    ("product", r"^mul"),
)
LEADS = frozenset({"convolution", "addition", "pooling", "attention", "linear"})
"""Kinds whose picture is drawn large; the rest follows in the same row."""


@dataclass(frozen=True)
class Row:
    """One important step and what is done to its result; `lead` is None where a chapter opens with something else."""

    lead: Step | None
    rest: tuple[Step, ...]


@dataclass(frozen=True)
class Chapter:
    """Steps of one part of the network, in order; `name` is the module path they share."""

    name: str
    steps: tuple[Step, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The same steps as rows."""
        found: list[tuple[Step | None, list[Step]]] = []
        for step in self.steps:
            if kind(step.op) in LEADS:
                found.append((step, []))
            elif found:
                found[-1][1].append(step)
            else:
                found.append((None, [step]))
        return tuple(Row(lead, tuple(rest)) for lead, rest in found)


def kind(op: str) -> str:
    """Sort an operation by its name: "aten.conv2d.default", "conv2d" and "Convolution" are all convolutions.

    >>> [kind(op) for op in ("aten.conv2d.default", "batch_norm", "relu_", "aten.add.Tensor", "flatten")]
    ['convolution', 'norm', 'activation', 'addition', 'other']
    """
    name = op.lower().removeprefix("torch.ops.").removeprefix("aten.").removeprefix("aten::").lstrip("_")
    return next((word for word, pattern in _KINDS if re.search(pattern, name)), "other")


def chapters(steps: Sequence[Step]) -> tuple[Chapter, ...]:
    """Divide steps into chapters by module path, without changing their order.

    A chapter of more than `CHAPTER_AT_MOST` steps is divided further;
    neighbors of fewer than `CHAPTER_AT_LEAST` are joined.
    """
    found: list[Chapter] = []
    for chapter in _divide(steps, 1):
        short = len(chapter.steps) < CHAPTER_AT_LEAST
        if short and found and len(found[-1].steps) < CHAPTER_AT_LEAST:
            found[-1] = _join(found[-1], chapter)
        elif short and found and not chapter.name:
            found[-1] = Chapter(found[-1].name, found[-1].steps + chapter.steps)
        else:
            found.append(chapter)
    return tuple(found)


def _divide(steps: Sequence[Step], depth: int) -> list[Chapter]:
    """Cut steps where the first `depth` parts of their module path change; cut long pieces again."""
    found: list[Chapter] = []
    for name, group in groupby(steps, lambda step: _path(step, depth)):
        piece = tuple(group)
        deeper = {_path(step, depth + 1) for step in piece}
        # Cutting helps where it gives parts of a readable length; a single longer path may give them one level below.
        helps = len(piece) >= CHAPTER_AT_LEAST * len(deeper) and deeper != {name}
        if len(piece) > CHAPTER_AT_MOST and helps:
            found += _divide(piece, depth + 1)
        else:
            found.append(Chapter(name, piece))
    return found


def _path(step: Step, depth: int) -> str:
    return ".".join(step.module.split(".")[:depth])


def _join(first: Chapter, second: Chapter) -> Chapter:
    names = [part for part in (first.name.split(" … ")[0], second.name) if part]
    return Chapter(" … ".join(dict.fromkeys(names)), first.steps + second.steps)
