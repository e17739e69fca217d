"""The explorer with everything that this library has: all its networks by name, and all its front ends."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from photosite.explorer import session
from photosite.explorer.session import Session
from photosite.lightpath import TokenTable, token_table
from photosite.nets import list_models
from photosite.nets.sources import find_model
from photosite.tokens import FrontEnd, front_end, list_front_ends
from photosite.tokens.tile import run


@dataclass(frozen=True)
class ShownFrontEnd:
    """A front end, as the explorer takes it.

    Attributes:
        of: from `photosite.tokens.front_end`.
    """

    of: FrontEnd

    @property
    def name(self) -> str:
        """Its name."""
        return self.of.name

    @property
    def source(self) -> str:
        """Where its constants come from."""
        return self.of.source

    @property
    def merge(self) -> int:
        """So many patches, down and across, become one token."""
        return self.of.merge

    @property
    def global_by(self) -> tuple[str, ...]:
        """What makes each token see all of its tile."""
        return self.of.global_by

    def count(self, size_hw: tuple[int, int]) -> Any:
        """Count tokens."""
        return self.of.count(size_hw)

    def table(self, size_hw: tuple[int, int]) -> TokenTable:
        """Follow all tokens."""
        return token_table(self.of, size_hw)

    def pictures(self, picture: npt.NDArray[np.uint8]) -> Sequence[npt.NDArray[Any]]:
        """Make the tiles."""
        return run(picture, self.of.tiles((picture.shape[0], picture.shape[1])))


def explore(
    photo: Any = None,
    model: nn.Module | str | None = None,
    *,
    weights: str | None = None,
    collection: str | os.PathLike[str] | None = None,
    port: int = 0,
    host: str = "127.0.0.1",
    open_browser: bool = False,
) -> Session:
    """Serve the explorer's page; returns at once.

    Args:
        photo: a path, bytes or open file, or a picture (H, W, 3) uint8; a photo of scikit-image's if not given, where
            that is installed, else none.
        model: a module, which is put into evaluation mode, or a name as of `create_model`; the page can build others.
        weights: of a model that is named: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME,
            "default" or "random".
        collection: a folder of photos, in which those are found that excite a channel most; those that are open in the
            page if not given.
        port: 0 for any that is free.
        host: an address of this machine. Whoever reaches it and has the token may look.
        open_browser: open the page in the user's browser.
    Raises:
        PictureError: the photo does not open.
        UnknownNameError: there is no such model.
        PhotositeError: the address is in use, or is none of this machine; the collection has no photos.

    >>> import numpy as np
    >>> with explore(np.zeros((2, 3, 3), np.uint8)) as running:
    ...     running.workspace.front_ends["qwen2-vl"].count((1080, 1920)).total
    1222
    """

    def find(name: str) -> nn.Module:
        return find_model(name, weights if name == model else None)

    return session.explore(
        photo,
        model,
        find=find,
        names=tuple(list_models()),
        front_ends=[ShownFrontEnd(front_end(name)) for name in list_front_ends()],
        collection=collection,
        port=port,
        host=host,
        open_browser=open_browser,
    )
