"""The first stations: from the bytes of a file to the numbers that a network takes, step by step."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from photosite.prep.load import PictureInfo, Source, load_with_info
from photosite.prep.recipe import Recipe
from photosite.prep.upright import upright
from photosite.shapes import shape_text
from photosite.trace import pictures
from photosite.trace.values import Statistics, Step, Tile

Picture = npt.NDArray[np.uint8]
SHOWN_SIDE = 384
"""The longest side that is shown; larger pictures are made smaller, and their captions keep the true size."""
_INVERSE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


def statistics(values: npt.NDArray[Any]) -> Statistics:
    """Measure range, mean and standard deviation (of the population) over the finite values.

    >>> statistics(np.array([1.0, 3.0, np.nan]))
    Statistics(min=1.0, max=3.0, mean=2.0, std=1.0, nonfinite=1)
    """
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values.reshape(-1)
    lost = int(values.size - finite.size)
    if finite.size == 0:
        return Statistics(None, None, None, None, lost)
    low, high = float(finite.min()), float(finite.max())
    return Statistics(low, high, float(finite.mean(dtype=np.float64)), float(finite.std(dtype=np.float64)), lost)


def shown(name: str, picture: Picture, side: int = SHOWN_SIDE) -> Tile:
    """Show a picture; one that is larger than `side` is made smaller, its caption keeps the true numbers."""
    small = thumbnail(picture, side)
    scale = "as they are" if small is picture else f"as they are, made smaller to {shape_text(small.shape[:2])}"
    return Tile(pictures.caption(name, picture), small, scale)


def thumbnail(picture: Picture, side: int) -> Picture:
    """Make a picture smaller until its longer side is `side`; a smaller one comes back as it is."""
    height, width = picture.shape[:2]
    if max(height, width) <= side:
        return picture
    size_wh = (max(1, round(width * side / max(height, width))), max(1, round(height * side / max(height, width))))
    return np.asarray(Image.fromarray(picture).resize(size_wh, Image.Resampling.BOX))


def follow_light(
    source: Source, recipe: Recipe, runs: int, **options: Any
) -> tuple[Picture, PictureInfo, npt.NDArray[np.float32], list[Step]]:
    """Open a picture and turn it into a network's input, recording each step.

    Args:
        source: as `photosite.prep.load.load` takes it.
        recipe: how the picture becomes the input.
        runs: how often the recipe's steps are timed; the median counts.
        **options: of `load`.

    Returns:
        The upright picture (H, W, 3) uint8, what is known of it, the input (1, 3, h, w) float32, and the steps.
    """
    began = time.perf_counter()
    picture, info = load_with_info(source, **options)
    opened = (time.perf_counter() - began) * 1000
    stored = np.asarray(upright(Image.fromarray(picture), _INVERSE[info.orientation]))
    resized, resize_ms = _timed(lambda: recipe.resized(picture), runs)
    cropped, crop_ms = _timed(lambda: recipe.cropped(resized), runs)
    x, normalize_ms = _timed(lambda: recipe.normalized(cropped), runs)
    explained = dict(line.split(": ", 1) for line in recipe.explain())
    turned = (
        "Stored upright already." if info.orientation == 1 else f"Turned as EXIF orientation {info.orientation} says."
    )
    steps = [
        _bytes_step(source, info),
        _picture_step(
            "decoded", "decode", "file", stored, opened, f"{info.format}, mode {info.mode}, as it was stored."
        ),
        _picture_step("upright", "upright", "file", picture, None, turned),
        _picture_step("resized", "resize", "color", resized, resize_ms, explained["resize"]),
        _picture_step("cropped", "crop", "color", cropped, crop_ms, explained["crop"]),
        Step(
            name="normalized",
            op="normalize",
            module="",
            station="tensor",
            shape=x.shape[1:],
            dtype=str(x.dtype),
            statistics=statistics(x),
            ms=normalize_ms,
            did=f"{explained['scale']}; {explained['normalize']}",
            formula="(x / 255 − mean) / std",
            tiles=_channel_tiles(x, recipe),
            channels=3,
            shown=3,
        ),
    ]
    return picture, info, x, steps


def _bytes_step(source: Source, info: PictureInfo) -> Step:
    """The file's bytes, measured only if they are still those that were decoded."""
    raw = b""
    if isinstance(source, bytes | bytearray | memoryview):
        raw = bytes(source)
    elif isinstance(source, str | os.PathLike):
        with contextlib.suppress(OSError):
            raw = Path(os.fsdecode(source)).read_bytes()
    same = bool(raw) and hashlib.sha256(raw).hexdigest() == info.sha256
    values = np.frombuffer(raw, np.uint8)
    return Step(
        name="bytes",
        op="read",
        module="",
        station="file",
        shape=(info.bytes,),
        dtype="uint8",
        statistics=statistics(values) if same else Statistics(None, None, None, None),
        did=f"The file as it lies on disk, {info.format}; shown are its first bytes, as gray levels.",
        tiles=(pictures.plain("first bytes", _first_bytes(values)),) if same else (),
    )


def _first_bytes(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Up to 4096 bytes, 64 in a row."""
    width = min(64, len(values))
    rows = max(1, min(64, len(values) // width))
    return values[: rows * width].reshape(rows, width)


def _picture_step(name: str, op: str, station: str, picture: Picture, ms: float | None, did: str) -> Step:
    return Step(
        name=name,
        op=op,
        module="",
        station=station,
        shape=picture.shape,
        dtype="uint8",
        statistics=statistics(picture),
        ms=ms,
        did=did,
        tiles=(shown(name, picture),),
        channels=3,
        shown=3,
    )


def _channel_tiles(x: npt.NDArray[np.float32], recipe: Recipe) -> tuple[Tile, ...]:
    """The three channels of the input, on one scale."""
    planes = x[0] if recipe.layout == "BCHW" else np.moveaxis(x[0], -1, 0)
    return pictures.channels("normalized", planes, tuple(recipe.channel_order))


def _timed(work: Callable[[], Any], runs: int) -> tuple[Any, float]:
    """Do something several times; gives its result and the median milliseconds."""
    times = []
    for _ in range(max(1, runs)):
        began = time.perf_counter()
        result = work()
        times.append((time.perf_counter() - began) * 1000)
    return result, float(np.median(times))
