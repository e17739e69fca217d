"""The explorer from Python and from the command line."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import photosite
from photosite.errors import PhotositeError, PictureError, RangeError
from photosite.explorer.session import explore, is_loopback
from tests.explorer.client import Client


def test_a_photo_and_a_model_from_python() -> None:
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    model = nn.Sequential(nn.Conv2d(3, 2, 3)).train()
    with photosite.explore(picture, model) as session:
        assert not model.training
        assert repr(session).startswith("<photosite explorer at http://127.0.0.1:")
        assert session.url.count("?token=") == 1
        status, data, _ = Client(session._server).ask("about")
        assert status == 200
        assert isinstance(data, dict)
        assert [one["size_hw"] for one in data["photos"]] == [[4, 5]]
        assert [one["name"] for one in data["models"]] == ["Sequential"]
    session.wait()  # it is closed, so this returns
    session.close()


def test_without_somebody_who_builds_no_model_is_built() -> None:
    with explore(np.zeros((4, 5, 3), np.uint8), nn.Conv2d(3, 1, 1)) as session:
        assert Client(session._server).raw("POST", "/api/build?name=resnet50")[0] == 400


def test_a_photo_of_ones_own_by_path(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "a\x1bb <b>.png"
    Image.new("RGB", (3, 2)).save(path)
    with explore(path) as session:
        assert [one.title for one in session.workspace.photos()] == [r"a\x1bb <b>.png"]
    with pytest.raises(PictureError):
        explore(tmp_path / "none.jpg")


def test_without_a_photo_there_is_an_example_where_one_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("skimage")
    with explore() as session:
        assert [one.title for one in session.workspace.photos()] == ["chelsea.png"]
    monkeypatch.setattr("photosite.prep.samples.importlib.util.find_spec", lambda name: None)
    with explore() as session:
        assert session.workspace.photos() == []


def test_a_name_wants_somebody_who_builds() -> None:
    with pytest.raises(RangeError, match="wants a module, or a function `find` that builds 'resnet18'"):
        explore(np.zeros((2, 2, 3), np.uint8), "resnet18")
    with explore(np.zeros((2, 2, 3), np.uint8), "a", find=lambda name: nn.Conv2d(3, 1, 1), names=("b",)) as session:
        client = Client(session._server)
        assert client.raw("POST", "/api/build?name=b")[0] == 200
        assert client.raw("POST", "/api/build?name=c")[0] == 404
        assert [one.name for one in session.workspace.models()] == ["a", "b"]


def test_an_address_of_another_machine() -> None:
    with pytest.raises(PhotositeError, match=r"cannot listen at 192\.0\.2\.1"):
        explore(np.zeros((2, 2, 3), np.uint8), host="192.0.2.1")


@pytest.mark.parametrize(
    ("host", "wanted"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("LOCALHOST", True), ("0.0.0.0", False), ("evil", False)],
)
def test_what_is_loopback(host: str, wanted: bool) -> None:
    assert is_loopback(host) is wanted


def photosite_explore(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "photosite", "explore", "--no-browser", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_command_prints_its_address_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 6), (10, 20, 30)).save(tmp_path / "a.png")
    running = photosite_explore(str(tmp_path / "a.png"))
    assert running.stdout is not None
    line = running.stdout.readline()
    assert line.startswith("http://127.0.0.1:")
    assert "?token=" in line
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 0
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "192.0.2.1"], "add --allow-remote if that is meant"),
        (["--host", "0.0.0.0", "--allow-remote"], "wants one address of this machine, not all of them"),
        (["--port", "70000"], "--port wants 0 … 65535"),
    ],
)
def test_what_the_command_refuses(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    from photosite.cli import main

    assert main(["explore", "--no-browser", *words]) == 2
    assert said in capsys.readouterr().err


WARMING = """
import sys, time
import numpy as np
from torch import nn
from photosite.explorer.session import explore
from tests.explorer.client import Client

def look(model, seconds):
    with explore(np.zeros((2, 2, 3), np.uint8), model) as session:
        client = Client(session._server)
        client.ask("overview", photo=client.ask("about")[1]["photos"][0]["key"])
        end = time.monotonic() + seconds
        while time.monotonic() < end and "torch._dynamo.convert_frame" not in sys.modules:
            time.sleep(0.02)
    return "torch._dynamo" in sys.modules

print(look(None, 1.5))
look(nn.Conv2d(3, 1, 1), 0)
time.sleep(3)
print("torch._dynamo" in sys.modules)
print(look(nn.Conv2d(3, 1, 1), 60))
"""


def test_behind_the_first_photo_is_imported_what_reads_a_model() -> None:
    """Not where there is none, nor where the session was closed before."""
    done = subprocess.run([sys.executable, "-c", WARMING], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["False", "False", "True"], done.stderr
