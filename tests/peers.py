"""The libraries that tests compare with: imported where they are installed, a visible skip where they are not.

With PHOTOSITE_REQUIRE_PEERS set (CI does) a missing peer is a failure instead.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any, NoReturn
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest

from photosite.errors import MissingExtraError
from photosite.nets import sources


def missing_peer(name: str, reason: object) -> NoReturn:
    """Skip the running test, or fail it where peers are required."""
    text = f"peer {name} cannot be imported: {reason}"
    if os.environ.get("PHOTOSITE_REQUIRE_PEERS"):
        pytest.fail(text)
    pytest.skip(text)


def import_torchvision() -> Any:
    """Import torchvision the way the product does; skip where it is missing."""
    try:
        return sources.import_torchvision()
    except MissingExtraError as error:
        missing_peer("torchvision", error)


def import_peer(name: str) -> Any:
    """Import a module that only tests use, and undo what it does to others; skip where it is missing.

    colour changes how NumPy prints, and where matplotlib is missing it puts mocks in its place.
    """
    try:
        with np.printoptions():
            module = importlib.import_module(name)
    except ImportError as error:
        missing_peer(name, error)
    for other in [key for key, value in sys.modules.items() if isinstance(value, Mock)]:
        del sys.modules[other]
    return module


def import_captum() -> Any:
    """Import captum.attr; skip where it is missing.

    captum wants matplotlib before it does anything. Nothing that is compared here is drawn: where it is missing,
    something that answers to its names stands there while captum is imported.
    """
    if importlib.util.find_spec("matplotlib") is None:
        parts = ("", ".axes", ".cm", ".collections", ".colors", ".figure", ".image", ".pyplot")
        names = [*(f"matplotlib{part}" for part in parts), "mpl_toolkits", "mpl_toolkits.axes_grid1"]
        sys.modules.update({name: MagicMock() for name in names if name not in sys.modules})
    return import_peer("captum.attr")


def import_grad_cam() -> Any:
    """Import pytorch_grad_cam; skip where it is missing.

    It wants matplotlib and scikit-learn for what is not compared here; where they are missing, mocks stand there.
    """
    import_torchvision()
    wanted = {
        "matplotlib": ("", ".pyplot", ".lines"),
        "sklearn": ("", ".decomposition"),
    }
    for name, parts in wanted.items():
        if importlib.util.find_spec(name) is None:
            sys.modules.update({f"{name}{part}": MagicMock() for part in parts if f"{name}{part}" not in sys.modules})
    return import_peer("pytorch_grad_cam")
