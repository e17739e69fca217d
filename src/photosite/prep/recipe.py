"""The whole contract of a model's input as one frozen value: from a picture to the network's numbers, and back.

A recipe works on pictures that are open already, (H, W, 3) uint8 sRGB; it knows no file, no network and no torch.
Its three stages are `resized`, `cropped` and `normalized`; calling a recipe is exactly their composition.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.prep import fast
from photosite.prep.explained import explained
from photosite.prep.fields import MAX_SIZE, checked_fields
from photosite.prep.geometry import Geometry, resized_size, window_start
from photosite.shapes import is_number, shape_text

Picture = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, sRGB, upright."""

MAX_PIXELS = MAX_SIZE**2
"""The most pixels that a resized picture may have: 'shortest' 256 makes a line of 1 x 65535 into 4 billion."""


MAX_WAYS = 256
"""For how many sizes of pictures a recipe remembers what it does with them."""


class _Way(NamedTuple):
    """What a recipe does with pictures of one size.

    Attributes:
        shape: of one row of a batch.
        resized_hw: size of the whole resized picture.
        start_hw: where in it the crop begins.
        can_fuse: whether the kernels can do it all.
        weight: for how many pictures of usual size it counts.
    """

    shape: tuple[int, ...]
    resized_hw: tuple[int, int]
    start_hw: tuple[int, int]
    can_fuse: bool
    weight: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a picture becomes a model's input.

    Args:
        name: what the recipe is called.
        resize: 'shortest' (the shorter side becomes the size, the longer one follows in proportion, rounded down),
            'longest' (likewise, then padded to the square `size_hw`), 'squash' (exactly `size_hw`), 'cover' (in
            proportion, as small as covers `size_hw`, sides rounded), 'contain' (in proportion, as large as fits into
            `size_hw`, sides rounded, not padded) or 'none'.
        size_hw: (height, width), 1 … 16384 px; equal for 'shortest' and 'longest', None for 'none'.
        interpolation: 'nearest', 'box', 'bilinear', 'hamming', 'bicubic' or 'lanczos', as Pillow has them.
        antialias: whether the filter widens where the picture shrinks; Pillow's always does, so only True.
        crop_hw: (height, width) of the center that is kept, or None for all; `pad_color` fills up a smaller picture.
        crop_rounding: where a crop begins if the difference is odd: 'round' (half to even, as torchvision) or 'floor'
            (as transformers).
        pad_first: which half of an odd padding stands above and on the left: 'smaller' (as torchvision) or 'larger'
            (as transformers on arrays).
        pad_color: R, G, B in 0 … 255 of padding, put in before normalizing.
        scale: what a level of 0 … 255 is multiplied by before mean and std.
        mean: subtracted, one for each channel in the order of `channel_order`.
        std: divided by, likewise; above 0.
        channel_order: 'RGB' or 'BGR', the order of the input's channels.
        layout: 'BCHW' or 'BHWC', the order of the input's axes.
        source: where the numbers come from.
    Raises:
        RangeError: a number is out of range, not finite or of the wrong type, or fields contradict each other.
        UnknownNameError: a field that holds a name has one that does not exist.
    Convention: mean and std apply after `scale`, and in float32: (level * scale - mean) / std.
    Matches: torchvision `Resize`, `CenterCrop`, `ToTensor`, `Normalize` on PIL images, bit for bit.

    >>> recipe = Recipe(
    ...     name="half", resize="squash", size_hw=(2, 2), interpolation="box", mean=(0.5,) * 3, std=(0.5,) * 3
    ... )
    >>> recipe(np.full((4, 4, 3), 255, np.uint8))[0, 0].tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """

    name: str
    resize: Literal["shortest", "longest", "squash", "cover", "contain", "none"]
    size_hw: tuple[int, int] | None
    interpolation: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
    antialias: bool = True
    crop_hw: tuple[int, int] | None = None
    crop_rounding: Literal["round", "floor"] = "round"
    pad_first: Literal["smaller", "larger"] = "smaller"
    pad_color: tuple[int, int, int] = (0, 0, 0)
    scale: float = 1 / 255
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channel_order: Literal["RGB", "BGR"] = "RGB"
    layout: Literal["BCHW", "BHWC"] = "BCHW"
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, and make lists, as JSON has them, into tuples."""
        for field, value in checked_fields(vars(self)).items():
            object.__setattr__(self, field, value)  # frozen for everyone else
        with np.errstate(all="ignore"):  # overflow is one way to lose levels
            kept = self._as_levels(self._table.T) == np.arange(256)[:, None]
        if not kept.all():
            raise RangeError(
                f"recipe {self.name!r}: wants scale, mean and std that keep the 256 levels apart in float32, "
                f"got scale {self.scale}, mean {self.mean}, std {self.std}"
            )

    @property
    def input_hw(self) -> tuple[int, int] | None:
        """Size of every input; None where it depends on the picture."""
        return self.crop_hw or (self.size_hw if self.resize in ("longest", "squash") else None)

    def __call__(self, picture: Picture | Sequence[Picture]) -> npt.NDArray[np.float32]:
        """The model's input for one picture, or for a list of them.

        Args:
            picture: (H, W, 3) uint8, or a list of those; their sizes may differ as long as the recipe makes them equal.
        Returns:
            (B, C, H, W) float32, or (B, H, W, C) with layout 'BHWC'; contiguous.
        Raises:
            ShapeError: a picture has other axes, or the list is empty, or gives inputs of several sizes.
            RangeError: a picture is not uint8, or would become larger than `MAX_PIXELS`.
        """
        pictures = list(picture) if isinstance(picture, Sequence) else [picture]
        if not pictures:
            raise ShapeError(f"recipe {self.name!r}: wants at least one picture, got an empty list")
        shapes = [self._way_of(one).shape for one in pictures]
        for index, (shape, one) in enumerate(zip(shapes, pictures, strict=True)):
            if shape != shapes[0]:
                raise ShapeError(
                    f"recipe {self.name!r}: wants pictures that give inputs of one size, "
                    f"got {shape_text(shapes[0])} from picture 0 ({shape_text(pictures[0].shape)}) "
                    f"and {shape_text(shape)} from picture {index} ({shape_text(one.shape)}); "
                    "use a recipe with a crop, or one picture at a time"
                )
        x = np.empty((len(pictures), *shapes[0]), np.float32)
        for one, row in zip(pictures, x, strict=True):
            self.write(one, row)
        return x

    def write(self, picture: Picture, row: npt.NDArray[np.float32]) -> None:
        """Write the model's input for one picture into a row of a batch that is there already.

        Where the compiled kernels are at hand (see `photosite.prep.fast`) only the rows and columns that the crop keeps
        are computed, and their numbers go straight into the row. The numbers are the same either way.

        Args:
            picture: (H, W, 3) uint8.
            row: (C, H, W) float32, or (H, W, C) with layout 'BHWC'; of the size that the recipe makes of this picture.
        Raises:
            ShapeError, RangeError: as in calling the recipe, or the row has another shape, dtype or cannot be written.
        """
        way = self._way_of(picture)
        if row.shape != way.shape or row.dtype != np.float32 or not row.flags.writeable:
            state = "" if row.flags.writeable else ", read-only"
            raise ShapeError(
                f"recipe {self.name!r}: wants a row {shape_text(way.shape)} float32, "
                f"got {shape_text(row.shape)} {row.dtype}{state}"
            )
        if way.can_fuse and row.flags.c_contiguous and fast.wanted(way.weight):
            fast.window(picture, way.resized_hw, way.start_hw, self.interpolation, numbers=row, table=self._table)
        else:
            self._normalize(self.cropped(self.resized(picture)), row)

    def resized(self, picture: Picture) -> Picture:
        """The first stage: the picture at the recipe's size, with the padding that 'longest' asks for.

        Args:
            picture: (H, W, 3) uint8.
        Returns:
            (H', W', 3) uint8, always a copy.
        Raises:
            ShapeError, RangeError: as in calling the recipe.
        Matches: Pillow `Image.resize`.
        """
        picture = self._checked(picture)
        size_hw = self._way_of(picture).resized_hw
        if size_hw != picture.shape[:2]:
            picture = fast.resize(picture, size_hw, self.interpolation)
        return self._window(picture, self.size_hw if self.resize == "longest" and self.size_hw else size_hw)

    def cropped(self, resized: Picture) -> Picture:
        """The second stage: the center of the resized picture, padded where the picture is smaller than the crop.

        Args:
            resized: (H, W, 3) uint8, as `resized` gives it.
        Returns:
            (*crop_hw, 3) uint8, always a copy; all of the picture for a recipe without a crop.
        """
        resized = self._checked(resized)
        return self._window(resized, self.crop_hw or (resized.shape[0], resized.shape[1]))

    def normalized(self, cropped: Picture) -> npt.NDArray[np.float32]:
        """The last stage: levels to numbers, channels and axes in the model's order.

        Args:
            cropped: (H, W, 3) uint8, as `cropped` gives it.
        Returns:
            (1, C, H, W) float32, or (1, H, W, C) with layout 'BHWC'; contiguous.
        """
        cropped = self._checked(cropped)
        x = np.empty((1, *self._in_layout(cropped.shape[0], cropped.shape[1])), np.float32)
        self._normalize(cropped, x[0])
        return x

    def undo(self, x: npt.NDArray[np.floating]) -> Picture:
        """A picture to look at from a model's input: normalization undone, channels R, G, B and last.

        Args:
            x: (B, C, H, W) or (C, H, W) floating point, channels last with layout 'BHWC'; clipped at black and white.
        Returns:
            (B, H, W, 3) or (H, W, 3) uint8.
        Raises:
            ShapeError: x has other axes.
            RangeError: x is not floating point, or holds NaN or infinity.
        Matches: `undo(normalized(cropped))[0]` is `cropped`, exactly.
        """
        x = np.asarray(x)
        axes = self.layout if x.ndim == 4 else self.layout[1:]
        if x.ndim not in (3, 4) or x.shape[axes.index("C")] != 3:
            wanted = ", ".join("3" if axis == "C" else axis for axis in self.layout)
            raise ShapeError(f"recipe {self.name!r}: undo wants ({wanted}), with or without B, got {x.shape}")
        if x.dtype.kind != "f":
            raise RangeError(f"recipe {self.name!r}: undo wants floating point, got {x.dtype} {x.shape}")
        if not np.isfinite(x).all():
            raise RangeError(
                f"recipe {self.name!r}: undo wants finite numbers, {np.sum(~np.isfinite(x))} of {x.size} are not"
            )
        return np.ascontiguousarray(self._in_order(self._as_levels(np.moveaxis(x, axes.index("C"), -1))))

    def geometry(self, size_hw: tuple[int, int]) -> Geometry:
        """The exact map between the input and a picture of this size.

        Args:
            size_hw: (height, width) of the picture.
        Raises:
            RangeError: a side is below 1.
        """
        if min(size_hw) < 1:
            raise RangeError(f"recipe {self.name!r}: wants a picture of at least 1 × 1, got {shape_text(size_hw)}")
        resized_hw = resized_size(self.resize, self.size_hw, (int(size_hw[0]), int(size_hw[1])))
        padded_hw = self.size_hw if self.resize == "longest" and self.size_hw else resized_hw
        input_hw = self.crop_hw or padded_hw
        top, left = (
            self._start(resized, padded) + self._start(padded, side)
            for resized, padded, side in zip(resized_hw, padded_hw, input_hw, strict=True)
        )
        return Geometry((int(size_hw[0]), int(size_hw[1])), resized_hw, input_hw, (top, left), self.interpolation)

    def at(self, size: int | tuple[int, int]) -> Recipe:
        """The same recipe for another input size; resize and crop grow by the same ratio.

        Args:
            size: the shorter side of the input, in px; or its height and width. What is not square is covered by the
                resized picture, as timm does it, where for a square the shorter side is resized.
        Returns:
            A recipe named NAME@SIZE; this one where nothing changes.
        Raises:
            RangeError: the recipe has no size of its own, or a side leaves 1 … 16384.

        >>> Recipe(
        ...     name="a",
        ...     resize="shortest",
        ...     size_hw=(256, 256),
        ...     crop_hw=(224, 224),
        ...     interpolation="bilinear",
        ...     mean=(0.0,) * 3,
        ...     std=(1.0,) * 3,
        ... ).at(448).size_hw
        (512, 512)
        """
        if isinstance(size, tuple):
            return self._at_pair(*size)
        own = min(self.crop_hw or self.size_hw or (0,))
        if not own:
            raise RangeError(
                f"recipe {self.name!r}: at wants a recipe with a size, this one takes pictures as they are"
            )
        if not is_number(size, True, 1, MAX_SIZE):
            raise RangeError(f"recipe {self.name!r}: at wants a whole number from 1 to {MAX_SIZE}, got {size!r}")
        if size == own:
            return self

        def grown(pair: tuple[int, int] | None) -> tuple[int, int] | None:
            # half up, in whole numbers
            return pair and ((2 * pair[0] * size + own) // (2 * own), (2 * pair[1] * size + own) // (2 * own))

        name = f"{self.name.split('@')[0]}@{size}"
        return replace(self, name=name, size_hw=grown(self.size_hw), crop_hw=grown(self.crop_hw))

    def _at_pair(self, height: int, width: int) -> Recipe:
        same = self.at(min(height, width))
        if height == width:
            return same
        assert same.size_hw is not None  # `at` refuses recipes without a size
        cut = same.crop_hw or same.size_hw
        down, across = (
            (2 * side * size + own) // (2 * own)
            for side, size, own in zip((height, width), same.size_hw, cut, strict=True)
        )
        return replace(
            same,
            name=f"{self.name.split('@')[0]}@{height}x{width}",
            resize="cover" if same.resize == "shortest" else same.resize,
            size_hw=(down, across),
            crop_hw=same.crop_hw and (height, width),
        )

    def to_dict(self) -> dict[str, Any]:
        """Every field, as JSON has it (tuples are lists).

        Matches: `Recipe.from_dict(recipe.to_dict()) == recipe`, also by way of JSON text.
        """
        fields_of: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return fields_of

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """A recipe from what `to_dict` gave; fields with a default may be absent.

        Raises:
            RangeError: a field is missing, or has a value that a recipe refuses.
            UnknownNameError: a field that recipes do not have.
        """
        known = {field.name: field.default is MISSING for field in fields(cls)}
        for name in values:
            if name not in known:
                raise UnknownNameError("recipe field", str(name), known)
        missing = [name for name, needed in known.items() if needed and name not in values]
        if missing:
            raise RangeError(
                f"recipe: from_dict wants {', '.join(missing)} as well, got {', '.join(values) or 'nothing'}"
            )
        return cls(**values)

    def explain(self) -> list[str]:
        """What the recipe does, a line for each step in order, and last where its numbers come from."""
        return explained(vars(self))

    @cached_property
    def _table(self) -> npt.NDArray[np.float32]:
        """(3, 256): the number that each level of each channel becomes; a picture has no other levels."""
        # The product, rounded to float32, is ToTensor's float32 division by 255 for all 256 levels; a test says so.
        scaled = (np.arange(256) * self.scale).astype(np.float32)
        mean, std = (np.array(numbers, np.float32)[:, None] for numbers in (self.mean, self.std))
        table: npt.NDArray[np.float32] = (scaled - mean) / std
        table.setflags(write=False)
        return table

    def _as_levels(self, x: npt.NDArray[np.floating]) -> Picture:
        """Channels last, in the model's order, back to 0 … 255; in float64, so that only float32's rounding is left."""
        mean, std = (np.array(numbers, np.float32) for numbers in (self.mean, self.std))
        levels: npt.NDArray[np.float64] = (x.astype(np.float64) * std + mean) / self.scale
        return np.rint(np.clip(levels, 0, 255)).astype(np.uint8)

    def _normalize(self, crop: Picture, row: npt.NDArray[np.float32]) -> None:
        """Look every level up, straight into a row in the layout of the recipe."""
        planes = row if self.layout == "BCHW" else np.moveaxis(row, -1, 0)
        for channel, levels in enumerate(np.moveaxis(self._in_order(crop), -1, 0)):
            planes[channel] = self._table[channel][levels]

    def _in_layout(self, height: int, width: int) -> tuple[int, ...]:
        return (3, height, width) if self.layout == "BCHW" else (height, width, 3)

    @cached_property
    def _ways(self) -> dict[tuple[int, int], _Way]:
        """The ways of the sizes met last: a folder of photos has few, and working one out costs as much as a crop."""
        return {}

    def _way_of(self, picture: Picture) -> _Way:
        """What is to be done with a picture; one that would grow too large is refused before anything is allocated."""
        height, width, _ = self._checked(picture).shape
        way = self._ways.get((height, width))
        if way is None:
            way = self._new_way((height, width))
            if len(self._ways) >= MAX_WAYS:
                self._ways.clear()
            self._ways[height, width] = way
        return way

    def _new_way(self, picture_hw: tuple[int, int]) -> _Way:
        geometry = self.geometry(picture_hw)
        height, width = geometry.resized_hw
        if height * width > MAX_PIXELS:
            raise RangeError(
                f"recipe {self.name!r}: wants resized pictures of at most {MAX_PIXELS} pixels, "
                f"{picture_hw[0]} × {picture_hw[1]} would become {height} × {width}; crop the picture first"
            )
        # a resized line of 1 x 4000 is 262 megapixels, of which the crop keeps 0.05: worth loading the kernels at once
        weight = 1 + height * width // 2**22
        shape = self._in_layout(*geometry.input_hw)
        return _Way(shape, geometry.resized_hw, geometry.start_hw, self._can_fuse(geometry), weight)

    def _can_fuse(self, geometry: Geometry) -> bool:
        """Whether the kernels can do it all: something to resize, nothing to pad, planes in the picture's order."""
        spans = zip(geometry.start_hw, geometry.input_hw, geometry.resized_hw, strict=True)
        return (
            (self.layout, self.channel_order) == ("BCHW", "RGB")
            and self.interpolation in fast.KINDS
            and geometry.resized_hw != geometry.picture_hw
            and all(0 <= start <= side - window for start, window, side in spans)
        )

    def _in_order(self, picture: Picture) -> Picture:
        """From R, G, B to the model's order of channels, and back: the two are the same step."""
        return picture if self.channel_order == "RGB" else picture[..., ::-1]

    def _start(self, side: int, window: int) -> int:
        return window_start(side, window, self.crop_rounding, self.pad_first)

    def _window(self, picture: Picture, size_hw: tuple[int, int]) -> Picture:
        """A copy of the centered window of this size, filled up with `pad_color`."""
        out = np.empty((*size_hw, 3), np.uint8)
        out[:] = self.pad_color
        into, of = [], []
        for side, window in zip(picture.shape, size_hw, strict=False):
            start = self._start(side, window)
            into.append(slice(max(-start, 0), max(-start, 0) + min(side, window)))
            of.append(slice(max(start, 0), max(start, 0) + min(side, window)))
        out[tuple(into)] = picture[tuple(of)]
        return out

    def _checked(self, picture: Picture) -> Picture:
        """Refuse what is not a picture, and say what it looks like instead."""
        who = f"recipe {self.name!r}: wants a picture (H, W, 3) uint8"
        if not isinstance(picture, np.ndarray):
            raise ShapeError(f"{who}, got {type(picture).__name__}; open files with photosite.prep.load")
        if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            hint = ""
            if picture.ndim == 3 and picture.shape[0] == 3:
                hint = "; channels go last: picture.transpose(1, 2, 0)"
            elif picture.ndim == 4:
                hint = "; pass several pictures as a list"
            raise ShapeError(f"{who}, got {picture.shape} {picture.dtype}{hint}")
        if picture.dtype != np.uint8:
            spread = f" from {picture.min()} to {picture.max()}" if picture.dtype.kind in "biuf" else ""
            raise RangeError(f"{who} with levels 0 … 255, got {picture.shape} {picture.dtype}{spread}")
        return picture
