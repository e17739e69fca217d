"""Many pictures at once: opened side by side in threads, handed out in order, none lost, memory bounded in megapixels.

Decoding lets other threads run, so two threads do close to twice the work of one. Knows nothing of processes: a decoder
that crashes takes this process with it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Lock
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

from photosite.errors import PhotositeError, RangeError, ShapeError, UnknownNameError
from photosite.prep.load import OpenSource, Options, Picture, Source, open_source
from photosite.processors import processors

MEGAPIXELS_IN_FLIGHT = 64.0
"""About 0.2 GB of decoded JPEGs; 0.8 GB at the worst, since a decoder takes up to 12 bytes a pixel."""

Made = TypeVar("Made")

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


class _Row:
    """A source on its way: first its header is read, then, once there is room, its pixels are decoded."""

    def __init__(self, index: int, source: Source):
        self.index = index
        self.source: Source | None = source  # until its header is read
        self.opened: OpenSource | None = None  # from then until its pixels are decoded; None where it cannot be opened
        self.area = 0
        self.result: Future[Any] = Future()


class _Flight:
    """The rows on their way, in order, and the pixels that they hold.

    A worker that has read a header goes on to the pixels at once if there is room: handing a row over costs as much as
    opening it. Rows are admitted in order, so the first one never waits for room that a later one has taken.
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
        self.rows: deque[_Row] = deque()  # from here on the consumer's alone
        self.in_hand = 0
        self.ended = False
        self.broken: Exception | None = None  # what reading the sources raised
        self.lock = Lock()  # from here on everybody's
        self.unread: deque[_Row] = deque()  # headers to read
        self.waiting: deque[_Row] = deque()  # in order, until there is room for their pixels
        self.admitted: deque[_Row] = deque()  # pixels to decode
        self.held = 0  # pixels of the admitted rows, and of the picture in the consumer's hands

    def advance(self) -> None:
        """Begin as many rows as is allowed; in the consumer's thread, as all that reads the sources."""
        while not self.ended and len(self.rows) < _ROWS_AHEAD * self.threads:
            try:
                index, source = next(self.sources)
            except StopIteration:
                self.ended = True
            except Exception as fault:  # the rows before it come out first
                self.ended, self.broken = True, fault
            else:
                row = _Row(index, source)
                self.rows.append(row)
                with self.lock:
                    self.unread.append(row)
                    self.waiting.append(row)
                self.pool.submit(self._work)

    def take(self, *, raises: bool) -> tuple[int, Any]:
        """Wait for the first row, and keep the workers busy for the time that the consumer will take."""
        first = self.rows[0]
        wait([first.result])
        self.rows.popleft()
        self.in_hand = first.area
        self.advance()
        try:
            return first.index, first.result.result()
        except PhotositeError as fault:
            if raises:
                raise
            fault.__cause__ = fault.__context__ = None  # they and the traceback hold on to the bytes of the file
            return first.index, fault.with_traceback(None)

    def put_down(self) -> None:
        """Count the picture that was taken last no more, and use its room."""
        with self.lock:
            self.held -= self.in_hand
            self.in_hand = 0
            count = self._admit()
        self._ask_for(count)
        self.advance()

    def _work(self) -> None:
        """In a worker: decode a row that is admitted, or read a header and go on if that admits it.

        There can be nothing to do: another worker may admit a row whose header was read just now, and ask for hands.
        """
        with self.lock:
            row = self.admitted.popleft() if self.admitted else None
            unread = self.unread.popleft() if row is None and self.unread else None
        if unread is not None:
            self._read_header(unread)
            with self.lock:
                count = self._admit()
                if unread in self.admitted:
                    self.admitted.remove(unread)
                    row, count = unread, count - 1
            self._ask_for(count)
        if row is not None:
            self._decode(row)

    def _read_header(self, row: _Row) -> None:
        assert row.source is not None
        try:
            row.opened = open_source(row.source, self.options)
        except BaseException as fault:  # whatever it is, the consumer waits for it
            row.result.set_exception(fault)
        row.source = None

    def _decode(self, row: _Row) -> None:
        assert row.opened is not None
        opened, row.opened = row.opened, None
        try:
            row.result.set_result(_made(opened, self.then))
        except BaseException as fault:  # whatever it is, the consumer waits for it
            row.result.set_exception(fault)

    def _admit(self) -> int:
        """Admit the next rows in order while their headers are read and there is room; how many; under the lock."""
        count = 0
        while self.waiting and self.waiting[0].source is None:
            row = self.waiting[0]
            if row.opened is not None:
                if self.held and self.held + row.opened.area > self.budget:
                    break
                row.area = row.opened.area
                self.held += row.area
                self.admitted.append(row)
                count += 1
            self.waiting.popleft()
        return count

    def _ask_for(self, count: int) -> None:
        """Have workers look at what was admitted; after the last row has come out, or on closing, there are none."""
        for _ in range(count):
            with suppress(RuntimeError):
                self.pool.submit(self._work)


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
        threads = processors()
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
