"""A photo's tokens in several front ends, as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was recorded.
"""

from __future__ import annotations

from typing import Any

from photosite.report.cells import layers, rectangle
from photosite.report.figures import photo_uri
from photosite.report.page import fill, last_part
from photosite.report.sheet import path
from photosite.trace.record_tokens import READABLE, FrontEndTokens, Refused, TokensTrace


def render(trace: TokensTrace) -> str:
    """Write a photo's tokens as one HTML page.

    Args:
        trace: only read; recorded with pictures.
    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    assert trace.photo is not None
    refused = [one for one in trace.front_ends if isinstance(one, Refused)]
    counted = sorted(
        (one for one in trace.front_ends if isinstance(one, FrontEndTokens)), key=lambda one: (one.total, one.name)
    )
    most = max((one.total for one in counted), default=1)
    return fill(
        "tokens.html.j2",
        {
            "trace": trace,
            "name": last_part(trace.path or None),
            "uri": photo_uri(trace.photo),
            "cards": [_card(one, trace.photo_hw, most) for one in counted],
            "refused": refused,
            "readable": READABLE,
        },
    )


def _card(one: FrontEndTokens, photo_hw: tuple[int, int], most: int) -> dict[str, Any]:
    """A front end with its pictures."""
    down, across = one.photo_pixels_per_pixel
    return {
        "one": one,
        "share": round(100 * one.total / most, 2),
        "square": abs(down - across) < 0.005,
        "parts": _parts(one),
        "layers": [layer for layer in layers(one.tiles_of, photo_hw) if layer.tokens],
        "unseen": "".join(path(rectangle(box)) for box in one.unseen_boxes or ()),
        "not_drawn": bool(one.unseen_share) and one.unseen_boxes is None,
    }


def _parts(one: FrontEndTokens) -> list[tuple[int, str]]:
    """What the tokens are, where they are not all of one kind."""
    placed = one.total - one.base - one.newlines - one.prefix
    parts = [
        (one.base, "of the whole photo" if placed > 0 else "with a place"),
        (placed, "of its parts"),
        (one.newlines, "learned newlines"),
        (one.prefix, "without a place"),
        (one.padding, "of these padding alone"),
    ]
    found = [part for part in parts if part[0] > 0]
    return found if len(found) > 1 else []
