"""The way back through the steps of a plan: what the gradient of a step's value says about all that went into it.

Each kind of step has its own way, as quick as its way forward; a step of the op table goes back by its row.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from photosite.analysis.plans.memory import Memory
from photosite.analysis.plans.steps import (
    Affine,
    Apply,
    ByTable,
    Convolve,
    Finished,
    Grouped,
    Multiply,
    Slices,
    Step,
    by_winograd,
    options,
)
from photosite.analysis.replay import node_gradients
from photosite.graph.table import TABLE
from photosite.ops import columns
from photosite.ops.arrays import Array
from photosite.ops.blocks import Finish, pieces, shares
from photosite.ops.convolution import correlate_weight, spread

Found = list[tuple[str, Any, bool]]
"""Names, what is to be added to their gradients, and whether that is an array that nobody else has."""

NUMBERS = 1 << 17
"""Numbers of a gradient that pass an activation at once."""


@singledispatch
def back(step: Step, grad: Any, memory: Memory, wanted: set[str]) -> Found:
    """What a gradient gives to each name.

    Args:
        step: of a plan.
        grad: of its value; an array of its own, which is overwritten.
        memory: with what it read, its value, and the value before its activation.
        wanted: parameters, inputs and values whose gradients are of use; work for others may be left undone.
    """
    raise AssertionError(f"{type(step).__name__} has no way back")


@back.register
def _(step: Convolve, grad: Any, memory: Memory, wanted: set[str]) -> Found:
    x, last = _last(memory.values[step.reads[0]]), _last(grad)
    found = _through_finish(step, last, memory)
    images = shares(len(x), memory.crew.size)
    if step.weights.names & wanted:
        wide = last.shape[3]
        totals = [np.zeros((x.shape[3] * step.window.kernel[0] * step.window.kernel[1], wide), x.dtype) for _ in images]

        def weigh(part: int) -> None:
            columns.weight_gradient(x, last, step.window, memory.workspaces[part], images[part], totals[part])

        memory.crew.run(weigh)
        kernel = sum(totals[1:], totals[0]).reshape(*step.window.kernel, x.shape[3], wide).transpose(3, 2, 0, 1)
        found += _of_weights(step, np.ascontiguousarray(kernel), last)
    if step.reads[0] in wanted:
        to_x = memory.array(x.shape, x.dtype)
        if step.by_winograd:
            tall, wide = (2 - padding for padding in step.window.padding)
            by_winograd(memory, last, step.matrix_back, to_x, (tall, wide), Finish())
        else:
            matrix = step.matrix

            def put_back(part: int) -> None:
                columns.input_gradient(last, matrix, to_x, step.window, memory.workspaces[part], images[part])

            memory.crew.run(put_back)
        found.append((step.reads[0], to_x.transpose(0, 3, 1, 2), True))
    return found


@back.register
def _(step: Multiply, grad: Any, memory: Memory, wanted: set[str]) -> Found:
    x, last = np.ascontiguousarray(memory.values[step.reads[0]]), np.ascontiguousarray(grad)
    found = _through_finish(step, last, memory)
    rows, flat = x.reshape(-1, x.shape[-1]), last.reshape(-1, last.shape[-1])
    some = shares(len(flat), memory.crew.size)
    if step.weights.names & wanted:
        totals: list[Any] = [None] * len(some)

        def weigh(part: int) -> None:
            totals[part] = flat[some[part]].T @ rows[some[part]]

        memory.crew.run(weigh)
        found += _of_weights(step, sum(totals[1:], totals[0]), last)
    if step.reads[0] in wanted:
        to_x = memory.array(x.shape, x.dtype)
        into = to_x.reshape(rows.shape)

        def put_back(part: int) -> None:
            np.matmul(flat[some[part]], step.matrix.T, out=into[some[part]])

        memory.crew.run(put_back)
        found.append((step.reads[0], to_x, True))
    return found


@back.register
def _(step: Grouped, grad: Any, memory: Memory, wanted: set[str]) -> Found:
    x, last = memory.values[step.reads[0]], _last(grad)
    found = _through_finish(step, last, memory)
    images, weight = shares(len(x), memory.crew.size), step.weights.kernel
    totals = [np.zeros_like(weight) for _ in images]
    to_x = memory.array((len(x), *x.shape[2:], x.shape[1]), x.dtype)

    def work(part: int) -> None:
        for some in pieces(images[part], 1):
            padded = step.geometry.padded(x[some])
            totals[part] += correlate_weight(padded, last[some], step.geometry)
            to_x[some] = step.geometry.cropped(spread(last[some], weight, step.geometry))

    memory.crew.run(work)
    found += _of_weights(step, sum(totals[1:], totals[0]), last)
    return [*found, (step.reads[0], to_x.transpose(0, 3, 1, 2), True)]


@back.register
def _(step: Affine, grad: Any, memory: Memory, wanted: set[str]) -> Found:
    x, last = _last(memory.values[step.reads[0]]), _last(grad)
    found = _through_finish(step, last, memory)
    flat = last.reshape(-1, last.shape[3])
    found += _of_weights(step, (flat * x.reshape(flat.shape)).sum(0), last)
    to_x = last * step.weights.factor.astype(x.dtype)
    return [*found, (step.reads[0], to_x.transpose(0, 3, 1, 2), True)]


@back.register
def _(step: Slices, grad: Any, memory: Memory, wanted: set[str]) -> Found:
    values, parts = memory.values, shares(len(grad), memory.crew.size)
    whole = {name: memory.array(values[name].shape, values[name].dtype) for name in step.sliced}
    of_others: list[Found] = [[] for _ in parts]

    def work(part: int) -> None:
        for block in pieces(parts[part], step.size):
            some = {name: values[name][block] if name in step.sliced else values[name] for name in step.reads}
            some[step.name] = values[step.name][block]
            done: set[str] = set()
            for name, gradient in node_gradients(step.node, grad[block], some):
                if name not in step.sliced:
                    of_others[part].append((name, gradient, False))
                elif name in done:
                    whole[name][block] += gradient
                else:
                    whole[name][block] = gradient
                    done.add(name)

    memory.crew.run(work)
    return [*((name, array, True) for name, array in whole.items()), *(one for part in of_others for one in part)]


@back.register
def _(step: Apply | ByTable, grad: Any, memory: Memory, wanted: set[str]) -> Found:
    return [(name, gradient, False) for name, gradient in node_gradients(step.node, grad, memory.values)]


def _through_finish(step: Finished, last: Array, memory: Memory) -> Found:
    """Back through an activation, in place, and to what was added before it; (…, O), contiguous."""
    flat = last.reshape(-1, last.shape[-1])
    size = max(NUMBERS // flat.shape[1], 1)
    rows = [list(pieces(share, size)) for share in shares(len(flat), memory.crew.size)]
    value = _rows(memory.values[step.name], step)
    if step.finish.positive:

        def cut(part: int) -> None:
            for block in rows[part]:
                np.multiply(flat[block], value[block] > 0, out=flat[block])

        memory.crew.run(cut)
    elif step.activation is not None:
        before, vjp = _rows(memory.values[step.before], step), TABLE[step.activation.op].vjp
        assert vjp is not None
        args, kwargs = options(step.activation)

        def slope(part: int) -> None:
            for block in rows[part]:
                flat[block] = vjp(flat[block], value[block], before[block], *args, **kwargs)[0]

        memory.crew.run(slope)
    if len(step.reads) == 1:
        return []
    added = memory.array(last.shape, last.dtype)
    parts = shares(len(flat), memory.crew.size)
    memory.crew.run(lambda part: np.copyto(added.reshape(flat.shape)[parts[part]], flat[parts[part]]))
    return [(step.reads[1], added if isinstance(step, Multiply) else added.transpose(0, 3, 1, 2), True)]


def _of_weights(step: Finished, to_kernel: Array, last: Array) -> Found:
    """The gradients of a step's parameters."""
    found = step.weights.gradients(to_kernel, last.reshape(-1, last.shape[-1]).sum(0))
    return [(name, gradient, True) for name, gradient in found.items()]


def _last(x: Array) -> Array:
    """(B, C, H, W) as (B, H, W, C), contiguous."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def _rows(value: Array, step: Finished) -> Array:
    """A value as a row for each place."""
    last = value if isinstance(step, Multiply) else value.transpose(0, 2, 3, 1)
    return last.reshape(-1, last.shape[-1])
