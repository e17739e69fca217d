"""What the explorer needs of a front end of a vision-language model: it is handed those that there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from photosite.lightpath.table import TokenTable


class FrontEnd(Protocol):
    """Everything between a photo and the tokens of a language model, as far as a page shows it."""

    @property
    def name(self) -> str:
        """As a person calls it."""

    @property
    def source(self) -> str:
        """Where its constants come from."""

    @property
    def merge(self) -> int:
        """So many patches, down and across, become one token."""

    @property
    def global_by(self) -> Sequence[str]:
        """What makes each token see all of its tile."""

    def count(self, size_hw: tuple[int, int]) -> Any:
        """Tokens of a photo: `total`, `tiles`, `base`, `newlines`, `separators` and `prefix`.

        Args:
            size_hw: of the photo, upright.
        Raises:
            RangeError: it refuses photos of this size.
        """

    def table(self, size_hw: tuple[int, int]) -> TokenTable:
        """The ways of all tokens.

        Args:
            size_hw: of the photo, upright.
        Raises:
            RangeError: it refuses photos of this size.
        """

    def pictures(self, picture: npt.NDArray[np.uint8]) -> Sequence[npt.NDArray[Any]]:
        """What the encoder gets, before it becomes numbers: a picture a tile, (h, w, 3) levels.

        Args:
            picture: (H, W, 3), upright.
        """
