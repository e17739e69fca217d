"""Follow the light from the photosite that counted a photon to the visual token that a language model reads.

Public names load when they are first used, so `import photosite` costs nothing and imports neither torch nor NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the table below once more, for type checkers and editors; a test compares the two
    from photosite.exploring import explore as explore
    from photosite.graph.capture import capture as capture
    from photosite.nets import create_model as create_model
    from photosite.nets import list_models as list_models
    from photosite.prep.fast import resize as resize
    from photosite.prep.load import load as load
    from photosite.prep.load_many import load_many as load_many
    from photosite.prep.recipe import Recipe as Recipe
    from photosite.prep.recipes import get_recipe as get_recipe

__version__ = "0.1.0"

_PUBLIC = {
    "Recipe": "photosite.prep.recipe",
    "capture": "photosite.graph.capture",
    "create_model": "photosite.nets",
    "explore": "photosite.exploring",
    "get_recipe": "photosite.prep.recipes",
    "list_models": "photosite.nets",
    "load": "photosite.prep.load",
    "load_many": "photosite.prep.load_many",
    "resize": "photosite.prep.fast",
}
"""Where each public name lives. A name must not be a folder's too: `trace` is one, so its function is not here."""

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    """Import a public name's module on first use and keep what was asked for (PEP 562)."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(sorted(_PUBLIC))}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names too, though they are not loaded yet."""
    return sorted({*globals(), *_PUBLIC})
