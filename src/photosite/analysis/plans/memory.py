"""The values of one run of a plan, in memory that is used again as soon as nobody reads what is in it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from photosite.analysis.plans.crew import Crew
from photosite.ops.arrays import Array
from photosite.ops.blocks import Workspace


class Memory:
    """Values by name; and arrays to put new ones in.

    Fresh memory has to be fetched from the system page by page, which costs more than a pass over the numbers.

    Attributes:
        crew: who works on it.
        keeps: whether every value is kept for the way back, those before activations too.
        values: by name.
        workspaces: scratch memory, one for each member of the crew.
    """

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.keeps = False
        self.values: dict[str, Any] = {}
        self.workspaces = [Workspace() for _ in range(crew.size)]
        self._free: list[Array] = []
        self._owned: dict[int, Array] = {}  # flat arrays that hold values, by id
        self._users: dict[int, int] = {}  # how many values lie in an array

    def array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array of that shape with whatever numbers were in it."""
        size = math.prod(shape)
        fitting = [flat for flat in self._free if flat.dtype == dtype and flat.size >= size]
        if fitting:
            flat = min(fitting, key=len)
            self._free = [other for other in self._free if other is not flat]
        else:
            self._free = sorted(self._free, key=len)[:-1]  # the largest was too small: let it go and make a larger one
            flat = np.empty(size, dtype)
        self._owned[id(flat)] = flat
        return flat[:size].reshape(shape)

    def put(self, name: str, value: Any) -> None:
        """Keep a value."""
        self.values[name] = value
        for root in _roots(value):
            self._users[root] = self._users.get(root, 0) + 1

    def drop(self, name: str) -> None:
        """Let a value go; an array that no other value is a view of can be used again."""
        for root in _roots(self.values.pop(name)):
            self._users[root] -= 1
            if not self._users[root]:
                del self._users[root]
                flat = self._owned.pop(root, None)
                if flat is not None:
                    self._free.append(flat)

    def give_back(self, array: Array) -> None:
        """Use an array of ours again that holds no value."""
        for root in _roots(array):
            flat = None if root in self._users else self._owned.pop(root, None)
            if flat is not None:
                self._free.append(flat)

    def clear(self) -> None:
        """Let all values go, and whatever else was made in a run."""
        for name in list(self.values):
            self.drop(name)
        self._free += self._owned.values()
        self._owned.clear()


def _roots(value: Any) -> list[int]:
    """The arrays in whose memory a value lies, by id."""
    if isinstance(value, list):
        return [root for part in value for root in _roots(part)]
    while isinstance(value.base, np.ndarray):
        value = value.base
    return [id(value)]
