"""The libraries that tests compare with: imported where they are installed, a visible skip where they are not.

With PHOTOSITE_REQUIRE_PEERS set (CI does) a missing peer is a failure instead.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import NoReturn

import pytest

_LIBRARIES: list[object] = []  # torch drops an operator with the Library that defined it


def missing_peer(name: str, reason: object) -> NoReturn:
    """Skip the running test, or fail it where peers are required."""
    text = f"peer {name} cannot be imported: {reason}"
    if os.environ.get("PHOTOSITE_REQUIRE_PEERS"):
        pytest.fail(text)
    pytest.skip(text)


def import_torchvision() -> ModuleType:
    """Import torchvision with `.transforms` and `.models`, also where its compiled part does not fit the torch here.

    Its published wheel wants a CUDA torch: beside a CPU build the operators `nms` and `qnms` are missing, and the
    import fails. Models and transforms do not use them, so a declaration is enough.
    """
    try:
        return _torchvision()
    except ImportError as error:
        missing_peer("torchvision", error)
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            missing_peer("torchvision", error)
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _LIBRARIES.append(library)
    try:
        return _torchvision()
    except (ImportError, RuntimeError) as error:
        missing_peer("torchvision", error)


def _torchvision() -> ModuleType:
    for part in ("transforms", "transforms.functional", "models"):
        importlib.import_module(f"torchvision.{part}")
    return importlib.import_module("torchvision")
