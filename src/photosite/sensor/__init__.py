"""From photons to raw counts behind a Bayer mosaic, from raw counts to a picture, and the way back."""

from photosite.sensor.bayer import OPENCV_NAMES, PATTERNS, bayer_masks, mosaic, photosite_color
from photosite.sensor.demosaic import METHODS, demosaic, demosaic_bilinear, demosaic_malvar
from photosite.sensor.develop import (
    CAMERA_TO_SRGB,
    DAYLIGHT_GAINS,
    balance_white,
    correct_color,
    develop,
    normalize_counts,
)
from photosite.sensor.exposure import (
    dark_electrons,
    digitize,
    expose,
    held_electrons,
    light_electrons,
    photon_transfer,
    read_electrons,
)
from photosite.sensor.menon import demosaic_menon
from photosite.sensor.sensor import FULL_FRAME, Sensor
from photosite.sensor.undevelop import RawPhoto, undevelop

__all__ = [
    "CAMERA_TO_SRGB",
    "DAYLIGHT_GAINS",
    "FULL_FRAME",
    "METHODS",
    "OPENCV_NAMES",
    "PATTERNS",
    "RawPhoto",
    "Sensor",
    "balance_white",
    "bayer_masks",
    "correct_color",
    "dark_electrons",
    "demosaic",
    "demosaic_bilinear",
    "demosaic_malvar",
    "demosaic_menon",
    "develop",
    "digitize",
    "expose",
    "held_electrons",
    "light_electrons",
    "mosaic",
    "normalize_counts",
    "photon_transfer",
    "photosite_color",
    "read_electrons",
    "undevelop",
]
