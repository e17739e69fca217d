"""Photos that a network is shown one after another: a folder that the user named, or those that are open."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from photosite.errors import PhotositeError
from photosite.prep.load import load
from photosite.prep.recipe import Picture
from photosite.prep.source import display_text
from photosite.train.dataset import PICTURE_SUFFIXES


@dataclass(frozen=True)
class Collected:
    """A photo that is not yet opened.

    Attributes:
        title: what a person calls it.
        load: opens it, (H, W, 3) uint8.
    """

    title: str
    load: Callable[[], Picture]


def folder(path: str | os.PathLike[str]) -> tuple[Collected, ...]:
    """The photos of a folder with all that lies below it, in the order of their names; none is opened.

    Args:
        path: of the folder.
    Raises:
        PhotositeError: it is no folder, or has no photos in it.
    """
    place = Path(path)
    shown = display_text(str(place))
    if not place.is_dir():
        raise PhotositeError(f"explore: the collection {shown} is no folder")
    found = [one for one in sorted(place.rglob("*")) if one.suffix.lower() in PICTURE_SUFFIXES and one.is_file()]
    if not found:
        raise PhotositeError(f"explore: the collection {shown} has no photos in it")
    return tuple(
        Collected(display_text(str(one.relative_to(place))), lambda one=one: load(one))  # type: ignore[misc]
        for one in found
    )
