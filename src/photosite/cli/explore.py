"""`photosite explore`: the operations in a browser, on one's own photo and model, from this machine alone."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from photosite.cli.photo import STDIN


def explore(
    photo: Path | None = None,
    /,
    *,
    model: str = "photosite_resnet12",
    weights: str | None = None,
    collection: Path | None = None,
    port: int = 0,
    host: str = "127.0.0.1",
    allow_remote: Annotated[bool, Parameter(negative="")] = False,
    no_browser: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Open a page in the browser: every pixel in every color space, a kernel that slides over the photo.

    The page is served by this machine for this machine; its address holds a token, without which nothing is answered.
    Ctrl-C ends it.

    Args:
        photo: a picture file, or - for standard input; a photo that comes with scikit-image if not given.
        model: whose learned kernels are shown, as for `see`.
        weights: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME, "default" or "random".
        collection: a folder of photos, in which those are found that excite a channel most.
        port: of the address; any that is free for 0.
        host: an address of this machine other than the loopback one; wants --allow-remote.
        allow_remote: let other machines reach the page. The token then travels unencrypted.
        no_browser: only print the address.
    """
    from rich.console import Console

    from photosite.errors import RangeError

    if not 0 <= port <= 65535:
        raise RangeError(f"explore: --port wants 0 … 65535, got {port}")
    with Console(stderr=True).status("opening"):
        from photosite.explorer.session import is_loopback

        _check_host(host, is_loopback(host), allow_remote)
        from photosite.exploring import explore as start

        source = sys.stdin.buffer.read() if str(photo) == STDIN else photo
        session = start(
            source,
            model,
            weights=weights,
            collection=collection,
            port=port,
            host=host,
            open_browser=not no_browser,
        )
    try:
        print(session.url, flush=True)
        print("Ctrl-C ends it.", file=sys.stderr)
        session.wait()
    except KeyboardInterrupt:
        pass
    finally:
        session.close()
    sys.stdout.flush()
    if any(thread.name.startswith("photosite") for thread in threading.enumerate()):
        os._exit(0)  # something is still being computed for a page that nobody looks at: Python would wait for it
    return 0


def _check_host(host: str, is_loopback: bool, allowed: bool) -> None:
    """Refuse to be reached from elsewhere unless that was asked for by name."""
    from photosite.errors import RangeError

    if is_loopback:
        return
    if not allowed:
        raise RangeError(
            f"explore: {host} can be reached from other machines; add --allow-remote if that is meant, "
            "or leave out --host and use `ssh -L` from there"
        )
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - refused
        raise RangeError("explore: --host wants one address of this machine, not all of them")
