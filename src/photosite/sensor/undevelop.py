"""The way back: from a picture that anyone has to a raw photo that a sensor could have taken of the same scene.

A camera throws away what it took the picture from; here is one plausible original, made with stated gains, matrix
and exposure. Not undone: tone mapping, sharpening, noise reduction and JPEG, which differ from camera to camera.

Source: T. Brooks et al., "Unprocessing Images for Learned Raw Denoising", CVPR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.sensor.bayer import mosaic
from photosite.sensor.develop import (
    CAMERA_TO_SRGB,
    DAYLIGHT_GAINS,
    Curve,
    Gains,
    Matrix,
    as_color_matrix,
    as_gains,
    develop,
)
from photosite.sensor.exposure import expose
from photosite.sensor.sensor import FULL_FRAME, Sensor

Highlights = Literal["reversible", "saturated"]
"""How a picture's brightest parts become raw; see `undevelop`."""

SATURATION_BEGINS = 0.9
"""From this mean of the three channels on, 'saturated' highlights leave the plain division (Brooks et al.: t = 0.9)."""


@dataclass(frozen=True, eq=False)
class RawPhoto:
    """A raw photo, and what is needed to develop it.

    Args:
        raw_counts: (H, W) uint16, one count a photosite, black level included.
        photons: (H, W) float64, the mean number of photons that reached each photosite.
        sensor: what took it.
        white_balance_gains: for red, green and blue; a picture exposed with half of the light has all three doubled.
        color_matrix: (3, 3), balanced camera RGB to linear sRGB.
    """

    raw_counts: npt.NDArray[np.uint16]
    photons: npt.NDArray[np.float64]
    sensor: Sensor
    white_balance_gains: tuple[float, float, float]
    color_matrix: npt.NDArray[np.float64]

    def develop(self, method: str = "menon", curve: Curve | None = None) -> npt.NDArray[np.float64]:
        """The picture again, (H, W, 3), as `photosite.sensor.develop` makes it."""
        return develop(
            self.raw_counts, self.sensor, self.white_balance_gains, self.color_matrix, method=method, curve=curve
        )


def undevelop(
    picture: npt.NDArray[Any],
    *,
    inverse_curve: Curve | None,
    sensor: Sensor = FULL_FRAME,
    white_balance_gains: Gains = DAYLIGHT_GAINS,
    color_matrix: Matrix = CAMERA_TO_SRGB,
    white_photons: float | None = None,
    exposure_seconds: float = 0.01,
    highlights: Highlights = "reversible",
    rng: np.random.Generator | None = None,
) -> RawPhoto:
    """Show a picture as a sensor could have seen it: one noisy count a photosite, behind the Bayer mosaic.

    Args:
        picture: (H, W, 3), R, G, B; uint8, or floating point in [0, 1].
        inverse_curve: from the encoded picture to linear light, both (H, W, 3) in [0, 1]: for an sRGB picture
            `photosite.color.srgb_to_linear`; None if the picture is linear already.
        sensor: what takes the raw photo.
        white_balance_gains: what developing will multiply red, green and blue by; above 0.
        color_matrix: (3, 3), balanced camera RGB to linear sRGB, as in developing; each row sums to 1.
        white_photons: how many photons reach a green photosite where the picture is white. None for as many as fill
            the sensor's range; with fewer the photo is darker and noisier, and its gains grow to make up for it.
        exposure_seconds: for the dark current.
        highlights: 'reversible' divides by the gains throughout: developing gives the picture back, but a white wall
            fills green photosites only. 'saturated' lets white fill all three, as real highlights do, in the way of
            Brooks et al.; developed again, light from 0.9 up comes back too bright in red and blue.
        rng: makes shot, dark and read noise; None for a raw photo without noise.
    Returns:
        `RawPhoto`; without noise its `develop` gives the picture back up to demosaicing and, with the default sensor
        and exposure, less than half a level of quantization.
    Raises:
        ShapeError: the picture is not (H, W, 3), or the matrix not (3, 3).
        RangeError: a number is out of range, the matrix has no inverse, or the curve leaves [0, 1].
        UnknownNameError: `highlights` has another name.
    Convention: camera colors outside of [0, 1] are cut; with the default matrix no color of sRGB has one.

    >>> undevelop(np.full((2, 2, 3), 1.0), inverse_curve=None).raw_counts.tolist()
    [[7779, 16137], [16137, 9703]]
    """
    gains = as_gains(white_balance_gains)
    matrix = as_color_matrix(color_matrix)
    light = _linear_light(picture, inverse_curve)
    camera_rgb = np.clip(light @ _inverse(matrix).T, 0, 1)  # (H, W, 3), balanced
    shares = mosaic(camera_rgb * _inverse_gains(camera_rgb, gains, highlights), sensor.pattern)  # (H, W)

    efficiency_green = sensor.quantum_efficiency_rgb[1]
    if white_photons is None:
        white_photons = sensor.range_electrons / efficiency_green
    elif not 0 < white_photons <= 1e12:
        raise RangeError(f"undevelop: wants white_photons above 0, at most 1e12, got {white_photons!r}")
    white_electrons = white_photons * efficiency_green
    efficiency = mosaic(np.broadcast_to(sensor.quantum_efficiency_rgb, (*shares.shape, 3)), sensor.pattern)
    photons = shares * white_electrons / efficiency

    red, green, blue = (gains * (sensor.range_electrons / white_electrons)).tolist()
    raw_counts = expose(photons, sensor, exposure_seconds=exposure_seconds, rng=rng)
    return RawPhoto(raw_counts, photons, sensor, (red, green, blue), matrix)


def _linear_light(picture: npt.NDArray[Any], inverse_curve: Curve | None) -> npt.NDArray[np.float64]:
    """The picture as linear light in [0, 1], (H, W, 3)."""
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise ShapeError(f"undevelop: wants a picture (H, W, 3), got {picture.shape} {picture.dtype}")
    encoded = picture / 255 if picture.dtype == np.uint8 else picture
    if encoded.dtype.kind != "f" or not ((encoded >= 0) & (encoded <= 1)).all():
        spread = f" from {picture.min()} to {picture.max()}" if picture.dtype.kind in "iuf" else ""
        raise RangeError(f"undevelop: wants uint8, or floating point in [0, 1], got {picture.dtype}{spread}")
    encoded = encoded.astype(np.float64)
    if inverse_curve is None:
        return encoded
    light = np.asarray(inverse_curve(encoded), np.float64)
    if light.shape != encoded.shape or not ((light >= -1e-6) & (light <= 1 + 1e-6)).all():
        raise RangeError(
            f"undevelop: wants an inverse_curve that gives {encoded.shape} in [0, 1], "
            f"got {light.shape} from {light.min():g} to {light.max():g}"
        )
    return np.clip(light, 0, 1)


def _inverse(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From linear sRGB back to balanced camera RGB, (3, 3)."""
    if abs(np.linalg.det(matrix)) < 1e-9:
        raise RangeError(f"undevelop: wants a color_matrix that has an inverse, got {matrix.tolist()}")
    inverse: npt.NDArray[np.float64] = np.linalg.inv(matrix).astype(np.float64)
    return inverse


def _inverse_gains(
    camera_rgb: npt.NDArray[np.float64], gains: npt.NDArray[np.float64], highlights: str
) -> npt.NDArray[np.float64]:
    """What balanced camera colors are multiplied by to be unbalanced, (3,) or (H, W, 3)."""
    if highlights not in ("reversible", "saturated"):
        raise UnknownNameError("highlights", str(highlights), ("reversible", "saturated"))
    if highlights == "reversible":
        return 1 / gains
    # From a mean of 0.9 to 1 the factor rises from 1 / gain to 1, slowly at first; factors above 1 stay.
    beyond = np.maximum(camera_rgb.mean(axis=2, keepdims=True) - SATURATION_BEGINS, 0) / (1 - SATURATION_BEGINS)
    factors: npt.NDArray[np.float64] = np.maximum(beyond**2 + (1 - beyond**2) / gains, 1 / gains)
    return factors
