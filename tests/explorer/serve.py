"""Serve a small photo and a small model from a process of its own, whose memory can be measured: prints its address."""

from __future__ import annotations

import sys

from photosite.explorer import workspace
from photosite.explorer.session import explore
from photosite.exploring import ShownFrontEnd
from photosite.tokens import front_end
from tests.explorer.browsing import network, picture

KEPT_BYTES = 64 << 20
"""Of results: so little that it is full long before a test ends."""


def main() -> None:
    workspace.KEPT_BYTES = KEPT_BYTES
    ends = [ShownFrontEnd(front_end(name)) for name in ("llava-next", "qwen2-vl", "gemma3")]
    with explore(
        picture(300, 400), network(), find=lambda name: network(), names=("another",), front_ends=ends
    ) as session:
        print(session.url, flush=True)
        sys.stdin.read()  # until whoever started it goes


if __name__ == "__main__":
    main()
