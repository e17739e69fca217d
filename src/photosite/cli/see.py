"""`photosite see`: one photo through everything, from the bytes of its file to its visual tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from photosite.cli.photo import photo_source, printable

if TYPE_CHECKING:
    from rich.console import Console

    from photosite.trace.values import Trace

SHORT_TABLE = 64
"""A network of more steps is shown by its leading ones; `--all` shows every one."""


def see(
    photo: Path | None = None,
    /,
    *,
    model: str = "photosite_resnet12",
    weights: str | None = None,
    recipe: str | None = None,
    size: int | None = None,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    sample: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    all_steps: Annotated[bool, Parameter(name="--all", negative="")] = False,
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), negative="")] = False,
    max_pixels: int | None = None,
    tolerate_truncated: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Follow one photo through every step, from file bytes to visual tokens.

    Prints a table and writes report.html, tokens.safetensors and trace.json.

    Args:
        photo: a picture file, or - for standard input.
        model: a name of `photosite models`, hf-hub:ORG/NAME, torchvision:NAME, timm:NAME, or package.module:function.
        weights: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME, "default" or "random".
        recipe: how the photo becomes the model's input: a name, NAME@SIZE for another size, torchvision:ENTRY of
            weights, timm:NAME, or a preprocessor_config.json.
        size: side of the model's input in pixels.
        out: folder for the results; photosite-out/PHOTO if not given.
        sample: take a photo that comes with scikit-image instead, such as chelsea.
        json: print one JSON object to stdout instead of the table.
        all_steps: show every step in the table, however many there are.
        quiet: print only where the report is.
        max_pixels: refuse pictures with more pixels than this.
        tolerate_truncated: use what there is of a file that was cut short.
    """
    from rich.console import Console

    from photosite.errors import RangeError

    if (photo is None) == (sample is None):
        raise RangeError("see: wants one photo: a file, - for standard input, or --sample NAME")
    progress = Console(stderr=True, quiet=quiet)
    with progress.status("opening the photo"):
        source, folder = photo_source(photo, sample)
        from photosite.prep.load import MAX_PIXELS, load

        options: dict[str, Any] = {"max_pixels": max_pixels or MAX_PIXELS, "tolerate_truncated": tolerate_truncated}
        load(source, **options)  # a bad file is refused at once, before torch is imported
    with progress.status("building the model"):
        from photosite.nets.sources import find_model, find_recipe

        network = find_model(model, weights)
        chosen = find_recipe(recipe) if recipe else getattr(network, "photo_recipe", None)
        if size is not None and chosen is not None:
            chosen = chosen.at(size)
    with progress.status("following the light"):
        from photosite.report.page import render
        from photosite.trace.record import record

        trace = record(source, network, chosen, name=model, **options)
        page = render(trace)
    target = out if out is not None else Path("photosite-out") / folder
    _write(trace, page, target)
    if json:
        from photosite.trace.save import dumps, to_json

        print(dumps(to_json(trace, target)))
        return 0
    console = Console()
    if not quiet:
        _show(trace, console, all_steps=all_steps)
    console.print(f"report: {printable(target / 'report.html')}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _write(trace: Trace, page: str, target: Path) -> None:
    """Write the three files; each is whole or absent."""
    from photosite.errors import PhotositeError
    from photosite.files import write_whole
    from photosite.trace.save import write_json, write_tokens

    try:
        target.mkdir(parents=True, exist_ok=True)
        if trace.tokens is not None:
            write_tokens(trace, target / "tokens.safetensors")
        write_json(trace, target / "trace.json", target)
        write_whole(target / "report.html", page.encode())
    except OSError as error:
        raise PhotositeError(f"see: cannot write to {printable(target)}: {error.strerror or error}") from error


def _show(trace: Trace, console: Console, *, all_steps: bool) -> None:
    """Print the picture, the steps as a table, the tokens, the predictions and the notes."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from photosite.report.chapters import LEADS, kind
    from photosite.shapes import shape_text
    from photosite.trace.notation import count, limits, number

    size = shape_text(trace.picture["size_hw"])
    console.print(
        Text(f"{trace.picture['path']} · {trace.picture['format']} {size} px · {count(trace.picture['bytes'])} bytes")
    )
    console.print(
        Text(f"{trace.model['name']} · {count(trace.model['parameters'])} parameters · recipe {trace.recipe['name']}")
    )
    shown = [
        step
        for step in trace.steps
        if all_steps or len(trace.steps) <= SHORT_TABLE or not step.module or kind(step.op) in LEADS
    ]
    wide = console.width >= 110
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("step", overflow="fold", min_width=14)
    table.add_column("operation", style="dim", no_wrap=True, max_width=None if wide else 10)
    for column in ("shape", "min … max", *(("mean", "std") if wide else ()), "params", "ms"):
        table.add_column(column, justify="right", no_wrap=True)
    for step in shown:
        found = step.statistics
        spread = (
            number(found.mean) if found.mean is not None else "",
            number(found.std) if found.std is not None else "",
        )
        table.add_row(
            Text(step.name),
            step.op,
            shape_text(step.shape).replace(" ", ""),
            limits(found.min, found.max),
            *(spread if wide else ()),
            count(step.parameters) if step.parameters else "",
            f"{step.ms:.2f}" if step.ms is not None else "",
        )
    console.print(table)
    if len(shown) < len(trace.steps):
        console.print(
            Text(f"{len(trace.steps) - len(shown)} of {len(trace.steps)} steps left out here; --all shows them")
        )
    if trace.tokens is not None:
        grid = trace.tokens.grid
        tokens, width = trace.tokens.values.shape
        arranged = f"a grid of {grid[0]} × {grid[1]}" if grid else "grid not known"
        console.print(Text(f"tokens: {count(tokens)} of width {width}, {arranged}", style="bold"))
    for one in trace.predictions:
        bar = "█" * round(one.probability * 24)
        console.print(Text(f"{one.probability:7.2%}  {one.label:<24} {bar}"))
    for note in trace.notes:
        console.print(Text(f"note: {note}", style="dim"))
