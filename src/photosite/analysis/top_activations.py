"""Which pictures, and which parts of them, excite the channels of a network most: all channels of some values at once.

One pass over the pictures, in memory that does not grow with their number. A pass that ended early goes on from a file,
to the very same result: batches begin at the same pictures, so that even rounding is the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt
import safetensors
import safetensors.numpy
import torch
from torch import Tensor, nn

from photosite.analysis.aim import Unit
from photosite.analysis.features import Place
from photosite.analysis.largest import Largest
from photosite.analysis.layer_values import known_receptive_fields, like, places_of, up_to
from photosite.analysis.picture_batches import NO_SIZE, Given, PictureBatches, Size
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.errors import RangeError, ShapeError
from photosite.files import write_whole
from photosite.graph.capture import capture, unwrap
from photosite.graph.execute import execute
from photosite.graph.ir import Graph, Node
from photosite.graph.read import model_tensors
from photosite.prep.geometry import Box
from photosite.prep.recipe import Recipe

FORMAT = "photosite top activations 1"


@dataclass(frozen=True)
class TopActivation:
    """One of the largest numbers of a channel.

    Attributes:
        value: the number.
        picture: which picture, counted from 0.
        place: row and column in the map; None of a value without places.
        input_box: (top, left, bottom, right), half open, what the place really sees of the input; None where it sees
            all of it, or that is not known.
        box: the same in the photo, in its pixels, exactly; of all of the input where `input_box` is None. None where
            the photo's size is not known.
        global_by: operations through which the number depends on all of the input, beyond the box.
    """

    value: float
    picture: int
    place: Unit | None
    input_box: tuple[int, int, int, int] | None
    box: Box | None
    global_by: tuple[str, ...]


class TopActivations:
    """The largest numbers of all channels of some values.

    Attributes:
        k: how many for each channel.
        pictures: how many pictures have been seen.
        largest: for each name that was asked for, the numbers as arrays.
        places: for each name, where the value's places lie.
    """

    def __init__(
        self,
        k: int,
        places: Mapping[str, Place],
        fields: ReceptiveFields | None,
        recipe: Recipe | None,
    ) -> None:
        self.k = k
        self.pictures = 0
        self.places = dict(places)
        self.largest = {name: Largest.nothing(place.width, k) for name, place in places.items()}
        self._fields = fields
        self._recipe = recipe

    def top(self, node: str, channel: int) -> list[TopActivation]:
        """The largest numbers of one channel, the largest first; fewer than k where there were fewer pictures.

        Args:
            node: as it was asked for.
            channel: its number.
        Raises:
            RangeError: this was not asked for, or there is no such channel.
        """
        if node not in self.largest:
            raise RangeError(f"top activations: {node} was not asked for, {', '.join(self.largest)} were")
        held, place = self.largest[node], self.places[node]
        if not 0 <= channel < place.width:
            raise RangeError(f"top activations: {node} has {place.width} channels, none at {channel}")
        found = []
        for value, picture, spot, size in zip(
            held.values[channel].tolist(),
            held.pictures[channel].tolist(),
            held.places[channel].tolist(),
            held.sizes[channel].tolist(),
            strict=True,
        ):
            if picture >= 0:
                unit = divmod(spot, place.grid[1]) if place.layout else None
                found.append(TopActivation(value, picture, unit, *self._seen(place, unit, (size[0], size[1]))))
        return found

    def _seen(
        self, place: Place, unit: Unit | None, size_hw: Size
    ) -> tuple[tuple[int, int, int, int] | None, Box | None, tuple[str, ...]]:
        """The box of a place in the input, in the photo, and what makes it see everything."""
        field = None if self._fields is None else self._fields[place.node]
        inside = field.unit_box(unit) if field is not None and unit is not None and field.known else None
        box = None
        if self._recipe is not None and size_hw != NO_SIZE:
            geometry = self._recipe.geometry(size_hw)
            box = geometry.clipped_box(*(inside or (0, 0, *geometry.input_hw)))
        return inside, box, field.global_by if field is not None else ()


def top_activations(
    model: nn.Module,
    pictures: Iterable[Given],
    recipe: Recipe | None,
    nodes: Sequence[str],
    k: int = 9,
    *,
    batch: int = 32,
    state: str | os.PathLike[str] | None = None,
    every: int = 64,
    first: int = 0,
) -> TopActivations:
    """The k pictures and places that excite each channel of some values most.

    Args:
        model: any vision model of one input, left as it was; run as in evaluation.
        pictures: each (H, W, 3) uint8, or a batch that is prepared already, as the model takes it, alone or with the
            sizes of its pictures: `(batch, [(height, width), ...])`. Read once, in order.
        recipe: makes the model's input of a picture, and knows which part of it an input's pixel stands for; None where
            all are prepared and no box in the photo is wanted.
        nodes: names of nodes or paths of modules, whose last value is taken. (B, C, H, W), (B, H, W, C) and tokens have
            places; of (B, D) the numbers themselves count.
        k: how many for each channel, at most one in each picture.
        batch: how many pictures at once; part of the result, as rounding can depend on it.
        state: a file that is written now and then, and continued from where it is there. It holds whole batches only.
        every: after how many batches it is written.
        first: the number of the first of `pictures`, if it is not the first of all: no more than the file has seen, see
            `pictures_seen`.
    Returns:
        The largest numbers, with their places.
    Raises:
        UnknownNameError: there is no such node or module.
        ShapeError: a value has no channels, or pictures give inputs of several sizes.
        RangeError: k, batch, every or first make no sense; no picture came; a picture without a recipe; the file is of
            another question, or cannot be read.
        CaptureError: the model cannot be read.
    Convention: which of equal numbers counts is said at `Largest`.
    """
    for name, number, least in (("k", k, 1), ("batch", batch, 1), ("every", every, 1), ("first", first, 0)):
        if number < least:
            raise RangeError(f"top activations: wants {name} of at least {least}, got {number}")
    rows = PictureBatches(pictures, recipe, batch, like(model), first, "top activations")
    run = _Run(model, rows.shape, rows.dtype, recipe, nodes, k)
    path = None if state is None else Path(state)
    if path is not None and path.exists():
        run.load(path)
    if first > run.found.pictures:
        raise RangeError(
            f"top activations: the first picture is number {first}, but only {run.found.pictures} have been seen"
        )
    saved = run.saved()
    try:
        for number, (x, start, sizes) in enumerate(rows.batches(run.found.pictures)):
            if path is not None and number and number % every == 0:
                write_whole(path, saved)
            run.add(x, start, sizes)
            if path is not None and len(sizes) == batch:  # the last batch, if it is not whole, is done again
                saved = run.saved()
    except (Exception, KeyboardInterrupt):
        if path is not None:
            with contextlib.suppress(OSError):
                write_whole(path, saved)
        raise
    if path is not None:
        write_whole(path, saved)
    return run.found


def growing_top_activations(
    model: nn.Module, pictures: Iterable[Given], recipe: Recipe | None, graph: Graph, nodes: Sequence[str], k: int = 9
) -> Iterator[TopActivations]:
    """The same picture by picture, for who cannot wait: what is known so far behind each, always the same object.

    Args:
        model: as for `top_activations`.
        pictures: likewise; read as they are needed.
        recipe: likewise.
        graph: of the model for one picture, which was read before.
        nodes: as for `top_activations`.
        k: likewise.
    Raises:
        UnknownNameError, ShapeError, RangeError: as `top_activations`, with the first picture or one of another size.
    Matches: `top_activations` with `batch=1`, behind the last picture.
    """
    rows = PictureBatches(pictures, recipe, 1, like(model), 0, "top activations")
    if rows.shape != graph.input_shapes[0]:
        raise ShapeError(f"top activations: pictures give {rows.shape}, the graph takes {graph.input_shapes[0]}")
    run = _Run(model, rows.shape, rows.dtype, recipe, nodes, k, graph)
    for x, start, sizes in rows.batches(0):
        run.add(x, start, sizes)
        yield run.found


def pictures_seen(state: str | os.PathLike[str]) -> int:
    """How many pictures a file of `top_activations` has seen; 0 where there is none.

    Raises:
        RangeError: it is no such file.
    """
    return _read(Path(state))[1] if Path(state).exists() else 0


class _Run:
    """One question to one model: which values, and how many numbers of each channel."""

    def __init__(
        self,
        model: nn.Module,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        recipe: Recipe | None,
        nodes: Sequence[str],
        k: int,
        graph: Graph | None = None,
    ) -> None:
        self.model = model
        if graph is None:
            graph = capture(model, torch.zeros(shape, dtype=dtype, device=like(model).device))
        wanted = {name: graph.find(name) for name in nodes}
        if not wanted:
            raise RangeError("top activations: wants at least 1 value to look at, got none")
        fields = known_receptive_fields(graph)
        places = places_of(wanted, fields, shape[0], "top activations")
        self.graph = up_to(graph, {node.name for node in wanted.values()})
        self.found = TopActivations(k, places, fields, recipe)
        self._input = [*shape[1:], str(dtype)]
        self._batch = shape[0]

    @cached_property
    def asked(self) -> dict[str, Any]:
        """The question, as a file holds it."""
        places, recipe = self.found.places, self.found._recipe
        return {
            "nodes": {name: [place.node, place.layout, *place.grid, place.width] for name, place in places.items()},
            "k": self.found.k,
            "batch": self._batch,
            "input": self._input,
            "recipe": None if recipe is None else recipe.to_dict(),
            "weights": _digest(self.model),
        }

    def add(self, x: Tensor, start: int, sizes: list[Size]) -> None:
        """Take in one batch."""
        wanted = {place.node: (self.found.largest[name], place) for name, place in reversed(self.found.places.items())}

        def look(node: Node, value: Any, milliseconds: float) -> None:
            if node.name in wanted:
                largest, place = wanted[node.name]
                largest.add(value, place, start, sizes)

        with torch.inference_mode():
            execute(self.graph, self.model, x, on_node=look)
        for name, place in self.found.places.items():  # two names of one value
            self.found.largest[name] = wanted[place.node][0]
        self.found.pictures += len(sizes)

    def saved(self) -> bytes:
        """All there is, as the bytes of a file."""
        arrays = {
            f"{number}.{key}": array
            for number, held in enumerate(self.found.largest.values())
            for key, array in held.arrays().items()
        }
        about = {"format": FORMAT, "asked": json.dumps(self.asked), "pictures": str(self.found.pictures)}
        data: bytes = safetensors.numpy.save(arrays, about)
        return data

    def load(self, path: Path) -> None:
        """Go on from a file."""
        asked, pictures, arrays = _read(path)
        now = json.loads(json.dumps(self.asked))
        other = [key for key in now if asked.get(key) != now[key]]
        if other:
            shown = "; ".join(
                f"{key}" if key in ("weights", "recipe") else f"{key} {asked.get(key)} there, {now[key]} here"
                for key in other
            )
            raise RangeError(f"top activations: {path} is of another question: {shown}")
        self.found.pictures = pictures
        for number, name in enumerate(self.found.largest):
            held = {key.partition(".")[2]: array for key, array in arrays.items() if key.startswith(f"{number}.")}
            try:
                self.found.largest[name] = Largest.from_arrays(held)
            except KeyError as error:
                raise RangeError(f"top activations: {path} lacks {error} of {name}") from error


def _read(path: Path) -> tuple[dict[str, Any], int, dict[str, npt.NDArray[Any]]]:
    """What was asked, how many pictures were seen, and the numbers."""
    try:
        with safetensors.safe_open(path, framework="np") as file:
            about = file.metadata() or {}
            if about.get("format") != FORMAT:
                raise ValueError(f"its format is {about.get('format')!r}")
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no dict
            return json.loads(about["asked"]), int(about["pictures"]), arrays
    except (safetensors.SafetensorError, ValueError, KeyError, OSError) as error:
        raise RangeError(f"top activations: {path} is no state of a run: {error}") from error


def _digest(model: nn.Module) -> str:
    """The same for the same weights."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in model_tensors(unwrap(model)[0]).items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
