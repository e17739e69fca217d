"""A photo's tokens in several front ends, as plain data: how many, how fine, and where the cells of each lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from photosite import __version__
from photosite.errors import RangeError
from photosite.lightpath import coverage, ledger, light_path
from photosite.prep.recipe import Picture
from photosite.tokens import FrontEnd
from photosite.trace.cells import Span, TileCells, tile_cells
from photosite.trace.field import PHOTO_SIDE
from photosite.trace.light import thumbnail

READABLE = 8
"""Pixels of height, in the encoder's picture, below which letters are hardly told apart: an assumption, said as one."""
BOXES_AT_MOST = 400
"""What no token sees is drawn if it consists of at most so many boxes."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class FrontEndTokens:
    """What a photo becomes in one front end.

    Attributes:
        name: of the front end, and where its constants come from: `source`.
        total: visual tokens, learned newlines included; the rest as in `photosite.tokens.front_end.Count`.
        photo_pixels_per_token: of all tokens.
        photo_pixels_per_pixel: of the finest tile, down and across.
        readable_text_px: height in the photo of letters that are `READABLE` high in that tile.
        repeated: tokens of the whole photo where its tiles show all of it as well.
        padding: tokens that no pixel of the photo is part of; those that are partly padding in `partly_padding`.
        unseen_pixels: of the photo, those that no token depends on; as a share of all in `unseen_share`.
        padding_share: of the area of all tokens' cells, what lies beyond the photo.
        middle_token_box: the photo's pixels that the middle token of the finest tile depends on.
        prefill_flops: of a language model that reads the tokens.
        tiles_of: all tiles with their cells.
        unseen_boxes: of the photo's pixels that no token depends on; None where they are too many, or not asked for.
    """

    name: str
    source: str
    total: int
    tiles: int
    base: int
    newlines: int
    separators: int
    prefix: int
    repeated: int
    padding: int
    partly_padding: int
    unseen_pixels: int
    photo_pixels_per_token: float
    photo_pixels_per_pixel: tuple[float, float]
    readable_text_px: float
    unseen_share: float
    padding_share: float
    middle_token_box: Box | None
    prefill_flops: float
    tiles_of: tuple[TileCells, ...]
    unseen_boxes: tuple[Box, ...] | None


@dataclass(frozen=True)
class Refused:
    """A front end that refuses the photo, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class TokensTrace:
    """A photo's tokens in several front ends.

    Attributes:
        path: of the photo, for people.
        photo_hw: its size, upright.
        photo: the photo, at most `PHOTO_SIDE` px a side; None where no page is wanted.
        parameters: of the language model that reads the tokens.
        front_ends: in the order in which they were asked for.
        version: of photosite.
    """

    path: str
    photo_hw: tuple[int, int]
    photo: Picture | None
    parameters: float
    front_ends: tuple[FrontEndTokens | Refused, ...]
    version: str


def record_tokens(
    front_ends: Sequence[FrontEnd], picture: Picture, parameters: float, path: str = "", *, pictures: bool = False
) -> TokensTrace:
    """Count a photo's tokens in several front ends.

    Args:
        front_ends: from `photosite.tokens.front_end`.
        picture: (H, W, 3) uint8, upright.
        parameters: of the language model, for the cost of reading: two FLOP for each parameter and token.
        path: of the photo, for people.
        pictures: whether what a page draws is wanted too.
    Raises:
        RangeError: a language model without parameters.
    """
    if not parameters > 0:
        raise RangeError(f"record_tokens: parameters wants a number above 0, got {parameters:g}")
    size_hw = (picture.shape[0], picture.shape[1])
    return TokensTrace(
        path=path,
        photo_hw=size_hw,
        photo=thumbnail(picture, PHOTO_SIDE) if pictures else None,
        parameters=parameters,
        front_ends=tuple(_one(one, size_hw, parameters, pictures) for one in front_ends),
        version=__version__,
    )


def _one(one: FrontEnd, size_hw: tuple[int, int], parameters: float, pictures: bool) -> FrontEndTokens | Refused:
    try:
        account = ledger(one, size_hw)
    except RangeError as error:
        return Refused(one.name, str(error))
    places = one.token_map(size_hw)
    used = [int(number) for number in np.unique(places.tile) if number >= 0]  # a tile can be padding alone
    finest = max(used, key=lambda number: places.tiles[number].role == "tile")
    own = np.flatnonzero(places.tile == finest)
    path = light_path(one, size_hw, int(own[len(own) // 2]))
    scale = places.tiles[finest].scale(size_hw)
    cells = tile_cells(places, size_hw)
    count, share = account.count, account.unseen_pixels / (size_hw[0] * size_hw[1])
    return FrontEndTokens(
        name=one.name,
        source=one.source,
        **count._asdict(),
        repeated=account.repeated,
        padding=account.padding,
        partly_padding=account.partly_padding,
        unseen_pixels=account.unseen_pixels,
        photo_pixels_per_token=round(size_hw[0] * size_hw[1] / count.total, 1),
        photo_pixels_per_pixel=(round(scale[0], 3), round(scale[1], 3)),
        readable_text_px=round(READABLE * max(scale), 1),
        unseen_share=round(share, 6),
        padding_share=round(_padding_share(cells, size_hw), 6),
        middle_token_box=path.photo_box,
        prefill_flops=2 * parameters * count.total,
        tiles_of=cells,
        unseen_boxes=_boxes(coverage(one, size_hw) == 0) if pictures and share else () if pictures else None,
    )


def _padding_share(tiles: Sequence[TileCells], size_hw: tuple[int, int]) -> float:
    """How much of the tokens' cells lies beyond the photo, each cell counted as much as any other."""
    beyond = 0.0
    for tile in tiles:
        block = tile.block
        if block is not None:
            inside = (max(block[0], 0), max(block[1], 0), min(block[2], size_hw[0]), min(block[3], size_hw[1]))
            beyond += tile.tokens * (1 - _area(inside) / _area(block))
    # what was rounded on the way of a grid that ends where the photo does is no padding
    share = beyond / max(sum(tile.tokens for tile in tiles), 1)
    return share if share > 1e-9 else 0.0


def _area(span: Span) -> float:
    return max(span[2] - span[0], 0.0) * max(span[3] - span[1], 0.0)


def _boxes(gone: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[Box, ...] | None:
    """Boxes that together are all pixels of a mask; None where they would be too many."""
    edges = [[0, *(np.flatnonzero((part[1:] != part[:-1]).any(1)) + 1).tolist(), len(part)] for part in (gone, gone.T)]
    tops, lefts = edges
    small = gone[np.ix_(tops[:-1], lefts[:-1])]
    if np.count_nonzero(small) > BOXES_AT_MOST * 8:
        return None
    found = []
    for row, runs in enumerate(small):
        ends = np.flatnonzero(np.diff(np.concatenate([[0], runs, [0]]).astype(np.int8)))
        found += [(tops[row], lefts[a], tops[row + 1], lefts[b]) for a, b in ends.reshape(-1, 2).tolist()]
    return tuple(found) if len(found) <= BOXES_AT_MOST else None


def to_json(trace: TokensTrace) -> dict[str, Any]:
    """What `--json` prints: all numbers, without what pages draw."""
    return {
        "photo_hw": list(trace.photo_hw),
        "front_ends": [
            {"name": one.name, "refused": one.why} if isinstance(one, Refused) else _numbers(one)
            for one in trace.front_ends
        ],
    }


def _numbers(one: FrontEndTokens) -> dict[str, Any]:
    return {
        "name": one.name,
        "total": one.total,
        "tiles": one.tiles,
        "base": one.base,
        "newlines": one.newlines,
        "separators": one.separators,
        "prefix": one.prefix,
        "repeated": one.repeated,
        "padding": one.padding,
        "partly_padding": one.partly_padding,
        "unseen_pixels": one.unseen_pixels,
        "photo_pixels_per_token": one.photo_pixels_per_token,
        "photo_pixels_per_pixel": list(one.photo_pixels_per_pixel),
        "readable_text_px": one.readable_text_px,
        "unseen_share": one.unseen_share,
        "padding_share": one.padding_share,
        "middle_token_box": None if one.middle_token_box is None else list(one.middle_token_box),
        "prefill_flops": one.prefill_flops,
    }


def number_words(one: FrontEndTokens) -> dict[str, str]:
    """The numbers of a front end as words, by what they are; empty where there is nothing to say.

    Args:
        one: only read.
    """
    down, across = one.photo_pixels_per_pixel
    return {
        "tokens": str(one.total),
        "tiles": str(one.tiles),
        "base": str(one.base),
        "newlines": str(one.newlines or ""),
        "padding": str(one.padding or ""),
        "px a token": f"{one.photo_pixels_per_token:.0f}",
        "px a px": f"{down:.2f}" if abs(down - across) < 0.005 else f"{down:.2f} × {across:.2f}",
        "text from": f"{one.readable_text_px:.0f} px",
        "unseen": f"{one.unseen_share:.2%}" if one.unseen_share else "",
        "prefill": f"{one.prefill_flops / 1e12:.3g} TFLOP",
    }
