"""`photosite tokens`: how many tokens a photo becomes in each front end, and how much of it they see."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from photosite.trace.record_tokens import TokensTrace


def tokens(
    photo: Path,
    /,
    *,
    front_end: str | None = None,
    all: Annotated[bool, Parameter(negative="")] = False,
    parameters: float = 7e9,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Count a photo's tokens in every front end, or in one: tiles, newlines, what is seen and how fine.

    Args:
        photo: a picture file.
        front_end: one of them; all if not given.
        all: all of them, as without it.
        parameters: of the language model, for the cost of reading the tokens: two FLOP for each parameter and token.
        out: a folder, to write tokens.html and tokens.json.
        json: print one JSON object to stdout instead of the table.
    """
    from photosite.errors import RangeError
    from photosite.prep.load import load_with_info
    from photosite.tokens import front_end as find
    from photosite.tokens import list_front_ends
    from photosite.trace.record_tokens import record_tokens, to_json
    from photosite.trace.save import dumps

    if not parameters > 0:
        raise RangeError(f"--parameters wants a number above 0, got {parameters:g}")
    if all and front_end is not None:
        raise RangeError("tokens: wants --front-end NAME or --all, not both")
    chosen = [find(name) for name in (list_front_ends() if front_end is None else [front_end])]
    picture, info = load_with_info(photo)
    trace = record_tokens(chosen, picture, parameters, info.path, pictures=out is not None)
    written = ""
    if out is not None:
        from photosite.cli.photo import write_page
        from photosite.report.tokens import render

        written = write_page(out, "tokens", render(trace), dumps(to_json(trace)))
    from photosite.cli.photo import answer

    answer(to_json(trace), lambda: _show(trace), json, written)
    return 0


def _show(trace: TokensTrace) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from photosite.trace.record_tokens import READABLE, Refused, number_words

    console = Console() if sys.stdout.isatty() else Console(width=120)
    console.print(Text(f"{trace.photo_hw[0]} × {trace.photo_hw[1]} pixels", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("front end", no_wrap=True)
    heads = (
        "tokens",
        "tiles",
        "base",
        "padding",
        "newlines",
        "px a token",
        "px a px",
        "text from",
        "unseen",
        "prefill",
    )
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for one in trace.front_ends:
        if isinstance(one, Refused):
            table.add_row(one.name, "refused")
        else:
            words = number_words(one)
            table.add_row(one.name, *(words[head] for head in heads))
    console.print(table)
    console.print(Text(f"text from: letters that are {READABLE} px high in the encoder's picture", style="dim"))
    for one in trace.front_ends:
        if isinstance(one, Refused):
            console.print(Text(one.why, style="dim"))
