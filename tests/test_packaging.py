"""What a user installs: a wheel with every file of the package, asking for what the code imports and nothing more."""

from __future__ import annotations

import ast
import email
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import photosite
from tests.source_tree import OPTIONAL, PACKAGE, ROOT, read_tree

IMPORTED_AS = {
    "huggingface-hub": "huggingface_hub",
    "pillow": "PIL",
    "pillow-heif": "pillow_heif",
    "scikit-image": "skimage",
}
MAX_WHEEL_BYTES = 8_000_000  # the weights are allowed 4 MB; twice that means that something else slipped in


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `pip wheel` would build it, by the build backend itself: no network and no second environment."""
    builders = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    builder = builders.WheelBuilder(str(ROOT))
    return Path(next(builder.build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])))


def requirement_name(line: str) -> str:
    """The distribution that a requirement asks for: "rich" for "rich>=14"."""
    found = re.match(r"[A-Za-z0-9._-]+", line)
    assert found, line
    return found[0].lower()


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    source = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {"photosite/py.typed", "photosite/README.md", "photosite/__main__.py"} <= packed
    assert packed == source


def test_the_wheel_carries_the_license_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = {name.split(".dist-info/")[1]: name for name in archive.namelist() if ".dist-info/" in name}
        assert "MIT License" in archive.read(info["licenses/LICENSE"]).decode()
        assert "photosite = photosite.cli:main" in archive.read(info["entry_points.txt"]).decode()
        metadata = email.message_from_bytes(archive.read(info["METADATA"]))
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Version"] == photosite.__version__
    assert not [line for line in metadata.get_all("Requires-Dist", []) if "@" in line], "a wheel names no URLs"


def test_the_wheel_is_small_and_the_same_each_time(wheel: Path, tmp_path: Path) -> None:
    builders = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    again = Path(next(builders.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])))
    assert again.read_bytes() == wheel.read_bytes()
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


def test_the_version_is_written_once_more_where_it_must_be(project: dict[str, Any]) -> None:
    version = photosite.__version__
    assert project["project"]["version"] == version
    assert f'version: "{version}"' in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_base_dependencies_are_what_the_code_imports(project: dict[str, Any]) -> None:
    names = [requirement_name(line) for line in project["project"]["dependencies"]]
    wanted = {IMPORTED_AS.get(name, name) for name in names}
    imported = {
        item.target.split(".")[0]
        for module in read_tree().values()
        for item in module.imports
        if item.target.split(".")[0] not in {*sys.stdlib_module_names, *OPTIONAL, "photosite"}
    }
    assert imported == wanted


def test_extras_are_what_the_code_may_ask_for(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    offered = {
        IMPORTED_AS.get(requirement_name(line), requirement_name(line)) for lines in extras.values() for line in lines
    }
    peers = {"timm", "torchvision"}  # the user's own: asking for torchvision would replace the user's torch
    assert peers.isdisjoint(offered)
    assert set(OPTIONAL) - peers <= offered


def test_constraints_pin_every_requirement(project: dict[str, Any]) -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin)] == []
    names = [pin.split("==")[0] for pin in pins]
    assert names == sorted(set(names))
    extras = project["project"]["optional-dependencies"]
    installed = [
        *project["project"]["dependencies"],
        *extras["samples"],
        *extras["test"],
        *extras["lint"],
        *extras["fast"],
    ]
    assert {requirement_name(line) for line in installed} - {"photosite"} <= set(names)
    assert "torch==2.13.0" in pins


def test_public_names_load_lazily_and_say_what_they_are() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    for name in photosite.__all__:
        assert name in dir(photosite)
        assert name not in folders, "a folder would shadow it as soon as it is imported"
        if name != "__version__":
            value = getattr(photosite, name)
            assert value.__name__ == name
            assert value.__doc__
            assert vars(photosite)[name] is value, "kept after the first use"


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        alias.asname: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert typed == photosite._PUBLIC


def test_a_wrong_name_is_an_attribute_error_that_lists_the_right_ones() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'laod'; it has Recipe, .*\bload\b"):
        photosite.laod  # noqa: B018


def test_links_between_our_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *PACKAGE.rglob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert broken == []


def test_the_python_in_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pytest.importorskip("skimage.data", reason="the extra `samples` is not installed")
    Image.fromarray(data.chelsea()).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)
    assert names["picture"].shape == (300, 451, 3)
    assert names["x"].shape == (1, 3, 224, 224), "as the comment beside it says"
    assert names["graph"].nodes


@pytest.mark.parametrize("target", ["demo", "test", "test-all", "lint", "bench", "map", "clean"])
def test_make_knows_the_target(target: str) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shown = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    listed = subprocess.run(["make", "--silent", "help"], cwd=ROOT, capture_output=True, text=True)
    assert f"make {target} " in listed.stdout


def test_ci_only_calls_make() -> None:
    script = ROOT / ".ci" / "run"
    if not script.exists():
        pytest.skip("no .ci here: this is a source archive")
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().endswith("lint test")
