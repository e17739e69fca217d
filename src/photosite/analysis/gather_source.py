"""The source of functions together with everything of ours that they use, as one text that needs nothing but NumPy.

Follows names through the syntax of each function: functions, classes and constants of ours come along, in an order in
which each stands after what it needs; modules and names of others become imports.
"""

from __future__ import annotations

import ast
import inspect
import io
import sys
import tokenize
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from types import ModuleType
from typing import Any

OWN = "photosite."
ERRORS = "photosite.errors"
"""In the text every error of ours is a ValueError."""
FOR_TYPES = frozenset(("typing", "numpy.typing", "collections.abc", "types"))
"""Modules whose names stand in annotations, which are never evaluated."""


@dataclass
class _Item:
    """One definition: where it stood, its text, and what the names in it stand for."""

    module: str
    name: str
    text: str
    uses: dict[str, tuple[str, str]] = field(default_factory=dict)  # name in the text: (module, name) of ours
    errors: set[str] = field(default_factory=set)


class Gathered:
    """Definitions gathered from some functions.

    Args:
        functions: of ours, defined at the top of their modules.
    """

    def __init__(self, functions: Iterable[Callable[..., Any]]) -> None:
        self.imports: set[str] = set()
        self._items: dict[tuple[str, str], _Item] = {}
        self._order: list[tuple[str, str]] = []
        for function in functions:
            self._take(*_place(function))
        names = [name for _, name in self._order]
        self._names = {
            key: key[1] if names.count(key[1]) == 1 else f"{key[0].rpartition('.')[2]}_{key[1].lstrip('_')}"
            for key in self._order
        }

    def name_of(self, function: Callable[..., Any]) -> str:
        """What a function is called in the text; two of one name are told apart by their modules."""
        return self._names[_place(function)]

    @property
    def names(self) -> set[str]:
        """All names that the text defines."""
        return set(self._names.values())

    def text(self) -> str:
        """Imports and definitions."""
        errors = sorted({error for item in self._items.values() for error in item.errors})
        named = [f"{' = '.join(errors)} = ValueError"] if errors else []
        bodies = [self._renamed(self._items[key]) for key in self._order]
        return "\n\n\n".join(["\n".join(sorted(self.imports, key=_import_order)), *named, *bodies])

    def _take(self, module: str, name: str) -> None:
        key = module, name
        if key in self._items:
            return
        tree, source = _parsed(module)
        node = _definition(tree, name)
        item = self._items[key] = _Item(module, name, _text(node, source))
        scope = vars(sys.modules[module])
        for used in sorted(_evaluated_names(node) & scope.keys() - {name}):
            self._follow(item, used, scope[used])
        self._order.append(key)

    def _follow(self, item: _Item, name: str, value: Any) -> None:
        """What a name in a definition stands for comes along, or is imported."""
        origin = _origin(item.module, name)
        if isinstance(value, ModuleType):
            self.imports.add(f"import {value.__name__}" + ("" if value.__name__ == name else f" as {name}"))
        elif origin[0] == ERRORS:
            item.errors.add(name)
        elif origin[0].startswith(OWN):
            item.uses[name] = origin
            self._take(*origin)
        elif origin[0] not in FOR_TYPES or inspect.isclass(value) is False:
            alias = "" if origin[1] == name else f" as {name}"
            self.imports.add(f"from {origin[0]} import {origin[1]}{alias}")

    def _renamed(self, item: _Item) -> str:
        """The text of a definition with the names that things have here."""
        changes = {name: self._names[key] for name, key in item.uses.items() if self._names[key] != name}
        own = self._names[item.module, item.name]
        if own != item.name:
            changes[item.name] = own
        if not changes:
            return item.text
        lines = item.text.splitlines(keepends=True)
        tokens = list(tokenize.generate_tokens(io.StringIO(item.text).readline))
        for before, token in reversed(list(zip([None, *tokens], tokens, strict=False))):
            attribute = before is not None and before.string == "."
            if token.type == tokenize.NAME and token.string in changes and not attribute:
                row, column = token.start
                line = lines[row - 1]
                lines[row - 1] = line[:column] + changes[token.string] + line[column + len(token.string) :]
        return "".join(lines)


@cache
def _place(function: Callable[..., Any]) -> tuple[str, str]:
    """The module in which a function is defined, and its name there."""
    if not isinstance(function, partial):
        return function.__module__, function.__name__
    module = function.func.__module__
    return module, next(name for name, value in vars(sys.modules[module]).items() if value is function)


@cache
def _parsed(module: str) -> tuple[ast.Module, str]:
    source = inspect.getsource(sys.modules[module])
    return ast.parse(source), source


def _definition(tree: ast.Module, name: str) -> ast.stmt:
    """The statement that defines a name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(part, ast.Name) and part.id == name for target in targets for part in ast.walk(target)):
            return node
    raise LookupError(f"{name} is not defined at the top of its module")


def _text(node: ast.stmt, source: str) -> str:
    """A definition as it is written, of its docstring only the first paragraph."""
    start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    assert node.end_lineno is not None
    lines, end = source.splitlines(), node.end_lineno
    for inner in sorted(ast.walk(node), key=lambda part: -getattr(part, "lineno", 0)):
        if not isinstance(inner, ast.FunctionDef | ast.ClassDef) or not ast.get_docstring(inner):
            continue
        doc = inner.body[0]
        assert isinstance(doc, ast.Expr)
        assert doc.end_lineno is not None
        first = (ast.get_docstring(inner) or "").split("\n\n")[0]
        indent = " " * doc.col_offset
        quotes = 'r"""' if "\\" in first else '"""'
        short = f"{indent}{quotes}{first}" + '"""'
        lines[doc.lineno - 1 : doc.end_lineno] = [
            "\n".join([short.split("\n")[0], *(indent + x for x in short.split("\n")[1:])])
        ]
        end -= doc.end_lineno - doc.lineno
    return "\n".join(lines[start - 1 : end])


def _evaluated_names(node: ast.stmt) -> set[str]:
    """Names that are looked up when a definition runs: all but those in annotations."""
    skipped = {
        id(part)
        for inner in ast.walk(node)
        for annotation in (getattr(inner, "annotation", None), getattr(inner, "returns", None))
        if annotation is not None
        for part in ast.walk(annotation)
    }
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and id(part) not in skipped}


def _origin(module: str, name: str) -> tuple[str, str]:
    """Where a name was defined: its module and its name there, through any number of imports of ours."""
    tree, _ = _parsed(module)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    if node.module.startswith(OWN):
                        return _origin(node.module, alias.name)
                    return node.module, alias.name
    return module, name


def _import_order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line
