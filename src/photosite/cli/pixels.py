"""`photosite pixels`: one pixel of a photo as sensor counts, in every color space, and as a model gets it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from photosite.cli.photo import photo_source, write_page

if TYPE_CHECKING:
    from rich.console import Console

    from photosite.trace.record_pixel import PixelTrace


def pixels(
    photo: Path | None = None,
    /,
    *,
    at: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    recipe: str = "imagenet",
    pattern: str = "RGGB",
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    sample: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), negative="")] = False,
    max_pixels: int | None = None,
    tolerate_truncated: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show one pixel of a photo as sensor counts, in every color space and as a model gets it.

    Prints a table and writes pixels.html and pixels.json.

    Args:
        photo: a picture file, or - for standard input.
        at: the pixel as X,Y, counted from 0 at the top left of the upright photo; the center if not given.
        recipe: how the photo becomes a model's input, by name; NAME@SIZE for another size.
        pattern: Bayer pattern of the sensor, RGGB, BGGR, GRBG or GBRG.
        out: folder for the results; photosite-out/PHOTO if not given.
        sample: take a photo that comes with scikit-image instead, such as chelsea.
        json: print one JSON object to stdout instead of the table.
        quiet: print only where the report is.
        max_pixels: refuse pictures with more pixels than this.
        tolerate_truncated: use what there is of a file that was cut short.
    """
    from rich.console import Console

    from photosite.errors import RangeError

    if (photo is None) == (sample is None):
        raise RangeError("pixels: wants one photo: a file, - for standard input, or --sample NAME")
    at_xy = _at(at)
    progress = Console(stderr=True, quiet=quiet)
    with progress.status("opening the photo"):
        from photosite.prep.load import MAX_PIXELS, load_with_info
        from photosite.prep.recipes import get_recipe

        source, folder = photo_source(photo, sample)
        chosen = get_recipe(recipe)
        picture, info = load_with_info(
            source,
            max_pixels=MAX_PIXELS if max_pixels is None else max_pixels,
            tolerate_truncated=tolerate_truncated,
        )
    with progress.status("following the light"):
        from photosite.report.pixels import render
        from photosite.trace.record_pixel import dumps, record_pixel, to_json

        trace = record_pixel(picture, info, at_xy, chosen, pattern=pattern.upper())
        page = render(trace)
    target = out if out is not None else Path("photosite-out") / folder
    found = dumps(to_json(trace, target))
    written = write_page(target, "pixels", page, found)
    if json:
        print(found)
        return 0
    console = Console()
    if not quiet:
        _show(trace, console)
    console.print(written, markup=False, highlight=False, soft_wrap=True)
    return 0


def _at(words: str | None) -> tuple[int, int] | None:
    """Read X,Y; whether the photo has such a pixel is seen when it is open."""
    from photosite.errors import RangeError
    from photosite.prep.source import display_text

    if words is None:
        return None
    found = re.fullmatch(r"\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*", words, flags=re.ASCII)
    if found is None:
        raise RangeError(f"pixels: --at wants X,Y, two whole numbers such as 120,80, got {display_text(words)!r}")
    return int(found[1]), int(found[2])


def _show(trace: PixelTrace, console: Console) -> None:
    """Print the pixel in every space, and the notes."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from photosite.shapes import shape_text
    from photosite.trace.pixel_words import color_lines, input_lines, sensor_lines

    pixel = trace.pixel
    size = shape_text(trace.picture["size_hw"])
    said = Text(f"{trace.picture['path']} · {trace.picture['format']} {size} px · pixel x {pixel.x}, y {pixel.y}")
    if console.is_terminal:
        said.append("  ").append("    ", style=f"on rgb({','.join(str(level) for level in pixel.rgb)})")
    console.print(said, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("space", no_wrap=True)
    table.add_column("values", no_wrap=True)
    table.add_column("unit", style="dim")
    for lines in (color_lines(pixel), sensor_lines(pixel), input_lines(pixel)):
        for line in lines:
            table.add_row(*line)
        table.add_section()
    console.print(table)
    for note in trace.notes:
        console.print(Text(f"note: {note}", style="dim"))
