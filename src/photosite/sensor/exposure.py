"""From photons to raw counts: shot noise, dark current, full wells, read noise, gain, black level, quantization.

One function a stage, in the order of the light, and `expose`, which is their composition. Where a stage is random it
takes a NumPy generator; with None instead it gives the expected value, so that a picture without any noise is the
same code. Knows nothing of color pictures: photons come one number a photosite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError
from photosite.sensor.bayer import bayer_masks, mosaic
from photosite.sensor.sensor import FULL_FRAME, Sensor
from photosite.shapes import as_size_hw

Electrons = npt.NDArray[np.float64]
"""(H, W) electrons, one number a photosite."""

MAX_PHOTONS = 1e15
"""More photons than any photosite meets; far below what NumPy's Poisson sampler refuses."""


def light_electrons(photons: npt.ArrayLike, sensor: Sensor, rng: np.random.Generator | None) -> Electrons:
    """The electrons that light frees in each photosite.

    Photons arrive at random (Poisson), and each frees an electron or does not. Thinned like this a Poisson number is
    again one, with the mean times the quantum efficiency, so that one draw makes the shot noise.

    Args:
        photons: (H, W), the mean number that reaches each photosite during the exposure, 0 … `MAX_PHOTONS`.
        sensor: its quantum efficiencies and pattern.
        rng: makes the shot noise; None for the mean.
    Returns:
        (H, W) float64; whole numbers with shot noise.
    Raises:
        ShapeError: photons are not (H, W), or there is no photosite.
        RangeError: photons are not numbers in range.

    >>> light_electrons([[1000.0, 1000.0]], FULL_FRAME, None).tolist()
    [[400.0, 520.0]]
    """
    photons = _as_photons(photons)
    efficiency = mosaic(np.broadcast_to(sensor.quantum_efficiency_rgb, (*photons.shape, 3)), sensor.pattern)
    mean: Electrons = photons * efficiency  # (H, W)
    return mean if rng is None else rng.poisson(mean).astype(np.float64)


def dark_electrons(
    size_hw: tuple[int, int], sensor: Sensor, exposure_seconds: float, rng: np.random.Generator | None
) -> Electrons:
    """The electrons that warmth frees in each photosite while it waits for light.

    Args:
        size_hw: (height, width) in photosites.
        sensor: its dark current.
        exposure_seconds: how long the photosites collect; 0 … 1e6.
        rng: makes the noise, Poisson as that of light; None for the mean.
    Returns:
        (H, W) float64; whole numbers with noise.
    Raises:
        RangeError: a side is below 1, or the time is out of range.

    >>> dark_electrons((1, 2), FULL_FRAME, 30.0, None).tolist()
    [[3.0, 3.0]]
    """
    if not 0 <= exposure_seconds <= 1e6:
        raise RangeError(f"dark_electrons: wants exposure_seconds from 0 to 1e6, got {exposure_seconds!r}")
    mean = np.full(as_size_hw(size_hw), sensor.dark_current_electrons_per_second * exposure_seconds)
    return mean if rng is None else rng.poisson(mean).astype(np.float64)


def held_electrons(electrons: Electrons, sensor: Sensor) -> Electrons:
    """What the photosites can hold of the electrons freed in them, by light and by warmth; the rest is lost.

    >>> held_electrons(np.array([[49_000.0, 51_000.0]]), FULL_FRAME).tolist()
    [[49000.0, 50000.0]]
    """
    return np.minimum(electrons, sensor.full_well_electrons)


def read_electrons(electrons: Electrons, sensor: Sensor, rng: np.random.Generator | None) -> Electrons:
    """What the amplifier sees: the electrons held, and Gaussian read noise, which can make them fewer than none.

    >>> read_electrons(np.array([[20.0]]), FULL_FRAME, None).tolist()
    [[20.0]]
    """
    return electrons if rng is None else electrons + rng.normal(0, sensor.read_noise_electrons, electrons.shape)


def digitize(electrons: Electrons, sensor: Sensor) -> npt.NDArray[np.uint16]:
    """The raw counts: electrons over gain, plus the black level, rounded and cut to the bit depth.

    Args:
        electrons: (H, W), as the amplifier sees them.
        sensor: its gain, black level and bit depth.
    Returns:
        (H, W) uint16, 0 … 2^bit_depth - 1; halves are rounded to even.

    >>> digitize(np.array([[-2000.0, 0.0, 3.2, 32.0, 1e9]]), FULL_FRAME).tolist()
    [[0, 512, 513, 522, 16383]]
    """
    counts = np.rint(electrons / sensor.gain_electrons_per_count + sensor.black_level_counts)
    return np.clip(counts, 0, sensor.max_counts).astype(np.uint16)


def expose(
    photons: npt.ArrayLike,
    sensor: Sensor = FULL_FRAME,
    *,
    exposure_seconds: float = 0.01,
    rng: np.random.Generator | None = None,
) -> npt.NDArray[np.uint16]:
    """What the file of a raw photo holds: counts, one a photosite, of the light that fell on the sensor.

    Args:
        photons: (H, W), the mean number that reaches each photosite during the exposure, 0 … `MAX_PHOTONS`.
        sensor: what they fall on.
        exposure_seconds: for the dark current; the photons are those of the whole exposure already.
        rng: makes shot, dark and read noise, drawn in this order; None for a picture without noise.
    Returns:
        (H, W) uint16 raw counts, 0 … 2^bit_depth - 1, black level included.
    Raises:
        ShapeError: photons are not (H, W), or there is no photosite.
        RangeError: photons or time are out of range, or rng is no generator.
    Convention: dark electrons fill the well together with those of light, so the full well cuts their sum.
    Source: the linear model of EMVA standard 1288.

    >>> expose([[0.0, 80_000.0], [80_000.0, 1e6]]).tolist()
    [[512, 13512], [13512, 16137]]
    """
    if not isinstance(rng, np.random.Generator | None):
        raise RangeError(f"expose: wants rng=numpy.random.default_rng(seed) or None, got {rng!r}")
    light = light_electrons(photons, sensor, rng)
    dark = dark_electrons((light.shape[0], light.shape[1]), sensor, exposure_seconds, rng)
    return digitize(read_electrons(held_electrons(light + dark, sensor), sensor, rng), sensor)


def photon_transfer(
    photons: npt.ArrayLike,
    sensor: Sensor = FULL_FRAME,
    *,
    rng: np.random.Generator,
    color: str = "G",
    size_hw: tuple[int, int] = (256, 256),
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Photograph even light of several strengths: the photon-transfer curve, by which sensors are measured.

    Below saturation the variance grows with the mean along a line of slope 1 / gain_electrons_per_count, and begins at
    read noise and quantization: (read_noise_electrons / gain_electrons_per_count)² + 1/12 counts².

    Args:
        photons: (L,) mean photons a photosite, one number for each exposure.
        sensor: the sensor to measure.
        rng: makes the noise.
        color: 'R', 'G' or 'B', the photosites that are looked at.
        size_hw: of each exposure. All photosites are alike, so one frame has all the statistics that real
            measurements take from pairs of frames.
    Returns:
        (L,) means in counts above black, and (L,) variances in counts².
    Raises:
        ShapeError: photons are not (L,), or the frame has fewer than two photosites of the color.
        RangeError: photons are out of range, or there is no such color.
    Source: J. R. Janesick, "Photon Transfer", SPIE, 2007.

    >>> means, variances = photon_transfer([20_000.0], rng=np.random.default_rng(0))
    >>> means.round().tolist(), (variances / means * 3.2).round(1).tolist()
    ([3250.0], [1.0])
    """
    if color not in ("R", "G", "B"):
        raise RangeError(f"photon_transfer: wants color 'R', 'G' or 'B', got {color!r}")
    levels = np.asarray(photons, np.float64)
    looked_at = bayer_masks(size_hw, sensor.pattern)[..., "RGB".index(color)]
    if levels.ndim != 1 or looked_at.sum() < 2:
        raise ShapeError(
            f"photon_transfer: wants photons (L,) and frames with two photosites of color {color} or more, "
            f"got photons {levels.shape}, size_hw {tuple(size_hw)}"
        )
    samples = [expose(np.full(size_hw, level), sensor, rng=rng)[looked_at].astype(np.float64) for level in levels]
    means = np.array([sample.mean() for sample in samples]) - sensor.black_level_counts
    return means, np.array([sample.var(ddof=1) for sample in samples])


def _as_photons(photons: Any) -> npt.NDArray[np.float64]:
    photons = np.asarray(photons)
    if photons.ndim != 2 or photons.size == 0:
        raise ShapeError(f"photons: wants one number a photosite, (H, W), got {photons.shape} {photons.dtype}")
    if photons.dtype.kind not in "iuf" or not ((photons >= 0) & (photons <= MAX_PHOTONS)).all():
        spread = f" from {photons.min()} to {photons.max()}" if photons.dtype.kind in "iuf" else ""
        raise RangeError(f"photons: wants numbers from 0 to {MAX_PHOTONS:g}, got {photons.dtype}{spread}")
    as_float: npt.NDArray[np.float64] = photons.astype(np.float64)
    return as_float
