"""The house rules that files can break without anyone noticing: layers, cuts, cycles, the map, sizes, leaks."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.source_tree import (
    NEEDS_OPTIONAL,
    NEEDS_SLOW,
    ORDER,
    PACKAGE,
    ROOT,
    SERVE_ANY_MODEL,
    SLOW,
    TORCH_FREE,
    Module,
    is_optional,
    map_text,
    own_targets,
    rank,
    read_tree,
)

MAX_LINES = 450
Tree = dict[str, Module]


@pytest.fixture(scope="module")
def tree() -> Tree:
    return read_tree()


# The rules. Each gives one line per fault; the tests below hold the tree to them, and show that each catches its fault.


def unknown_folders(tree: Tree) -> list[str]:
    """Folders and files that have no place in the order."""
    return sorted({m.folder for m in tree.values()} - {*ORDER, "", "__main__"})


def upward_imports(tree: Tree) -> list[str]:
    """Imports of something that stands later in the light's order; for types counts too, a type is a dependency."""
    return [
        f"{module.path.name}:{item.line}: {module.folder} imports {target or 'the public names'}"
        for module in tree.values()
        if module.name not in ("", "__main__")
        for target, item in own_targets(module)
        if (rank(target.split(".")[0]) > rank(module.folder) if target else item.name != "__version__")
    ]


def model_imports(tree: Tree) -> list[str]:
    """Tools that know our own networks or tokens."""
    return [
        f"{module.name}:{item.line} imports {target}"
        for module in tree.values()
        if module.folder in SERVE_ANY_MODEL
        for target, item in own_targets(module)
        if target.split(".")[0] in ("nets", "tokens")
    ]


def is_torch_free(name: str) -> bool:
    """Whether a module is of the part that promises to work without torch."""
    return any(name == free or name.startswith(f"{free}.") for free in TORCH_FREE) or name == "trace.values"


def torch_imports(tree: Tree) -> list[str]:
    """Torch in the part that promises to work without it."""
    return [
        f"{module.name}:{item.line} imports {item.target}"
        for module in tree.values()
        if is_torch_free(module.name) or module.name == ""
        for item in module.imports
        if item.target.split(".")[0] in ("torch", "torchvision", "timm")
    ]


def late_imports(tree: Tree) -> list[str]:
    """Imports inside functions that are neither of an optional or slow package nor in cli/."""
    return [
        f"{module.name}:{item.line} imports {item.target} inside a function"
        for module in tree.values()
        if module.folder != "cli"
        for item in module.imports
        if item.in_function
        and not is_optional(item.target)
        and item.target.split(".")[0] not in SLOW
        and item.target.removeprefix("photosite.") not in NEEDS_SLOW
    ]


def early_imports(tree: Tree) -> list[str]:
    """Optional packages imported with the module and without a `try`, so that everyone would need them."""
    return [
        f"{module.name}:{item.line} needs {item.target} at import"
        for module in tree.values()
        if module.name not in NEEDS_OPTIONAL
        for item in module.imports
        if is_optional(item.target) and not (item.in_function or item.for_types or item.guarded)
    ]


def cycles(tree: Tree) -> list[str]:
    """Modules that import each other, directly or through others."""
    graph = {name: {target for target, _ in own_targets(m) if target in tree} for name, m in tree.items() if name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


def silent_files(tree: Tree) -> list[str]:
    """Files whose first line does not say, in one sentence, what they are."""
    return [name or "__init__" for name, m in tree.items() if not re.search(r"\S.*[.!?]`?$", m.first_line)]


def undocumented(tree: Tree) -> list[str]:
    """Public functions, classes and methods without a docstring."""

    def public(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if not child.name.startswith("_"):
                    yield child
                    if isinstance(child, ast.ClassDef):
                        yield from public(child)
            elif isinstance(child, ast.If | ast.Try | ast.With):
                yield from public(child)

    def overloads(node: ast.AST) -> bool:
        return any(
            "overload" in ast.unparse(d) or ".setter" in ast.unparse(d) for d in getattr(node, "decorator_list", [])
        )

    return [
        f"{module.name}:{node.lineno} {node.name}"
        for module in tree.values()
        for node in public(module.tree)
        if not ast.get_docstring(node) and not overloads(node)
    ]


RULES: tuple[Callable[[Tree], list[str]], ...] = (
    *(unknown_folders, upward_imports, model_imports, torch_imports, late_imports, early_imports, cycles),
    *(silent_files, undocumented),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Callable[[Tree], list[str]], tree: Tree) -> None:
    assert rule(tree) == []


FAULTS: list[tuple[Callable[[Tree], list[str]], dict[str, str], str]] = [
    (unknown_folders, {"misc/thing.py": ""}, "misc"),
    (upward_imports, {"prep/a.py": "from photosite.nets.b import c", "nets/b.py": ""}, "prep imports nets.b"),
    (upward_imports, {"ops/a.py": "if TYPE_CHECKING:\n    import photosite.cli"}, "ops imports cli"),
    (upward_imports, {"ops/a.py": "from photosite import load"}, "ops imports the public names"),
    (upward_imports, {"ops/a.py": "def f():\n    from photosite import cli", "cli/__init__.py": ""}, "ops imports cli"),
    (model_imports, {"report/a.py": "from photosite import nets", "nets/__init__.py": ""}, "report.a:1 imports nets"),
    (torch_imports, {"graph/ir.py": "from torch.fx import Node"}, "graph.ir:1 imports torch.fx"),
    (torch_imports, {"errors.py": "def f():\n    import torch"}, "errors:2 imports torch"),
    (torch_imports, {"prep/a.py": "import_module('torch')"}, "prep.a:1 imports torch"),
    (late_imports, {"train/a.py": "class A:\n    def f(self):\n        import json"}, "train.a:3 imports json inside"),
    (late_imports, {"train/a.py": "def f():\n    importlib.import_module('json')"}, "train.a:2 imports json inside"),
    (
        early_imports,
        {"cli/a.py": "try:\n    import skimage.data\nexcept ValueError:\n    pass"},
        "cli.a:2 needs skimage",
    ),
    (
        early_imports,
        {"prep/a.py": "from photosite.prep import kernels", "prep/kernels.py": "import numba"},
        "prep.kernels",
    ),
    (cycles, {"prep/a.py": "import photosite.prep.b", "prep/b.py": "from photosite.prep import a"}, "prep.a"),
    (
        cycles,
        {"prep/__init__.py": "from photosite.prep.b import x", "prep/b.py": "from photosite.prep import y"},
        "prep.b",
    ),
    (silent_files, {"prep/__init__.py": ""}, "prep"),
    (silent_files, {"prep/a.py": '"""No full stop"""'}, "prep.a"),
    (undocumented, {"prep/a.py": 'class A:\n    """A."""\n    def f(self): ...'}, "prep.a:3 f"),
    (undocumented, {"prep/a.py": "if x:\n    def f(): ..."}, "prep.a:2 f"),
]


@pytest.mark.parametrize(("rule", "files", "fault"), FAULTS)
def test_the_rule_catches_its_fault(
    rule: Callable[[Tree], list[str]], files: dict[str, str], fault: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        path = tmp_path / "photosite" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = rule(read_tree(tmp_path / "photosite"))
    assert len(found) == 1
    assert fault in found[0]


def test_optional_packages_and_types_may_be_imported_where_they_are_used(tmp_path: Path) -> None:
    (tmp_path / "photosite/prep").mkdir(parents=True)
    (tmp_path / "photosite/prep/a.py").write_text(
        '"""A."""\nif TYPE_CHECKING:\n    import skimage\n'
        "try:\n    import simplejpeg\nexcept ImportError:\n    simplejpeg = None\n"
        "def _f():\n    import skimage\n    from photosite import __version__\n"
    )
    found = read_tree(tmp_path / "photosite")
    assert [rule(found) for rule in (early_imports, upward_imports, undocumented)] == [[], [], []]
    assert late_imports(found) == ["prep.a:10 imports photosite inside a function"]


def test_the_map_is_the_tree(tree: Tree) -> None:
    written = (PACKAGE / "README.md").read_text(encoding="utf-8")
    assert written == map_text(tree), "src/photosite/README.md is old: make map"


def test_the_map_puts_a_file_below_those_that_it_imports(tmp_path: Path) -> None:
    files = {
        "__init__.py": '"""All."""',
        "nets/__init__.py": '"""Networks."""',
        "nets/b.py": '"""B."""',
        "nets/a.py": '"""A uses B.\n\nMore."""\nimport photosite.nets.b',
        "errors.py": '"""Errors."""',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    package = tmp_path.rename(tmp_path.with_name("photosite"))
    lines = map_text(read_tree(package)).split("\n\n")[-1].splitlines()
    assert lines == [
        "- `errors.py` Errors.",
        "- `nets/` Networks.",
        "  - `b.py` B.",
        "  - `a.py` A uses B.",
        "- `__init__.py` All.",
    ]


# What runs: the same promises, held against the interpreter.


def run_python(code: str, *arguments: str) -> str:
    """Run code in a fresh interpreter; what it printed."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_torch_free_part_imports_where_torch_is_blocked(tree: Tree) -> None:
    names = [f"photosite.{name}" for name in tree if name and is_torch_free(name)]
    assert "photosite.prep.recipe" in names
    code = """
import sys, importlib, importlib.abc
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "timm"):
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocked())
try:
    import torch
except ImportError:
    for name in sys.argv[1:]:
        importlib.import_module(name)
    print(len(sys.argv) - 1)
"""
    assert run_python(code, *names) == f"{len(names)}\n"


def test_import_photosite_loads_neither_torch_nor_numpy() -> None:
    code = "import sys, photosite; dir(photosite); print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    assert run_python(code) == "[]\n"


@pytest.mark.parametrize("arguments", [["--help"], ["see", "--help"]], ids=" ".join)
def test_help_does_not_import_torch(arguments: list[str]) -> None:
    code = """
import contextlib, io, json, sys
from photosite.cli import main
sys.argv = ["photosite", *sys.argv[1:]]
shown = io.StringIO()
try:
    with contextlib.redirect_stdout(shown):
        main()
except SystemExit as end:
    assert end.code in (0, None), end.code
heavy = ("torch", "torchvision", "skimage", "matplotlib")
print(json.dumps([[name for name in heavy if name in sys.modules], shown.getvalue()]))
"""
    heavy, shown = json.loads(run_python(code, *arguments))
    assert heavy == []
    assert "see" in shown


def test_python_m_photosite_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "photosite", "--help"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Usage: photosite" in done.stdout


# The repository as a whole.


def repository_files() -> list[Path]:
    """What belongs to the repository: tracked or about to be; from a source archive, all but hidden folders."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = [name.decode("utf-8", "surrogateescape") for name in listed.stdout.split(b"\0") if name]
    else:
        names = [
            str(path.relative_to(ROOT))
            for path in ROOT.rglob("*")
            if not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(ROOT).parts[:-1])
        ]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def repository_texts() -> Iterator[tuple[str, str]]:
    """Name and text of every text file."""
    for path in repository_files():
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            yield path.relative_to(ROOT).as_posix(), data.decode("utf-8", "replace")


LEAKS = {
    "a folder of someone's machine": r"(?<![\w.~}<-])/(?:"
    + "|".join(["work", "root", "tmp", r"home/\w+", r"Users/\w+"])
    + r")/\w",
    "a package index of someone's own": "|".join(
        [r"--(?:extra-)?" + "index-url", "--find" + "-links", "--trusted" + "-host"]
    ),
    "a key or token": "|".join(
        [
            r"\bhf_[A-Za-z0-9]{30,}",
            r"\bgh[pousr]_[A-Za-z0-9]{30,}",
            r"\bAKIA[0-9A-Z]{16}\b",
            "BEGIN [A-Z ]*PRIVATE" + " KEY",
        ]
    ),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_no_file_holds(kind: str) -> None:
    pattern = re.compile(LEAKS[kind])
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in repository_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("a folder of someone's machine", 'DATA = "' + "/work" + '/data"'),
        ("a folder of someone's machine", "cd " + "/home" + "/ada/photosite"),
        ("a package index of someone's own", "pip install " + "--index" + "-url=https://example.org torch"),
        ("a key or token", "token = hf" + "_" + "a" * 34),
    ],
)
def test_a_leak_is_seen(kind: str, line: str) -> None:
    assert re.search(LEAKS[kind], line)


def test_no_file_is_too_long_to_read() -> None:
    long = [
        f"{name}: {text.count(chr(10))} lines"
        for name, text in repository_texts()
        if name.endswith((".py", ".js", ".css", ".j2")) and text.count("\n") > MAX_LINES
    ]
    assert long == []
