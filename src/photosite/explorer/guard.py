"""Who is answered: this machine's browser, the tab that holds the token, and nobody that a website sent.

A page of any other site can send requests to a local port, and another program's page on another port of this machine
has our cookies; so there are none. The token travels in a header, which no other site's page can set.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_HEADER = b"x-photosite-token"
UPLOAD_BYTES = 64 << 20
OTHER_BYTES = 64 << 10
NAMES = frozenset(["localhost"])
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """Refuses before anything is read, and stops reading where too much comes.

    Args:
        app: what answers the others; reading a body raises `TooLargeError` there, which it answers with 413.
        token: that the tab was given.
        hosts: names by which the server may be called, beyond loopback addresses and localhost.
    """

    def __init__(self, app: App, token: str, hosts: Collection[str] = ()) -> None:
        self.app = app
        self.token = token.encode()
        self.hosts = NAMES | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no sockets that stay open
            return
        refused = self._refused(scope)
        if refused is not None:
            await _say(send, *refused)
            return
        limit = UPLOAD_BYTES if scope["path"] == "/api/upload" else OTHER_BYTES
        length = _header(scope, b"content-length")
        if length is not None and (not length.isdigit() or int(length) > limit):
            await _say(send, 413, f"at most {limit >> 10} KiB")
            return
        read = 0

        async def counted() -> MutableMapping[str, Any]:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise TooLargeError
            return message

        async def marked(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in HEADERS}
                message["headers"] = [pair for pair in message["headers"] if pair[0] not in ours] + list(HEADERS)
            await send(message)

        await self.app(scope, counted, marked)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason of a request that is not answered."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return 400, "one Host is wanted"
        if not self._is_ours(hosts[0].decode("latin-1")):
            return 403, "this server answers by its loopback address alone"
        site = _header(scope, b"sec-fetch-site")
        if site not in (None, b"same-origin", b"none"):
            return 403, "another site's page asked"
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "GET or POST"
        origin = _header(scope, b"origin")
        if origin is not None and origin != scope.get("scheme", "http").encode() + b"://" + hosts[0]:
            return 403, "another site's page asked"
        if not scope["path"].startswith("/api/"):
            return None if scope["method"] != "POST" else (405, "GET")
        if scope["method"] == "POST" and origin is None:
            return 403, "a request that changes something says its Origin"
        given = _header(scope, TOKEN_HEADER)
        if given is None or not hmac.compare_digest(given, self.token):
            return 401, "open the address that photosite explore printed"
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this machine: a loopback address or a name that was allowed."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
        name = name.lower().rstrip(".")
        try:
            return ipaddress.ip_address(name.strip("[]")).is_loopback or name in self.hosts
        except ValueError:
            return name in self.hosts


class TooLargeError(Exception):
    """More came than may come."""


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    """A header's value; of several the last."""
    found = None
    for name, value in scope["headers"]:
        if name == wanted:
            found = value
    return found


async def _say(send: Send, status: int, words: str) -> None:
    """One line, and the connection ends: what else the client sends is not read."""
    body = json.dumps({"error": words}).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
                *HEADERS,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
