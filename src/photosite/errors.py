"""Everything that photosite raises because of what it was given.

    PhotositeError
    ├── ShapeError            an array has the wrong axes (also a ValueError)
    ├── RangeError            a number lies outside what is allowed (also a ValueError)
    ├── PictureError          a picture cannot be opened; `.code` is one of FAILURE_CODES
    ├── UnknownNameError      no model, recipe or sample of that name; near names are suggested (also a LookupError)
    ├── WeightsError          weights cannot be used (also a ValueError)
    │   ├── UnsafeWeightsError    they would run code, or unpack into far more than they are
    │   ├── CorruptWeightsError   the file is damaged, or not a weights file
    │   └── MismatchedWeightsError  keys or shapes differ from the model's
    ├── DatasetError          training data cannot be read as pictures in classes
    ├── CaptureError          a model cannot be read as a graph
    ├── UnsupportedOpError    a graph has operations that nothing is known of; `.ops` counts them
    └── MissingExtraError     an optional package is not installed (also an ImportError)

A message is one line: who, what was wanted, what came, and where it helps what to do.
Knows nothing of how an error is shown; the command line turns any of these into one line and exit code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

FAILURE_CODES: tuple[str, ...] = (
    "empty",
    "not_an_image",
    "format_not_allowed",
    "heic_needs_extra",
    "truncated",
    "corrupt",
    "invalid_header",
    "invalid_metadata",
    "too_many_pixels",
    "too_large_file",
    "too_small",
    "unsupported_range",
    "unreadable",
    "not_regular",
    "vanished",
    "timeout",
    "decoder_crashed",
    "out_of_memory",
    "nonfinite",
)
"""The closed list of reasons for which one picture can fail; published, so never renamed."""


class PhotositeError(Exception):
    """The base of all errors that a user's input can cause."""


class ShapeError(PhotositeError, ValueError):
    """An array does not have the axes that were asked for."""


class RangeError(PhotositeError, ValueError):
    """A number lies outside what is allowed."""


class PictureError(PhotositeError):
    """A picture cannot be opened or used; `code` says why, in one word of `FAILURE_CODES`."""

    def __init__(self, code: str, source: str, detail: str) -> None:
        """Join code, source and detail into one line.

        Args:
            code: one of `FAILURE_CODES`.
            source: what was opened, as it may be shown in a terminal (control characters escaped).
            detail: what was found, and what to do about it.
        """
        assert code in FAILURE_CODES, code
        self.code = code
        self.source = source
        self.detail = detail
        super().__init__(f"{source}: {code}: {detail}")

    def __reduce__(self) -> tuple[type[PictureError], tuple[str, str, str]]:
        """Keep the three parts when the error crosses a process border."""
        return type(self), (self.code, self.source, self.detail)


class UnknownNameError(PhotositeError, LookupError):
    """No entry of that name; up to three near ones are suggested."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Say which `kind` of thing was looked for, and which known names are near."""
        self.kind = kind
        self.name = name
        names = sorted(known)
        lowered = {n.lower(): n for n in names}
        close = difflib.get_close_matches(name.lower(), lowered, n=12, cutoff=0.5)
        self.near = [lowered[n] for n in sorted(close, key=lambda n: _distance(name.lower(), n))[:3]]
        hint = f"did you mean {', '.join(self.near)}?" if self.near else f"known: {', '.join(names[:12])}"
        super().__init__(f"no {kind} named {name!r}; {hint}")

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, str, list[str]]]:
        """Keep the parts when the error crosses a process border."""
        return type(self), (self.kind, self.name, list(self.near))


def _distance(name: str, known: str) -> tuple[float, int]:
    """How far two names are apart; of equally far ones, the one that begins alike for longer comes first."""
    alike = next((k for k, (a, b) in enumerate(zip(name, known, strict=False)) if a != b), min(len(name), len(known)))
    return -round(difflib.SequenceMatcher(None, known, name).ratio(), 6), -alike


class WeightsError(PhotositeError, ValueError):
    """Weights cannot be used."""


class UnsafeWeightsError(WeightsError):
    """The file would run code when loaded, or unpack into far more bytes than it has."""


class CorruptWeightsError(WeightsError):
    """The file is damaged, cut short, or not a weights file at all."""


class MismatchedWeightsError(WeightsError):
    """Keys are missing or extra, or shapes differ; the message lists them, with both shapes.

    `missing` and `unexpected` have all such names, `misshapen` all (name, shape in the weights, shape in the model).
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = ()


class DatasetError(PhotositeError):
    """Training data cannot be read as pictures sorted into classes."""


class CaptureError(PhotositeError):
    """A model cannot be read as a graph; the message names the line of the model's own code."""


class UnsupportedOpError(PhotositeError):
    """Operations of a graph have no row in the op table, or a dtype has no counterpart; `ops` counts them by name."""

    def __init__(self, message: str, ops: dict[str, int]) -> None:
        """Keep the counts beside the message."""
        self.ops = ops
        super().__init__(message)

    def __reduce__(self) -> tuple[type[UnsupportedOpError], tuple[str, dict[str, int]]]:
        """Keep the counts when the error crosses a process border."""
        return type(self), (str(self), self.ops)


class MissingExtraError(PhotositeError, ImportError):
    """An optional package is needed and not installed; the message has the pip line."""

    def __init__(self, package: str, extra: str | None, purpose: str) -> None:
        """Say what the package is needed for and how to install it; without an extra it has to fit the torch there."""
        alone = f"pip install --no-deps {package}, in a version that fits your torch"
        how = f"pip install 'photosite[{extra}]'" if extra else alone
        super().__init__(f"{purpose} needs {package}: {how}")
