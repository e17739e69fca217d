"""What a page may look at: photos and a model, each under a name that says nothing of where it came from.

Photos are held as pixels, never as paths: what the user did not name cannot be asked for.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from photosite.errors import CaptureError, RangeError, UnknownNameError
from photosite.explorer.collection import Collected
from photosite.explorer.front_ends import FrontEnd
from photosite.graph.capture import capture
from photosite.graph.ir import Graph
from photosite.prep.load import load
from photosite.prep.recipe import Picture, Recipe

T = TypeVar("T")
PHOTOS_AT_MOST = 6
"""So many photos are held; the one that was not looked at longest goes first."""
SIDE = 224
"""Side of the input of a model that does not say one."""
KEPT_BYTES = 512 << 20
"""Results are kept up to so many bytes."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo.

    Attributes:
        key: what a page calls it.
        title: what a person calls it: the last part of its name.
        picture: (H, W, 3) uint8, upright sRGB.
    """

    key: str
    title: str
    picture: Picture


@dataclass(frozen=True, eq=False)
class Model:
    """A model.

    Attributes:
        key: what a page calls it.
        name: as the user named it.
        network: in evaluation mode.
        recipe: how a photo becomes its input; None where that is not known.
        classes: their names; () where they are not known.
        notes: what a person should know of its weights.
    """

    key: str
    name: str
    network: nn.Module
    recipe: Recipe | None
    classes: tuple[str, ...]
    notes: tuple[str, ...]


class Workspace:
    """Everything that a page may look at, and what was computed of it.

    Args:
        find: builds a model by its name; called for the names in `models` alone.
        models: the names that a page may ask for.
        front_ends: whose tokens a page may ask for.

    Attributes:
        front_ends: by name.
        collection: photos of a folder that the user named, none of them opened yet.
    """

    def __init__(
        self,
        find: Callable[[str], nn.Module] | None = None,
        models: tuple[str, ...] = (),
        front_ends: Sequence[FrontEnd] = (),
    ) -> None:
        self._find, self.names = find, models
        self.front_ends = {one.name: one for one in front_ends}
        self.collection: tuple[Collected, ...] = ()
        self._lock = threading.Lock()
        self._photos: OrderedDict[str, Photo] = OrderedDict()
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._kept_bytes = 0

    def add_photo(self, source: Any, title: str) -> Photo:
        """Open a photo: a path that the user named, or the bytes of a file.

        Args:
            source: as `photosite.prep.load.load` takes it, or a picture (H, W, 3) uint8.
            title: what a person calls it.
        Raises:
            PictureError: it does not open.
        """
        picture = source if hasattr(source, "shape") else load(source)
        key = hashlib.blake2b(picture.tobytes() + repr(picture.shape).encode(), digest_size=12).hexdigest()
        photo = Photo(key, title[:200], picture)
        with self._lock:
            self._photos[key] = photo
            self._photos.move_to_end(key)
            while len(self._photos) > PHOTOS_AT_MOST:
                self._photos.popitem(last=False)
        return photo

    def photo(self, key: str) -> Photo:
        """The photo that a page names.

        Raises:
            UnknownNameError: there is none of that name, or it was forgotten.
        """
        with self._lock:
            if key not in self._photos:
                raise UnknownNameError("photo", key[:40], tuple(self._photos))
            self._photos.move_to_end(key)
            return self._photos[key]

    def photos(self) -> list[Photo]:
        """All photos, the last one that was looked at first."""
        with self._lock:
            return list(reversed(self._photos.values()))

    def add_model(self, name: str, network: nn.Module, recipe: Recipe | None = None) -> Model:
        """Take a model that was built.

        Args:
            name: as the user named it.
            network: put into evaluation mode already.
            recipe: how a photo becomes its input; its own one if not given.
        """
        key = hashlib.blake2b(f"{name} {id(network)}".encode(), digest_size=12).hexdigest()
        own = recipe if recipe is not None else getattr(network, "photo_recipe", None)
        classes, notes = getattr(network, "classes", None) or (), getattr(network, "weights_notes", None) or ()
        model = Model(key, name, network, own, tuple(classes), tuple(notes))
        with self._lock:
            self._models[key] = model
        return model

    def model(self, key: str) -> Model:
        """The model that a page names.

        Raises:
            UnknownNameError: there is none of that name.
        """
        with self._lock:
            if key not in self._models:
                raise UnknownNameError("model", key[:40], tuple(self._models))
            return self._models[key]

    def models(self) -> list[Model]:
        """All models that were built, in the order in which they came."""
        with self._lock:
            return list(self._models.values())

    def build(self, name: str) -> Model:
        """Build a model that a page asks for by its name.

        Raises:
            UnknownNameError: a page may not ask for it.
            RangeError: no model can be built here.
        """
        for model in self.models():
            if model.name == name:
                return model
        if self._find is None:
            raise RangeError("models cannot be built here: it was started with one")
        if name not in self.names:
            raise UnknownNameError("model", name[:80], self.names)
        return self.add_model(name, self._find(name))

    def graph(self, model: Model, shape: tuple[int, ...] | None = None) -> Graph:
        """The model as a graph, read once for each shape of input, whichever view asks.

        Args:
            model: of this workspace.
            shape: of the input, the batch in front; if not given, the one that the model says, or that of a square of
                `SIDE`.
        Raises:
            CaptureError: it cannot be read.
        """
        wanted = tuple(shape) if shape is not None else _input_shape(model)

        def make() -> Graph:
            try:
                return capture(model.network, torch.zeros(wanted))
            except CaptureError as error:
                raise CaptureError(f"{model.name}: {error}") from error

        return self.once(("graph", model.key, wanted), make, 1 << 20)

    def known(self, key: Hashable) -> Any:
        """What was computed before by `once`; None where it was not, or was forgotten."""
        with self._lock:
            return self._kept.get(key, (None, 0))[0]

    def once(self, key: Hashable, make: Callable[[], T], size: int | Callable[[T], int]) -> T:
        """What was computed before, or is now.

        Args:
            key: everything that the result follows from.
            make: computes it.
            size: bytes of it, or how to count them.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: T = self._kept[key][0]
                return found
        made = make()
        octets = size if isinstance(size, int) else size(made)
        with self._lock:
            if octets <= KEPT_BYTES and key not in self._kept:
                self._kept[key] = (made, octets)
                self._kept_bytes += octets
                while self._kept_bytes > KEPT_BYTES:
                    self._kept_bytes -= self._kept.popitem(last=False)[1][1]
        return made


def _input_shape(model: Model) -> tuple[int, ...]:
    """The input that a model says it takes, for one picture, in the layout that it says."""
    height, width = (model.recipe.input_hw if model.recipe is not None else None) or (SIDE, SIDE)
    last = model.recipe is not None and model.recipe.layout == "BHWC"
    return (1, height, width, 3) if last else (1, 3, height, width)
