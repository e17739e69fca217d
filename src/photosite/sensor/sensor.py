"""What an image sensor is, in numbers with units: the `Sensor`, and a typical full-frame one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from photosite.errors import RangeError
from photosite.sensor.bayer import channel_at
from photosite.shapes import is_number

LIMITS: dict[str, tuple[bool, float, float, str]] = {
    "full_well_electrons": (False, 1, 1e9, "a number from 1 to 1e9"),
    "read_noise_electrons": (False, 0, 1e6, "a number from 0 to 1e6"),
    "dark_current_electrons_per_second": (False, 0, 1e9, "a number from 0 to 1e9"),
    "gain_electrons_per_count": (False, 1e-6, 1e6, "a number from 1e-6 to 1e6"),
    "bit_depth": (True, 1, 16, "a whole number from 1 to 16"),
    "black_level_counts": (True, 0, 2**16 - 1, "a whole number from 0 to 65535"),
}
"""What may stand in each field that holds one number: whole or not, lowest, highest, in words."""


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """An image sensor behind a Bayer mosaic, every photosite alike.

    The defaults are round figures typical of a 35 mm CMOS sensor with photosites of about 6 µm at its lowest ISO; they
    are no certain camera's. Not modeled: differences between photosites, blooming, nonlinearity near the full well.

    Args:
        quantum_efficiency_rgb: electrons per photon that reaches a red, green and blue photosite, averaged over the
            light that the filter is meant for, its losses included; each above 0, at most 1.
        full_well_electrons: how many electrons a photosite can hold.
        read_noise_electrons: standard deviation (rms) of what reading out adds, whatever the light.
        dark_current_electrons_per_second: what warmth alone frees in a photosite, on average.
        gain_electrons_per_count: how many electrons raise the raw value by 1. Cameras also state its inverse, counts
            per electron, by the same name; a higher ISO is fewer electrons per count.
        bit_depth: of a raw value, 1 … 16.
        black_level_counts: added to every raw value so that noise around zero is not cut off.
        pattern: one of `photosite.sensor.PATTERNS`.
    Raises:
        RangeError: a number is out of range or not finite, or no count is left between black and white.
        UnknownNameError: there is no such pattern.
    Source: the linear model of EMVA standard 1288. The defaults lie within what is published: 53,400 electrons measured
        in one 35 mm sensor of 8.5 µm (ejmartin, dpreview.com forum post 25663276); read noise from under 2 to about 15
        electrons (R. N. Clark, "Digital Camera Reviews and Sensor Performance Summary"); an efficiency of 0.65 at
        green's peak (Basler, "About EMVA1288 Reports for Color Sensors"), which an average over a filter's band stays
        below. Dark current is the loosest: it doubles with every 6 to 8 °C.

    >>> Sensor().white_level_counts, Sensor(bit_depth=12, black_level_counts=64).white_level_counts
    (16137, 4095)
    """

    quantum_efficiency_rgb: tuple[float, float, float] = (0.40, 0.52, 0.45)
    full_well_electrons: float = 50_000.0
    read_noise_electrons: float = 3.0
    dark_current_electrons_per_second: float = 0.1
    gain_electrons_per_count: float = 3.2
    bit_depth: int = 14
    black_level_counts: int = 512
    pattern: str = "RGGB"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, and make NumPy's numbers plain."""
        efficiency: Any = self.quantum_efficiency_rgb
        if not (
            isinstance(efficiency, Sequence | np.ndarray)
            and len(efficiency) == 3
            and all(is_number(share, False, 0, 1) and share > 0 for share in efficiency)
        ):
            raise self._wrong("quantum_efficiency_rgb", "3 numbers above 0 and at most 1")
        object.__setattr__(self, "quantum_efficiency_rgb", tuple(float(share) for share in efficiency))
        for field, (whole, low, high, wanted) in LIMITS.items():
            value = getattr(self, field)
            if not is_number(value, whole, low, high):
                raise self._wrong(field, wanted)
            object.__setattr__(self, field, int(value) if whole else float(value))  # frozen for everyone else
        channel_at(self.pattern)
        if self.white_level_counts <= self.black_level_counts:
            raise RangeError(
                f"sensor: wants white above black, got black {self.black_level_counts} and white "
                f"{self.white_level_counts} counts: the lower of {self.max_counts}, the highest of {self.bit_depth} "
                "bits, and black_level_counts + full_well_electrons / gain_electrons_per_count"
            )

    @property
    def max_counts(self) -> int:
        """The highest raw value that the bit depth can hold."""
        return int(2**self.bit_depth - 1)

    @property
    def white_level_counts(self) -> int:
        """The raw value at which a photosite stops telling more light from less: full well or highest value."""
        full = self.black_level_counts + int(self.full_well_electrons / self.gain_electrons_per_count)
        return min(full, self.max_counts)

    @property
    def range_electrons(self) -> float:
        """How many electrons lie between the black and the white level."""
        return (self.white_level_counts - self.black_level_counts) * self.gain_electrons_per_count

    def _wrong(self, field: str, wanted: str) -> RangeError:
        return RangeError(f"sensor: {field} wants {wanted}, got {getattr(self, field)!r}")


FULL_FRAME = Sensor()
"""The typical 35 mm sensor that the defaults describe."""
