"""What a model's input is made of: levels of a small picture, these of a photo's pixels, which photosites counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.analysis.terms.term import Index, Term
from photosite.color.ycbcr import LUMA_BLUE, LUMA_GREEN, LUMA_RED, rgb_to_ycbcr, ycbcr_to_levels
from photosite.errors import RangeError
from photosite.explorer.views.why_number import COLORS, PHOTO, SMALL, Box, Number, as_sum
from photosite.explorer.workspace import Photo
from photosite.prep.geometry import Geometry
from photosite.prep.recipe import Picture, Recipe
from photosite.prep.resample import PRECISION_BITS, nearest, taps
from photosite.sensor import FULL_FRAME
from photosite.trace.pixel import photosite_at

LUMA = "luma"
LUMA_WEIGHTS = (LUMA_RED, LUMA_GREEN, LUMA_BLUE)


@dataclass(frozen=True, eq=False)
class Levels:
    """A picture that was made of a photo, and the photo below it: row, column, channel.

    Attributes:
        photo: that it was made of.
        small: (h, w, 3) uint8.
        geometry: from the photo to it.
        fill: what stands where it goes on beyond the photo.
    """

    photo: Photo
    small: Picture
    geometry: Geometry
    fill: tuple[int, int, int] = (0, 0, 0)

    @property
    def names(self) -> tuple[str, ...]:
        """What can be opened here."""
        return (PHOTO, SMALL)

    def open(self, name: str, index: Index) -> Number:
        """A level of the small picture, or of the photo.

        Raises:
            RangeError: there is none at this index.
        """
        picture = self.photo.picture if name == PHOTO else self.small
        if len(index) != 3 or any(not 0 <= i < side for i, side in zip(index, picture.shape, strict=True)):
            raise RangeError(f"why: the {name} has {picture.shape} levels, none at {index}")
        return self._pixel(index) if name == PHOTO else self._level(index)

    def cell(self, top: float, left: float, bottom: float, right: float) -> Box:
        """The part of the photo that a box of the small picture stands for."""
        (down, across), (y, x) = self._map
        height, width = self.geometry.picture_hw
        return (
            min(max(top * down + y, 0.0), height),
            min(max(left * across + x, 0.0), width),
            min(max(bottom * down + y, 0.0), height),
            min(max(right * across + x, 0.0), width),
        )

    def box(self, name: str, index: Index) -> Box:
        """The pixel, or the part of the photo that one of the small picture stands for."""
        y, x = index[:2]
        return (y, x, y + 1, x + 1) if name == PHOTO else self.cell(y, x, y + 1, x + 1)

    @property
    def _map(self) -> tuple[tuple[float, float], tuple[float, float]]:
        scale, offset = self.geometry.scale, self.geometry.offset
        return (float(scale[0]), float(scale[1])), (float(offset[0]), float(offset[1]))

    def _level(self, index: Index) -> Number:
        y, x, c = index
        value = float(self.small[index])
        rows, columns = self._axis(0, y), self._axis(1, x)
        if not rows or not columns:
            why_not = f"padding: the recipe puts {COLORS[c]} {self.fill[c]} where the photo ends"
            return Number(SMALL, index, value, "pad", "padding", why_not=why_not)
        terms = [
            Term(PHOTO, (row, column, c), float(self.photo.picture[row, column, c]), down * across)
            for row, down in rows
            for column, across in columns
            if down * across
        ]
        if len(terms) == 1 and terms[0].factor == 1:
            return as_sum(SMALL, index, value, "copy", "taken over from the photo", terms)
        said = (
            f"the {self.geometry.interpolation} resize: {COLORS[c]} of the photo's pixels times weights; what is left "
            "over is rounding to levels 0 … 255, of rows and of columns"
        )
        return as_sum(SMALL, index, value, "resize", said, terms)

    def _axis(self, axis: int, place: int) -> list[tuple[int, float]]:
        """Which rows or columns of the photo one of the small picture reads, and how much of each."""
        size, resized = self.geometry.picture_hw[axis], self.geometry.resized_hw[axis]
        place += self.geometry.start_hw[axis]
        if not 0 <= place < resized:
            return []
        if size == resized:
            return [(place, 1.0)]
        if self.geometry.interpolation == "nearest":
            return [(int(nearest(size, resized)[place]), 1.0)]
        found = taps(size, resized, self.geometry.interpolation, range(place, place + 1))
        first, count = int(found.start[0]), int(found.count[0])
        return [(first + k, int(found.weights[0, k]) / (1 << PRECISION_BITS)) for k in range(count)]

    def _pixel(self, index: Index) -> Number:
        y, x, c = index
        site = photosite_at(self.photo.picture, (x, y), FULL_FRAME)
        own = COLORS["RGB".index(site.color)]
        made = f"counted: {site.raw_counts}" if own == COLORS[c] else f"guessed from its neighbors; it counts {own}"
        why_not = (
            f"{COLORS[c]} of a pixel of the photo, the end of the way. "
            f"Behind an {FULL_FRAME.pattern} mosaic the photosite here is {own}: this {COLORS[c]} would be {made}."
        )
        return Number(PHOTO, index, float(self.photo.picture[index]), "photosite", "", why_not=why_not)


@dataclass(frozen=True, eq=False)
class OfRecipe(Levels):
    """What a recipe makes of the small picture."""

    recipe: Recipe | None = None

    def of_input(self, name: str, index: Index, value: float) -> Number:
        """A number of a model's input: a level, scaled, less a mean, over a deviation."""
        recipe = self.recipe
        assert recipe is not None
        c, y, x = index[1:] if recipe.layout == "BCHW" else (index[3], *index[1:3])
        color = "RGB".index(recipe.channel_order[c])
        mean, std = recipe.mean[c], recipe.std[c]
        terms = [
            Term(SMALL, (y, x, color), float(self.small[y, x, color]), recipe.scale / std),
            Term("", (), mean, -1 / std),
        ]
        said = f"level × {recipe.scale:.6g}, less the mean {mean:g}, over the deviation {std:g}"
        return as_sum(name, index, value, "normalize", said, terms if mean else terms[:1])


@dataclass(frozen=True, eq=False)
class OfPlanes(Levels):
    """What `photosite.explorer.views.convolution.input_planes` makes of a patch: (1, C, h, w).

    Attributes:
        numbers: levels, unit or normalized.
        recipe: of normalized ones.
        luma: (h, w) uint8 where one plane is made of three.
    """

    numbers: str = "levels"
    recipe: Recipe | None = None
    luma: npt.NDArray[np.uint8] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What can be opened here."""
        return (PHOTO, SMALL) if self.luma is None else (PHOTO, SMALL, LUMA)

    def open(self, name: str, index: Index) -> Number:
        """A luma level too."""
        if name != LUMA:
            return super().open(name, index)
        if len(index) != 2 or self.luma is None:
            raise RangeError(f"why: there is no luma at {index}")
        pixel = self.small[index].tolist()
        terms = [Term(SMALL, (*index, c), float(pixel[c]), LUMA_WEIGHTS[c]) for c in range(3)]
        said = "how bright red, green and blue are together (BT.601); what is left over is rounding to a whole level"
        return as_sum(LUMA, index, float(self.luma[index]), "luma", said, terms)

    def box(self, name: str, index: Index) -> Box:
        """Of a luma level, as of the pixel."""
        return super().box(SMALL if name == LUMA else name, index)

    def of_input(self, name: str, index: Index, value: float) -> Number:
        """A number that is convolved: a level, or what it was made into."""
        c, y, x = index[1:]
        source, at = (SMALL, (y, x, c)) if self.luma is None else (LUMA, (y, x))
        level = float(self.small[y, x, c] if self.luma is None else self.luma[y, x])
        if self.numbers == "levels":
            return as_sum(name, index, value, "copy", "taken over", [Term(source, at, level, 1.0)])
        if self.numbers == "unit":
            return as_sum(name, index, value, "scale", "level / 255", [Term(source, at, level, 1 / 255)])
        recipe = self.recipe
        assert recipe is not None
        channels = [recipe.channel_order.index("RGB"[k]) for k in (range(3) if self.luma is not None else (c,))]
        factor = sum(recipe.scale / recipe.std[k] for k in channels) / len(channels)
        shift = sum(recipe.mean[k] / recipe.std[k] for k in channels) / len(channels)
        said = f"level × {recipe.scale:.6g}, less a mean, over a deviation" + (
            ", the mean of what red, green and blue would become" if self.luma is not None else ""
        )
        return as_sum(
            name, index, value, "normalize", said, [Term(source, at, level, factor), Term("", (), shift, -1.0)]
        )


def luma_of(picture: Picture) -> npt.NDArray[np.uint8]:
    """Luma as whole levels, (h, w)."""
    return ycbcr_to_levels(rgb_to_ycbcr(picture))[..., 0]
