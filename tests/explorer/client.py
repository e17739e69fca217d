"""A browser's part of the conversation, and what is none."""

from __future__ import annotations

import http.client
from urllib.parse import urlencode, urlsplit

from photosite.explorer.message import unpack
from photosite.explorer.server import Server


class Client:
    """Asks a running server, as its own page does unless told otherwise.

    Args:
        server: running.
    """

    def __init__(self, server: Server) -> None:
        self.place = urlsplit(server.address)
        self.headers = {"X-Photosite-Token": server.token, "Origin": server.address.rstrip("/")}

    def raw(
        self, method: str, path: str, headers: dict[str, str | None] | None = None, body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request; a header that is None is left out."""
        connection = http.client.HTTPConnection(self.place.hostname or "", self.place.port, timeout=30)
        sent = {**self.headers, **(headers or {})}
        connection.request(method, path, body, {key: value for key, value in sent.items() if value is not None})
        answer = connection.getresponse()
        found = answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def ask(self, name: str, body: bytes = b"", **query: object) -> tuple[int, object, dict[str, object]]:
        """Ask a question; status, data and arrays."""
        status, headers, got = self.raw("POST", f"/api/{name}?{urlencode(query)}", body=body)
        if headers["content-type"].startswith("application/x-photosite"):
            data, arrays = unpack(got)
            return status, data, arrays
        return status, got.decode(), {}
