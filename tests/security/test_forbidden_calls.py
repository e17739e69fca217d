"""No line of src/ may run what a file says: the calls and imports that could are forbidden by name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"

FORBIDDEN_MODULES = {
    "pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "torch.hub", "torch.package",
}  # fmt: skip
FORBIDDEN_NAMES = {"load_state_dict_from_url", "load_url", "add_safe_globals", "safe_globals"}
FORBIDDEN_ATTRIBUTES = {"torch.jit.load", "torch.hub", "torch.package"}
FORBIDDEN_BUILTINS = {"eval", "exec", "compile", "__import__"}

RESTRICTED_UNPICKLERS: frozenset[str] = frozenset({"photosite/train/cifar_batches.py"})
"""Files that may import pickle, only to derive an Unpickler with a `find_class` of its own; each is a decision."""


def dotted(node: ast.AST) -> str:
    """Write a name or attribute as in the source: `torch.jit.load`; what is no plain name becomes `?`."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def imported(node: ast.AST) -> dict[str, str]:
    """For an import statement: the local names that it makes, with what each stands for."""
    if isinstance(node, ast.Import):
        return {(name.asname or name.name): name.name for name in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {(name.asname or name.name): f"{node.module}.{name.name}" for name in node.names}
    return {}


def faults_of_import(node: ast.AST) -> Iterator[str]:
    for module in imported(node).values():
        parents = {module.rsplit(".", count)[0] for count in range(module.count(".") + 1)}
        if parents & FORBIDDEN_MODULES:
            yield f"import of {module}"
        if module in FORBIDDEN_ATTRIBUTES or module.rpartition(".")[2] in FORBIDDEN_NAMES:
            yield module


def faults_of_name(node: ast.AST, full: Callable[[ast.AST], str]) -> Iterator[str]:
    if isinstance(node, ast.Attribute | ast.Name):
        name = full(node)
        if name in FORBIDDEN_ATTRIBUTES or name.rpartition(".")[2] in FORBIDDEN_NAMES:
            yield name


def faults_of_call(node: ast.AST, full: Callable[[ast.AST], str]) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    for keyword in node.keywords:
        if keyword.arg in ("trust_remote_code", "allow_pickle") and not is_constant(keyword.value, False):
            yield f"{keyword.arg}"
    if full(node.func) in ("torch.load", "torch.serialization.load"):
        safe = {keyword.arg: keyword.value for keyword in node.keywords}.get("weights_only")
        if not is_constant(safe, True):
            yield "torch.load without weights_only=True"
    if isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_BUILTINS:
        yield node.func.id


def faults(text: str) -> list[str]:
    """List what is forbidden in a piece of Python, as `line: what`."""
    nodes = list(ast.walk(ast.parse(text)))
    aliases = {name: stands for node in nodes for name, stands in imported(node).items()}

    def full(node: ast.AST) -> str:
        first, _, rest = dotted(node).partition(".")
        return ".".join(filter(None, (aliases.get(first, first), rest)))

    return [
        f"{getattr(node, 'lineno', 0)}: {fault}"
        for node in nodes
        for fault in (*faults_of_import(node), *faults_of_name(node, full), *faults_of_call(node, full))
    ]


def is_restricted(text: str) -> bool:
    """Tell whether pickle serves only as the base of a class with its own `find_class`, and for its exception."""
    tree = ast.parse(text)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bases = [base for node in classes for base in node.bases if dotted(base) == "pickle.Unpickler"]
    guarded = [
        base
        for node in classes
        if any(isinstance(item, ast.FunctionDef) and item.name == "find_class" for item in node.body)
        for base in node.bases
        if dotted(base) == "pickle.Unpickler"
    ]
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and dotted(node.value) == "pickle"]
    plain = [node for node in uses if node not in bases and node.attr != "UnpicklingError"]
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "pickle"]
    return bases == guarded and not plain and len(names) == len(uses) and "from pickle import" not in text


def faults_of(file: Path) -> list[str]:
    text, name = file.read_text(), file.relative_to(SOURCE).as_posix()
    excused = name in RESTRICTED_UNPICKLERS and is_restricted(text)
    return [f"{name}:{fault}" for fault in faults(text) if not (excused and fault.endswith(": import of pickle"))]


def test_nothing_in_src_can_run_what_a_file_says() -> None:
    files = sorted(SOURCE.rglob("*.py"))
    assert len(files) > 5, "looked in the wrong place"
    assert [fault for file in files for fault in faults_of(file)] == []


def test_a_restricted_unpickler_is_told_from_a_plain_one() -> None:
    guarded = (
        "import pickle\nclass A(pickle.Unpickler):\n def find_class(self, m, n):\n  raise pickle.UnpicklingError\n"
    )
    assert is_restricted(guarded)
    assert not is_restricted(guarded.replace("find_class", "find_more"))
    assert not is_restricted(guarded + "pickle.loads(b'')")
    assert not is_restricted(guarded + "p = pickle")


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("import torch\ntorch.load(f)", "weights_only"),
        ("import torch as t\nt.load(f)", "weights_only"),
        ("from torch import load\nload(f)", "weights_only"),
        ("from torch import load as read\nread(f, weights_only=False)", "weights_only"),
        ("import torch\ntorch.load(f, weights_only=flag)", "weights_only"),
        ("import torch\ntorch.serialization.load(f)", "weights_only"),
        ("import torch\ntorch.hub.load_state_dict_from_url(u)", "load_state_dict_from_url"),
        ("from torchvision.models._api import load_state_dict_from_url", "load_state_dict_from_url"),
        ("import torch\ntorch.serialization.add_safe_globals([C])", "add_safe_globals"),
        ("import torch\ntorch.jit.load(f)", "torch.jit.load"),
        ("from torch.jit import load", "torch.jit.load"),
        ("import numpy as np\nnp.load(f, allow_pickle=True)", "allow_pickle"),
        ("AutoModel.from_pretrained(n, trust_remote_code=True)", "trust_remote_code"),
        ("AutoModel.from_pretrained(n, trust_remote_code=trust)", "trust_remote_code"),
        ("import pickle", "pickle"),
        ("from pickle import Unpickler", "pickle"),
        ("import os, dill as d", "dill"),
        ("from torch import hub", "torch.hub"),
        ("eval('1')", "eval"),
        ("exec(text)", "exec"),
        ("compile(text, 'f', 'exec')", "compile"),
    ],
)
def test_finds_each_forbidden_thing(code: str, word: str) -> None:
    assert any(word in fault for fault in faults(code)), faults(code)


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ntorch.load(f, weights_only=True)",
        "import torch\nmodel = torch.compile(model).eval()",
        "import re\nre.compile('x')",
        "import numpy as np\nnp.load(f)\nnp.load(f, allow_pickle=False)",
        "import pickletools",
        "import json\njson.load(f)",
    ],
)
def test_leaves_harmless_lines_alone(code: str) -> None:
    assert faults(code) == []
