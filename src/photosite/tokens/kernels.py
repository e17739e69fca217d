"""Patches as rows, in one pass over a picture: compiled by Numba, the same numbers as turning axes around.

Numba copies a row of a patch number by number, which takes as long as all the rest of preparing a photo; so it is
written here as vectors of LLVM, as in `prep.kernels`. One row of patches at a time is looked up and packed, which a
near cache holds; the result, which is eight times as large as the picture, goes past the caches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from photosite.prep.kernels import bytes_of, deliver, hold
from photosite.prep.windows import BLOCK, HAS_BYTE_DOTS, compiled

VECTOR = 8
"""Numbers that are moved at once; a row of a patch has as many to twice as many."""


@intrinsic
def move_row(typing_context: Any, source: Any, target: Any, last: Any, copies: Any, apart: Any) -> Any:
    """Copy a row of 8 to 16 numbers of single precision, several times; all arguments are addresses or bytes.

    Two vectors: the first 8 numbers, and the last 8, which begin `last` bytes later. Copies lie `apart` bytes apart.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target, last, copies, apart = arguments
        pointer = ir.VectorType(ir.FloatType(), VECTOR).as_pointer()
        starts = (ir.Constant(ir.IntType(64), 0), last)
        rows = [builder.load(builder.inttoptr(builder.add(source, start), pointer), align=4) for start in starts]
        with cgutils.for_range(builder, copies) as copy:
            into = builder.add(target, builder.mul(copy.index, apart))
            for row, start in zip(rows, starts, strict=True):
                builder.store(row, builder.inttoptr(builder.add(into, start), pointer), align=4)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), generate


@intrinsic
def stream(typing_context: Any, source: Any, target: Any, blocks: Any) -> Any:
    """Copy blocks of 16 bytes past the caches; both addresses are multiples of 16."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target, blocks = arguments
        pointer = ir.VectorType(ir.FloatType(), 4).as_pointer()
        with cgutils.for_range(builder, blocks) as block:
            skip = builder.mul(block.index, ir.Constant(ir.IntType(64), 16))
            value = builder.load(builder.inttoptr(builder.add(source, skip), pointer), align=16)
            store = builder.store(value, builder.inttoptr(builder.add(target, skip), pointer), align=16)
            store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), generate


@compiled
def pack(levels: Any, table: Any, merge: int, patch: int, times: int, out: Any) -> None:
    """Look levels up and write each patch as a row, those of a group one behind the other.

    Args:
        levels: (H, W, 3) uint8, contiguous; sides are multiples of `merge * patch`.
        table: (3, 256) float32: what each level of each channel becomes.
        merge: patches of a group, down and across.
        patch: side of a patch, 8 to 16.
        times: how often each channel of a patch stands in its row.
        out: (patches, 3 * times * patch * patch) float32, contiguous.
    """
    width = levels.shape[1]
    across, area = width // patch, patch * patch
    size = 3 * times * area
    band = np.empty((3, patch, width), np.float32)
    made = np.empty(size + 16, np.float32)
    at_made = (made.ctypes.data + 15) // 16 * 16
    at_band, at_out = band.ctypes.data, out.ctypes.data
    streams = at_out % 16 == 0 and size % 4 == 0
    nothing = np.zeros((0, 0, 3), np.uint8)
    parts = bytes_of(table) if HAS_BYTE_DOTS and width >= BLOCK else np.zeros((0, 4, 256), np.uint8)
    for row in range(len(levels) // patch):
        for y in range(patch):
            deliver(levels[row * patch + y].reshape(-1), y, table, parts, nothing, band)
        first = (row // merge * (across // merge) * merge + row % merge) * merge
        for column in range(across):
            number = first + column // merge * merge * merge + column % merge
            at_row = at_out + 4 * number * size
            for channel in range(3):
                source = at_band + 4 * (channel * patch * width + column * patch)
                target = (at_made if streams else at_row) + 4 * channel * times * area
                for _ in range(patch):
                    move_row(source, target, 4 * (patch - VECTOR), times, 4 * area)
                    source += 4 * width
                    target += 4 * patch
            if streams:
                stream(at_made, at_row, size // 4)
    hold(levels, band, made, out)
