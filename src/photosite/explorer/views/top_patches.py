"""The photos of a collection that excite a channel most, each cut down to what the unit sees, found bit by bit."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from photosite.analysis.picture_batches import Given
from photosite.analysis.top_activations import TopActivations, growing_top_activations
from photosite.analysis.top_patches import Patch, top_patches
from photosite.errors import PhotositeError, RangeError
from photosite.explorer.api import photo_words
from photosite.explorer.collection import Collected
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.captured import Looked, looked
from photosite.explorer.views.recipes import chosen_recipe
from photosite.explorer.workspace import Workspace
from photosite.graph.capture import unwrap
from photosite.prep.recipe import Picture, Recipe

PATCHES = 8
"""So many photos of a channel."""
SECONDS = 0.25
"""An answer comes after about so long, with what is known by then, so that other questions get their turn."""


class Pass:
    """A collection on its way through a network, as far as one value.

    Args:
        photos: in their order.
        seen: the model, and the size that its input has to have.
        recipe: makes the input.
        node: whose channels are looked at.
    Attributes:
        read: so many photos have been opened.
        good: the numbers of those that count.
        left_out: the others, a line each.
        found: the largest numbers so far.
        ended: whether that is all.
    Raises:
        ShapeError: the node has no channels.
        RangeError: not one photo can be looked at.
    """

    def __init__(self, photos: Sequence[Collected], seen: Looked, recipe: Recipe, node: str) -> None:
        self.photos, self.recipe, self.node = photos, recipe, node
        self.read = 0
        self.good: list[int] = []
        self.left_out: list[str] = []
        self.ended = False
        self._shape = tuple(seen.x.shape)
        network, graph = unwrap(seen.captured.model.network)[0], seen.captured.graph
        self._steps = growing_top_activations(network, self._inputs(), recipe, graph, [node], PATCHES)
        self.found: TopActivations = next(self._steps)

    def _inputs(self) -> Iterator[Given]:
        for number, one in enumerate(self.photos):
            try:
                picture = one.load()
                x = self.recipe(picture)
                if x.shape != self._shape:
                    raise RangeError(f"becomes {x.shape}, and the network was read for {self._shape}")
            except PhotositeError as error:
                self.left_out.append(f"{one.title}: {error}")
                self.read = number + 1
                continue
            self.good.append(number)
            self.read = number + 1
            yield x, [(picture.shape[0], picture.shape[1])]

    def go_on(self, question: Question, seconds: float) -> None:
        """Look at one more photo, and at others until so many seconds are over."""
        until = time.perf_counter() + seconds
        while not self.ended:
            question.check()
            self.ended = next(self._steps, None) is None
            if time.perf_counter() >= until:
                break

    def opened(self, numbers: Sequence[int]) -> Iterable[tuple[int, Picture]]:
        """Photos once more, by their numbers among those that count."""
        return ((number, self.photos[self.good[number]].load()) for number in numbers)


def patches(workspace: Workspace, question: Question) -> Answer:
    """What excites a channel most, among the photos that were looked at so far; asked again until it has `ended`.

    Args:
        workspace: has the collection.
        question: `photo`, of which only the size of the input matters; `model`, `node`, `channel`.
    Returns:
        `patches`, the largest first: title, value, place, the box of the photo, whether it is all that the model gets,
        `number` in the collection, and `photo` where it is open; the pixels of each as the array `0`, `1`, …, (h, w, 3)
        uint8, as the recipe resized them. `read` of `of` photos; `left_out`, lines; `named`, whether the user named the
        collection.
    Raises:
        UnknownNameError: there is no such node.
        ShapeError: the node has no channels.
        RangeError: there is no such channel, or not one photo can be looked at.
    """
    seen = looked(workspace, question)
    node = seen.captured.graph.node(question.text("node"))
    photos, keys = _photos(workspace)
    run = workspace.once(
        ("patches", seen.captured.model.key, tuple(seen.x.shape), node.name, tuple(keys)),
        lambda: Pass(photos, seen, chosen_recipe(workspace, question), node.name),
        8 << 20,
    )
    run.go_on(question, SECONDS)
    width = run.found.places[node.name].width
    channel = question.integer("channel", 0, width - 1)
    fields = {node.name: seen.captured.fields[node.name]}
    cut: list[Patch] = []
    for one in top_patches(run.found, {node.name: [channel]}, run.opened, run.recipe, fields):
        question.check()
        cut.append(one)
    cut.sort(key=lambda one: one.rank)
    return pack(
        {
            "node": node.name,
            "channel": channel,
            "named": not keys,
            "of": len(run.photos),
            "read": run.read,
            "ended": run.ended,
            "left_out": run.left_out,
            "patches": [_words(one, run, keys) for one in cut],
        },
        {str(at): one.pixels for at, one in enumerate(cut)},
    )


def collected(workspace: Workspace, question: Question) -> Answer:
    """Open a photo of the collection that the user named.

    Args:
        workspace: gets it.
        question: `number` of the photo.
    Raises:
        RangeError: no collection was named, or there is no such photo.
    """
    if not workspace.collection:
        raise RangeError("collected: no collection was named")
    one = workspace.collection[question.integer("number", 0, len(workspace.collection) - 1)]
    return pack(photo_words(workspace.add_photo(one.load(), one.title)))


def _photos(workspace: Workspace) -> tuple[tuple[Collected, ...], list[str]]:
    """The collection; or the photos that are open, with their keys, in an order that looking does not change."""
    if workspace.collection:
        return workspace.collection, []
    held = sorted(workspace.photos(), key=lambda one: one.key)
    return tuple(Collected(one.title, lambda one=one: one.picture) for one in held), [one.key for one in held]  # type: ignore[misc]


def _words(one: Patch, run: Pass, keys: Sequence[str]) -> dict[str, Any]:
    number = run.good[one.top.picture]
    return {
        "number": number,
        "photo": keys[number] if keys else "",
        "title": run.photos[number].title,
        "value": one.top.value,
        "place": one.top.place,
        "box": None if one.top.box is None else [float(edge) for edge in one.top.box],
        "whole": one.whole,
    }
