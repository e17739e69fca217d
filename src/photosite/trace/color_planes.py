"""A picture taken apart in five color spaces: each plane with its limits, and in the colors that it stands for.

Planes that say how much light there is run from black to white, single channels through their own color. Opponent
planes run through paper, which is gray, to the two colors that they weigh against each other. Hue is an angle, so its
colors go round; where a pixel is gray it has none, and is drawn gray.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photosite.color import hsv_to_rgb, rgb_to_hsv, rgb_to_lab, rgb_to_levels, rgb_to_ycbcr, srgb_to_linear
from photosite.prep.recipe import Picture
from photosite.shapes import shape_text
from photosite.trace.canvas import VIRIDIS, Array, Rgb, colors_between, pick
from photosite.trace.notation import THIN, limits, number
from photosite.trace.pictures import caption
from photosite.trace.values import Tile

UNDEFINED: Rgb = np.array([128, 128, 128], np.uint8)
"""What has no hue; no hue looks like it."""

LEAST_YCBCR, LEAST_LAB = 1 / 255, 1.0
"""The narrowest limits of opponent planes: a level of JPEG, and what can just be seen; else rounding would be drawn."""

GRAYS = colors_between("000000 ffffff")
CHANNELS: tuple[tuple[str, str, Rgb], ...] = (
    ("R", "red", colors_between("000000 c2384d ffffff")),
    ("G", "green", colors_between("000000 2f8052 ffffff")),
    ("B", "blue", colors_between("000000 2f66b0 ffffff")),
)
"""Letter, word and colors of the three channels."""
HUES: Rgb = rgb_to_levels(hsv_to_rgb(np.stack([np.arange(256) * 360 / 256, np.ones(256), np.ones(256)], -1)))
"""Each hue as itself, fully saturated: (256, 3) uint8, and after the last comes the first."""

GREEN_TO_RED = colors_between("174a2e 2f8052 b0d6c0 fbfaf7 ecb9c1 c2384d 7a1526")
BLUE_TO_YELLOW = colors_between("123f7d 3a76bb a5c4e2 fbfaf7 ecd98a c19a1b 6f5504")
YELLOW_TO_BLUE = BLUE_TO_YELLOW[::-1]
CYAN_TO_RED = colors_between("0b4f52 24898c a6d5d5 fbfaf7 ecb9c1 c2384d 7a1526")


@dataclass(frozen=True)
class Space:
    """A picture's three planes in one color space; `formula` says how they come about, `said` what they are."""

    name: str
    said: str
    formula: str
    planes: tuple[Tile, Tile, Tile]


def color_planes(picture: Picture) -> tuple[Space, ...]:
    """Take a picture apart in sRGB, linear light, HSV, YCbCr and Lab.

    Args:
        picture: (H, W, 3) uint8; every plane is drawn pixel by pixel.
    Returns:
        Five spaces. Captions have each plane's own range, scales the limits that are drawn: fixed ones where the space
        has them, and for Cb with Cr, and a* with b*, the farthest of both from gray.
    """
    linear, ycbcr, lab = srgb_to_linear(picture), rgb_to_ycbcr(picture), rgb_to_lab(picture)
    return (
        Space(
            "sRGB",
            "What the file holds. A level is no amount of light: steps are finer where it is dark.",
            "levels 0 … 255",
            _three([_channel(c, picture[..., c], 255) for c in range(3)]),
        ),
        Space(
            "Linear light",
            "The curve undone: twice the number is twice the light. The middle level, 128, is only 0.216 of white.",
            "x / 12.92 near black, else ((x + 0.055) / 1.055)^2.4",
            _three([_channel(c, linear[..., c], 1) for c in range(3)]),
        ),
        Space(
            "HSV",
            "Which color, how pure, how bright. Hue is an angle: 0° and 360° are the same red. Gray has no hue.",
            "V = max, S = (max − min) / max, H from the two others' difference",
            _hsv_tiles(picture),
        ),
        Space(
            "YCbCr",
            "Brightness, and two differences from it: how JPEG stores a picture. Full range, weights of BT.601.",
            "Y = 0.299 R + 0.587 G + 0.114 B",
            _three(
                [
                    _drawn("Y", ycbcr[..., 0], 0, 1, GRAYS, "black 0, white 1"),
                    *_opponents(
                        ycbcr[..., 1:],
                        0.5,
                        LEAST_YCBCR,
                        (("Cb", "yellow", "blue", YELLOW_TO_BLUE), ("Cr", "cyan", "red", CYAN_TO_RED)),
                    ),
                ]
            ),
        ),
        Space(
            "Lab",
            "Made so that equal steps look alike: lightness, green against red, blue against yellow. White is D65.",
            "L* = 116 f(Y) − 16, f the cube root, a line near black",
            _three(
                [
                    _drawn("L*", lab[..., 0], 0, 100, GRAYS, "black 0, white 100"),
                    *_opponents(
                        lab[..., 1:],
                        0,
                        LEAST_LAB,
                        (("a*", "green", "red", GREEN_TO_RED), ("b*", "blue", "yellow", BLUE_TO_YELLOW)),
                    ),
                ]
            ),
        ),
    )


def _hsv_tiles(picture: Picture) -> tuple[Tile, Tile, Tile]:
    hsv = rgb_to_hsv(picture)
    gray = picture.max(axis=-1) == picture.min(axis=-1)
    hue = np.where(gray, np.nan, hsv[..., 0])
    tile = _drawn("H in degrees", hue, 0, 360, HUES, "each hue as itself 0 … 360, cyclic")
    pixels = tile.pixels
    pixels[gray] = UNDEFINED
    said = (
        f", gray where undefined: {number(round(100 * float(gray.mean()), 2))}{THIN}%"
        if gray.any()
        else ", defined everywhere"
    )
    return (
        Tile(tile.caption, pixels, tile.scale + said, 0, 360),
        _drawn("S", hsv[..., 1], 0, 1, VIRIDIS, "viridis 0 … 1"),
        _drawn("V", hsv[..., 2], 0, 1, GRAYS, "black 0, white 1"),
    )


def _channel(c: int, plane: Array, white: int) -> Tile:
    letter, word, table = CHANNELS[c]
    return _drawn(letter, plane, 0, white, table, f"black 0, {word}, white {white}")


def _opponents(planes: Array, gray: float, least: float, names: tuple[tuple[str, str, str, Rgb], ...]) -> list[Tile]:
    """Two planes around gray, with limits equally far on both sides, at least `least`, and the same for both."""
    farthest = max(float(np.abs(planes - gray).max()), least)
    low, high = gray - farthest, gray + farthest
    ends = limits(low, high).split(" … ")
    return [
        _drawn(name, planes[..., k], low, high, table, f"{below} {ends[0]}, gray {gray:g}, {above} {ends[1]}")
        for k, (name, below, above, table) in enumerate(names)
    ]


def _drawn(name: str, plane: Array, low: float, high: float, table: Rgb, scale: str) -> Tile:
    pixels = pick(plane.astype(np.float64), low, high, table)
    return Tile(caption(name, plane), pixels, scale, low, high)


def _three(tiles: list[Tile]) -> tuple[Tile, Tile, Tile]:
    first, second, third = tiles
    return first, second, third


def said_size(drawn: Picture, picture: Picture) -> str:
    """What the planes of `drawn` show of a picture: all of its pixels, or fewer.

    >>> said_size(np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3, 3), np.uint8))
    'every pixel'
    """
    if drawn.shape == picture.shape:
        return "every pixel"
    return (
        f"the photo of {shape_text(picture.shape[:2])} made smaller to {shape_text(drawn.shape[:2])} (means of levels)"
    )
