"""What a plan consists of: steps that compute one or several operations of a graph, each in the way that suits it.

A value has the axes that PyTorch has, but pictures lie in memory with the channels last, so that a place's channels are
a row of a matrix. A step is run by a crew, each member doing its part.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from photosite.analysis.plans.folding import Folded, Scale
from photosite.analysis.plans.memory import Memory
from photosite.analysis.replay import run_node, thawed
from photosite.graph.ir import Node
from photosite.ops import columns, winograd
from photosite.ops.arrays import Array
from photosite.ops.blocks import PIECE, Finish, pieces, product, shares
from photosite.ops.convolution import correlate
from photosite.ops.sliding import Sliding
from photosite.shapes import shape_text

WINOGRAD_NUMBERS = 1 << 19
"""Numbers that are evaluated at once: 2 MB, and again as many products."""
AFFINE_NUMBERS = 1 << 16
"""Numbers that are scaled and shifted at once."""


@dataclass(eq=False)
class Step(ABC):
    """One piece of a plan.

    Attributes:
        nodes: the operations that it computes, in order; the last one's value is left in memory.
        reads: the values that it needs: what it works on first, then what is added.
        what: the operations and the shape of the result, for people.
    """

    nodes: tuple[str, ...]
    reads: tuple[str, ...]
    what: str

    @property
    def name(self) -> str:
        """The node whose value it leaves."""
        return self.nodes[-1]

    @abstractmethod
    def run(self, memory: Memory) -> None:
        """Compute the value from those in memory, and put it there."""

    @abstractmethod
    def way(self) -> str:
        """How it computes, in a few words."""


@dataclass(eq=False)
class Finished(Step):
    """A step with weights, a finish and perhaps an activation.

    Attributes:
        finish: what is done to a block of the result while it is in the cache.
        weights: the parameters in it; None where they are those of a norm alone.
        activation: the node of the activation; None without one.
    """

    finish: Finish
    weights: Folded | Scale
    activation: Node | None

    @property
    def before(self) -> str:
        """The name of the value before the activation, where that is kept for the way back."""
        return f"{self.name} before its activation"

    def first(self, memory: Memory) -> Finish:
        """What is done at once; an activation waits if the value before it is kept (ReLU needs only its result)."""
        return replace(self.finish, activation=None) if memory.keeps else self.finish

    def leave(self, memory: Memory, out: Array, *, channels_first: bool) -> None:
        """Put the result there, (…, O), contiguous."""
        if memory.keeps and self.finish.activation is not None:
            memory.put(self.before, out.transpose(0, 3, 1, 2) if channels_first else out)
            after = memory.array(out.shape, out.dtype)
            flat, into = out.reshape(-1, out.shape[-1]), after.reshape(-1, out.shape[-1])
            rows = shares(len(flat), memory.crew.size)
            activate = replace(self.finish, shift=None)

            def work(part: int) -> None:
                for block in pieces(rows[part], max(AFFINE_NUMBERS // out.shape[-1], 1)):
                    into[block] = flat[block]
                    activate(into[block])

            memory.crew.run(work)
            out = after
        memory.put(self.name, out.transpose(0, 3, 1, 2) if channels_first else out)


@dataclass(eq=False)
class Convolve(Finished):
    """A convolution with what follows it.

    Attributes:
        window: how the kernel moves.
        matrix: the kernel, (K L C, O), or (36, C, O) for Winograd's way.
        by_winograd: whether it goes that way.
    """

    weights: Folded
    window: columns.Window
    matrix: Array
    by_winograd: bool

    def run(self, memory: Memory) -> None:
        """Convolve all pictures, shared out among the crew, and finish each block."""
        x, residual = _pictures(memory, self.reads)
        out = memory.array((len(x), *self.window.out_hw, self.matrix.shape[-1]), x.dtype)
        finish = self.first(memory)
        if self.window.is_pointwise:
            _product(memory, x, self.matrix, out, finish, residual)
        elif self.by_winograd:
            by_winograd(memory, x, self.matrix, out, self.window.padding, finish, residual)
        else:
            parts = portions(len(x), out.shape[1], memory.crew.size)

            def work(part: int) -> None:
                workspace, (images, band) = memory.workspaces[part], parts[part]
                columns.convolve(x, self.matrix, out, self.window, finish, workspace, images, residual, band)

            memory.crew.run(work)
        self.leave(memory, out, channels_first=True)

    @cached_property
    def matrix_back(self) -> Array:
        """The kernel for the way back: turned around and with channels and filters swapped, as `matrix` is."""
        kernel = self.weights.kernel
        if self.by_winograd:
            return winograd.transformed(kernel[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
        return self.matrix.T

    def way(self) -> str:
        """Which of three ways."""
        return "matrix product" if self.window.is_pointwise else "Winograd" if self.by_winograd else "columns"


@dataclass(eq=False)
class Grouped(Finished):
    """A convolution of several groups with what follows it, one picture after another.

    Attributes:
        geometry: where the kernel lies.
    """

    weights: Folded
    geometry: Sliding

    def run(self, memory: Memory) -> None:
        """Convolve picture by picture."""
        x, residual = memory.values[self.reads[0]], _pictures(memory, self.reads)[1]
        weight, finish = self.weights.kernel, self.first(memory)
        out = memory.array((len(x), *self.geometry.places, len(weight)), x.dtype)
        images = shares(len(x), memory.crew.size)

        def work(part: int) -> None:
            for some in pieces(images[part], 1):
                out[some] = correlate(self.geometry.padded(x[some]), weight, self.geometry)
                added = None if residual is None else residual[some].reshape(-1, len(weight))
                finish(out[some].reshape(-1, len(weight)), added)

        memory.crew.run(work)
        self.leave(memory, out, channels_first=True)

    def way(self) -> str:
        """How many groups."""
        return f"{self.geometry.groups} groups"


@dataclass(eq=False)
class Multiply(Finished):
    """A linear layer with what follows it.

    Attributes:
        matrix: (D, O).
    """

    weights: Folded
    matrix: Array

    def run(self, memory: Memory) -> None:
        """Multiply all rows, shared out among the crew."""
        x, *added = (np.ascontiguousarray(memory.values[name]) for name in self.reads)
        out = memory.array((*x.shape[:-1], self.matrix.shape[1]), x.dtype)
        _product(memory, x, self.matrix, out, self.first(memory), added[0] if added else None)
        self.leave(memory, out, channels_first=False)

    def way(self) -> str:
        """The only way there is."""
        return "matrix product"


@dataclass(eq=False)
class Affine(Finished):
    """A batch norm by itself, and an activation; what is added is the first thing that `finish` does."""

    weights: Scale

    def run(self, memory: Memory) -> None:
        """Scale and shift blocks of rows."""
        x, _ = _pictures(memory, self.reads)
        out = memory.array(x.shape, x.dtype)
        flat, into = x.reshape(-1, x.shape[3]), out.reshape(-1, x.shape[3])
        rows, finish = shares(len(flat), memory.crew.size), self.first(memory)
        factor = self.weights.factor.astype(x.dtype)

        def work(part: int) -> None:
            for block in pieces(rows[part], max(AFFINE_NUMBERS // x.shape[3], 1)):
                np.multiply(flat[block], factor, out=into[block])
                finish(into[block])

        memory.crew.run(work)
        self.leave(memory, out, channels_first=True)

    def way(self) -> str:
        """What it does to each number."""
        return "factor and summand"


@dataclass(eq=False)
class Slices(Step):
    """An operation whose results along the first axis are independent: each member of the crew makes some of them.

    Attributes:
        node: the operation.
        sliced: operands that are taken apart along their first axis; others are taken whole.
        size: how much of the first axis at once, so that a block fits a cache.
    """

    node: Node
    sliced: tuple[str, ...]
    size: int

    def run(self, memory: Memory) -> None:
        """Make the result block by block."""
        values = memory.values
        out = _like(values[self.sliced[0]], memory.array(self.node.shape, np.dtype(self.node.dtype)))
        parts = shares(len(out), memory.crew.size)

        def work(part: int) -> None:
            for block in pieces(parts[part], self.size):
                some = {name: values[name][block] if name in self.sliced else values[name] for name in self.reads}
                out[block] = run_node(self.node, some)

        memory.crew.run(work)
        memory.put(self.name, out)

    def way(self) -> str:
        """How large a block is."""
        return f"{self.size} at once"


@dataclass(eq=False)
class Apply(Step):
    """A function of single values by itself.

    Attributes:
        node: the operation.
        function: it, in its fastest form, for an array (M, N).
    """

    node: Node
    function: Callable[[Array], Array]

    def run(self, memory: Memory) -> None:
        """Apply it to pieces of the operand as they lie in memory."""
        x = memory.values[self.reads[0]]
        last = x.transpose(0, 2, 3, 1) if x.ndim == 4 else x
        if not (x.flags.c_contiguous or last.flags.c_contiguous):
            x = np.ascontiguousarray(x)
        source = x if x.flags.c_contiguous else last
        flat, out = source.reshape(1, -1), memory.array(source.shape, x.dtype)
        into = out.reshape(1, -1)
        parts = shares(flat.shape[1], memory.crew.size)

        def work(part: int) -> None:
            for block in pieces(parts[part], PIECE):
                into[:, block] = self.function(flat[:, block])

        memory.crew.run(work)
        memory.put(self.name, out if source is x else out.transpose(0, 3, 1, 2))

    def way(self) -> str:
        """That it is the operation alone."""
        return "number by number"


@dataclass(eq=False)
class ByTable(Step):
    """An operation as the op table has it."""

    node: Node

    def run(self, memory: Memory) -> None:
        """Call the function of the op table."""
        memory.put(self.name, run_node(self.node, memory.values))

    def way(self) -> str:
        """That it has no way of its own."""
        return "as in the op table"


def describe(nodes: Sequence[Node]) -> str:
    """Operations in order and the shape that they leave, as "conv2d + batch_norm + relu to 8 × 64 × 56 × 56"."""
    return f"{' + '.join(node.kind for node in nodes)} to {shape_text(nodes[-1].shape)}"


def _pictures(memory: Memory, names: Sequence[str]) -> tuple[Array, Array | None]:
    """What is worked on, and what is added, as (B, H, W, C), contiguous; without a copy where they lie so in memory."""
    first, *others = (np.ascontiguousarray(memory.values[name].transpose(0, 2, 3, 1)) for name in names)
    return first, others[0] if others else None


def options(node: Node) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a function of single values, but for the values."""
    return thawed(replace(node, args=node.args[1:]), {})


def by_winograd(
    memory: Memory,
    x: Array,
    points: Array,
    out: Array,
    padding: tuple[int, int],
    finish: Finish,
    residual: Array | None = None,
) -> None:
    """A convolution by Winograd's way, its pictures shared out among the crew, in blocks."""
    high, across = (-(-side // winograd.TILE) for side in out.shape[1:3])
    row = winograd.READS**2 * across * x.shape[3]
    together, rows = max(WINOGRAD_NUMBERS // (row * high), 1), max(min(WINOGRAD_NUMBERS // row, high), 1)
    parts = portions(len(x), high, memory.crew.size)

    def work(part: int) -> None:
        images, band = parts[part]
        for some in pieces(images, together):
            for tiles in pieces(band, rows):
                workspace = memory.workspaces[part]
                winograd.convolve(x, points, out, padding, finish, workspace, some, tiles, residual)

    memory.crew.run(work)


def portions(count: int, rows: int, parts: int) -> list[tuple[slice, slice]]:
    """For each member of a crew, which pictures and which rows of them: bands of rows where pictures are few.

    >>> [(f"{a.start}-{a.stop}", f"{b.start}-{b.stop}") for a, b in portions(1, 7, 2)]
    [('0-1', '0-4'), ('0-1', '4-7')]
    """
    if count >= parts:
        return [(images, slice(0, rows)) for images in shares(count, parts)]
    return [(slice(0, count), band) for band in shares(rows, parts)]


def _product(memory: Memory, x: Array, matrix: Array, out: Array, finish: Finish, residual: Array | None) -> None:
    """A matrix product of all rows that stand along the last axes, shared out among the crew."""
    wide = matrix.shape[1]
    rows, into = x.reshape(-1, x.shape[-1]), out.reshape(-1, wide)
    added = None if residual is None else residual.reshape(-1, wide)
    parts = shares(math.prod(out.shape[:-1]), memory.crew.size)
    memory.crew.run(lambda part: product(rows, matrix, into, finish, added, parts[part]))


def _like(x: Array, out: Array) -> Array:
    """An array for a result (B, C, H, W), with the channels last in memory if those of the operand are."""
    if x.ndim != 4 or out.ndim != 4 or not x.transpose(0, 2, 3, 1).flags.c_contiguous:
        return out
    batch, channels, height, width = out.shape
    return out.reshape(batch, height, width, channels).transpose(0, 3, 1, 2)
