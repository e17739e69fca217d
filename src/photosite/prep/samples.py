"""Real photos that need no download: those that scikit-image carries inside its package."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from photosite.errors import MissingExtraError, UnknownNameError

SAMPLES: dict[str, str] = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "hubble": "hubble_deep_field.jpg",
    "moon": "moon.png",
    "motorcycle": "motorcycle_left.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}
"""File names in `skimage/data`, whose README states source and license of each; chelsea is a cat."""


def sample_path(name: str) -> Path:
    """Find the file of a sample photo; scikit-image itself is not imported.

    Raises:
        UnknownNameError: no sample of that name.
        MissingExtraError: scikit-image is not installed.
    """
    if name.lower() not in SAMPLES:
        raise UnknownNameError("sample", name, SAMPLES)
    found = importlib.util.find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError("scikit-image", "samples", f"the sample photo {name}")
    path = Path(found.submodule_search_locations[0]) / "data" / SAMPLES[name.lower()]
    if not path.is_file():
        raise MissingExtraError("a scikit-image that carries this photo", "samples", f"the sample photo {name}")
    return path
