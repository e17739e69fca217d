"""What must not happen while something else does: torch.export replaces functions of `math` for a moment.

Numba, loaded by another thread just then, takes the replaced ones for its own and fails.
"""

from __future__ import annotations

from threading import RLock

MATH = RLock()
"""Held by whoever replaces functions of `math`, or loads what takes them as they are."""
