"""Matrix products in blocks that stay in a cache until all that follows them is done, too.

A product alone runs at the speed of BLAS; adding a bias, adding a shortcut and cutting at 0 then each read and write
all of a large result once more. Done block by block they find it in the cache. Rows are places of all pictures, columns
are channels, so arrays have the channels last.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from photosite.ops.arrays import Array

BLOCK_NUMBERS = 1 << 20
"""Numbers of a block's operands and result together: 4 MB, a share of the last cache. Smaller blocks cost more in calls
than they save (measured: 0.25 MB 5% slower, 1 MB even)."""
PIECE = 1 << 16
"""Numbers that pass an activation at once, 256 KB: larger ones leave the caches, and smaller ones let two threads wait
for each other at every call of NumPy's (ConvNeXt-T: 2^14 1001 ms, 2^16 873 ms)."""
ROW = 1024
"""Numbers in a row of an elementwise operation; below some hundred, NumPy's loop over rows costs more than the work."""


class Workspace:
    """Scratch arrays by name, that are made once, grow, and are used again: fresh memory costs more than filling it."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
        """An array of that shape with whatever numbers were in it."""
        size = math.prod(shape)
        held = self._arrays.get(name)
        if held is None or held.size < size or held.dtype != dtype:
            held = self._arrays[name] = np.empty(size, dtype)
        return held[:size].reshape(shape)


@dataclass(frozen=True, eq=False)
class Finish:
    """What is done to a block of a result while it is in the cache, in this order.

    Attributes:
        shift: added to every row, (O,); None for nothing.
        positive: whether everything below 0 becomes 0 (ReLU).
        activation: another function of single values, in place of ReLU.
    """

    shift: Array | None = None
    positive: bool = False
    activation: Callable[[Array], Array] | None = None

    def __call__(self, block: Array, residual: Array | None = None) -> None:
        """Finish a block in place.

        Args:
            block: (M, O), contiguous.
            residual: (M, O), contiguous, added before the activation; None for nothing.
        """
        wide = _widened(block)
        if self.shift is not None:
            np.add(wide, np.tile(self.shift, wide.shape[1] // len(self.shift)), out=wide)
        if residual is not None:
            np.add(wide, residual.reshape(wide.shape), out=wide)
        if self.positive:
            # an array of zeros: NumPy compares with a number three times slower
            np.maximum(wide, _zeros(wide.shape[1], wide.dtype), out=wide)
        elif self.activation is not None:
            for some in pieces(slice(0, len(wide)), max(PIECE // wide.shape[1], 1)):
                wide[some] = self.activation(wide[some])


def product(
    x: Array, matrix: Array, out: Array, finish: Finish, residual: Array | None = None, share: slice | None = None
) -> None:
    """A matrix product and what follows it, block by block: out = finish(x matrix).

    Args:
        x: (M, K), contiguous.
        matrix: (K, O).
        out: (M, O), contiguous; written.
        finish: what is done to each block.
        residual: (M, O) or None.
        share: the rows to do; all for None.
    """
    share = share or slice(0, len(x))
    rows = max(BLOCK_NUMBERS // (x.shape[1] + out.shape[1]), 64)
    for start in range(share.start, share.stop, rows):
        block = slice(start, min(start + rows, share.stop))
        np.matmul(x[block], matrix, out=out[block])
        finish(out[block], None if residual is None else residual[block])


def shares(count: int, parts: int) -> list[slice]:
    """A range in as many pieces as equal as can be; pieces can be empty.

    >>> shares(5, 2)
    [slice(0, 3, None), slice(3, 5, None)]
    """
    ends = [-(-count * part // parts) for part in range(parts + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(ends)]


def pieces(share: slice, size: int) -> Iterator[slice]:
    """A range in pieces of at most that size, in order.

    >>> list(pieces(slice(2, 7), 3))
    [slice(2, 5, None), slice(5, 7, None)]
    """
    for start in range(share.start, share.stop, size):
        yield slice(start, min(start + size, share.stop))


def _widened(block: Array) -> Array:
    """The same memory with longer rows, each a whole number of the old ones."""
    rows, columns = block.shape
    times = 1
    while columns * times < ROW and rows % (2 * times) == 0 and rows:
        times *= 2
    return block.reshape(rows // times, columns * times)


@cache
def _zeros(size: int, dtype: np.dtype[np.generic]) -> Array:
    zeros = np.zeros(size, dtype)
    zeros.setflags(write=False)
    return zeros
