"""`photosite see`: one photo through everything."""
from __future__ import annotations
def see(photo: str | None = None, /) -> int:
    """See."""
    return 0
