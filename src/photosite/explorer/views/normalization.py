"""A block (B, C, H, W) of a photo's crops to normalize, and how far a batch's mean lies from the photo's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.patch import patch_of
from photosite.explorer.workspace import Workspace
from photosite.ops.convolution import conv
from photosite.ops.padding import padded
from photosite.prep.recipe import Picture

Array = npt.NDArray[np.float64]
CHANNELS = ("red", "green", "blue", "Sobel x", "Sobel y", "Laplacian")
PICTURES, CROP = 4, 6
"""Pictures of the block, and the side of each in pixels."""
SIZES = tuple(2**power for power in range(10))
"""Batch sizes whose means are compared."""
BATCHES = 400
"""Batches of each size."""
LUMA = np.array([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
_SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
KERNELS = np.stack([_SOBEL, _SOBEL.T, np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])])[:, None]


def normalization(workspace: Workspace, question: Question) -> Answer:
    """Crops at random places of a photo, six channels each.

    Args:
        workspace: has the photo.
        question: as for `patch_of`; `seed` 0 … 9 of the places.
    Returns:
        `x` (B, C, H, W) float64; the channels' names.
    """
    planes = _planes(patch_of(workspace, question)[0])
    size_hw = (planes.shape[1], planes.shape[2])
    tops, lefts, (high, wide) = corners_of(size_hw, PICTURES, question.integer("seed", 0, 9, 0))
    block = [planes[:, top : top + high, left : left + wide] for top, left in zip(tops, lefts, strict=True)]
    return pack({"channels": CHANNELS}, {"x": np.stack(block)})


def batch_error(workspace: Workspace, question: Question) -> Answer:
    """How far the mean of a batch lies from the mean of all crops, measured and as two formulas have it.

    Args:
        workspace: has the photo.
        question: as for `normalization`.
    Returns:
        For each size of `SIZES` and each channel, (sizes, C) float64: `measured`, the root of the mean square distance
        over `BATCHES` random batches; `by_pixels`, σ / √(B H W) with σ of single numbers, as if all were independent;
        `by_pictures`, σ of the crops' means / √B, which lets the numbers of a crop resemble each other.
    """
    key = ("batch error", question.text("photo"), tuple(sorted(question.query.items())))

    def made() -> tuple[Array, Array, Array, int]:
        planes = _planes(patch_of(workspace, question)[0])
        question.check()
        return error_of_means(planes, question.integer("seed", 0, 9, 0))

    measured, by_pixels, by_pictures, count = workspace.once(key, made, 4096)
    return pack(
        {"sizes": SIZES, "batches": BATCHES, "numbers": count, "channels": CHANNELS},
        {"measured": measured, "by_pixels": by_pixels, "by_pictures": by_pictures},
    )


def error_of_means(planes: Array, seed: int) -> tuple[Array, Array, Array, int]:
    """The three errors of `batch_error`, and how many numbers a crop has in a channel.

    Args:
        planes: (C, h, w).
        seed: of the places.
    """
    high, wide = _crop(planes)
    means = _box_means(planes, high, wide)  # of every crop there is: (C, rows, columns)
    windows = np.lib.stride_tricks.sliding_window_view(planes, (high, wide), (1, 2))
    truth = means.mean((1, 2))
    single = np.array([one.std() for one in windows])  # of a number of a random crop, those of the middle more often
    rng = np.random.default_rng([seed, 4])
    measured = []
    for size in SIZES:
        tops, lefts = _corners(planes, size * BATCHES, rng)
        found = means[:, tops, lefts].reshape(len(planes), BATCHES, size).mean(2)
        measured.append(np.sqrt(np.square(found - truth[:, None]).mean(1)))
    roots = np.sqrt(np.array(SIZES))[:, None]
    return np.array(measured), single / (roots * (high * wide) ** 0.5), means.std((1, 2)) / roots, high * wide


def corners_of(
    size_hw: tuple[int, int], count: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], tuple[int, int]]:
    """Rows and columns where the block's crops begin, and their size.

    Args:
        size_hw: of the patch.
        count: of crops.
        seed: of their places.
    """
    crop = min(CROP, size_hw[0]), min(CROP, size_hw[1])
    rng = np.random.default_rng([seed, 3])
    tops, lefts = (rng.integers(side - own + 1, size=count) for side, own in zip(size_hw, crop, strict=True))
    return tops, lefts, crop


def _planes(picture: Picture) -> Array:
    """(6, h, w): levels as shares of one, and three kernels over their luma, the border repeated."""
    shares = np.moveaxis(picture / 255.0, -1, 0)
    luma = np.tensordot(LUMA[0, :, 0, 0], shares, 1)[None]
    return np.concatenate([shares, conv(padded(luma, (1, 1, 1, 1), "replicate"), KERNELS)])


def _crop(planes: Array) -> tuple[int, int]:
    return min(CROP, planes.shape[1]), min(CROP, planes.shape[2])


def _corners(planes: Array, count: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], ...]:
    """Rows and columns where crops begin."""
    return tuple(
        rng.integers(side - crop + 1, size=count) for side, crop in zip(planes.shape[1:], _crop(planes), strict=True)
    )


def _box_means(planes: Array, high: int, wide: int) -> Array:
    """The mean of each window, by sums of sums."""
    sums = np.pad(planes, ((0, 0), (1, 0), (1, 0))).cumsum(1).cumsum(2)
    boxes = sums[:, high:, wide:] - sums[:, :-high, wide:] - sums[:, high:, :-wide] + sums[:, :-high, :-wide]
    found: Array = boxes / (high * wide)
    return found
