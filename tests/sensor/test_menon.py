"""Menon's method where its steps can be followed by hand; peers and laws are in test_demosaic.py."""

from __future__ import annotations

import numpy as np
import pytest

from photosite.sensor.bayer import mosaic
from photosite.sensor.demosaic import demosaic_bilinear
from photosite.sensor.menon import demosaic_menon


def test_interpolates_along_edges() -> None:
    # gray stripes of two columns, 0 0 9 9 0 0 9 9: along columns nothing changes, along rows everything does
    stripes = np.repeat(np.tile([0, 0, 9, 9], 3)[None, :, None], 12, axis=0) * np.ones(3)
    for picture in (stripes, stripes.transpose(1, 0, 2)):
        for pattern in ("RGGB", "GBRG"):
            raw = mosaic(picture, pattern)
            np.testing.assert_allclose(demosaic_menon(raw, pattern), picture, atol=1e-12)
            assert np.abs(demosaic_bilinear(raw, pattern) - picture).max() > 2


def test_green_by_hand() -> None:
    # Greens of 100 above and 0 below make differences change a lot along the columns, so the row is taken:
    # (2 + 4) / 2 + (8 - (6 + 4) / 2) / 2 = 4.5, where the column would give (100 + 0) / 2 + (8 - 8) / 2 = 50.
    line = [6, 2, 8, 4, 4]
    raw = np.array([line, [100, 0, 100, 0, 100], line, [0, 0, 0, 0, 0], line])
    assert demosaic_menon(raw, refine=False)[2, 2, 1] == 4.5
    assert demosaic_menon(raw.T, refine=False)[2, 2, 1] == 4.5


def test_equal_costs_take_the_row() -> None:
    raw = np.zeros((9, 9))
    raw[4, 3] = raw[4, 5] = 8  # greens left and right of a red photosite
    raw[3, 4] = raw[5, 4] = -8  # and above and below: the transpose is the negative, all changes are equally large
    np.testing.assert_array_equal(raw.T, -raw)
    assert demosaic_menon(raw, refine=False)[4, 4, 1] == 8


@pytest.mark.parametrize("refine", [False, True])
def test_transposing_changes_only_ties(refine: bool) -> None:
    raw = np.random.default_rng(1).random((20, 24))  # no two costs are equal
    out = demosaic_menon(raw, "RGGB", refine=refine)
    np.testing.assert_allclose(demosaic_menon(raw.T, "RGGB", refine=refine).transpose(1, 0, 2), out, atol=1e-12)
    turned = demosaic_menon(raw.T, "GRBG", refine=refine)  # its transpose begins GBRG
    np.testing.assert_allclose(turned.transpose(1, 0, 2), demosaic_menon(raw, "GBRG", refine=refine), atol=1e-12)


def test_refining_changes_only_what_was_not_measured() -> None:
    raw = np.random.default_rng(1).random((20, 24))
    plain, refined = demosaic_menon(raw, refine=False), demosaic_menon(raw)
    np.testing.assert_array_equal(mosaic(plain), mosaic(refined))
    assert np.abs(plain - refined).max() > 0.1
