"""Pictures as numbers that a search moves: by their frequencies or by their pixels, in colors that vary on their own.

Moved by its frequencies, scaled as natural pictures have them (amplitude 1 / f), a picture changes in all sizes of
pattern at once; moved by its pixels, mostly in the finest.

Source: Olah, Mordvintsev and Schubert 2017; the spectrum of natural pictures, Field 1987.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from photosite.errors import RangeError, UnknownNameError

Kind = Literal["fourier", "pixels"]
KINDS: tuple[Kind, ...] = ("fourier", "pixels")

COLORS = ((0.2324, 0.0775, 0.0231), (0.2402, 0.0068, -0.0420), (0.2486, -0.0790, 0.0190))
"""In columns: the directions in which the colors of photos vary without each other, as long as the deviation.

Light and dark, warm and cold, green and purple. Source: the covariance of all pixels of every tenth of CIFAR-10's
50,000 training pictures, sRGB 0 … 1: eigenvectors times the roots of the eigenvalues.
"""
START = 0.5
"""Deviation of the numbers that a search begins with: faint noise, with a fifth of the contrast that is possible.

Nearly gray, as others begin, a channel that is mostly closed shows so few open places that a search goes by them alone:
channel 2 behind our encoder's first ReLU then ends at a sixtieth of what it reaches from here.
"""
TINY = 1e-12


class Canvas:
    """Some pictures and the numbers that they are made of.

    Args:
        shape: (B, C, H, W); three channels are taken as R, G, B, any other number as independent.
        kind: "fourier" or "pixels".
        seed: of the numbers at the start; the same for a device as for any other.
        contrast: how far pictures may be from mid gray, the root of the mean square over all numbers, 0 … 0.5; None
            for no such bound: then every number passes a sigmoid.
        device: where the numbers are.
    Raises:
        RangeError: a contrast out of range.
        UnknownNameError: another kind.
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        kind: Kind = "fourier",
        seed: int = 0,
        contrast: float | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if kind not in KINDS:
            raise UnknownNameError("parameterization", str(kind), KINDS)
        if contrast is not None and not 0 < contrast <= 0.5:
            raise RangeError(f"dream: contrast wants a number above 0, at most 0.5, got {contrast}")
        self.shape, self.kind, self.contrast = shape, kind, contrast
        height, width = shape[2:]
        self._scale = frequencies(height, width).to(device) if kind == "fourier" else None
        sides = (height, width // 2 + 1, 2) if kind == "fourier" else (height, width)
        start = torch.randn(*shape[:2], *sides, generator=torch.Generator().manual_seed(seed)) * START
        self.numbers = start.to(device).requires_grad_()
        mix = torch.tensor(COLORS)
        self._mix = (mix / mix.norm(dim=0).max()).to(device) if shape[1] == 3 else None

    def __call__(self) -> Tensor:
        """The pictures: (B, C, H, W) float32, 0 … 1, with a gradient to `numbers`."""
        if self._scale is None:
            waves = self.numbers
        else:
            spectrum = torch.view_as_complex(self.numbers) * self._scale
            waves = torch.fft.irfft2(spectrum, s=self.shape[2:], norm="ortho")
        if self._mix is not None:
            waves = torch.einsum("dc,bchw->bdhw", self._mix, waves)
        if self.contrast is None:
            return waves.sigmoid()
        spread = waves.square().mean((1, 2, 3), keepdim=True).clamp_min(TINY).sqrt()
        return (0.5 + waves * (self.contrast / spread).clamp(max=1.0)).clamp(0, 1)


def frequencies(height: int, width: int) -> Tensor:
    """What each frequency is multiplied by: 1 / f, with a mean square of 1, so that a step does the same at any size.

    Args:
        height: of the picture in pixels.
        width: likewise.
    Returns:
        (H, W // 2 + 1), as `torch.fft.irfft2` takes a spectrum; the mean of the picture counts as its slowest wave.

    >>> scale = frequencies(4, 4)  # a wave of 4 pixels counts twice what one of 2 pixels does
    >>> bool(scale[0, 1] == 2 * scale[0, 2]), bool(scale[0, 0] == scale[0, 1])
    (True, True)
    """
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    scale = 1 / (down.square() + across.square()).sqrt().clamp_min(1 / max(height, width))
    found: Tensor = scale / scale.square().mean().sqrt()
    return found
