"""Following rows and columns of the picture through a graph, node by node, by each operation's rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from photosite.graph.ir import Argument, Graph, Node, Ref
from photosite.graph.reach.call import Call
from photosite.graph.reach.field import Field, ReachError, constant, named, picture, unknown
from photosite.graph.reach.rules import KEEPS_PIECES, MAKES_PIECES, WITHOUT_ALL, Rule
from photosite.graph.reach.summing import smeared
from photosite.graph.table import TABLE


def fields_of(graph: Graph) -> dict[str, Field | list[Field]]:
    """What each value of a graph depends on.

    Args:
        graph: functional. Each input of four axes is a picture; others have no places, and nothing is known of them
            unless there is a picture beside them.
    Returns:
        By name, of inputs, parameters, constants and nodes; a list for a node with several values.
    """
    pictures = any(len(shape) == 4 for shape in graph.input_shapes)
    fields: dict[str, Any] = {}
    for name, shape in zip(graph.inputs, graph.input_shapes, strict=True):
        if len(shape) == 4:
            fields[name] = picture(shape)
        else:
            fields[name] = constant(shape) if pictures else unknown(shape, f"{name} has no rows and columns: {shape}")
    fields |= {name: constant(info.shape) for name, info in graph.parameters.items()}
    fields |= {name: constant(held.array.shape) for name, held in graph.constants.items()}
    for node in graph:
        fields[node.name] = _follow(node, fields)
    return fields


def _follow(node: Node, fields: Mapping[str, Any]) -> Field | list[Field]:
    if node.op == "getitem":
        several, index = node.args
        assert isinstance(several, Ref)
        assert isinstance(index, int)
        pieces = _flat(fields[several.name])
        return pieces[index]
    read = [one for name in node.inputs for one in _flat(fields[name])]
    lost = [one for one in read if one.unknown]
    row = TABLE.get(node.op)
    if lost and (row is None or row.reach not in WITHOUT_ALL or len(lost) == sum(one.depends for one in read)):
        return _alike(node, lost[0].unknown)
    if row is None or row.reach is None:
        if not any(one.depends for one in read):
            made = [constant(shape) for shape in node.shapes]
            return made if len(made) > 1 else made[0]
        return _alike(node, f"{node.name}: what {node.op} depends on is not written down")
    at_most = dict.fromkeys(name for one in read for name in one.at_most)
    try:
        found: Field | list[Field] = row.reach(_call(node, fields))
    except ReachError as error:
        wider = _of_pieces(node, fields, row.reach)
        if wider is None:
            return _alike(node, str(error))
        found = wider
        at_most[node.name] = None
    if row.reach not in MAKES_PIECES:
        moving = [one for one in read if one.depends]
        if row.reach in KEEPS_PIECES and len(moving) == 1 and moving[0].shape == node.shape:
            found = replace(_flat(found)[0], pieces=moving[0].pieces, pieces_dim=moving[0].pieces_dim)
        else:
            found = [replace(o, pieces=()) for o in found] if isinstance(found, list) else replace(found, pieces=())
    if at_most:
        names = tuple(at_most)
        found = [replace(o, at_most=names) for o in found] if isinstance(found, list) else replace(found, at_most=names)
    for one, shape in zip(_flat(found), node.shapes, strict=False):
        if one.shape != shape:
            return _alike(node, f"{node.name}: {node.op} was followed to {one.shape}, and has {shape}")
    return found


def _of_pieces(node: Node, fields: Mapping[str, Any], rule: Rule) -> Field | list[Field] | None:
    """The field of what takes rows and columns apart in a way that is not followed: an upper bound, if there is one."""
    for name in node.inputs:
        for one in smeared(fields[name]) if isinstance(fields[name], Field) else ():
            try:
                found = rule(_call(node, {**fields, name: one}))
            except ReachError:
                continue
            lost = one.whole - fields[name].whole
            return named(found, node.name) if lost and isinstance(found, Field) else found
    return None


def _call(node: Node, fields: Mapping[str, Any]) -> Call:
    return Call(
        node.name,
        node.shapes,
        [_thawed(argument, fields) for argument in node.args],
        {key: _thawed(argument, fields) for key, argument in node.kwargs.items()},
    )


def _alike(node: Node, why: str) -> Field | list[Field]:
    several = [unknown(shape, why) for shape in node.shapes]
    return several if len(several) > 1 else several[0]


def _flat(found: Any) -> list[Field]:
    return list(found) if isinstance(found, list) else [found]


def _thawed(argument: Argument, fields: Mapping[str, Any]) -> Any:
    if isinstance(argument, Ref):
        return fields[argument.name]
    return [_thawed(part, fields) for part in argument] if isinstance(argument, tuple) else argument
