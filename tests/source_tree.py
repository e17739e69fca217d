"""The source tree as the architecture tests see it: files, their first lines, and who imports whom.

Reads syntax only and imports nothing of photosite. `python -m tests.source_tree` (or `make map`) prints the map
that stands in src/photosite/README.md.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "photosite"

ORDER = (
    *(
        "errors",
        "shapes",
        "files",
        "processors",
        "alone",
        "sensor",
        "color",
        "prep",
        "ops",
        "handcrafted",
        "graph",
        "analysis",
        "nets",
        "tokens",
    ),
    *("lightpath", "train", "encode", "trace", "report", "explorer", "exploring", "cli"),
)
"""The folders in the order in which the light passes them; each imports only itself and what stands before it."""

SERVE_ANY_MODEL = ("graph", "analysis", "report", "explorer")
"""Folders that must not know our own networks: the model is passed in."""

TORCH_FREE = (
    *("errors", "shapes", "files", "processors", "alone", "sensor", "color", "prep", "ops", "handcrafted"),
    *("graph.ir", "graph.row", "graph.table", "graph.reach"),
)
"""What must work, and start quickly, where there is no torch."""

OPTIONAL = ("llvmlite", "matplotlib", "numba", "pillow_heif", "simplejpeg", "skimage", "timm", "torchvision")
"""Packages of the extras and of our users: imported where they are used or
under `try`, so that none has to be there."""

SLOW = ("huggingface_hub",)
"""Packages that are there and take long to import, so that they are imported where they are used."""

NEEDS_SLOW = ("tokens.encoding",)
"""Files of ours that need torch in a folder that works, and starts quickly, without: imported where they are used."""

NEEDS_OPTIONAL = ("prep.kernels", "prep.windows", "tokens.kernels")
"""Files of ours that are as optional as the package that they are written for."""


def is_optional(target: str) -> bool:
    """Tell whether a module may be missing, and so may be imported late but not with the importing module."""
    return target.split(".")[0] in OPTIONAL or target.removeprefix("photosite.") in NEEDS_OPTIONAL


@dataclass(frozen=True)
class Import:
    """One thing that a module imports; `target` is a module's full name."""

    target: str
    name: str
    line: int
    in_function: bool
    for_types: bool
    guarded: bool


@dataclass(frozen=True)
class Module:
    """One Python file; `name` is dotted and without the package's own name, "" for its `__init__`."""

    name: str
    path: Path
    tree: ast.Module
    imports: tuple[Import, ...]

    @property
    def folder(self) -> str:
        """The first part of the name: a folder, or a file beside the folders."""
        return self.name.split(".")[0]

    @property
    def first_line(self) -> str:
        """What the file says it is; empty where it says nothing."""
        return (ast.get_docstring(self.tree) or "").split("\n")[0]


@dataclass(frozen=True)
class _Place:
    """What surrounds a statement: a function, an `if TYPE_CHECKING`, a `try … except ImportError`."""

    in_function: bool = False
    for_types: bool = False
    guarded: bool = False

    def inside(self, node: ast.AST) -> _Place:
        """The place of what stands directly in `node`."""
        names = {getattr(part, "id", getattr(part, "attr", "")) for part in _conditions(node)}
        return _Place(
            self.in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda),
            self.for_types or "TYPE_CHECKING" in names,
            self.guarded or not {"ImportError", "ModuleNotFoundError"}.isdisjoint(names),
        )


def _conditions(node: ast.AST) -> list[ast.AST]:
    """The test of an `if`, the exceptions that a `try` catches."""
    if isinstance(node, ast.If):
        return [node.test]
    if isinstance(node, ast.Try):
        return [part for handler in node.handlers if handler.type for part in ast.walk(handler.type)]
    return []


def _statements(node: ast.AST, place: _Place) -> Iterator[tuple[ast.AST, _Place]]:
    """Every import and every `import_module("…")` below a node, with its place."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, place
        elif isinstance(child, ast.Call):
            called = getattr(child.func, "attr", getattr(child.func, "id", ""))
            if called in ("import_module", "__import__") and child.args and isinstance(child.args[0], ast.Constant):
                yield child, place
        yield from _statements(child, place.inside(child))


def _imports(tree: ast.Module, known: set[str], package: str) -> Iterator[Import]:
    for node, place in _statements(tree, _Place()):
        where = (place.in_function, place.for_types, place.guarded)
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, "", node.lineno, *where)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                source = "." * node.level + (node.module or "")
                full = f"{source}.{alias.name}"
                is_module = full.startswith(f"{package}.") and full.removeprefix(f"{package}.") in known
                target, name = (full, "") if is_module else (source, alias.name)
                yield Import(target, name, node.lineno, *where)
        elif isinstance(node, ast.Call):
            assert isinstance(node.args[0], ast.Constant)
            yield Import(str(node.args[0].value), "", node.lineno, *where)


def read_tree(package: Path = PACKAGE) -> dict[str, Module]:
    """Parse every Python file below a package, by dotted name."""
    paths = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    modules = {}
    for name, path in paths.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        modules[name] = Module(name, path, tree, tuple(_imports(tree, set(paths), package.name)))
    return modules


def own_targets(module: Module, package: str = "photosite") -> list[tuple[str, Import]]:
    """What a module imports of its own package: (dotted name without the package's, the import)."""
    return [
        (item.target.removeprefix(package).removeprefix("."), item)
        for item in module.imports
        if item.target == package or item.target.startswith(f"{package}.")
    ]


def light_order(modules: dict[str, Module]) -> list[Module]:
    """Modules in the light's order: by folder, a folder's own line first, then files after those that they import.

    Files that do not import each other stand by name, and so do all files of a folder with a cycle, which another test
    complains about. The package's own `__init__` and `__main__` are left out.
    """
    in_order: list[Module] = []
    for folder in sorted({m.folder for m in modules.values()} - {"", "__main__"}, key=rank):
        inside = {name: m for name, m in modules.items() if m.folder == folder and name != folder}
        sorter = TopologicalSorter(
            {name: {t for t, _ in own_targets(m) if t in inside and t != name} for name, m in inside.items()}
        )
        names: list[str] = []
        try:
            sorter.prepare()
            while sorter.is_active():
                ready = sorted(sorter.get_ready())
                sorter.done(*ready)
                names += ready
        except CycleError:
            names = sorted(inside)
        in_order += [modules[name] for name in [folder, *names] if name in modules]
    return in_order


def rank(folder: str) -> tuple[int, str]:
    """Where a folder stands in the light's order; unknown ones come last, by name."""
    return (ORDER.index(folder) if folder in ORDER else len(ORDER), folder)


def map_text(modules: dict[str, Module]) -> str:
    """The map: folders and files in the light's order, each with the first line that it says about itself."""
    lines = [
        "# The map",
        "",
        "The folders in the order in which the light passes them; each imports only itself and what stands above it.",
        "Inside a folder, a file stands below those that it imports. The words are the first line of each file:",
        "`make map` writes them here, and `tests/test_architecture.py` holds them to the tree.",
        "",
    ]
    for module in light_order(modules):
        if "." not in module.name:
            label = f"{module.name}/" if module.path.name == "__init__.py" else module.path.name
            lines.append(f"- `{label}` {module.first_line}".rstrip())
        else:
            label = "/".join(module.name.split(".")[1:]) + ("/" if module.path.name == "__init__.py" else ".py")
            lines.append(f"  - `{label}` {module.first_line}".rstrip())
    for name in ("", "__main__"):
        if name in modules:
            lines.append(f"- `{modules[name].path.name}` {modules[name].first_line}".rstrip())
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(map_text(read_tree()), end="")
