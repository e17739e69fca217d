"""Weights from a server into caches: resumed, checked, never by a socket where that is forbidden."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from photosite.errors import CorruptWeightsError, PhotositeError, WeightsError
from photosite.nets import create_model
from photosite.nets.checkpoints import fetch
from photosite.nets.checkpoints.fetch import cached_hub, fetch_hub, fetch_url, is_offline, parse_hub, torch_hub_folder
from photosite.nets.checkpoints.published import Published
from photosite.nets.checkpoints.weights import save_weights
from tests.nets.publishers import transformers_tower

CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Server(http.server.ThreadingHTTPServer):
    """Serves one content in several moods, and remembers what it was asked."""

    content = CONTENT
    ranges = True
    cut_after: int | None = None
    status = 200
    location = ""
    wrong_times = 0
    asked: list[str | None]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections are cut on purpose here."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        if server.location:
            self.send_response(302)
            self.send_header("Location", server.location)
            self.end_headers()
            return
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        data = server.content[start:]
        if server.wrong_times:
            server.wrong_times -= 1
            data = bytes(len(data))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if server.cut_after is None else data[: server.cut_after])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server(("127.0.0.1", 0), Handler)
    one.asked = []
    thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield one
    one.shutdown()
    one.server_close()


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refused)


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/models/net-{SHA256[:8]}.pth"


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    first = fetch_url(url(server), SHA256[:8], cache_dir=tmp_path)
    assert first.read_bytes() == CONTENT
    assert first.name == f"net-{SHA256[:8]}.pth"
    assert fetch_url(url(server), SHA256[:8], cache_dir=tmp_path) == first
    assert server.asked == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_was_cut_off_goes_on(server: Server, ranges: bool, tmp_path: Path) -> None:
    server.ranges, server.cut_after = ranges, 100_000
    with pytest.raises(WeightsError, match="the connection was cut; the next try goes on from there"):
        fetch_url(url(server), SHA256[:8], cache_dir=tmp_path)
    assert [path.name for path in tmp_path.glob("net*")] == [f"net-{SHA256[:8]}.pth.partial"]
    server.cut_after = None
    assert fetch_url(url(server), SHA256[:8], cache_dir=tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]


def test_a_whole_partial_file_needs_nothing_more(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"net-{SHA256[:8]}.pth.partial").write_bytes(CONTENT)
    assert fetch_url(url(server), SHA256[:8], cache_dir=tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


def test_what_is_damaged_is_fetched_once_more(server: Server, tmp_path: Path) -> None:
    server.wrong_times = 1
    assert fetch_url(url(server), SHA256[:8], cache_dir=tmp_path).read_bytes() == CONTENT
    (tmp_path / f"net-{SHA256[:8]}.pth").write_bytes(b"damaged")
    assert fetch_url(url(server), SHA256[:8], cache_dir=tmp_path).read_bytes() == CONTENT
    server.wrong_times = 9
    (tmp_path / f"net-{SHA256[:8]}.pth").unlink()
    with pytest.raises(CorruptWeightsError, match=f"twice not the file that was wanted: sha256 {SHA256[:8]}…"):
        fetch_url(url(server), SHA256[:8], cache_dir=tmp_path)
    assert not list(tmp_path.glob("net*"))


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_servers_refusal_is_one_line_with_the_place(server: Server, status: int, tmp_path: Path) -> None:
    server.status = status
    with pytest.raises(
        WeightsError, match=rf"the server answers {status} .*; a copy from elsewhere belongs at "
    ) as caught:
        fetch_url(url(server), SHA256[:8], cache_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_no_server_no_https_and_redirects_elsewhere(server: Server, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no network"):
        fetch_url("http://127.0.0.1:9/x.pth", "", cache_dir=tmp_path)
    with pytest.raises(WeightsError, match="wants https"):
        fetch_url("http://example.org/x.pth", "", cache_dir=tmp_path)
    server.location = "http://example.org/elsewhere.pth"
    with pytest.raises(WeightsError, match="redirected to http, wants https"):
        fetch_url(url(server), SHA256[:8], cache_dir=tmp_path)
    server.location = "file:///etc/passwd"
    with pytest.raises(WeightsError):
        fetch_url(url(server), SHA256[:8], cache_dir=tmp_path)


def test_a_full_disk_is_one_line(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch.os, "fsync", full)
    with pytest.raises(WeightsError, match="No space left on device; a copy"):
        fetch_url(url(server), SHA256[:8], cache_dir=tmp_path)


def test_two_at_once_fetch_it_once(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fetch_url(url(server), SHA256[:8], cache_dir=tmp_path), range(4)))
    assert {path.read_bytes() for path in found} == {CONTENT}
    assert server.asked == [None]


@pytest.mark.parametrize("name", fetch.OFFLINE)
@pytest.mark.usefixtures("no_sockets")
def test_offline_opens_no_socket(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert is_offline()
    with pytest.raises(WeightsError, match=f"the network is switched off; put the file at {tmp_path}"):
        fetch_url("https://example.org/x-12345678.pth", "12345678", cache_dir=tmp_path)
    with pytest.raises(WeightsError, match="is not in the cache, and the network is switched off"):
        fetch_hub("some/thing", "model.safetensors", cache_dir=tmp_path)


@pytest.mark.usefixtures("no_sockets")
def test_what_the_cache_has_needs_no_socket(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(CONTENT)
    assert fetch_url("https://example.org/net.pth", SHA256[:8], cache_dir=tmp_path) == path


def test_the_cache_is_where_torch_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (("TORCH_HOME", "torch"), ("XDG_CACHE_HOME", "xdg"), ("HOME", "home")):
        monkeypatch.setenv(name, str(tmp_path / value))
    assert torch_hub_folder() == Path(torch.hub.get_dir()) / "checkpoints"
    monkeypatch.delenv("TORCH_HOME")
    assert torch_hub_folder() == Path(torch.hub.get_dir()) / "checkpoints"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert torch_hub_folder() == Path(torch.hub.get_dir()) / "checkpoints"
    assert torch_hub_folder(tmp_path) == tmp_path


@pytest.mark.parametrize(
    "text", ["", "a", "/a/b", "a/b/c", "../b", "a/..", "a b/c", "a/b@", "a/b@../x", "a/b\n", "é/b", "a/" + "b" * 97]
)
def test_names_of_repositories_are_strict(text: str) -> None:
    with pytest.raises(WeightsError, match="wants org/name"):
        parse_hub(text)


def fabricated(cache: Path, repo: str, files: dict[str, bytes]) -> None:
    """A repository as Hugging Face's cache keeps it."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    for part in (snapshot, folder / "blobs", folder / "refs"):
        part.mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    for name, content in files.items():
        blob = hashlib.sha256(content).hexdigest()
        (folder / "blobs" / blob).write_bytes(content)
        (snapshot / name).symlink_to(Path("../../blobs") / blob)


@pytest.mark.usefixtures("no_sockets")
def test_a_repository_in_the_cache_becomes_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = transformers_tower("dinov2")
    peer.save_pretrained(tmp_path / "saved")
    sizes = {"size": {"shortest_edge": 72}, "crop_size": {"height": 64, "width": 64}}
    recipe = json.dumps({"image_processor_type": "BitImageProcessor", **sizes}).encode()
    files = {path.name: path.read_bytes() for path in (tmp_path / "saved").iterdir()}
    fabricated(tmp_path / "hub", "some/tower", {**files, "preprocessor_config.json": recipe})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("hf-hub:some/tower", "hf-hub:some/tower@main", f"hf-hub:some/tower@{COMMIT}"):
        ours = create_model(name, cache_dir=tmp_path / "hub")
        x = torch.randn(1, 3, 64, 64)
        with torch.inference_mode():
            assert_close(ours.forward_features(x), peer(x).last_hidden_state, rtol=1e-5, atol=1e-4)
        assert ours.recipe.input_hw == (64, 64)
        assert ours.recipe.size_hw == (72, 72)
        assert ours.weights_revision == COMMIT
        assert ours.weights_sha256 == hashlib.sha256(files["model.safetensors"]).hexdigest()
    again = create_model("vit_small_patch14_dinov2", "hf-hub:some/tower", cache_dir=tmp_path / "hub", img_size=64,
                         patch_size=16, embed_dim=48, depth=3, num_heads=4)  # fmt: skip
    assert_close(again.cls_token, ours.cls_token)


def test_what_could_not_be_read_beside_the_weights_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    save_weights(tmp_path / "w.safetensors", create_model("resnet18").state_dict())
    fabricated(tmp_path / "hub", "some/net", {"model.safetensors": (tmp_path / "w.safetensors").read_bytes()})
    model = create_model("resnet18", "hf-hub:some/net", cache_dir=tmp_path / "hub")
    assert any("config.json is not in the cache, and the network is switched off" in one for one in model.weights_notes)
    with pytest.raises(
        WeightsError, match=r"no config\.json says what network it is \(hf-hub:some/net: config\.json is not"
    ):
        create_model("hf-hub:some/net", cache_dir=tmp_path / "hub")


def test_a_blob_that_is_not_its_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    save_weights(tmp_path / "w.safetensors", {"a": torch.ones(3)})
    fabricated(tmp_path, "some/net", {"model.safetensors": (tmp_path / "w.safetensors").read_bytes()})
    found = cached_hub("some/net", "model.safetensors", cache_dir=tmp_path)
    assert found is not None
    data = bytearray(found.path.read_bytes())
    data[-1] ^= 1
    found.path.resolve().write_bytes(bytes(data))
    with pytest.raises(CorruptWeightsError, match=f"wanted sha256 {found.sha256}"):
        create_model("resnet18", "hf-hub:some/net", cache_dir=tmp_path)


def test_an_entry_of_torchvision_comes_with_its_recipe(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = create_model("resnet18")
    torch.save(first.state_dict(), tmp_path / "r.pth")
    server.content = (tmp_path / "r.pth").read_bytes()
    digest = hashlib.sha256(server.content).hexdigest()
    address = f"http://127.0.0.1:{server.server_port}/resnet18-{digest[:8]}.pth"
    preset = {"resize_size": [232], "crop_size": [224], "interpolation": "bilinear", "antialias": True,
              "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}  # fmt: skip
    entry = Published("ResNet18_Weights.IMAGENET1K_V1", url=address, sha256_prefix=digest[:8], default=True,
                      license="some", torchvision=preset)  # fmt: skip
    monkeypatch.setattr("photosite.nets.checkpoints.find_weights.published_weights", lambda _: (entry,))
    monkeypatch.setattr("photosite.nets.checkpoints.find_weights.default_weights", lambda _: entry)
    for wanted in (
        *("ResNet18_Weights.IMAGENET1K_V1", "ResNet18_Weights.DEFAULT", "IMAGENET1K_V1", "default", True),
        "torchvision:ResNet18_Weights.IMAGENET1K_V1",
    ):
        model = create_model("resnet18", wanted, cache_dir=tmp_path / "cache")
        assert_close(model.conv1.weight, first.conv1.weight, rtol=0, atol=0)
        assert model.recipe.size_hw == (232, 232)
        assert model.recipe.name == "torchvision:ResNet18_Weights.IMAGENET1K_V1"
        assert (model.weights_license, model.weights_sha256) == ("some", digest)
    assert server.asked == [None]


HOSTILE: list[tuple[str, str]] = [
    ('{"model_type": "clip_vision_model", "hidden_size": 2147483648}', "hidden_size wants a whole number"),
    ('{"model_type": "clip_vision_model", "num_hidden_layers": 1000000000}', "num_hidden_layers wants a whole number"),
    ('{"model_type": "vit", "image_size": [224, 224]}', "image_size wants a whole number"),
    ('{"model_type": "vit", "hidden_size": 100, "num_attention_heads": 7}', "do not divide among 7 heads"),
    ('{"model_type": "dinov2", "mlp_ratio": 1e300}', "mlp_ratio wants a number"),
    ('{"model_type": "clip_vision_model", "hidden_act": "__import__"}', "no activation named"),
    ('{"model_type": "gpt_oss", "auto_map": {"AutoModel": "evil.Model"}}', "no model type in a config named 'gpt_oss'"),
    ('{"architecture": "../../x", "num_classes": 1}', "no model named"),
    ('{"architecture": "resnet18", "num_classes": 1e12}', "num_classes wants a whole number"),
    ('{"architecture": "resnet18", "model_args": {"block": "os.system"}}', "model_args cannot be followed: block"),
    ('{"architecture": "vit_tiny_patch16_224", "model_args": {"depth": 1000000000}}', "cannot be followed: depth"),
    ("[1, 2]", "wants a JSON object"),
    ("{", "not valid JSON"),
    ("[" * 100_000, "not valid JSON"),
]


@pytest.mark.parametrize(("config", "said"), HOSTILE)
def test_hostile_configs_are_refused_before_anything_is_allocated(config: str, said: str, tmp_path: Path) -> None:
    save_weights(tmp_path / "model.safetensors", {"a": torch.ones(1)})
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(PhotositeError, match=said) as caught:
        create_model(f"local-dir:{tmp_path}")
    assert "\n" not in str(caught.value)


def test_a_recipe_that_cannot_be_followed_is_a_note(tmp_path: Path) -> None:
    peer = transformers_tower("dinov2")
    peer.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(
        '{"image_processor_type": "BitImageProcessor", "image_std": [0, 0, 0]}'
    )
    model = create_model(f"local-dir:{tmp_path}")
    assert any("recipe: not known" in note for note in model.weights_notes)
    assert any("imagenet@64 is used" in note for note in model.weights_notes)


def test_a_folder_without_weights_or_config_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no such folder"):
        create_model(f"local-dir:{tmp_path / 'nothing'}")
    with pytest.raises(WeightsError, match=r"wants one of model\.safetensors"):
        create_model(f"local-dir:{tmp_path}")
    save_weights(tmp_path / "model.safetensors", nn.Linear(2, 2).state_dict())
    with pytest.raises(WeightsError, match=r"no config\.json says what network it is"):
        create_model(f"local-dir:{tmp_path}")


def test_importing_networks_does_not_import_the_hubs_client() -> None:
    program = "import sys, photosite.nets; assert not {'huggingface_hub', 'httpx', 'httpx2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
