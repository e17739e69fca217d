"""A network as a script: it needs NumPy alone, and gives PyTorch's numbers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.export_numpy import export_numpy, script
from photosite.analysis.gather_source import Gathered
from photosite.errors import PhotositeError, UnsupportedOpError
from photosite.graph.table import TABLE
from photosite.ops import activation, pooling
from tests.analysis.networks import Convolutional, Tokens, ready

RUN = """
import sys
class Only:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "photosite", "numba", "scipy", "PIL"):
            raise ImportError("only NumPy is here: " + name)
sys.meta_path.insert(0, Only())
import runpy
runpy.run_path("model.py", run_name="__main__")
"""


@pytest.mark.parametrize("network", [Convolutional, Tokens])
def test_runs_with_numpy_alone_and_gives_the_same_numbers(network: type[nn.Module], tmp_path: Path) -> None:
    model, x, graph, state = ready(network(), torch.randn(2, 3, 64, 64), torch.float32)
    expected = {"output": model(x).detach().numpy()}
    difference = export_numpy(graph, state, (x.numpy(),), expected, tmp_path / "new" / "folder", "a network")
    assert difference < 1e-5
    folder = tmp_path / "new" / "folder"
    done = subprocess.run([sys.executable, "-c", RUN], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    key, *_, found = done.stdout.split()
    assert key == "output"
    assert float(found) < 1e-5
    with np.load(folder / "weights.npz") as weights:
        assert set(weights) <= set(state)
        np.testing.assert_array_equal(weights["head.weight"], state["head.weight"])
    with np.load(folder / "example.npz") as example:
        np.testing.assert_array_equal(example["output output"], expected["output"])


def test_a_person_can_read_it() -> None:
    _, _, graph, _ = ready(Convolutional(), torch.randn(1, 3, 64, 64), torch.float32)
    text = script(graph, "a network")
    tree = ast.parse(text)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert all(ast.get_docstring(function) for name, function in functions.items() if not name.startswith("_"))
    lines = ast.unparse(functions["network"]).splitlines()
    assert any("w['first.conv1.weight']" in line for line in lines)
    assert "# first.conv1 (Conv2d)" in text
    assert "vjp" not in text
    assert not [line for line in text.splitlines() if line.startswith(("import photosite", "from photosite"))]
    assigned = [n.targets[0].id for n in functions["network"].body if isinstance(n, ast.Assign)]  # type: ignore[attr-defined]
    assert len(assigned) == len(graph)
    assert len(set(assigned)) == len(assigned)


def test_functions_of_one_name_are_told_apart() -> None:
    gathered = Gathered([activation.relu, pooling.max_pool2d])
    text = gathered.text()
    assert gathered.name_of(pooling.max_pool2d) == "max_pool2d"
    scope: dict[str, object] = {}
    exec(compile(text, "gathered", "exec"), scope)
    ours = scope["max_pool2d"](np.arange(16.0).reshape(1, 4, 4), 2)  # type: ignore[operator]
    assert ours.tolist() == [[[5, 7], [13, 15]]]


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, graph, state = ready(Tokens(), torch.randn(1, 3, 32, 32), torch.float32)
    expected = {"output": model(x).detach().numpy()}
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PhotositeError, match="cannot write to"):
        export_numpy(graph, state, (x.numpy(),), expected, tmp_path / "file", "a network")
    monkeypatch.delitem(TABLE, "aten.gelu.default")
    with pytest.raises(UnsupportedOpError, match="gelu"):
        export_numpy(graph, state, (x.numpy(),), expected, tmp_path / "out", "a network")
    assert not (tmp_path / "out").exists()
