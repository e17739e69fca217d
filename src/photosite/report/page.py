"""One trace as one HTML file that fetches nothing: `render` gives the text, `write` puts it on disk.

Everything in a trace is a stranger's text: jinja2 escapes it, control characters are spelled out, and the page's own
policy lets only its two inlined blocks (by hash) and data URIs through. Knows no model and no torch.
"""

from __future__ import annotations

import base64
import hashlib
import os
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from photosite.files import write_whole
from photosite.report import numbers
from photosite.report.chapters import LEADS, Chapter, chapters, kind
from photosite.report.figures import Album, Figure, channel_figures, crop_drawing, sheet_side, svg_uri
from photosite.shapes import shape_text
from photosite.trace.values import STATIONS, Step, Tile, Trace

PICTURES_AT_MOST = 5_000_000
"""Bytes for all pictures of steps together; what does not fit is named and left to the table."""
ALL_OPEN_BELOW = 120
"""A report of fewer steps shows all chapters open; else the first and the last."""
CELLS_AT_MOST = 4096
"""Up to this many tokens can be pointed at one by one."""

_MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 26 26">'
    '<rect width="12" height="12" rx="3" fill="#c2384d"/><rect x="14" width="12" height="12" rx="3" fill="#2f8052"/>'
    '<rect y="14" width="12" height="12" rx="3" fill="#2f8052"/>'
    '<rect x="14" y="14" width="12" height="12" rx="3" fill="#2f66b0"/></svg>'
)
"""The mark: four photosites under a Bayer filter, R G over G B."""


def render(trace: Trace) -> str:
    """Write a trace as one HTML page.

    Args:
        trace: only read. Missing parts (no tokens, no classes, no kernels) are named as missing.

    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    return fill("template.html.j2", _content(trace))


def fill(template: str, content: Mapping[str, Any]) -> str:
    """Write a page by one of our templates, with style, script, icon and the policy that names them.

    Args:
        template: name of a file beside this one.
        content: everything else that the template reads; all of it is escaped.
    """
    style, script = _asset("style.css"), _asset("page.js")
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # noqa: S704 - our own file, shipped with the package
            script=Markup(script),  # noqa: S704 - as above
            policy=_policy(style, script),
            icon=svg_uri(_MARK),
            **content,
        )
    )


def write(trace: Trace, path: str | os.PathLike[str]) -> Path:
    """Render a trace and write its page, whole or not at all.

    Args:
        trace: only read.
        path: of the HTML file; its folder exists.

    Returns:
        The path.

    Raises:
        OSError: the folder cannot be written.
    """
    return write_whole(path, render(trace).encode())


def visible(text: str) -> str:
    r"""Spell out what a reader could not see or what could fool one: control, direction and broken characters.

    >>> visible("a" + chr(27) + "[31m" + chr(0x202E) + "gpj.exe")
    'a\\x1b[31m\\u202egpj.exe'
    """
    if text.isprintable():  # nearly always, and a data URI is long
        return text
    return "".join(_spelled(c) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else c for c in text)


def _spelled(character: str) -> str:
    code = ord(character)
    # A byte that was not UTF-8 came in as a lone surrogate; the byte itself is what the reader can use.
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


@cache
def _asset(name: str) -> str:
    return resources.files("photosite.report").joinpath(name).read_text("utf-8").strip()


def _finalize(value: Any) -> Any:
    """Pass every written value through `visible`; a missing one is written as such, never as None."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return numbers.UNKNOWN
    return visible(value) if isinstance(value, str) else value


@cache
def _environment() -> jinja2.Environment:
    """The one environment: everything escaped, nothing undefined."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_asset),
    )
    environment.globals.update(n=numbers, shape_text=shape_text, limits=numbers.limits, kind=kind)
    environment.filters["id"] = id
    return environment


def _policy(style: str, script: str) -> str:
    def hashed(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return (
        f"default-src 'none'; img-src data:; style-src {hashed(style)}; script-src {hashed(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _content(trace: Trace) -> dict[str, Any]:
    """Everything the template reads, in the order in which the budget for pictures is spent."""
    by_station = {name: [step for step in trace.steps if step.station == name] for name in STATIONS}
    album = Album(PICTURES_AT_MOST)
    pictures: dict[int, list[Figure]] = {}

    def draw(steps: Sequence[Step]) -> None:
        for step in steps:
            pictures[id(step)] = [made for tile in step.tiles if (made := album.figure(tile))]

    for name in STATIONS:
        if name != "features":
            draw(by_station[name])
    kernels = [made for tile in trace.kernels if (made := album.figure(tile))]
    tokens = _tokens(trace, album)
    few = len(trace.steps) < ALL_OPEN_BELOW
    found = chapters(by_station["features"])
    parts = [(part, few or k in (0, len(found) - 1)) for k, part in enumerate(found)]
    # Open chapters first, so that what is left out lies behind a click; in each, the large pictures first.
    for is_open in (True, False):
        steps = [step for part, opened in parts if opened == is_open for step in part.steps]
        draw([step for step in steps if kind(step.op) in LEADS])
        draw([step for step in steps if kind(step.op) not in LEADS])
    last_color = next((step for step in reversed(by_station["color"]) if step.tiles), None)
    return {
        "trace": trace,
        "stations": by_station,
        "pictures": pictures,
        "refused": album.refused,
        "crop": crop_drawing(trace.photo, trace.crop_box),
        "name": last_part(trace.picture.get("path")),
        "cropped": last_color,
        "channels": channel_figures(last_color.tiles[0], last_color.shape, last_color.dtype) if last_color else [],
        "kernels": kernels,
        "tokens": tokens,
        "first": Chapter("", tuple(by_station["convolution"])).rows,
        "chapters": [(part, opened, _summary(part)) for part, opened in parts],
        "ladder": _ladder(trace),
        "index": {id(step): k + 1 for k, step in enumerate(trace.steps)},
        "milliseconds": _total(trace.steps),
        "values_per_byte": _values_per_byte(trace.picture),
    }


def last_part(path: Any) -> str:
    """The last part of a path, of either kind of slash; the whole where there is none."""
    text = str(path) if path is not None else "a picture without a name"
    return text.replace("\\", "/").rstrip("/").rpartition("/")[2] or text


def _values_per_byte(picture: dict[str, Any]) -> float | None:
    size_hw, octets = picture.get("size_hw"), picture.get("bytes")
    return size_hw[0] * size_hw[1] * 3 / octets if size_hw and octets else None


def _total(steps: Sequence[Step]) -> float | None:
    """Add the times; None where no step was timed."""
    timed = [step.ms for step in steps if step.ms is not None]
    return sum(timed) if timed else None


def _summary(part: Chapter) -> dict[str, Any]:
    first, last = part.steps[0].shape, part.steps[-1].shape
    return {
        "shapes": shape_text(last) if first == last else f"{shape_text(first)} → {shape_text(last)}",
        "parameters": sum(step.parameters for step in part.steps),
        "ms": _total(part.steps),
    }


def _tokens(trace: Trace, album: Album) -> dict[str, Any] | None:
    """The tokens' pictures and, for each token, its norm as text; None where there are no tokens."""
    tokens = trace.tokens
    if tokens is None:
        return None

    def drawn(tile: Tile | None) -> Figure | None:
        return album.figure(tile) if tile else None

    count, width = tokens.values.shape
    cells = None
    if tokens.grid and count <= CELLS_AT_MOST:
        norms = np.sqrt((tokens.values.astype(np.float64) ** 2).sum(1))
        sizes = [step.shape[-2:] for step in trace.steps if step.station == "tensor" and len(step.shape) == 3]
        cells = {
            "rows": tokens.grid[0],
            "columns": tokens.grid[1],
            "norms": [numbers.number(norm) for norm in norms],
            "input": list(sizes[-1]) if sizes else None,
        }
    return {
        "count": count,
        "width": width,
        "components": drawn(tokens.components),
        "norms": drawn(tokens.norms),
        "cells": cells,
    }


def _ladder(trace: Trace) -> list[dict[str, Any]]:
    """The ever smaller sizes that the grid goes through, each with its last shape: how space becomes channels."""
    sizes: list[tuple[int, ...]] = []
    for step in trace.steps:
        if step.station in ("tensor", "convolution", "features") and len(step.shape) == 3:
            if not sizes or (len(sizes) == 1 and step.shape[0] != sizes[0][0]):
                sizes.append(step.shape)  # the input, and the first layer even where it keeps the size
            elif step.shape[1:] == sizes[-1][1:]:
                sizes[-1] = step.shape
            elif step.shape[1] * step.shape[2] < sizes[-1][1] * sizes[-1][2]:
                sizes.append(step.shape)  # a side branch may still be larger; it is no rung
    if len(sizes) < 2:
        return []
    most = max(max(rows, columns) for _, rows, columns in sizes)
    return [
        {
            "text": shape_text((channels, rows, columns)),
            "width": sheet_side(columns, most),
            "height": sheet_side(rows, most),
            "sheets": min(8, max(1, round(np.log2(max(channels, 1)) / 1.3))),
        }
        for channels, rows, columns in sizes[:12]
    ]
