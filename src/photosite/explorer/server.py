"""The socket: a small HTTP server on this machine, in a thread of its own, that hands questions to the `Api`.

Files of the page come from the package alone, and were read before the first request. A client that dawdles over its
headers is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import socket
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from photosite.errors import PhotositeError
from photosite.explorer.api import Api
from photosite.explorer.guard import Guard, TooLargeError
from photosite.explorer.jobs import BusyError, CancelledError, Jobs
from photosite.explorer.message import Answer, Question, pack, refusal

PAGE = Path(__file__).parent / "page"
TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
JSDOC = re.compile(r"/\*\*.*?\*/ ?", re.DOTALL)
SECONDS = {"headers": 5.0, "body": 30.0}
"""How long a client may take to send them."""
CONNECTIONS_AT_MOST = 64
QUERY_AT_MOST = 32 << 10


class Impatient(H11Protocol):
    """Cuts off a client that does not get on with its headers, or with what it said it would send behind them."""

    def connection_made(self, transport: Any) -> None:
        """Start the clock: a connection is there to ask something."""
        super().connection_made(transport)
        self._clock: asyncio.TimerHandle | None = None
        self._waits_for = ""
        self._watch("headers")

    def data_received(self, data: bytes) -> None:
        """Look what the client still owes."""
        super().data_received(data)
        running: Any = self.cycle  # None before the first request, whatever its type says
        if running is None or running.response_complete:
            self._watch("headers" if running is None or self.conn.trailing_data[0] else "")
        else:
            self._watch("body" if running.more_body else "")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._watch("")
        super().connection_lost(exc)

    def _watch(self, what: str) -> None:
        """Let a clock run for what is waited for; it is not wound up again by every byte."""
        if what == self._waits_for:
            return
        if self._clock is not None:
            self._clock.cancel()
        self._waits_for = what
        self._clock = self.loop.call_later(SECONDS[what], self.transport.abort) if what else None


class Server:
    """A running server.

    Args:
        api: answers.
        host: an address of this machine.
        port: 0 for any that is free.
        hosts: names by which it may be called, beyond loopback ones.
    Raises:
        PhotositeError: the address is in use, or is none of this machine.
    """

    def __init__(self, api: Api, host: str = "127.0.0.1", port: int = 0, hosts: Collection[str] = ()) -> None:
        self.token = secrets.token_urlsafe(32)
        self.jobs = Jobs()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # asyncio turns Nagle's algorithm off only where the protocol is named; with it each answer takes 40 ms longer
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise PhotositeError(f"explore: cannot listen at {host} port {port}: {error.strerror or error}") from error
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self._socket.getsockname()[1]}/"
        config = uvicorn.Config(
            application(api, self.jobs, self.token, hosts),
            http=Impatient,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_AT_MOST,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="photosite explorer", daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.002)

    @property
    def url(self) -> str:
        """The address with the token: who has it may ask."""
        return f"{self.address}?token={self.token}"

    def _serve(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._server.serve([self._socket]))

    def close(self) -> None:
        """Stop, within two seconds; twice is as good as once."""
        self.jobs.close()
        self._server.should_exit = True
        self._thread.join(2)
        self._socket.close()

    def wait(self) -> None:
        """Wait until it is closed."""
        while self._thread.is_alive():
            self._thread.join(0.2)


def application(api: Api, jobs: Jobs, token: str, hosts: Collection[str] = ()) -> Guard:
    """The server without its socket.

    Args:
        api: answers.
        jobs: where it computes.
        token: that questions must bring.
        hosts: as for `Server`.
    """
    files = page_files()

    async def page(request: Request) -> Response:
        found = files.get(request.path_params.get("path", "index.html"))
        if found is None:
            return _response(refusal(404, "there is no such file"))
        return Response(found[0], media_type=found[1])

    async def ask(request: Request) -> Response:
        name = request.path_params["name"]
        if len(request.scope["query_string"]) > QUERY_AT_MOST:
            return _response(refusal(414, f"at most {QUERY_AT_MOST >> 10} KiB of choices"))
        try:
            body = await request.body()
        except TooLargeError:
            return _response(refusal(413, "that is too large"))
        query = dict(request.query_params)
        view = "" if name in ("upload", "build") else query.pop("view", name)[:40]
        if name == "progress":  # of another view, and so without a turn of its own
            return _response(pack({"progress": jobs.progress.get(query.get("of", ""))}))

        def tell(done: int, of: int) -> None:
            jobs.progress[view] = done, of

        try:
            found = await jobs.run(view, lambda check: api(Question(name, query, body, check, tell)))
        except CancelledError:
            found = refusal(409, "a newer question came")
        except BusyError:
            found = refusal(503, "too many questions wait")
        return _response(found)

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/page/{path:path}", page),
            Route("/api/{name}", ask, methods=["POST"]),
        ]
    )
    return Guard(app, token, hosts)


def page_files() -> dict[str, tuple[bytes, str]]:
    """All files of the page with their types: read once, so that no request opens a file.

    Modules go without their documentation, a sixth of their bytes; lines keep their numbers.

    >>> page_files()["main.js"][1]
    'text/javascript'
    """
    found = {}
    for path in (path for path in PAGE.rglob("*") if path.suffix in TYPES):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".js" and path.parent.name != "vendor":
            text = JSDOC.sub(lambda comment: "\n" * comment[0].count("\n"), text)
        found[path.relative_to(PAGE).as_posix()] = text.encode(), TYPES[path.suffix]
    return found


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type=answer.media_type)
