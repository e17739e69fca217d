"""From raw counts to a picture: black level, white balance, demosaicing, color matrix, clipping, curve.

The stages are functions of their own, and `develop` is their composition. Ends in linear light with sRGB's primaries;
the curve that makes it an sRGB picture is handed in: `photosite.color.linear_to_srgb`, or any function of [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError
from photosite.sensor.bayer import as_mosaic, mosaic
from photosite.sensor.demosaic import demosaic
from photosite.sensor.sensor import FULL_FRAME, Sensor

Curve = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.floating[Any]]]
"""From (H, W, 3) in [0, 1] to the same; sRGB's encoding or its inverse."""
Matrix = Sequence[Sequence[float]] | npt.NDArray[np.floating[Any]]
"""(3, 3); each row makes one output channel of the three input channels."""
Gains = Sequence[float] | npt.NDArray[np.floating[Any]]
"""(3,), for red, green and blue."""

DAYLIGHT_GAINS: tuple[float, float, float] = (2.15, 1.0, 1.7)
"""White balance gains typical of daylight: the middle of those that Brooks et al. 2019 draw from, 1.9 … 2.4 for red and
1.5 … 1.9 for blue."""

CAMERA_TO_SRGB: tuple[tuple[float, float, float], ...] = (
    (1.62, -0.57, -0.05),
    (-0.18, 1.47, -0.29),
    (0.02, -0.43, 1.41),
)
"""A color matrix typical of cameras, from balanced camera RGB to linear sRGB.

That of the mean of the four cameras of the Darmstadt Noise Dataset, from whose matrices Brooks et al. 2019 draw
theirs, to two decimals. Each row sums to 1, so white stays white. Its inverse has no negative entry: every color of
sRGB has a camera color within [0, 1].
"""


def normalize_counts(raw_counts: npt.ArrayLike, sensor: Sensor = FULL_FRAME) -> npt.NDArray[np.float64]:
    """Raw counts as shares of the sensor's range: 0 at the black level, 1 at the white level.

    Args:
        raw_counts: (H, W), at least 2 × 2, 0 … 2^bit_depth - 1; whole numbers, or floating point for averaged frames.
        sensor: its black and white level.
    Returns:
        (H, W) float64; not clipped: noise around black goes below 0, which keeps dark parts from brightening.
    Raises:
        ShapeError: not (H, W), or fewer than 2 × 2 photosites.
        RangeError: not finite numbers, or beyond the bit depth.

    >>> normalize_counts([[512, 16137], [256, 512]]).tolist()
    [[0.0, 1.0], [-0.016384, 0.0]]
    """
    counts = as_mosaic(raw_counts, "normalize_counts").astype(np.float64)
    if counts.min() < 0 or counts.max() > sensor.max_counts:
        raise RangeError(
            f"normalize_counts: wants counts of {sensor.bit_depth} bits, 0 … {sensor.max_counts}, "
            f"got {counts.min():g} … {counts.max():g}; give the sensor that took them"
        )
    return (counts - sensor.black_level_counts) / (sensor.white_level_counts - sensor.black_level_counts)


def balance_white(light: npt.NDArray[np.float64], gains: Gains, pattern: str) -> npt.NDArray[np.float64]:
    """Make what was neutral gray before the camera have three equal numbers.

    Args:
        light: (H, W), shares of the sensor's range.
        gains: what red, green and blue photosites are multiplied by; each above 0, the smallest usually 1.
        pattern: one of `PATTERNS`.
    Returns:
        (H, W), at most 1. A full photosite does not say how much more light there was; cutting all three colors at the
        same white keeps highlights white, where the gains alone would make them magenta.
    Raises:
        RangeError: the gains are not three finite numbers above 0.

    >>> balance_white(np.array([[0.3, 0.6], [0.6, 0.9]]), (2, 1, 1.5), "RGGB").tolist()
    [[0.6, 0.6], [0.6, 1.0]]
    """
    gain = mosaic(np.broadcast_to(as_gains(gains), (*light.shape, 3)), pattern)  # (H, W)
    return np.minimum(light * gain, 1)


def correct_color(camera_rgb: npt.NDArray[np.floating[Any]], color_matrix: Matrix) -> npt.NDArray[np.float64]:
    """From the camera's own primaries, which its filters make, to those of sRGB.

    Args:
        camera_rgb: (H, W, 3) linear light, white-balanced.
        color_matrix: (3, 3), each row sums to 1.
    Returns:
        (H, W, 3) linear light; not clipped: colors that sRGB has not lie outside of [0, 1].
    Raises:
        ShapeError: the matrix is not (3, 3).
        RangeError: it holds NaN or infinity, or a row does not sum to 1 within 1e-6.

    >>> correct_color(np.array([[[0.5, 0.5, 0.5], [1.0, 0.0, 0.0]]]), CAMERA_TO_SRGB).round(2).tolist()
    [[[0.5, 0.5, 0.5], [1.62, -0.18, 0.02]]]
    """
    return np.asarray(camera_rgb, np.float64) @ as_color_matrix(color_matrix).T


def develop(
    raw_counts: npt.ArrayLike,
    sensor: Sensor = FULL_FRAME,
    white_balance_gains: Gains = DAYLIGHT_GAINS,
    color_matrix: Matrix = CAMERA_TO_SRGB,
    *,
    method: str = "menon",
    curve: Curve | None = None,
) -> npt.NDArray[np.float64]:
    """Make a picture of a raw photo, as a camera does when it writes a JPEG, without its adornments.

    Args:
        raw_counts: (H, W), at least 2 × 2, 0 … 2^bit_depth - 1.
        sensor: what took it.
        white_balance_gains: for red, green and blue; above 0.
        color_matrix: (3, 3), balanced camera RGB to linear sRGB; each row sums to 1.
        method: how to demosaic, a name that `demosaic` knows.
        curve: from linear light to the encoded picture, both (H, W, 3) in [0, 1]; None to stay linear.
    Returns:
        (H, W, 3) float64, R, G, B; [0, 1] before the curve and so after sRGB's. Colors outside of sRGB are cut there.
    Raises:
        ShapeError: raw_counts are not (H, W), fewer than 2 × 2, or the matrix is not (3, 3).
        RangeError: counts, gains or matrix are out of range.
        UnknownNameError: there is no such method.
    Convention: white balance before demosaicing. Menon and Malvar assume that the differences between colors change
        slowly; in gray parts they vanish only once white is balanced.

    >>> develop(np.full((2, 2), 16137)).tolist() == [[[1, 1, 1], [1, 1, 1]], [[1, 1, 1], [1, 1, 1]]]
    True
    """
    light = balance_white(normalize_counts(raw_counts, sensor), white_balance_gains, sensor.pattern)
    camera_rgb = demosaic(light, sensor.pattern, method)  # (H, W, 3)
    linear_rgb = np.clip(correct_color(camera_rgb, color_matrix), 0, 1)
    return linear_rgb if curve is None else np.asarray(curve(linear_rgb), np.float64)


def as_gains(gains: Gains) -> npt.NDArray[np.float64]:
    """White balance gains as an array (3,).

    Raises:
        RangeError: not three finite numbers above 0.
    """
    array = np.asarray(gains, np.float64)
    if array.shape != (3,) or not (np.isfinite(array) & (array > 0)).all():
        raise RangeError(f"white_balance_gains: wants 3 finite numbers above 0, for R, G and B, got {gains!r}")
    return array


def as_color_matrix(color_matrix: Matrix) -> npt.NDArray[np.float64]:
    """A color matrix as an array (3, 3).

    Raises:
        ShapeError: not (3, 3).
        RangeError: NaN or infinity, or a row that does not sum to 1 within 1e-6, so that white would be tinted.
    """
    array = np.asarray(color_matrix, np.float64)
    if array.shape != (3, 3):
        raise ShapeError(f"color_matrix: wants (3, 3), got {array.shape}")
    sums = array.sum(axis=1)
    if not (np.abs(sums - 1) <= 1e-6).all():
        raise RangeError(
            f"color_matrix: wants rows that sum to 1, so that white stays white, got sums {sums.tolist()}; "
            "divide each row by its sum"
        )
    return array
