"""What excites a channel most: the pictures cut down to what the unit sees there, and what of it drives the unit.

Only pictures that are among the largest are opened again, each once, and no more than a batch of them is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from photosite.analysis.aim import Aim
from photosite.analysis.backward import Backward
from photosite.analysis.receptive_field import ReceptiveField
from photosite.analysis.rectifiers import Rule
from photosite.analysis.top_activations import TopActivation, TopActivations
from photosite.errors import RangeError
from photosite.prep.geometry import Geometry
from photosite.prep.recipe import Picture, Recipe

Box = tuple[int, int, int, int]
Opened = Callable[[Sequence[int]], Iterable[tuple[int, Picture]]]
"""Opens pictures by their numbers, which rise, and hands each out with its number."""


@dataclass(frozen=True, eq=False)
class Patch:
    """One of the largest numbers of a channel, and what was there in the picture.

    Attributes:
        name: of the value, as it was asked for.
        channel: its number.
        rank: 0 for the largest.
        top: the number, the picture, the place and its boxes.
        sees: the box of the input that the unit sees, without what the recipe has put around the photo; None where it
            sees all of it, or that is not known.
        frame: the box to be shown, in pixels of the input: the unit's field as if nothing had borders, which may reach
            beyond the photo; or all of the input, see `whole`.
        box: the part of `frame` that is photo.
        whole: all of the input is shown, for the unit sees all of it, its field is not known, or larger than the input.
        pixels: (h, w, 3) uint8, what lies in `box`, as the recipe resized it.
        signal: (h, w, 3) float32, what the unit sends back to `box`: R, G, B, in numbers of the input; None where none
            was asked for.
        again: the number in a second run, from which the signal is; None without a signal.
        notes: what the signal met that its rule was not made for, in lines for people.
    """

    name: str
    channel: int
    rank: int
    top: TopActivation
    sees: Box | None
    frame: Box
    box: Box
    whole: bool
    pixels: Picture
    signal: npt.NDArray[np.float32] | None = None
    again: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Job:
    """A number whose patch is still to be made."""

    name: str
    channel: int
    rank: int
    top: TopActivation


def top_patches(
    found: TopActivations,
    channels: Mapping[str, Sequence[int]],
    opened: Opened,
    recipe: Recipe,
    fields: Mapping[str, ReceptiveField],
    backward: Backward | None = None,
    rule: Rule = "deconvnet",
) -> Iterator[Patch]:
    """Cut the pictures that excite some channels most down to what the units see, one by one.

    Args:
        found: the largest numbers.
        channels: for each value whose patches are wanted the numbers of its channels.
        opened: opens pictures again.
        recipe: that of `found`.
        fields: of each value in `channels`.
        backward: of the model; its batch is how many signals are made at once. None for no signals.
        rule: how the signal goes back; through what is no rectifier goes the plain gradient, see `check_rules`.
    Returns:
        The patches, in the order of the pictures but for the batches of signals. A number that is exactly 0 has none:
        a closed rectifier answers to nothing.
    Raises:
        RangeError: there is no such value or channel; a picture was not opened again.
    """
    jobs = _wanted(found, channels)
    waiting: dict[str, list[tuple[Patch, torch.Tensor]]] = {name: [] for name in channels}
    for number, picture in opened(sorted(jobs)):
        shown = recipe.cropped(recipe.resized(picture))
        photo = _photo_box(recipe.geometry(picture.shape[:2]))
        cut = [_cut(job, shown, photo, fields[job.name]) for job in jobs.pop(number)]
        if backward is None:
            yield from cut
            continue
        x = _as_input(recipe.normalized(shown), backward)
        for patch in cut:
            waiting[patch.name].append((patch, x))
            if len(waiting[patch.name]) == backward.batch:
                yield from _with_signals(waiting[patch.name], backward, rule, recipe)
                waiting[patch.name].clear()
    if jobs:
        raise RangeError(f"top patches: picture {min(jobs)} was not opened again")
    for some in waiting.values():
        if some and backward is not None:
            yield from _with_signals(some, backward, rule, recipe)


def _wanted(found: TopActivations, channels: Mapping[str, Sequence[int]]) -> dict[int, list[_Job]]:
    """Which patches are to be made of each picture."""
    jobs: dict[int, list[_Job]] = {}
    for name, some in channels.items():
        for channel in some:
            for rank, top in enumerate(found.top(name, channel)):
                if top.value:
                    jobs.setdefault(top.picture, []).append(_Job(name, channel, rank, top))
    return jobs


def _cut(job: _Job, shown: Picture, photo: Box, field: ReceptiveField) -> Patch:
    """A patch without its signal."""
    height, width = shown.shape[:2]
    unit, sees = job.top.place, job.top.input_box
    everything = (0, 0, height, width)
    frame = everything
    if sees is not None and unit is not None and not job.top.global_by:
        (y0, y1), (x0, x1) = field.interval("y", unit[0]), field.interval("x", unit[1])
        wanted = (y0, x0, y1 + 1, x1 + 1)
        rolled = not _inside(sees, wanted)  # around a border: pieces at both ends
        if not rolled and wanted[2] - wanted[0] <= height and wanted[3] - wanted[1] <= width:
            frame = wanted
    whole = frame == everything
    box = _common(frame, photo)
    top, left, bottom, right = box
    seen = None if sees is None else _common(sees, photo)
    return Patch(
        *(job.name, job.channel, job.rank, job.top, seen, frame, box, whole),
        np.ascontiguousarray(shown[top:bottom, left:right]),
    )


def _with_signals(
    waiting: Sequence[tuple[Patch, torch.Tensor]], backward: Backward, rule: Rule, recipe: Recipe
) -> Iterator[Patch]:
    """Patches of one value with what their units send back."""
    aims = [Aim(patch.channel, patch.top.place) for patch, _ in waiting]
    made = backward.signal(torch.cat([x for _, x in waiting]), waiting[0][0].name, aims, rule, "gradient")
    for (patch, _), values, number in zip(waiting, made.values, made.outputs.tolist(), strict=True):
        signal = values.permute(1, 2, 0) if recipe.layout == "BCHW" else values
        signal = signal if recipe.channel_order == "RGB" else signal.flip(2)
        top, left, bottom, right = patch.box
        part = np.ascontiguousarray(signal[top:bottom, left:right].float().cpu().numpy())
        yield replace(patch, signal=part, again=number, notes=made.notes)


def _as_input(x: npt.NDArray[np.float32], backward: Backward) -> torch.Tensor:
    """A picture's numbers as the model takes them."""
    device = next((one.device for one in backward.model.parameters()), torch.device("cpu"))
    return torch.from_numpy(x).to(device, getattr(torch, backward.graph.input_dtypes[0]))


def _photo_box(geometry: Geometry) -> Box:
    """The part of the input that is photo."""
    top, left, bottom, right = geometry.padding
    return top, left, geometry.input_hw[0] - bottom, geometry.input_hw[1] - right


def _common(a: Box, b: Box) -> Box:
    """What two boxes have in common; without area, inside the second, where that is nothing."""
    top, left = min(max(a[0], b[0]), b[2]), min(max(a[1], b[1]), b[3])
    return top, left, max(top, min(a[2], b[2])), max(left, min(a[3], b[3]))


def _inside(a: Box, b: Box) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2] and a[3] <= b[3]
