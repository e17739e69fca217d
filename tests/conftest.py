"""What all tests share: where real data lies, and the flags that choose slow tests."""

from __future__ import annotations

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # one thread for each of several processes; read when torch is loaded
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

ROOT = Path(__file__).resolve().parent.parent


def data_folder() -> Path | None:
    """Folder with real photos and weights: $PHOTOSITE_DATA, else ../shared/data beside the checkout."""
    folder = Path(os.environ.get("PHOTOSITE_DATA", ROOT.parent / "shared" / "data"))
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; the test is skipped, visibly, where there is none."""
    folder = data_folder()
    if folder is None:
        pytest.skip("no real data here: set PHOTOSITE_DATA to a folder with photos/, cifar10/ and weights/")
    return folder


@pytest.fixture(scope="session")
def photos(shared_data: Path) -> list[Path]:
    """The real photos, sorted by name."""
    return sorted((shared_data / "photos").iterdir())
