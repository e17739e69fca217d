"""Pictures of files in order, numbered without those that do not open: the same numbers when a pass goes on later."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from photosite.cli.picture_files import PictureFile
    from photosite.prep.recipe import Picture, Recipe

FORMAT = "photosite picture list 1"


class PictureStream:
    """Pictures of files, opened in order, made into inputs, and numbered without those that do not open.

    Args:
        files: in the order in which they are read.
        recipe: makes the inputs.
        input_hw: what size they are to have; a picture that becomes another one is left out.
        memory: a file that remembers which were left out, for a pass that goes on later; None for none.
    Raises:
        RangeError: the file is of other pictures, or cannot be read.
    """

    def __init__(
        self, files: Sequence[PictureFile], recipe: Recipe, input_hw: tuple[int, int], memory: Path | None = None
    ) -> None:
        self.files, self.recipe, self.input_hw, self.memory = list(files), recipe, input_hw, memory
        self.bad: dict[int, str] = {}
        """For each file that was left out, by its place among all, why."""
        self.read_to = 0
        """So many files have been opened, or are known to be bad."""
        if memory is not None and memory.exists():
            self.bad = self._remembered(memory)

    @property
    def left_out(self) -> list[str]:
        """Those that did not open, a line each."""
        return [f"{self.files[place].name}: {self.bad[place]}" for place in sorted(self.bad)]

    @property
    def good(self) -> list[int]:
        """The places among all files of those that have opened, by their numbers."""
        return [place for place in range(self.read_to) if place not in self.bad]

    @property
    def names(self) -> list[str]:
        """What the pictures that have opened are called, by their numbers."""
        return [self.files[place].name for place in self.good]

    def inputs(self, first: int = 0) -> Iterator[Any]:
        """Each picture's input as a batch of one, with its size, from a number on.

        Args:
            first: the number of the first; all before it were read in an earlier pass.
        """
        place = self._place_of(first)
        self.bad = {one: why for one, why in self.bad.items() if one < place}  # those behind are found again
        self.read_to = place
        self._remember()
        for one, found in self._opened(range(place, len(self.files)), self._input):
            if isinstance(found, str):
                self.bad[one] = found
                self._remember()  # before the pictures behind it are counted
            self.read_to = one + 1
            if not isinstance(found, str):
                yield found

    def inputs_again(self) -> Iterator[Any]:
        """The same once more, all of those that have opened.

        Raises:
            RangeError: one does not open any more.
        """
        yield from (found for _, found in self._again(range(len(self.good)), self._input))

    def pictures_again(self, numbers: Sequence[int]) -> Iterator[tuple[int, Picture]]:
        """Pictures by their numbers, as they are.

        Raises:
            RangeError: one does not open any more.
        """
        yield from self._again(numbers, lambda picture: picture)

    def _again(self, numbers: Sequence[int], then: Any) -> Iterator[tuple[int, Any]]:
        from photosite.errors import RangeError

        good = self.good
        for number, (place, found) in zip(numbers, self._opened([good[n] for n in numbers], then), strict=True):
            if isinstance(found, str):
                raise RangeError(f"{self.files[place].name} was there before and is not any more: {found}")
            yield number, found

    def _opened(self, places: Sequence[int], then: Any) -> Iterator[tuple[int, Any]]:
        """The place and what was made of each, or in words why it did not open."""
        from photosite.errors import PhotositeError, PictureError
        from photosite.prep.load_many import load_many

        with contextlib.closing(load_many((self.files[place].source() for place in places), then=then)) as rows:
            for index, found in rows:
                if isinstance(found, PictureError):
                    yield places[index], f"{found.code}: {found.detail}"
                elif isinstance(found, PhotositeError):
                    yield places[index], str(found)
                else:
                    yield places[index], found

    def _input(self, picture: Picture) -> Any:
        x = self.recipe(picture)
        height, width = x.shape[2:] if self.recipe.layout == "BCHW" else x.shape[1:3]
        if (height, width) != self.input_hw:
            return f"becomes {height} × {width} pixels, not {self.input_hw[0]} × {self.input_hw[1]}"
        return x, [picture.shape[:2]]

    def _place_of(self, number: int) -> int:
        """Where the picture of a number stands among all files."""
        from photosite.errors import RangeError

        left = number
        for place in range(len(self.files) + 1):
            if not left and place not in self.bad:
                return place
            left -= place not in self.bad
        raise RangeError(f"picture {number} was seen, but only {len(self.files) - len(self.bad)} pictures are there")

    def _digest(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for one in self.files:
            digest.update(one.name.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()

    def _remember(self) -> None:
        """Write down which pictures these are, and which of them do not count."""
        from photosite.files import write_whole

        if self.memory is not None:
            about = {"format": FORMAT, "files": len(self.files), "names": self._digest(), "left_out": self.bad}
            write_whole(self.memory, json.dumps(about).encode())

    def _remembered(self, memory: Path) -> dict[int, str]:
        from photosite.cli.photo import printable
        from photosite.errors import RangeError

        try:
            about = json.loads(memory.read_bytes())
            if about["format"] != FORMAT:
                raise ValueError(f"its format is {about['format']!r}")
            bad = {int(place): str(why) for place, why in about["left_out"].items()}
            known = (about["files"], about["names"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RangeError(f"{printable(memory)} is no list of pictures of a pass: {error}") from error
        if known != (len(self.files), self._digest()):
            raise RangeError(
                f"{printable(memory)} is of other pictures: {known[0]} files there, {len(self.files)} here"
                + ("" if known[0] != len(self.files) else ", of other names")
            )
        return bad


def load_kernels(recipe: Recipe) -> None:
    """Have what prepares pictures loaded, before threads prepare them while a model is read as a graph.

    Reading a model turns functions of `math` into others for a moment; Numba, which wants them as they are, must not be
    loaded then by a thread that happens to need it.

    Args:
        recipe: the one that pictures are going to be prepared by.
    """
    import numpy as np

    from photosite.prep import fast

    for _ in range(fast.PATIENCE + 1):
        recipe(np.zeros((2, 3, 3), np.uint8))


def folder_labels(names: Sequence[str]) -> tuple[list[str], str]:
    """The class of each picture, the name of the folder that it lies in; or none, and why.

    Args:
        names: of files, with their folders.

    >>> folder_labels(["cat/1.jpg", "test/dog/1.jpg"])
    (['cat', 'dog'], '')
    >>> folder_labels(["1.jpg", "cat/1.jpg"])
    ([], '1 of 2 pictures lies in no folder that could name its class')
    """
    labels = [Path(name).parent.name for name in names]
    without = labels.count("")
    if without:
        lies = "lies" if without == 1 else "lie"
        return [], f"{without} of {len(names)} pictures {lies} in no folder that could name its class"
    if len(set(labels)) < 2:
        return [], f"all pictures lie in one folder, {labels[0]}, so there is one class"
    return labels, ""
