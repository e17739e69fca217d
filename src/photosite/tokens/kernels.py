"""Patches as rows, in one pass over a picture: compiled by Numba, the same numbers as turning axes around.

Numba copies a row of a patch number by number, which takes as long as all the rest of preparing a photo; so it is
written here as vectors of LLVM, as in `prep.kernels`. What is left is the time that memory takes: storing past the
caches was tried and is not quicker.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from photosite.prep.windows import compiled

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


@compiled
def pack(values: Any, merge: int, patch: int, times: int, out: Any) -> None:
    """Write each patch as a row, those of a group one behind the other.

    Args:
        values: (3, H, W) float32, contiguous; sides are multiples of `merge * patch`.
        merge: patches of a group, down and across.
        patch: side of a patch, 8 to 16.
        times: how often each channel of a patch stands in its row.
        out: (patches, 3 * times * patch * patch) float32, contiguous.
    """
    height, width = values.shape[1], values.shape[2]
    columns = width // (merge * patch)
    area, at_values, at_out = patch * patch, values.ctypes.data, out.ctypes.data
    for number in range(len(out)):
        group, inner = number // (merge * merge), number % (merge * merge)
        top = (group // columns * merge + inner // merge) * patch
        left = (group % columns * merge + inner % merge) * patch
        for channel in range(3):
            source = at_values + 4 * ((channel * height + top) * width + left)
            target = at_out + 4 * (number * 3 + channel) * times * area
            for _ in range(patch):
                move_row(source, target, 4 * (patch - VECTOR), times, 4 * area)
                source += 4 * width
                target += 4 * patch
    _hold(values, out)


@compiled
def _hold(*arrays: Any) -> None:
    """Arrays live up to here, for their addresses are in use: Numba frees an array after its last mention."""
