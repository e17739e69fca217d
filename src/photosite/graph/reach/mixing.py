"""Operations that mix along axes: linear layers, sums, norms, softmax, attention, and those place by place."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import replace

from photosite.graph.reach.call import Call
from photosite.graph.reach.field import DIRECTIONS, Field, constant, named, plain, ways_of
from photosite.graph.reach.summing import folded, summed
from photosite.graph.reach.together import combined, product, weighed


def pointwise(call: Call) -> Field:
    """Operands place by place."""
    return combined(call.shape, call.name, call.fields)


def same(call: Call) -> Field:
    """The first operand's own field; what else is read (statistics, weights) has no place in the picture."""
    return call.x if call.x.depends else constant(call.shape)


def nothing(call: Call) -> Field | list[Field]:
    """A value that no pixel has part in."""
    made = [constant(shape) for shape in call.shapes]
    return made if len(made) > 1 else made[0]


def each(rule: Callable[[Call], Field]) -> Callable[[Call], list[Field]]:
    """For several results: the field of the first for those of its shape; the others are statistics."""

    def reach(call: Call) -> list[Field]:
        first = rule(Call(call.name, [call.shapes[0]], call.args, call.kwargs))
        return [first if shape == call.shapes[0] else constant(shape) for shape in call.shapes]

    return reach


def linear(call: Call) -> Field:
    """The last axis summed up with weights."""
    return product(call.shape, call.name, *_letters(call.x, call.args[1], transposed=True), [call.x, call.args[1]])


def matmul(call: Call) -> Field:
    """A matrix product."""
    x, other = call.args[:2]
    if len(x.axes) == 1 or len(other.axes) == 1:
        moving = [one for one in (x, other) if one.depends]
        if len(moving) == 1:
            dims = [len(moving[0].axes) - 1] if moving[0] is x else [max(len(other.axes) - 2, 0)]
            return summed(moving[0], dims, call.name, keep=False)
    return product(call.shape, call.name, *_letters(x, other, transposed=False), [x, other])


def _letters(x: Field, other: Field, *, transposed: bool) -> tuple[list[str], str]:
    """Letters for x (…, i, k) and other (…, k, j), or (j, k): axes from the end on have the same ones."""
    batch = string.ascii_lowercase[: max(len(x.axes), len(other.axes)) - 2]
    front = batch[len(batch) - (len(x.axes) - 2) :] if len(x.axes) > 1 else ""
    behind = batch[len(batch) - (len(other.axes) - 2) :]
    rows = "Y" if len(x.axes) > 1 else ""
    right = "ZK" if transposed else "KZ"
    return [f"{front}{rows}K", f"{behind}{right}"], f"{batch}{rows}Z"


def add_product(call: Call) -> Field:
    """A matrix product and something added."""
    added, first, second = call.args[:3]
    found = matmul(Call(call.name, call.shapes, (first, second), {}))
    return combined(call.shape, call.name, [found, added])


def einsum(call: Call) -> Field:
    """Products summed as an equation says."""
    equation, fields = call.args[0].replace(" ", ""), list(call.args[1])
    left, arrow, out = equation.partition("->")
    terms = left.split(",")
    if not arrow:
        letters = left.replace(",", "")
        out = "".join(sorted({letter for letter in letters if letters.count(letter) == 1}))
    if "..." in equation:
        free = [letter for letter in string.ascii_letters if letter not in equation]
        count = max(
            len(one.axes) - len(term.replace("...", ""))
            for term, one in zip(terms, fields, strict=True)
            if "..." in term
        )
        wide = "".join(free[:count])
        for number, one in enumerate(fields):
            own = len(one.axes) - len(terms[number].replace("...", ""))
            terms[number] = terms[number].replace("...", wide[count - own :])
        out = out.replace("...", wide)
    return product(call.shape, call.name, terms, out, fields)


def reduction(call: Call) -> Field:
    """A sum, mean or extreme along axes."""
    dims = call.get(1, "dim")
    keep = bool(call.get(2, "keepdim", False))
    return _reduced(call, dims, keep)


def norm_of_vectors(call: Call) -> Field:
    """The length of vectors."""
    return _reduced(call, call.get(2, "dim"), bool(call.get(3, "keepdim", False)))


def reduction_of_all(call: Call) -> Field:
    """A sum, mean or extreme of all numbers."""
    return _reduced(call, None, False)


def picked(call: Call) -> list[Field]:
    """An extreme and where it stands."""
    return [_reduced(call, call.get(1, "dim"), bool(call.get(2, "keepdim", False)))] * len(call.shapes)


def spread(call: Call) -> Field | list[Field]:
    """A variance or a deviation along axes, or both it and a mean."""
    dims, keep = call.get(1, "dim"), bool(call.get(3, "keepdim", False) or call.kwargs.get("keepdim", False))
    found = _reduced(call, dims, keep)
    return [found] * len(call.shapes) if len(call.shapes) > 1 else found


def cell(call: Call) -> Field | list[Field]:
    """One step of a recurrent layer: the step's input and what is remembered, both summed up with weights."""
    x, remembered = call.x, call.args[1]
    states = remembered if isinstance(remembered, list | tuple) else [remembered]
    operands = [summed(one, [len(one.axes) - 1], call.name, keep=True) for one in (x, *states)]
    found = combined(call.shape, call.name, operands)
    return [found] * len(call.shapes) if len(call.shapes) > 1 else found


def outer(call: Call) -> Field:
    """Every product of two lines' numbers."""
    return product(call.shape, call.name, ["i", "j"], "ij", call.args[:2])


def _reduced(call: Call, dims: int | list[int] | None, keep: bool) -> Field:
    count = len(call.x.axes)
    none = dims is None or (not isinstance(dims, int) and not dims)
    chosen = range(count) if none else [dims] if isinstance(dims, int) else dims
    return summed(call.x, [dim % count for dim in chosen or ()], call.name, keep=keep)


def along(number: int, role: str) -> Callable[[Call], Field]:
    """What mixes along one axis and keeps it: softmax, running sums; named where the axis runs over the picture."""

    def reach(call: Call) -> Field:
        return mixed(call.x, [call.get(number, role)], call.name)

    return reach


def mixed(x: Field, dims: list[int], name: str) -> Field:
    """Mixing along axes that stay."""
    return weighed(x, x, dims, name) if x.depends and any(ways_of(x.axes[dim]) for dim in dims) else x


def layer_norm(call: Call) -> Field:
    """A norm over the last axes."""
    return mixed(call.x, list(range(-len(call.get(1, "normalized_shape")), 0)), call.name)


def space_norm(call: Call) -> Field:
    """A norm over channels or groups of them, and over space."""
    return mixed(call.x, list(range(1, len(call.x.axes))), call.name)


def batch_norm(call: Call) -> Field:
    """A norm by fixed statistics mixes nothing; by those of the batch, all of space."""
    training = bool(call.get(5, "training", False))
    return mixed(call.x, [0, *range(2, len(call.x.axes))], call.name) if training else same(call)


def attention(call: Call) -> Field:
    """Weights from queries and keys, values summed up by them: the place is the query's."""
    query, key, value = call.args[:3]
    moving = [one for one in (query, key, value) if one.depends]
    if not moving:
        return constant(call.shape)
    if not query.depends or query.unknown:
        seen = [way for way in DIRECTIONS if any(one.runs(way) for one in moving)]
        found = replace(moving[-1], axes=tuple(plain(side) for side in call.shape), unknown="")
        found = replace(found, whole=found.whole | frozenset(seen))
        return named(found, *(by for one in moving for by in one.global_by), call.name)
    found = replace(query, axes=(*query.axes[:-1], plain(call.shape[-1])))
    found = named(found, *(by for one in moving for by in one.global_by))
    for one in (key, value):
        if one.unknown:
            found = named(found, call.name)
        elif one.depends:
            found = weighed(found, folded(one), [len(one.axes) - 2], call.name)
    return found


def recurrent(call: Call) -> list[Field]:
    """A recurrent layer: every step sees all before it, and in both directions all."""
    first = call.shapes[0]
    found = replace(call.x, axes=(*call.x.axes[:-1], plain(first[-1])))
    found = mixed(found, [0, 1], call.name)
    rest = [replace(found, axes=tuple(plain(side) for side in shape)) for shape in call.shapes[1:]]
    return [found, *rest]
