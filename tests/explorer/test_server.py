"""Who is answered and who is not, over a real socket."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from photosite.errors import PhotositeError
from photosite.explorer.api import Api
from photosite.explorer.guard import HEADERS
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.server import Server
from photosite.explorer.workspace import PHOTOS_AT_MOST, Workspace
from tests.explorer.client import Client


def failing(workspace: Workspace, question: Question) -> Answer:
    raise ZeroDivisionError("a bug of ours")


class Slow:
    """A view that looks now and then whether somebody still waits."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.running, self.go_on = threading.Event(), threading.Event()

    def __call__(self, workspace: Workspace, question: Question) -> Answer:
        self.begun.append(question.text("n"))
        self.running.set()
        while not self.go_on.wait(0.005):
            question.check()
        self.ended.append(question.text("n"))
        return pack({"n": question.text("n")})


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def server(slow: Slow) -> Iterator[Server]:
    running = Server(Api(Workspace(), {"failing": failing, "slow": slow}))
    yield running
    slow.go_on.set()
    running.close()


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server)


def png(side: int = 5) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(side * side * 3, dtype=np.uint8).reshape(side, side, 3)).save(file, "PNG")
    return file.getvalue()


def test_the_page_is_answered(client: Client) -> None:
    status, data, _ = client.ask("about")
    assert status == 200
    assert isinstance(data, dict)
    assert data["photos"] == []
    status, headers, body = client.raw("GET", "/", {"X-Photosite-Token": None, "Origin": None})
    assert status == 200
    assert b"<!doctype html>" in body.lower()
    for name, value in HEADERS:
        assert headers[name.decode()] == value.decode()
    assert "unsafe" not in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Photosite-Token": None}, 401),
        ({"X-Photosite-Token": "guessed"}, 401),
        ({"Host": "evil.test"}, 403),
        ({"Host": "127.0.0.1.evil.test"}, 403),
        ({"Host": "8.8.8.8:80"}, 403),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": None}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),  # another port of this machine
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_who_is_not_answered(client: Client, headers: dict[str, str | None], status: int) -> None:
    assert client.raw("POST", "/api/about", headers)[0] == status


def test_names_of_this_machine(client: Client) -> None:
    port = client.place.port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "127.1.2.3", "LOCALHOST"):
        assert client.raw("POST", "/api/about", {"Host": host, "Origin": f"http://{host}"})[0] == 200, host


def test_other_methods_and_large_bodies(client: Client) -> None:
    assert client.raw("DELETE", "/api/about")[0] == 405
    assert client.raw("GET", "/api/about")[0] == 405
    assert client.raw("POST", "/")[0] == 405
    assert client.raw("POST", "/api/about", body=b"x" * (60 << 10))[0] == 200
    with socket.create_connection((client.place.hostname, client.place.port)) as connection:
        token = client.headers["X-Photosite-Token"]
        head = (
            f"POST /api/about HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nX-Photosite-Token: {token}\r\n"
        )
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(3):
            connection.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        assert connection.recv(20).startswith(b"HTTP/1.1 413")
    assert client.raw("POST", "/api/about", {"Content-Length": str(1 << 40)})[0] == 413
    assert client.raw("POST", f"/api/about?x={'y' * 40000}")[0] == 414


@pytest.mark.parametrize(
    "path",
    [
        "/page/../server.py",
        "/page/%2e%2e/server.py",
        "/page/..%2fserver.py",
        "/page//etc/passwd",
        "/page/%2fetc/passwd",
        "/page/%00",
        "/page/%ff",
        "/page/" + "a" * 5000,
        "/api/../server.py",
        "/nothing",
    ],
)
def test_no_other_file_is_read(client: Client, path: str) -> None:
    status, _, body = client.raw("GET", path)
    assert status in (400, 404, 405)
    assert b"root:" not in body
    assert b"import" not in body


def test_a_photo_goes_in_and_pixels_come_out(client: Client) -> None:
    status, data, _ = client.ask("upload", png(), title="<b>x</b>.png")
    assert status == 200
    assert isinstance(data, dict)
    assert (data["title"], data["size_hw"]) == ("<b>x</b>.png", [5, 5])
    status, _, arrays = client.ask("photo", photo=data["key"])
    np.testing.assert_array_equal(arrays["picture"], np.arange(75, dtype=np.uint8).reshape(5, 5, 3))  # type: ignore[arg-type]
    status, words, _ = client.ask("upload", b"no picture", title="x")
    assert status == 400
    assert "Traceback" not in str(words)
    assert client.ask("photo", photo="../../etc/passwd")[0] == 404


def test_our_own_faults_are_one_line(client: Client) -> None:
    status, words, _ = client.ask("failing")
    assert (status, words) == (500, '{"error": "failing: ZeroDivisionError: a bug of ours"}')
    assert client.ask("about")[0] == 200


def test_a_newer_question_cancels_the_older_one(client: Client, slow: Slow) -> None:
    found: dict[str, int] = {}

    def ask(n: str, wait: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=lambda: found.update({n: client.ask("slow", n=n)[0]}))
        thread.start()
        wait()
        return thread

    threads = [ask("first", slow.running.wait)]
    threads += [ask(f"later {k}", lambda: time.sleep(0.1)) for k in range(3)]
    slow.go_on.set()
    for thread in threads:
        thread.join(10)
    assert found == {"first": 409, "later 0": 409, "later 1": 409, "later 2": 200}
    assert slow.begun[0] == "first"
    assert slow.ended == ["later 2"]


def test_clients_that_dawdle_are_cut_off(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photosite.explorer.server.SECONDS", {"headers": 0.3, "body": 0.6})
    place = (client.place.hostname, client.place.port)
    token = client.headers["X-Photosite-Token"]
    head = f"POST /api/about HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nX-Photosite-Token: {token}\r\n"
    for sent in (b"", b"POST / HTTP/1.1\r\nHost: lo", f"{head}Content-Length: 9\r\n\r\nxx".encode()):
        begun = time.monotonic()
        with socket.create_connection(place, timeout=10) as connection:
            connection.sendall(sent)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(100) == b""
        assert time.monotonic() - begun < 5
    with socket.create_connection(place, timeout=10) as connection:  # one whole request, then half of another
        whole = f"{head}Content-Length: 0\r\n\r\n".encode()
        connection.sendall(whole)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.sendall(b"POST /api")
        begun = time.monotonic()
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            pass
        assert time.monotonic() - begun < 5
    assert client.ask("about")[0] == 200


def test_no_answer_waits_for_the_acknowledgement_of_its_headers(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", int(server.address.rstrip("/").rpartition(":")[2]))) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert one.recv(1)
        (protocol,) = server._server.server_state.connections
        accepted = protocol.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_in_use_is_said_and_closing_is_quick(server: Server) -> None:
    port = Client(server).place.port
    with pytest.raises(PhotositeError, match=f"cannot listen at 127.0.0.1 port {port}"):
        Server(Api(Workspace(), {}), port=port or 0)
    begun = time.monotonic()
    server.close()
    server.close()
    assert time.monotonic() - begun < 2


def test_photos_are_forgotten_the_oldest_first() -> None:
    workspace = Workspace()
    keys = [workspace.add_photo(np.full((2, 2, 3), k, np.uint8), str(k)).key for k in range(PHOTOS_AT_MOST)]
    workspace.photo(keys[0])
    workspace.add_photo(np.full((2, 2, 3), 99, np.uint8), "new")
    assert [one.title for one in workspace.photos()][:2] == ["new", "0"]
    assert keys[1] not in [one.key for one in workspace.photos()]


def test_results_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photosite.explorer.workspace.KEPT_BYTES", 10)
    workspace, made = Workspace(), []

    def make(n: int) -> int:
        made.append(n)
        return n

    for n in (1, 2, 1, 3, 2, 1):
        assert workspace.once(n, lambda n=n: make(n), 5) == n  # type: ignore[misc]
    assert made == [1, 2, 3, 2, 1]  # two fit; the one that was not used longest goes
    assert workspace.once("large", lambda: make(7), 11) == 7
    assert workspace.once("large", lambda: make(8), 11) == 8
