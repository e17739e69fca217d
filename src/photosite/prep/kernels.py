"""Resizing, cropping and normalizing in one pass over a picture: compiled by Numba, the same bits as `resample`.

A row of the source is mixed across its columns as soon as the rows below need it; a handful of such rows stay in the
nearest cache and are mixed into one output row, which goes straight into the levels or numbers of the result. Only the
columns and rows that the crop keeps are ever touched.

Numba's own vectorizer finds neither of the two mixes, so both are written here as vectors of LLVM, without any
instruction of a certain processor: LLVM makes AVX-512, AVX2 or NEON of them. Where a processor can permute 64 bytes and
multiply bytes four by four (Intel since Ice Lake, AMD since Zen 4), columns are mixed in that way, with the same bits.
This file needs Numba; only `fast.py` imports it, and only where Numba is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from photosite.prep.resample import PRECISION_BITS as BITS
from photosite.prep.windows import BLOCK, GROUP, HAS_BYTE_DOTS, LANES, QUAD, compiled

_BYTE, _WORD, _LONG = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def _vector(element: Any, lanes: int) -> Any:
    return ir.VectorType(element, lanes)


def _same(value: int, lanes: int) -> Any:
    return ir.Constant(_vector(_WORD, lanes), [value] * lanes)


def _lanes(order: Sequence[int]) -> Any:
    return ir.Constant(_vector(_WORD, len(order)), list(order))


def _nothing(element: Any, lanes: int) -> Any:
    return ir.Constant(_vector(element, lanes), ir.Undefined)


def _at(builder: Any, address: Any, element: Any) -> Any:
    return builder.inttoptr(address, element.as_pointer())


def _rounded(builder: Any, total: Any, lanes: int) -> Any:
    """Sums in 2**-22 to levels: one half is in them already, so cutting off rounds; then 0 … 255."""
    total = builder.ashr(total, _same(BITS, lanes))
    zero, top = _same(0, lanes), _same(255, lanes)
    total = builder.select(builder.icmp_signed("<", total, zero), zero, total)
    total = builder.select(builder.icmp_signed(">", total, top), top, total)
    return builder.trunc(total, _vector(_BYTE, lanes))


def _pair_up(builder: Any, a: Any, b: Any, which: tuple[int, ...], others: tuple[int, ...]) -> Any:
    """Add some of the eight quarters of two vectors to the others."""
    order = [[4 * quarter + lane for quarter in quarters for lane in range(4)] for quarters in (which, others)]
    return builder.add(*(builder.shuffle_vector(a, b, _lanes(lanes)) for lanes in order))


@intrinsic
def mix_columns(
    typing_context: Any, source: Any, offsets: Any, weights: Any, groups: Any, target: Any, quads: Any
) -> Any:
    """Mix one row of RGB across its columns; all arguments are addresses or counts, int64.

    Reads (quads * 4,) int32 offsets in bytes and (quads, groups, 4 pixels, 4 taps, 4 lanes) int32 weights; of the
    source, 16 bytes from every offset and group on. Writes quads * 12 + 4 bytes.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, offsets, weights, groups, target, quads = arguments

        def number(value: int) -> Any:
            return ir.Constant(_LONG, value)

        def plus(address: Any, count: Any, step: int) -> Any:
            return builder.add(address, builder.mul(count, number(step)))

        sums = [cgutils.alloca_once(builder, _vector(_WORD, 16)) for _ in range(QUAD)]
        # R0 G0 B0 R1 G1 B1 … becomes R0 G0 B0 ? R1 G1 B1 ? …; the fourth lanes have weight 0
        apart = _lanes([0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 9, 10, 11, 0])
        together = _lanes([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15])
        with cgutils.for_range(builder, quads) as quad:
            own_weights = builder.add(weights, builder.mul(quad.index, builder.mul(groups, number(256))))
            pixels = []
            for pixel in range(QUAD):
                offset = builder.load(
                    _at(builder, builder.add(plus(offsets, quad.index, 16), number(4 * pixel)), _WORD)
                )
                pixels.append(builder.add(source, builder.zext(offset, _LONG)))

            def product(pixel: int, group: Any) -> Any:
                place = _at(builder, plus(pixels[pixel], group, 3 * GROUP), _vector(_BYTE, 16))
                levels = builder.shuffle_vector(builder.load(place, align=1), _nothing(_BYTE, 16), apart)
                place = builder.add(plus(own_weights, group, 256), number(64 * pixel))
                weight = builder.load(_at(builder, place, _vector(_WORD, 16)), align=4)
                return builder.mul(builder.zext(levels, _vector(_WORD, 16)), weight)

            for pixel in range(QUAD):
                builder.store(product(pixel, number(0)), sums[pixel])
            with cgutils.for_range(builder, builder.sub(groups, number(1))) as rest:
                group = builder.add(rest.index, number(1))
                for pixel in range(QUAD):
                    builder.store(builder.add(builder.load(sums[pixel]), product(pixel, group)), sums[pixel])
            a, b, c, d = (builder.load(place) for place in sums)
            # each has four taps of (R, G, B, ?): added up, they make one vector of four pixels
            left = _pair_up(builder, a, b, (0, 1, 4, 5), (2, 3, 6, 7))
            right = _pair_up(builder, c, d, (0, 1, 4, 5), (2, 3, 6, 7))
            total = _pair_up(builder, left, right, (0, 2, 4, 6), (1, 3, 5, 7))
            levels = _rounded(builder, builder.add(total, _same(1 << (BITS - 1), 16)), 16)
            packed = builder.shuffle_vector(levels, _nothing(_BYTE, 16), together)
            builder.store(packed, _at(builder, plus(target, quad.index, 3 * QUAD), _vector(_BYTE, 16)), align=1)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), generate


@intrinsic
def mix_columns_by_bytes(
    typing_context: Any, source: Any, offsets: Any, order: Any, weights: Any, groups: Any, target: Any, blocks: Any
) -> Any:
    """Mix one row of RGB across its columns, 16 levels at once; all arguments are addresses or counts, int64.

    A weight is three signed bytes: the products of each are summed four taps at a time, and the sums put together.
    Reads (blocks,) int32 offsets in bytes, (blocks, 16 levels, 4 taps) uint8 places among the 64 bytes from there, and
    (blocks, groups, 3, 16, 4) int8 weights, high bytes first; of the source, 64 bytes from every offset and group on.
    Writes blocks * 16 bytes. Does nothing where not `HAS_BYTE_DOTS`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, offsets, order, weights, groups, target, blocks = arguments
        if not HAS_BYTE_DOTS:
            return context.get_dummy_value()
        bytes_, words = _vector(_BYTE, 64), _vector(_WORD, LANES)
        permute = _instruction(builder, "llvm.x86.avx512.permvar.qi.512", bytes_, [bytes_, bytes_])
        dot = _instruction(builder, "llvm.x86.avx512.vpdpbusd.512", words, [words, bytes_, bytes_])

        def plus(address: Any, count: Any, step: int) -> Any:
            return builder.add(address, builder.mul(count, ir.Constant(_LONG, step)))

        sums = [cgutils.alloca_once(builder, words) for _ in range(3)]
        with cgutils.for_range(builder, blocks) as block:
            own_weights = builder.add(weights, builder.mul(block.index, builder.mul(groups, ir.Constant(_LONG, 192))))
            places = builder.load(_at(builder, plus(order, block.index, 64), bytes_), align=1)
            offset = builder.load(_at(builder, plus(offsets, block.index, 4), _WORD))
            first = builder.add(source, builder.zext(offset, _LONG))
            for total, half in zip(sums, (1 << (BITS - 17), 0, 0), strict=True):  # one half, to round to nearest
                builder.store(_same(half, LANES), total)
            with cgutils.for_range(builder, groups) as group:
                near = builder.load(_at(builder, plus(first, group.index, 3 * GROUP), bytes_), align=1)
                levels = builder.call(permute, [near, places])
                for part, total in enumerate(sums):
                    place = builder.add(plus(own_weights, group.index, 192), ir.Constant(_LONG, 64 * part))
                    weight = builder.load(_at(builder, place, bytes_), align=1)
                    builder.store(builder.call(dot, [builder.load(total), levels, weight]), total)
            total = builder.load(sums[0])
            for lower in sums[1:]:
                total = builder.add(builder.shl(total, _same(8, LANES)), builder.load(lower))
            place = _at(builder, plus(target, block.index, LANES), _vector(_BYTE, LANES))
            builder.store(_rounded(builder, total, LANES), place, align=1)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7), generate


def _instruction(builder: Any, name: str, result: Any, arguments: Sequence[Any]) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


@intrinsic
def look_up_by_bytes(typing_context: Any, row: Any, tables: Any, numbers: Any, plane: Any, columns: Any) -> Any:
    """Turn a row of RGB levels into a row of each of three planes of numbers; addresses or counts, int64.

    Four bytes of a number are looked up one by one, each for 64 pixels at once, and then put side by side.
    Reads 3 * columns bytes, and (3 channels, 4 bytes of a float32, 256 levels) uint8. Writes `columns` float32 at
    `numbers`, and `plane` and twice `plane` bytes behind it; columns are at least 64. Does nothing where not
    `HAS_BYTE_DOTS`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row, tables, numbers, plane, columns = arguments
        if not HAS_BYTE_DOTS:
            return context.get_dummy_value()
        bytes_ = _vector(_BYTE, 64)
        two_tables = _instruction(builder, "llvm.x86.avx512.vpermi2var.qi.512", bytes_, [bytes_] * 3)
        # Bytes are zipped within quarters of a vector, so pixels go in as the zipped quarters will need them.
        pixels = [16 * piece + 4 * quarter + i for quarter in range(4) for piece in range(4) for i in range(4)]

        def zipped(a: Any, b: Any, width: int, high: bool) -> Any:
            """The lower or upper halves of all quarters of two vectors, in turns of `width` bytes."""
            element, lanes = ir.IntType(8 * width), 64 // width
            a, b = (builder.bitcast(value, _vector(element, lanes)) for value in (a, b))
            half, start = lanes // 8, lanes // 8 if high else 0
            order = [
                lane + offset
                for quarter in range(4)
                for lane in range(lanes // 4 * quarter + start, lanes // 4 * quarter + start + half)
                for offset in (0, lanes)
            ]
            return builder.bitcast(builder.shuffle_vector(a, b, _lanes(order)), bytes_)

        def number(value: int) -> Any:
            return ir.Constant(_LONG, value)

        blocks = builder.udiv(builder.add(columns, number(63)), number(64))
        with cgutils.for_range(builder, blocks) as block:
            # the last block ends with the row, and does again some of what the one before has done
            at = builder.mul(block.index, number(64))
            last = builder.sub(columns, number(64))
            at = builder.select(builder.icmp_unsigned("<", at, last), at, last)
            source = builder.add(row, builder.mul(at, number(3)))
            levels = [
                builder.load(_at(builder, builder.add(source, number(64 * i)), bytes_), align=1) for i in range(3)
            ]
            target = builder.add(numbers, builder.mul(at, number(4)))
            for channel in range(3):
                places = [3 * pixel + channel for pixel in pixels]
                early = _lanes([place if place < 128 else 0 for place in places])
                index = builder.shuffle_vector(levels[0], levels[1], early)
                late = _lanes([i if place < 128 else place - 64 for i, place in enumerate(places)])
                index = builder.shuffle_vector(index, levels[2], late)
                upper = builder.icmp_signed("<", index, ir.Constant(bytes_, [0] * 64))
                parts = []
                for byte in range(4):
                    start = builder.add(tables, number(256 * (4 * channel + byte)))
                    a, b, c, d = (
                        builder.load(_at(builder, builder.add(start, number(64 * i)), bytes_), align=1)
                        for i in range(4)
                    )
                    below, above = builder.call(two_tables, [a, index, b]), builder.call(two_tables, [c, index, d])
                    parts.append(builder.select(upper, above, below))
                for piece in range(4):
                    first = zipped(parts[0], parts[1], 1, piece >= 2)
                    second = zipped(parts[2], parts[3], 1, piece >= 2)
                    place = builder.add(builder.add(target, number(64 * piece)), builder.mul(plane, number(channel)))
                    builder.store(zipped(first, second, 2, piece % 2 == 1), _at(builder, place, bytes_), align=1)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), generate


@intrinsic
def mix_rows(typing_context: Any, source: Any, stride: Any, weights: Any, count: Any, target: Any, blocks: Any) -> Any:
    """Mix `count` rows that lie `stride` bytes apart into one; all arguments are addresses or counts, int64.

    Reads (count,) int32 weights, and blocks * 64 bytes of every row; writes as many.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, stride, weights, count, target, blocks = arguments
        words = _vector(_WORD, BLOCK)
        total = cgutils.alloca_once(builder, words)
        with cgutils.for_range(builder, blocks) as block:
            skip = builder.mul(block.index, ir.Constant(_LONG, BLOCK))
            builder.store(_same(1 << (BITS - 1), BLOCK), total)
            with cgutils.for_range(builder, count) as tap:
                row = builder.add(builder.add(source, skip), builder.mul(tap.index, stride))
                levels = builder.load(_at(builder, row, _vector(_BYTE, BLOCK)), align=1)
                place = builder.add(weights, builder.mul(tap.index, ir.Constant(_LONG, 4)))
                one = builder.insert_element(
                    _nothing(_WORD, BLOCK), builder.load(_at(builder, place, _WORD)), ir.Constant(_WORD, 0)
                )
                weight = builder.shuffle_vector(one, _nothing(_WORD, BLOCK), _lanes([0] * BLOCK))
                product = builder.mul(builder.zext(levels, words), weight)
                builder.store(builder.add(builder.load(total), product), total)
            levels = _rounded(builder, builder.load(total), BLOCK)
            builder.store(levels, _at(builder, builder.add(target, skip), _vector(_BYTE, BLOCK)), align=1)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), generate


@compiled
def _mix(source: int, target: int, by_bytes: bool, mixing: tuple[int, int, int, int, int]) -> None:
    """Mix one row of RGB across its columns, from address to address, in the quickest way there is."""
    offsets, order, weights, groups, count = mixing
    if by_bytes:
        mix_columns_by_bytes(source, offsets, order, weights, groups, target, count)
    else:
        mix_columns(source, offsets, weights, groups, target, count)


@compiled
def hold(*arrays: Any) -> None:
    """Arrays live up to here, for their addresses are in use: Numba frees an array after its last mention."""


@compiled
def bytes_of(table: Any) -> Any:
    """A table of (3, 256) float32 as `look_up_by_bytes` wants it, lowest byte first."""
    words = table.view(np.uint32)
    parts = np.empty((3, 4, 256), np.uint8)
    for channel in range(3):
        for byte in range(4):
            for level in range(256):
                parts[channel, byte, level] = (words[channel, level] >> (8 * byte)) & 255
    return parts


@compiled
def deliver(row: Any, y: int, table: Any, parts: Any, levels: Any, numbers: Any) -> None:
    """Put a finished row where it belongs: as levels, or through the table as numbers of three planes."""
    if len(parts) > 0:
        target = numbers.ctypes.data + 4 * y * numbers.shape[2]
        plane = 4 * numbers.shape[1] * numbers.shape[2]
        look_up_by_bytes(row.ctypes.data, parts.ctypes.data, target, plane, numbers.shape[2])
        return
    if numbers.shape[1] == 0:
        for x in range(levels.shape[1]):
            for channel in range(3):
                levels[y, x, channel] = row[3 * x + channel]
        return
    for x in range(numbers.shape[2]):
        for channel in range(3):
            numbers[channel, y, x] = table[channel, row[3 * x + channel]]


@compiled
def resized_window(
    picture: Any, size_hw: Any, window_hw: Any, plan: Any, rows_first: bool, table: Any, levels: Any, numbers: Any
) -> None:
    """Resize a picture and keep a window of it, as levels or as numbers.

    Args:
        picture: (H, W, 3) uint8, contiguous.
        size_hw: the resized picture's size.
        window_hw: the window's size.
        plan: what `planned` makes of the sizes and the window.
        rows_first: which pass goes first, see `resample.rows_first`.
        table: (3, 256) float32, the number of every level, in the order of the output's planes.
        levels: (h, w, 3) uint8 for levels, else empty.
        numbers: (3, h, w) float32 for numbers, else empty.
    """
    height, width = picture.shape[0], picture.shape[1]
    rows, columns = window_hw
    mixes_rows, mixes_columns = size_hw[0] != height, size_hw[1] != width
    (first_row, row_count, row_weights), (left, span), by_bytes, (offsets, order, parts, wide), reach = plan
    # what the rows are mixed from: columns as they are where rows go first, else columns already mixed
    across = span if rows_first else columns
    blocks = (3 * across + BLOCK - 1) // BLOCK
    stride = BLOCK * (blocks + 1)
    room = max(64, 3 * row_weights.shape[1])
    kept = np.empty((room, stride), np.uint8)
    mixed = np.empty(stride, np.uint8)
    padded = np.zeros(max(reach, 3 * span) + BLOCK, np.uint8)
    finished = np.empty(3 * columns + BLOCK, np.uint8)
    at_kept, at_mixed, at_padded = kept.ctypes.data, mixed.ctypes.data, padded.ctypes.data
    at_picture, at_row_weights = picture.ctypes.data, row_weights.ctypes.data
    if by_bytes:
        mixing = offsets.ctypes.data, order.ctypes.data, parts.ctypes.data, parts.shape[1], len(offsets)
    else:
        mixing = offsets.ctypes.data, 0, wide.ctypes.data, wide.shape[1], wide.shape[0]
    bytes_of_table = bytes_of(table) if HAS_BYTE_DOTS and numbers.shape[2] >= 64 else np.zeros((0, 4, 256), np.uint8)
    begin = done = first_row[0]
    end = 3 * height * width
    for y in range(rows):
        need = first_row[y] + row_count[y]
        if need - begin > room:  # move what is still needed to the front
            if done > first_row[y]:
                kept[: done - first_row[y]] = kept[first_row[y] - begin : done - begin]
            begin = first_row[y]
            done = max(done, begin)
        while done < need:
            source = 3 * (done * width + left)
            target = at_kept + stride * (done - begin)
            if rows_first or not mixes_columns:
                kept[done - begin, : 3 * across] = picture[done, left : left + across].reshape(-1)
            elif source + reach <= end:
                _mix(at_picture + source, target, by_bytes, mixing)
            else:  # the last rows: vectors would read beyond the picture
                padded[: 3 * span] = picture[done, left : left + span].reshape(-1)
                _mix(at_padded, target, by_bytes, mixing)
            done += 1
        row = kept[first_row[y] - begin]
        if mixes_rows:
            weights = at_row_weights + 4 * y * row_weights.shape[1]
            mix_rows(at_kept + stride * (first_row[y] - begin), stride, weights, row_count[y], at_mixed, blocks)
            row = mixed
        if rows_first and mixes_columns:
            padded[: 3 * span] = row[: 3 * span]
            _mix(at_padded, finished.ctypes.data, by_bytes, mixing)
            row = finished
        deliver(row, y, table, bytes_of_table, levels, numbers)
    hold(picture, kept, mixed, padded, finished, offsets, order, parts, wide, row_weights)
