"""`photosite lightpath`: which pixels a token was made of, and which tokens a pixel went into."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from photosite.lightpath import LightPath


def lightpath(
    front_end: str,
    photo: Path,
    /,
    *,
    token: int | None = None,
    pixel: str | None = None,
    pattern: str = "RGGB",
    demosaic: str = "malvar",
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
        json: print one JSON object to stdout instead.
    """
    from photosite.errors import RangeError
    from photosite.lightpath import light_path, photosites, stored_box, tokens_of
    from photosite.prep.load import load_with_info
    from photosite.tokens import front_end as find
    from photosite.trace.save import dumps

    if (token is None) == (pixel is None):
        raise RangeError("lightpath: wants one of --token K and --pixel X,Y")
    one = find(front_end)
    picture, info = load_with_info(photo)
    size_hw = (picture.shape[0], picture.shape[1])
    named: list[int] = []
    if pixel is not None:
        found = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", pixel, flags=re.ASCII)
        if found is None:
            raise RangeError(f"--pixel wants X,Y, two whole numbers such as 120,80, got {pixel!r}")
        named = tokens_of(one, size_hw, (int(found[2]), int(found[1])))
        token = named[0] if named else None
    path = None if token is None else light_path(one, size_hw, token)
    sensor = None
    box = None if path is None else path.photo_box
    if box is not None:
        made_of = photosites(box, size_hw, orientation=info.orientation, pattern=pattern, method=demosaic)
        sensor = {
            "orientation": info.orientation,
            "stored_box": _xyxy(stored_box(box, size_hw, info.orientation)),
            "box": _xyxy(made_of.box),
            "photosites": made_of.count,
            "pattern": pattern,
            "demosaic": demosaic,
        }
    if json:
        print(dumps(to_json(size_hw, one.name, named if pixel is not None else [token], path) | {"sensor": sensor}))
        return 0
    _show(size_hw, one.name, named, path, sensor, asked=pixel)
    return 0


def to_json(size_hw: tuple[int, int], name: str, tokens: list[Any], path: LightPath | None) -> dict[str, Any]:
    """What `--json` prints; boxes are [x0, y0, x1, y1], half open, in pixels of the upright photo."""
    described: dict[str, Any] = {"front_end": name, "photo_hw": list(size_hw), "tokens": tokens}
    if path is None:
        return described
    stages = [{"name": stage.name, "size_hw": list(stage.size_hw), "box": _xyxy(stage.box)} for stage in path.stages]
    last = path.stages[-1] if path.stages else None
    return {
        **described,
        "token": path.token,
        "tile": path.tile,
        "grid": list(path.place),
        "patches": list(path.patches),
        "input_box": _xyxy(path.stages[0].box) if path.stages else None,
        "photo_box": _xyxy(path.photo_box),
        "padding_share": path.padding_share,
        "stages": stages,
        "weights": None if last is None else {"y": last.down.weights.tolist(), "x": last.across.weights.tolist()},
    }


def _xyxy(box: tuple[int, int, int, int] | None) -> list[int] | None:
    return None if box is None else [box[1], box[0], box[3], box[2]]


def _show(
    size_hw: Any,
    name: str,
    named: list[int],
    path: LightPath | None,
    sensor: dict[str, Any] | None,
    *,
    asked: str | None,
) -> None:
    from rich.console import Console

    from photosite.cli.photo import print_lines

    lines = [("photo", f"{size_hw[0]} × {size_hw[1]} pixels, through {name}")]
    if asked is not None:
        shown = ", ".join(map(str, named[:20])) + (f" and {len(named) - 20} more" if len(named) > 20 else "")
        lines.append((f"pixel {asked}", f"{len(named)} tokens: {shown}" if named else "no token sees it"))
    if path is not None and not path.stages:
        lines.append((f"token {path.token}", "stands for no place: a class token or a newline"))
    elif path is not None:
        lines.append(
            (f"token {path.token}", f"tile {path.tile}, row {path.place[0]}, column {path.place[1]} of its grid")
        )
        lines.append(("patches", ", ".join(map(str, path.patches))))
        for stage in path.stages:
            where = (
                "padding alone"
                if stage.box is None
                else f"rows {stage.box[0]} … {stage.box[2] - 1}, columns {stage.box[1]} … {stage.box[3] - 1}"
            )
            lines.append((stage.name, f"{where} of {stage.size_hw[0]} × {stage.size_hw[1]}"))
        if path.padding_share > 1e-6:
            lines.append(("padding", f"{path.padding_share:.1%} of it"))
    if sensor is not None:
        x0, y0, x1, y1 = sensor["box"]
        turned = f", stored with EXIF orientation {sensor['orientation']}" if sensor["orientation"] > 1 else ""
        lines.append(
            (
                "photosites",
                f"{sensor['photosites']} of rows {y0} … {y1 - 1}, columns {x0} … {x1 - 1}{turned}, "
                f"if it was {sensor['pattern']} and {sensor['demosaic']}",
            )
        )
    print_lines(lines, Console() if sys.stdout.isatty() else Console(width=120))
