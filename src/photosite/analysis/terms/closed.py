"""Terms in closed form: convolutions and norms, whose numbers are looked up and not derived."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from photosite.analysis.terms.term import Call, Index, Reading, Term, call_of, name_of
from photosite.graph.ir import Node
from photosite.ops.sliding import sliding

CONVOLUTIONS = frozenset(("conv1d", "conv2d", "conv3d"))
NORMS = frozenset(
    [
        *("batch_norm", "instance_norm", "layer_norm", "rms_norm", "group_norm"),
        *("native_layer_norm", "native_group_norm"),
        *("_native_batch_norm_legit_no_training", "_native_batch_norm_legit_functional"),
    ]
)


def closed(node: Node, values: Mapping[str, Any], index: Index, number: float) -> Reading | None:
    """The terms of a convolution's number, or of a norm's.

    Args:
        node: of a functional graph.
        values: of what it reads, and its own.
        index: of the number; of a node with several values, that of the value first.
        number: the number.
    Returns:
        The terms and what the operation does, in words; None if it is neither, or what a norm found of its input.
    """
    if node.kind in CONVOLUTIONS:
        return _convolution(node, values, index), "inputs under the kernel times weights, and a bias"
    several = isinstance(values[node.name], list)
    if node.kind not in NORMS or (several and index[0]):
        return None
    return _norm(node, values, index[1:] if several else index), "input less mean, times scale, plus shift"


def _convolution(node: Node, values: Mapping[str, Any], index: Index) -> list[Term]:
    """What lies under the kernel at one place, times the weights; looks at nothing else."""
    call = call_of(node, values)
    x, weight, bias = call["x"], call["weight"], call["bias"]
    plan = sliding(**call)
    axes = len(plan.sides)
    place, (*front, out) = index[len(index) - axes :], index[: len(index) - axes]
    channels = weight.shape[1]
    first = out // (weight.shape[0] // plan.groups) * channels
    taps = []  # for each spatial axis: kernel positions inside the picture, and where they lie
    for i, s, b, d, k, side in zip(
        place, plan.stride, plan.before, plan.dilation, plan.kernel, plan.sides, strict=True
    ):
        inside = [(tap, i * s - b + d * tap) for tap in range(k) if 0 <= i * s - b + d * tap < side]
        taps.append(([tap for tap, _ in inside], [at for _, at in inside]))
    rows = np.ix_(range(first, first + channels), *(at for _, at in taps))
    read = x[tuple(front)][rows] if front else x[rows]
    factors = weight[out][np.ix_(range(channels), *(tap for tap, _ in taps))]
    where = np.stack(np.broadcast_arrays(*rows), -1).reshape(-1, axes + 1).tolist()
    name, numbers, weights = name_of(node, "x"), read.ravel().tolist(), factors.ravel().tolist()
    terms = [Term(name, (*front, *at), x, w) for at, x, w in zip(where, numbers, weights, strict=True)]
    if bias is not None:
        terms.append(Term(name_of(node, "bias"), (out,), float(bias[out]), 1.0))
    return terms


def _norm(node: Node, values: Mapping[str, Any], index: Index) -> list[Term]:
    """A norm as a scale and a shift of its own input: value = x scale - mean scale + bias."""
    call, centered = call_of(node, values), node.kind != "rms_norm"
    x = call["x"]
    axes = len(call.get("normalized_shape", ()))
    channel: Index = index[x.ndim - axes :] if axes else index[1:2]
    of_batch = call.get("training", call.get("use_input_stats", False))
    fixed = call.get("running_mean") is not None and not of_batch
    if fixed:
        mean, variance = float(call["running_mean"][channel]), float(call["running_var"][channel])
    else:
        line = np.asarray(x[_line_of(node.kind, call, index)], np.float64)
        mean = float(line.mean()) if centered else 0.0
        variance = float(np.square(line - mean).mean())
    eps = float(np.finfo(x.dtype).eps) if call["eps"] is None else call["eps"]
    scale = 1 / math.sqrt(variance + eps)
    if call.get("weight") is not None:
        scale *= float(call["weight"][channel])
    terms = [Term(name_of(node, "x"), index, float(x[index]), scale)]
    if fixed:
        terms.append(Term(name_of(node, "running_mean"), channel, mean, -scale))
    elif centered:
        terms.append(Term("", (), mean, -scale))  # the mean of its own line
    if call.get("bias") is not None:
        terms.append(Term(name_of(node, "bias"), channel, float(call["bias"][channel]), 1.0))
    return terms


def line_mean(node: Node, values: Mapping[str, Any], index: Index) -> list[Term]:
    """The terms of the mean that a norm takes away from one of its numbers, and that it finds itself.

    Args:
        node: a norm, of a functional graph.
        values: of what it reads.
        index: of the number; of a node with several values, that of the value first.
    """
    call = call_of(node, values)
    x = call["x"]
    counted = np.zeros(x.shape, bool)
    counted[_line_of(node.kind, call, index[len(index) - x.ndim :])] = True
    name, share = name_of(node, "x"), 1 / int(counted.sum())
    places = np.argwhere(counted).tolist()
    return [Term(name, tuple(at), each, share) for at, each in zip(places, x[counted].tolist(), strict=True)]


def _line_of(kind: str, call: Call, index: Index) -> tuple[Any, ...]:
    """The numbers whose mean and variance count for one of them."""
    if kind == "instance_norm":
        return index[:2]
    if "normalized_shape" in call:
        return index[: call["x"].ndim - len(call["normalized_shape"])]
    groups = call.get("num_groups", call.get("group"))
    if groups is None:
        return (slice(None), index[1])
    width = call["x"].shape[1] // groups
    first = index[1] // width * width
    return (index[0], slice(first, first + width))
