"""Front ends by name."""

from __future__ import annotations

from photosite.errors import UnknownNameError
from photosite.tokens.front_end import FrontEnd

_FRONT_ENDS: dict[str, FrontEnd] = {}


def register(*front_ends: FrontEnd) -> None:
    """Make front ends known; a name is given once."""
    for one in front_ends:
        assert one.name not in _FRONT_ENDS, one.name
        _FRONT_ENDS[one.name] = one


def front_end(name: str) -> FrontEnd:
    """Look a front end up, whatever the case of the name.

    Raises:
        UnknownNameError: there is none; near names are suggested.
    """
    if name.lower() not in _FRONT_ENDS:
        raise UnknownNameError("front end", name, _FRONT_ENDS)
    return _FRONT_ENDS[name.lower()]


def list_front_ends() -> list[str]:
    """The names of all front ends, sorted."""
    return sorted(_FRONT_ENDS)
