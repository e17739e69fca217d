"""`photosite models`: what there is, with parameters and input size."""
from __future__ import annotations
def models(pattern: str = "*", /) -> int:
    """List."""
    return 0
