"""`photosite why`: the terms that a number of a network is the sum of, and those of the largest, down to pixels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

    from photosite.analysis.arithmetic import Explanation


def why(
    model: str,
    node: str,
    index: str,
    /,
    *,
    image: Path | None = None,
    terms: int = 8,
    depth: int | None = None,
    weights: str | None = None,
    recipe: str | None = None,
    size: int | None = None,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Take one number of a network apart: which inputs times which weights it is the sum of.

    Args:
        model: a name of `photosite models`, hf-hub:ORG/NAME, torchvision:NAME, timm:NAME, or package.module:function.
        node: a node of the model's graph, or the path of a module, whose last value is taken.
        index: which number of the value, such as 0,12,3,5 (picture, channel, row, column).
        image: a photo to run it on; noise, always the same, if not given.
        terms: how many terms to show, the largest first.
        depth: how many numbers to take apart: the one asked for, then its largest term's, and so on; 1 if not given,
            with --out down to the pixels.
        weights: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME, "default" or "random".
        recipe: how the photo becomes the model's input, as for `see`.
        size: side of the model's input in pixels.
        out: a folder, to write why.html and why.json.
        json: print one JSON object to stdout instead.
    """
    from rich.console import Console

    from photosite.cli.model_input import model_and_input
    from photosite.errors import RangeError

    place = _index(index)
    if terms < 1 or (depth is not None and depth < 1):
        raise RangeError(f"--terms and --depth want at least 1, got {terms} and {depth}")
    progress = Console(stderr=True)
    with progress.status("building the model"):
        given = model_and_input(model, weights, recipe, size, image, 1)
    with progress.status("running it"):
        from photosite.analysis.replay import evaluate
        from photosite.graph.execute import model_arrays
        from photosite.trace.record_why import DEPTH_OF_PAGES, record_why, to_json
        from photosite.trace.save import dumps

        graph = given.graph()
        graph.find(node)  # refused before anything is run
        values = evaluate(graph, model_arrays(given.model), given.x)
        steps = depth or (DEPTH_OF_PAGES if out is not None else 1)
        trace = record_why(model, graph, values, node, place, steps, given.picture, given.geometry)
    written = ""
    if out is not None:
        from photosite.cli.photo import write_page
        from photosite.report.why import render

        written = write_page(out, "why", render(trace, terms), dumps(to_json(trace, terms)))
    from photosite.cli.photo import answer

    def show() -> None:
        console = Console() if sys.stdout.isatty() else Console(width=120)
        for step in trace.steps[: depth or 1]:
            _show(step.found, terms, console)

    answer(to_json(trace, terms), show, json, written)
    return 0


def _index(text: str) -> tuple[int, ...]:
    from photosite.errors import RangeError

    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise RangeError(f"INDEX wants whole numbers such as 0,12,3,5, got {text!r}") from None


def _show(found: Explanation, terms: int, console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    place = ", ".join(map(str, found.index))
    console.print(Text(f"{found.node}[{place}] = {found.value:.6g}   {found.op}: {found.said}", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("from", overflow="fold")
    for head in ("value", "×", "adds") if found.is_sum else ("value",):
        table.add_column(head, justify="right", no_wrap=True)
    for term in found.terms[:terms]:
        source = f"{term.source}[{', '.join(map(str, term.index))}]" if term.source else "(computed inside)"
        numbers = (f"{term.value:.5g}", f"{term.factor:.5g}", f"{term.product:.5g}")
        table.add_row(Text(source), *(numbers if found.is_sum else numbers[:1]))
    console.print(table)
    rest = found.terms[terms:]
    if rest and found.is_sum:
        console.print(Text(f"and {len(rest)} more, which add {sum(term.product for term in rest):.5g}"))
    elif rest:
        console.print(Text(f"and {len(rest)} more"))
    if found.is_sum:
        console.print(Text(f"sum of all {len(found.terms)}: {found.value - found.residual:.6g}", style="dim"))
