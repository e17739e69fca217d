"""`photosite tokens`: how many tokens a photo becomes in each front end, and how much of it they see."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from photosite.tokens.front_end import FrontEnd

READABLE = 8
"""Pixels of height, in the encoder's picture, below which letters are hardly told apart: an assumption, said as one."""


def tokens(
    photo: Path,
    /,
    *,
    front_end: str | None = None,
    parameters: float = 7e9,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Count a photo's tokens in every front end, or in one: tiles, newlines, what is seen and how fine.

    Args:
        photo: a picture file.
        front_end: one of them; all if not given.
        parameters: of the language model, for the cost of reading the tokens: two FLOP for each parameter and token.
        json: print one JSON object to stdout instead of the table.
    """
    from photosite.errors import RangeError
    from photosite.prep.load import load
    from photosite.tokens import front_end as find
    from photosite.tokens import list_front_ends
    from photosite.trace.save import dumps

    if not parameters > 0:
        raise RangeError(f"--parameters wants a number above 0, got {parameters:g}")
    names = list_front_ends() if front_end is None else [find(front_end).name]
    size_hw = load(photo).shape[:2]
    rows = [_row(find(name), (size_hw[0], size_hw[1]), parameters) for name in names]
    if json:
        print(dumps({"photo_hw": list(size_hw), "front_ends": rows}))
        return 0
    _show(rows, size_hw)
    return 0


def _row(one: FrontEnd, size_hw: tuple[int, int], parameters: float) -> dict[str, Any]:
    """What is said of one front end; of one that refuses the photo, why."""
    import numpy as np

    from photosite.errors import RangeError
    from photosite.lightpath import light_path, unseen

    try:
        count = one.count(size_hw)
    except RangeError as error:
        return {"name": one.name, "refused": str(error)}
    places = one.token_map(size_hw)
    used = [int(number) for number in np.unique(places.tile) if number >= 0]  # a tile can be padding alone
    finest = max(used, key=lambda number: places.tiles[number].role == "tile")
    own = np.flatnonzero(places.tile == finest)
    path = light_path(one, size_hw, int(own[len(own) // 2]))
    scale = places.tiles[finest].scale(size_hw)
    return {
        "name": one.name,
        "total": count.total,
        "tiles": count.tiles,
        "base": count.base,
        "newlines": count.newlines,
        "separators": count.separators,
        "prefix": count.prefix,
        "photo_pixels_per_token": round(size_hw[0] * size_hw[1] / count.total, 1),
        "photo_pixels_per_pixel": [round(part, 3) for part in scale],
        "readable_text_px": round(READABLE * max(scale), 1),
        "unseen_share": round(unseen(one, size_hw), 6),
        "middle_token_box": None if path.photo_box is None else list(path.photo_box),
        "prefill_flops": 2 * parameters * count.total,
    }


def _show(rows: list[dict[str, Any]], size_hw: Any) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console() if sys.stdout.isatty() else Console(width=120)
    console.print(Text(f"{size_hw[0]} × {size_hw[1]} pixels", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("front end", no_wrap=True)
    heads = ("tokens", "tiles", "base", "newlines", "px a token", "photo px a px", "text from", "unseen", "prefill")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        if "refused" in row:
            table.add_row(row["name"], "refused")
            continue
        down, across = row["photo_pixels_per_pixel"]
        table.add_row(
            row["name"],
            str(row["total"]),
            str(row["tiles"]),
            str(row["base"]),
            str(row["newlines"] or ""),
            f"{row['photo_pixels_per_token']:.0f}",
            f"{down:.2f}" if abs(down - across) < 0.005 else f"{down:.2f} × {across:.2f}",
            f"{row['readable_text_px']:.0f} px",
            f"{row['unseen_share']:.2%}" if row["unseen_share"] else "",
            f"{row['prefill_flops'] / 1e12:.3g} TFLOP",
        )
    console.print(table)
    console.print(Text(f"text from: letters that are {READABLE} px high in the encoder's picture", style="dim"))
    for row in rows:
        if "refused" in row:
            console.print(Text(row["refused"], style="dim"))
