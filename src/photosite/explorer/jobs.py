"""One computation at a time, away from the loop that answers; of one view a newer question cancels the older one.

A page that scrubs asks faster than anything can be computed. What is waiting and no longer wanted never begins; what
runs stops at its next `check`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
WAITING_AT_MOST = 32
"""So many questions may wait; one more is refused at once."""


class CancelledError(Exception):
    """Nobody waits for this answer any more."""


class BusyError(Exception):
    """Too many questions wait already."""


class Jobs:
    """Computes in one thread of its own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="photosite")
        self._newest: dict[str, threading.Event] = {}
        self.progress: dict[str, tuple[int, int]] = {}
        """Of views that are being computed: how much is done, of how much, as far as they said so."""
        self._waiting = 0

    async def run(self, view: str, work: Callable[[Callable[[], None]], T]) -> T:
        """Compute something.

        Args:
            view: whose question it is; "" for one that nothing cancels.
            work: gets a function that raises `CancelledError` where a newer question of the view has come.
        Raises:
            CancelledError: a newer question has come.
            BusyError: `WAITING_AT_MOST` questions wait.
        """
        if self._waiting >= WAITING_AT_MOST:
            raise BusyError
        gone = threading.Event()
        if view:
            older = self._newest.get(view)
            if older is not None:
                older.set()
            self._newest[view] = gone

        def check() -> None:
            if gone.is_set():
                raise CancelledError

        def whole() -> T:
            check()
            return work(check)

        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, whole)
        except asyncio.CancelledError:
            gone.set()
            raise
        finally:
            self._waiting -= 1
            if self._newest.get(view) is gone:
                del self._newest[view]
                self.progress.pop(view, None)

    def close(self) -> None:
        """Forget what waits, and let what runs end at its next check."""
        for gone in list(self._newest.values()):
            gone.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
