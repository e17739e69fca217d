"""Many pictures at once: opened side by side in threads, handed out in order, none lost, memory bounded in megapixels.

Decoding lets other threads run, so two threads do close to twice the work of one. Knows nothing of processes: a decoder
that crashes takes this process with it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

from photosite.errors import PhotositeError, RangeError, ShapeError, UnknownNameError
from photosite.prep.load import OpenSource, Options, Picture, Source, open_source

MEGAPIXELS_IN_FLIGHT = 64.0
"""About 0.2 GB of decoded JPEGs; 0.8 GB at the worst, since a decoder takes up to 12 bytes a pixel."""

Made = TypeVar("Made")

_GLANCE_S = 0.005  # for how long the other rows are not looked after
_ROWS_AHEAD = 8  # of each thread: enough to stay busy behind one slow picture
_PIXELS_PER_MEGAPIXEL = 1_000_000


class LoadOptions(TypedDict, total=False):
    """The keywords of `photosite.prep.load.load`."""

    background: tuple[int, int, int]
    max_pixels: int
    max_bytes: int
    tolerate_truncated: bool
    frame: int
    value_range: tuple[float, float] | None
    icc: bool
    jpeg_scale_for_hw: tuple[int, int] | None


@dataclass
class _Row:
    """A source on its way: first its header is read, then, once it is admitted, its pixels are decoded."""

    index: int
    future: Future[Any]  # of an OpenSource; once admitted, of a Picture
    admitted: bool = False
    area: int = 0


class _Flight:
    """The rows on their way, in order, and the pixels that they hold.

    All of it happens in the consumer's thread. Workers never wait for anything, so none can be left hanging; rows are
    admitted in order, so the first one never waits for room that a later one has taken.
    """

    def __init__(
        self,
        sources: Iterator[Source],
        pool: ThreadPoolExecutor,
        threads: int,
        budget: int,
        options: Options,
        then: Callable[[Picture], Any] | None,
    ):
        self.sources = enumerate(sources)
        self.pool = pool
        self.threads = threads
        self.budget = budget
        self.options = options
        self.then = then
        self.rows: deque[_Row] = deque()
        self.held = 0  # pixels of the admitted rows, and of the picture in the consumer's hands
        self.in_hand = 0
        self.ended = False
        self.broken: Exception | None = None  # what reading the sources raised

    def advance(self) -> None:
        """Begin all that may begin: headers as far ahead as is allowed, pixels as far as there is room."""
        while not self.ended and len(self.rows) < _ROWS_AHEAD * self.threads:
            try:
                index, source = next(self.sources)
            except StopIteration:
                self.ended = True
            except Exception as fault:  # the rows before it come out first
                self.ended, self.broken = True, fault
            else:
                self.rows.append(_Row(index, self.pool.submit(open_source, source, self.options)))
        for row in self.rows:
            if row.admitted:
                continue
            if not row.future.done():
                return
            if row.future.exception() is None:
                opened: OpenSource = row.future.result()
                if self.held and self.held + opened.area > self.budget:
                    return
                row.area = opened.area
                self.held += row.area
                row.future = self.pool.submit(_made, opened, self.then)
            row.admitted = True

    def take(self, *, raises: bool) -> tuple[int, Any]:
        """Wait for the first row, and keep the workers busy for the time that the consumer will take."""
        first = self.rows[0]
        while not (first.admitted and first.future.done()):
            if first.admitted and sum(row.admitted and not row.future.done() for row in self.rows) > self.threads:
                with suppress(TimeoutError):  # the workers have enough to do for now; waiting for one costs least
                    first.future.exception(timeout=_GLANCE_S)
            else:
                next_header = [row.future for row in self.rows if not row.admitted and not row.future.done()][:1]
                wait([first.future, *next_header], return_when=FIRST_COMPLETED)
            self.advance()
        self.rows.popleft()
        self.in_hand = first.area
        self.advance()
        try:
            return first.index, first.future.result()
        except PhotositeError as fault:
            if raises:
                raise
            fault.__cause__ = fault.__context__ = None  # they and the traceback hold on to the bytes of the file
            return first.index, fault.with_traceback(None)

    def put_down(self) -> None:
        """Count the picture that was taken last no more, and use its room."""
        self.held -= self.in_hand
        self.in_hand = 0
        self.advance()


def _picture(opened: OpenSource) -> Picture:
    return opened.load().picture


def _made(opened: OpenSource, then: Callable[[Picture], Any] | None) -> Any:
    picture = _picture(opened)
    return picture if then is None else then(picture)


@overload
def load_many(
    sources: Iterable[Source],
    *,
    then: None = None,
    threads: int | None = None,
    max_megapixels_in_flight: float = MEGAPIXELS_IN_FLIGHT,
    on_error: Literal["yield", "raise"] = "yield",
    **options: Unpack[LoadOptions],
) -> Generator[tuple[int, Picture | PhotositeError], None, None]: ...


@overload
def load_many(
    sources: Iterable[Source],
    *,
    then: Callable[[Picture], Made],
    threads: int | None = None,
    max_megapixels_in_flight: float = MEGAPIXELS_IN_FLIGHT,
    on_error: Literal["yield", "raise"] = "yield",
    **options: Unpack[LoadOptions],
) -> Generator[tuple[int, Made | PhotositeError], None, None]: ...


def load_many(
    sources: Iterable[Source],
    *,
    then: Callable[[Picture], Any] | None = None,
    threads: int | None = None,
    max_megapixels_in_flight: float = MEGAPIXELS_IN_FLIGHT,
    on_error: Literal["yield", "raise"] = "yield",
    **options: Unpack[LoadOptions],
) -> Generator[tuple[int, Any], None, None]:
    """Open many pictures as `load` does, in threads, and hand them out in the order of the sources.

    Args:
        sources: whatever `load` opens, from any iterable. It is read as needed, at most 8 sources a thread ahead, in
            the thread that asks for pictures. Each source is opened in some other thread, so give no file object twice.
        then: what to do with each picture, in the thread that opened it, such as a `Recipe`; its result is handed out
            in place of the picture. Of what it raises, our own errors are rows like any failure; others end it all.
        threads: how many pictures are read and decoded side by side; as many as this process has processors for None.
        max_megapixels_in_flight: millions of pixels, by the headers, that may be held at once: being decoded, waiting
            for their turn, and in the picture handed out last, until the next one is asked for. A larger picture is
            held alone. The encoded bytes of the sources ahead come on top.
        on_error: "yield" hands a failure out in place of its picture, "raise" raises it when its turn comes.
        **options: all keywords of `load`.

    Returns:
        A generator of (index, picture): index counts the sources from 0, picture is (H, W, 3) uint8 or the error that
        `load` would have raised, without its traceback (which would keep the file in memory). As many rows come out
        as sources go in. What reading `sources` itself raises comes out after the rows before it. Closing it early,
        or Ctrl-C, drops what has not begun and waits for what is being decoded; no thread is left.

    Raises:
        RangeError: at once, for an argument out of range.
        ShapeError: at once, for a single path, bytes or file where several sources are wanted.
        UnknownNameError: at once, for another `on_error`.

    Matches: `load` on each source, one after the other.

    >>> import numpy as np
    >>> for index, picture in load_many([np.zeros((2, 3), np.uint8), b"no picture"]):
    ...     print(index, picture if isinstance(picture, Exception) else picture.shape)
    0 (2, 3, 3)
    1 <bytes>: not_an_image: text, not a picture
    """
    if threads is None:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise RangeError(f"load_many: threads wants at least 1, got {threads}")
    if not max_megapixels_in_flight > 0:
        raise RangeError(f"load_many: max_megapixels_in_flight wants more than 0, got {max_megapixels_in_flight}")
    if on_error not in ("yield", "raise"):
        raise UnknownNameError("choice of on_error", on_error, ("yield", "raise"))
    single = isinstance(sources, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(sources, "read")
    if single or not isinstance(sources, Iterable):
        kind = type(sources).__name__
        raise ShapeError(f"load_many: wants several sources, got one {kind}; give [source], or use load")
    budget = int(max_megapixels_in_flight * _PIXELS_PER_MEGAPIXEL)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="photosite-load")
    flight = _Flight(iter(sources), pool, threads, budget, Options(**options), then)
    return _in_order(flight, raises=on_error == "raise")


def _in_order(flight: _Flight, *, raises: bool) -> Generator[tuple[int, Any], None, None]:
    try:
        flight.advance()
        while flight.rows:
            yield flight.take(raises=raises)
            flight.put_down()
        if flight.broken is not None:
            raise flight.broken
    finally:
        flight.pool.shutdown(wait=True, cancel_futures=True)
