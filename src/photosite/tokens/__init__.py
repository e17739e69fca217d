"""Token front ends of published vision-language models: exactly their pixels, exactly their tokens."""

from photosite.tokens import gemma3, grids, idefics, internvl, llava_next, nanovlm, pixtral, qwen, squares
from photosite.tokens.front_end import FrontEnd
from photosite.tokens.places import Count, Prepared, TokenMap
from photosite.tokens.registry import front_end, list_front_ends

__all__ = [
    "Count",
    "FrontEnd",
    "Prepared",
    "TokenMap",
    "front_end",
    "gemma3",
    "grids",
    "idefics",
    "internvl",
    "list_front_ends",
    "llava_next",
    "nanovlm",
    "pixtral",
    "qwen",
    "squares",
]
