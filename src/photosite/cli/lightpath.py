"""`photosite lightpath`: which pixels a token was made of, and which tokens a pixel went into."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from photosite.trace.record_lightpath import LightpathTrace, PathStage


def lightpath(
    front_end: str,
    photo: Path,
    /,
    *,
    token: int | None = None,
    pixel: str | None = None,
    pattern: str = "RGGB",
    demosaic: str = "malvar",
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Follow a visual token back to the photo's pixels, or a pixel to the tokens that see it.

    Args:
        front_end: a name of `photosite tokens`.
        photo: a picture file; its own pixels are counted upright.
        token: number of a token, in the order in which the language model reads them.
        pixel: X,Y in the upright photo, counted from 0; the first token that sees it is followed, the others are named.
        pattern: Bayer pattern of the sensor that the photo is taken to come from.
        demosaic: how three colors were made of one: bilinear or malvar, whose weights are fixed.
        out: a folder, to write lightpath.html and lightpath.json.
        json: print one JSON object to stdout instead.
    """
    from photosite.errors import RangeError
    from photosite.prep.load import load_with_info
    from photosite.tokens import front_end as find
    from photosite.trace.record_lightpath import record_lightpath, to_json
    from photosite.trace.save import dumps

    if (token is None) == (pixel is None):
        raise RangeError("lightpath: wants one of --token K and --pixel X,Y")
    one = find(front_end)
    picture, info = load_with_info(photo)
    trace = record_lightpath(
        one,
        picture,
        info,
        token=token,
        pixel=None if pixel is None else _row_and_column(pixel),
        pattern=pattern,
        demosaic=demosaic,
        pictures=out is not None,
    )
    written = ""
    if out is not None:
        from photosite.cli.photo import write_page
        from photosite.report.lightpath import render

        written = write_page(out, "lightpath", render(trace), dumps(to_json(trace)))
    from photosite.cli.photo import answer

    answer(to_json(trace), lambda: _show(trace), json, written)
    return 0


def _row_and_column(text: str) -> tuple[int, int]:
    """Read X,Y."""
    from photosite.errors import RangeError

    found = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", text, flags=re.ASCII)
    if found is None:
        raise RangeError(f"--pixel wants X,Y, two whole numbers such as 120,80, got {text!r}")
    return int(found[2]), int(found[1])


def _show(trace: LightpathTrace) -> None:
    from rich.console import Console

    from photosite.cli.photo import print_lines

    lines = [("photo", f"{trace.photo_hw[0]} × {trace.photo_hw[1]} pixels, through {trace.front_end}")]
    named = trace.tokens
    if trace.pixel is not None:
        shown = ", ".join(map(str, named[:20])) + (f" and {len(named) - 20} more" if len(named) > 20 else "")
        said = f"{len(named)} tokens: {shown}" if named else "no token sees it"
        lines.append((f"pixel {trace.pixel[1]},{trace.pixel[0]}", said))
    if trace.token is not None and not trace.stages:
        lines.append((f"token {trace.token}", "stands for no place: a class token or a newline"))
    elif trace.token is not None:
        lines.append(
            (f"token {trace.token}", f"tile {trace.tile}, row {trace.place[0]}, column {trace.place[1]} of its grid")
        )
        lines.append(("patches", ", ".join(map(str, trace.patches))))
        lines += [(stage.name, _where(stage)) for stage in trace.stages[::-1]]
        if trace.padding_share > 1e-6:
            lines.append(("padding", f"{trace.padding_share:.1%} of it"))
    sensor = trace.sensor
    if sensor is not None:
        y0, x0, y1, x1 = sensor.box
        turned = f", stored with EXIF orientation {sensor.orientation}" if sensor.orientation > 1 else ""
        lines.append(
            (
                "photosites",
                f"{sensor.count} of rows {y0} … {y1 - 1}, columns {x0} … {x1 - 1}{turned}, "
                f"if it was {sensor.pattern} and {sensor.demosaic}",
            )
        )
    print_lines(lines, Console() if sys.stdout.isatty() else Console(width=120))


def _where(stage: PathStage) -> str:
    """Where a token's pixels lie in a picture on the way."""
    if stage.box is None:
        return "padding alone"
    top, left, bottom, right = stage.box
    return f"rows {top} … {bottom - 1}, columns {left} … {right - 1} of {stage.size_hw[0]} × {stage.size_hw[1]}"
