"""Threads that share the work of a step, and those of BLAS, which must not get into each other's way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


class Crew:
    """Some threads, the caller's among them, that do the parts of a piece of work side by side.

    NumPy lets other threads run while it computes, so this pays for parts of a tenth of a millisecond and more.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size - 1, thread_name_prefix="photosite-crew") if size > 1 else None

    def run(self, work: Callable[[int], None]) -> None:
        """Call `work` with every part's number, and wait for all; the first error of any part is raised."""
        others = [self._pool.submit(work, part) for part in range(1, self.size)] if self._pool is not None else []
        try:
            work(0)
        finally:
            for other in others:
                other.exception()  # waits
        for other in others:
            other.result()

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()


@contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """Let BLAS use so many threads inside; the setting is one for the whole process."""
    with _blas().limit(limits=count):
        yield


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
