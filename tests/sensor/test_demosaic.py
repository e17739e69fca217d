"""Demosaicing by hand, against colour-demosaicing, and the laws that every method keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.sensor.bayer import PATTERNS, mosaic
from photosite.sensor.demosaic import (
    METHODS,
    demosaic,
    demosaic_bilinear,
    demosaic_malvar,
)
from photosite.sensor.menon import demosaic_menon
from tests.peers import import_peer

EXACT = {**METHODS, "menon, not refined": lambda raw, pattern: demosaic_menon(raw, pattern, refine=False)}
"""Every method that keeps the laws, the refining step on and off."""

laws = settings(deadline=None, derandomize=True, max_examples=60)
cases = (st.tuples(st.integers(2, 12), st.integers(2, 12)), st.sampled_from(PATTERNS), st.sampled_from(sorted(EXACT)))


def by_colour_demosaicing(raw: npt.NDArray[Any], pattern: str, method: str) -> npt.NDArray[np.float64]:
    bayer = import_peer("colour_demosaicing.bayer")
    name, refined = method.removesuffix(", not refined"), not method.endswith("not refined")
    if name == "menon":
        out = bayer.demosaicing_CFA_Bayer_Menon2007(raw, pattern, refining_step=refined)
    else:
        out = getattr(bayer, f"demosaicing_CFA_Bayer_{'Malvar2004' if name == 'malvar' else name}")(raw, pattern)
    return np.asarray(out, np.float64)


def as_the_peer(raw: npt.NDArray[Any], pattern: str, method: str) -> npt.NDArray[Any]:
    """Ours with the borders that colour-demosaicing has for this method."""
    if method == "bilinear":
        return demosaic_bilinear(raw, pattern, border="symmetric")
    if method == "malvar":
        return demosaic_malvar(raw, pattern, border="symmetric")
    return EXACT[method](raw, pattern)


def photo_mosaics(photos: list[Path], *, side: int) -> list[tuple[str, npt.NDArray[np.float64], str]]:
    """Pattern, mosaic in [0, 1] and name of photos, in the four phases by turns."""
    out = []
    for index, path in enumerate(photos):
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB"))[:side, :side] / 255
        pattern = PATTERNS[index % 4]
        out.append((pattern, mosaic(rgb, pattern), path.name))
    return out


# ------------------------------------------------------------------------------------------------------------ by hand


def test_bilinear_by_hand() -> None:
    raw = np.array([[4, 1, 8], [2, 40, 6], [12, 3, 16]])  # red in the corners, blue in the middle
    red, green, blue = np.moveaxis(demosaic_bilinear(raw), -1, 0)
    assert red.tolist() == [[4, 6, 8], [8, 10, 12], [12, 14, 16]]
    assert green.tolist() == [[1.5, 1, 3.5], [2, 3, 6], [2.5, 3, 4.5]]  # corners: the mirror shows each neighbor twice
    assert blue.tolist() == [[40] * 3] * 3


def test_malvar_by_hand() -> None:
    # one blue photosite of 8 in the dark, RGGB: rows and columns 0 … 6, it stands at (3, 3)
    raw = np.zeros((7, 7))
    raw[3, 3] = 8
    red, green, blue = np.moveaxis(demosaic_malvar(raw), -1, 0)
    assert (red[3, 3], green[3, 3], blue[3, 3]) == (6, 4, 8)
    assert blue[3, 2:5].tolist() == [4, 8, 4]
    assert blue[2, 2:5].tolist() == [2, 4, 2]
    assert green[3, 1:6:2].tolist() == [-1, 4, -1]
    assert red[3, 1:6].tolist() == [-1.5, 0, 6, 0, -1.5]


# -------------------------------------------------------------------------------------------------------------- peers

# The 2 x 4 arrays of colour-demosaicing's own examples.
RGGB_EXAMPLE = np.array([[0.30980393, 0.36078432, 0.30588236, 0.3764706], [0.35686275, 0.39607844, 0.36078432, 0.4]])
BGGR_EXAMPLE = np.array(
    [[0.3764706, 0.36078432, 0.40784314, 0.3764706], [0.35686275, 0.30980393, 0.36078432, 0.29803923]]
)


@pytest.mark.parametrize("method", sorted(EXACT))
@pytest.mark.parametrize(("raw", "pattern"), [(RGGB_EXAMPLE, "RGGB"), (BGGR_EXAMPLE, "BGGR")])
def test_equals_colour_demosaicing_on_its_own_examples(raw: npt.NDArray[Any], pattern: str, method: str) -> None:
    theirs = by_colour_demosaicing(raw, pattern, method)
    np.testing.assert_allclose(as_the_peer(raw, pattern, method), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", sorted(EXACT))
def test_equals_colour_demosaicing_on_drawn_sizes(method: str) -> None:
    rng = np.random.default_rng(2)
    for size_hw in [(2, 2), (2, 9), (9, 2), (3, 3), (5, 8), (31, 30), (40, 41)]:
        for pattern in PATTERNS:
            raw = rng.random(size_hw)
            theirs = by_colour_demosaicing(raw, pattern, method)
            np.testing.assert_allclose(as_the_peer(raw, pattern, method), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", sorted(EXACT))
def test_equals_colour_demosaicing_on_structured_pictures(method: str) -> None:
    # edges, diagonals, a zone plate and even areas: costs of both directions that are equal, or nearly so
    y, x = np.mgrid[:48, :50]
    plate = np.sin((y**2 + x**2) / 60)
    steps = np.stack([y > x, x > 20, (y + x) % 7 > 2], axis=-1).astype(float)
    for rgb in (steps, plate[..., None] * [1, 0.5, -1], np.full((48, 50, 3), 0.1), steps * [0.3, 0.7, 0.1]):
        for pattern in PATTERNS:
            raw = mosaic(rgb, pattern)
            theirs = by_colour_demosaicing(raw, pattern, method)
            np.testing.assert_allclose(as_the_peer(raw, pattern, method), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", sorted(EXACT))
def test_equals_colour_demosaicing_on_photos(method: str, photos: list[Path]) -> None:
    # Measured: 7e-16 at most. Whole numbers also: there the costs are exact, and equal ones really equal.
    for pattern, raw, name in photo_mosaics(photos[::40], side=200):
        for scale in (1, 255):
            theirs = by_colour_demosaicing(raw * scale, pattern, method)
            ours = as_the_peer(raw * scale, pattern, method)
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * scale, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted(EXACT))
def test_equals_colour_demosaicing_on_all_photos(method: str, photos: list[Path]) -> None:
    for pattern, raw, name in photo_mosaics(photos, side=400):
        theirs = by_colour_demosaicing(raw, pattern, method)
        np.testing.assert_allclose(as_the_peer(raw, pattern, method), theirs, rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(("method", "margin"), [("bilinear", 1), ("malvar", 2), ("menon", 0)])
def test_by_name_equals_colour_demosaicing_inside(method: str, margin: int) -> None:
    raw = np.random.default_rng(4).random((20, 23))
    inside = np.s_[margin : 20 - margin, margin : 23 - margin]
    ours, theirs = demosaic(raw, "GRBG", method), by_colour_demosaicing(raw, "GRBG", method)
    np.testing.assert_allclose(ours[inside], theirs[inside], rtol=0, atol=1e-12)
    if margin:
        assert np.abs(ours - theirs).max() > 0.1  # the margin is needed


def test_why_borders_are_not_repeated() -> None:
    even_red = mosaic(np.broadcast_to([1.0, 0, 0], (6, 6, 3)))
    for method, corner in (("bilinear", 2.25), ("malvar", 1)):
        repeated = as_the_peer(even_red, "RGGB", method)
        assert repeated[0, 0, 0] == corner
        assert np.abs(repeated - [1, 0, 0]).max() > 0.2
        np.testing.assert_allclose(demosaic(even_red, "RGGB", method), np.broadcast_to([1, 0, 0], (6, 6, 3)))


# --------------------------------------------------------------------------------------------------------------- laws


@given(*cases, st.integers(0, 999))
@laws
def test_measured_samples_are_kept(size_hw: tuple[int, int], pattern: str, method: str, seed: int) -> None:
    raw = np.random.default_rng(seed).normal(0, 1000, size_hw)
    np.testing.assert_array_equal(mosaic(EXACT[method](raw, pattern), pattern), raw)


@given(*cases, st.tuples(*[st.integers(0, 65535)] * 3))
@laws
def test_an_even_color_comes_back(
    size_hw: tuple[int, int], pattern: str, method: str, color: tuple[int, int, int]
) -> None:
    picture = np.broadcast_to(np.array(color), (*size_hw, 3))
    # Sums of 16-bit whole numbers and their quarters are exact; the thirds of the refining step round.
    np.testing.assert_allclose(EXACT[method](mosaic(picture, pattern), pattern), picture, rtol=0, atol=1e-10)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(
    ("method", "margin"), [("bilinear", 1), ("malvar", 2), ("menon", 7), ("menon, not refined", 4)]
)
def test_ramps_come_back_inside(method: str, margin: int, pattern: str) -> None:
    # A mirror has no slope, so near the border a ramp is bent: by green's reach of 2, then 1 for each of the steps that
    # fill red and blue (2) and refine (3).
    y, x = np.mgrid[:18, :21]
    rgb = np.stack([3 * y - 2 * x, 5 * x + y, 40 - y - x], axis=-1)
    out = EXACT[method](mosaic(rgb, pattern), pattern)
    np.testing.assert_allclose(out[margin:-margin, margin:-margin], rgb[margin:-margin, margin:-margin], atol=1e-10)


@given(*cases, st.integers(0, 999))
@laws
def test_whole_numbers_and_float_agree(size_hw: tuple[int, int], pattern: str, method: str, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 2**14, size_hw, np.uint16)
    out = EXACT[method](counts, pattern)
    assert out.dtype == np.float64
    np.testing.assert_array_equal(out, EXACT[method](counts.astype(np.float64), pattern))


def test_float32_stays_float32(photos: list[Path]) -> None:
    pattern, raw, _ = photo_mosaics(photos[:1], side=120)[0]
    counts = np.rint(raw * 255).astype(np.float32)
    for method in EXACT.values():
        out = method(counts, pattern)
        assert out.dtype == np.float32
        # Whole numbers up to 255 and their 64ths are exact in float32, so decisions are the same; thirds round.
        np.testing.assert_allclose(out, method(counts.astype(np.float64), pattern), rtol=0, atol=1e-4)


def test_better_methods_are_nearer_to_photos(photos: list[Path]) -> None:
    wrong = dict.fromkeys(METHODS, 0.0)
    for path in photos[::40]:
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB"))[:200, :200] / 255
        for method in METHODS:
            wrong[method] += float(np.square(demosaic(mosaic(rgb), "RGGB", method) - rgb).mean())
    assert wrong["menon"] < wrong["malvar"] < wrong["bilinear"]


# ------------------------------------------------------------------------------------------------------------- errors


def test_what_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="no demosaicing method named 'melon'; did you mean menon"):
        demosaic(np.zeros((4, 4)), method="melon")
    with pytest.raises(UnknownNameError, match="no Bayer pattern named 'RGBG'; did you mean"):
        demosaic(np.zeros((4, 4)), "RGBG")
    for method in METHODS:
        with pytest.raises(ShapeError, match=rf"demosaic_{method}: wants a mosaic .* 2 × 2 photosites, got \(1, 4\)"):
            demosaic(np.zeros((1, 4)), method=method)
        with pytest.raises(RangeError, match=f"demosaic_{method}: wants finite numbers, 1 of 4 are not"):
            demosaic(np.array([[1, 2], [3, np.nan]]), method=method)
