"""Color spaces in pairs of conversions, what chroma subsampling loses, and how different two colors look."""

from photosite.color.chroma import rgb_through_subsampling, subsample_chroma, upsample_chroma
from photosite.color.difference import ciede2000, delta_e76
from photosite.color.gamut import in_gamut, rgb_to_levels
from photosite.color.hsv import hsv_to_rgb, rgb_to_hsv
from photosite.color.lab import lab_to_rgb, lab_to_xyz, rgb_to_lab, xyz_to_lab
from photosite.color.srgb import linear_to_srgb, srgb_to_linear
from photosite.color.values import CHANNELS, Channel
from photosite.color.xyz import linear_rgb_to_xyz, xyz_to_linear_rgb
from photosite.color.ycbcr import (
    levels_to_ycbcr,
    rgb_to_studio_ycbcr,
    rgb_to_ycbcr,
    studio_ycbcr_to_rgb,
    ycbcr_to_levels,
    ycbcr_to_rgb,
)

__all__ = [
    "CHANNELS",
    "Channel",
    "ciede2000",
    "delta_e76",
    "hsv_to_rgb",
    "in_gamut",
    "lab_to_rgb",
    "lab_to_xyz",
    "levels_to_ycbcr",
    "linear_rgb_to_xyz",
    "linear_to_srgb",
    "rgb_through_subsampling",
    "rgb_to_hsv",
    "rgb_to_lab",
    "rgb_to_levels",
    "rgb_to_studio_ycbcr",
    "rgb_to_ycbcr",
    "srgb_to_linear",
    "studio_ycbcr_to_rgb",
    "subsample_chroma",
    "upsample_chroma",
    "xyz_to_lab",
    "xyz_to_linear_rgb",
    "ycbcr_to_levels",
    "ycbcr_to_rgb",
]
