"""The explorer, running: `explore` opens a photo and a model, and serves the page until it is closed."""

from __future__ import annotations

import ipaddress
import os
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import nn

from photosite.errors import MissingExtraError, RangeError
from photosite.explorer.api import Api
from photosite.explorer.collection import folder
from photosite.explorer.front_ends import FrontEnd
from photosite.explorer.server import Server
from photosite.explorer.views import VIEWS
from photosite.explorer.warming import Warming
from photosite.explorer.workspace import Workspace
from photosite.prep.samples import sample_path
from photosite.prep.source import display_text

EXAMPLE = "chelsea"
"""The photo that is shown where none is named; it comes with scikit-image."""


class Session:
    """A running explorer; closes itself at the end of a `with`.

    Attributes:
        url: the address to open, with the token in it.
        workspace: its photos and models; more can be added while it runs.
    """

    def __init__(self, server: Server, workspace: Workspace, warming: Warming) -> None:
        self._server, self.workspace, self._warming = server, workspace, warming
        self.url = server.url

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<photosite explorer at {self._server.address}>"

    def close(self) -> None:
        """Stop; twice is as good as once."""
        self._warming.stop()
        self._server.close()

    def wait(self) -> None:
        """Wait until it is closed, from another thread or by Ctrl-C."""
        self._server.wait()


def explore(
    photo: Any = None,
    model: nn.Module | str | None = None,
    *,
    find: Callable[[str], nn.Module] | None = None,
    names: tuple[str, ...] = (),
    front_ends: Sequence[FrontEnd] = (),
    collection: str | os.PathLike[str] | None = None,
    port: int = 0,
    host: str = "127.0.0.1",
    open_browser: bool = False,
) -> Session:
    """Serve the explorer's page; returns at once.

    Args:
        photo: a path, bytes or open file, or a picture (H, W, 3) uint8; a photo of scikit-image's if not given, where
            that is installed, else none.
        model: whose learned kernels are shown; a module, which is put into evaluation mode, or a name for `find`.
        find: builds a model by its name.
        names: those that the page may ask `find` for.
        front_ends: whose tokens are shown.
        collection: a folder of photos, in which those are found that excite a channel most; those that are open in the
            page if not given.
        port: 0 for any that is free.
        host: an address of this machine. Whoever reaches it and has the token may look; see `is_loopback`.
        open_browser: open the page in the user's browser.
    Raises:
        PictureError: the photo does not open.
        RangeError: a model's name without `find`.
        PhotositeError: the address is in use, or is none of this machine; the collection has no photos.

    >>> import numpy as np
    >>> with explore(np.zeros((2, 3, 3), np.uint8)) as session:
    ...     session.url.startswith("http://127.0.0.1:")
    True
    """
    if isinstance(model, str) and find is None:
        raise RangeError(f"explore: wants a module, or a function `find` that builds {model[:80]!r}")
    workspace = Workspace(find, names, front_ends)
    if collection is not None:
        workspace.collection = folder(collection)
    if photo is not None:
        workspace.add_photo(photo, _title(photo))
    elif (path := _example()) is not None:
        workspace.add_photo(path, path.name)
    if isinstance(model, str):
        assert find is not None
        workspace.add_model(model, find(model))
    elif model is not None:
        workspace.add_model(type(model).__name__, model.eval())
    warming = Warming(VIEWS["overview"])
    server = Server(Api(workspace, {**VIEWS, "overview": warming}), host, port, () if is_loopback(host) else (host,))
    session = Session(server, workspace, warming)
    if open_browser:
        webbrowser.open(session.url)
    return session


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("::1"), is_loopback("192.168.1.5")
    (True, True, True, False)
    """
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _example() -> Path | None:
    try:
        return sample_path(EXAMPLE)
    except MissingExtraError:
        return None


def _title(photo: Any) -> str:
    """The last part of a path's name, without what a screen cannot show."""
    if isinstance(photo, str | os.PathLike):
        return display_text(Path(photo).name)
    return "a picture" if hasattr(photo, "shape") else "a photo"
