"""`photosite match`: the same places in two photos, by SIFT, and a picture of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def match(
    first: Path,
    second: Path,
    /,
    *,
    ratio: float = 0.75,
    mutual: Annotated[bool, Parameter(negative="")] = False,
    out: Annotated[Path, Parameter(name=("--out", "-o"))] = Path("match.png"),
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Find the same places in two photos by SIFT, written by hand, and draw a line between each two.

    Args:
        first: a photo.
        second: another one of the same thing.
        ratio: how much nearer the best match must be than the second best.
        mutual: only pairs that are each other's nearest.
        out: the picture to write, a PNG.
        json: print one JSON object to stdout instead of a line.
    """
    import io

    import numpy as np
    from PIL import Image
    from rich.console import Console

    from photosite.cli.photo import printable
    from photosite.errors import PhotositeError, RangeError
    from photosite.files import write_whole
    from photosite.handcrafted.sift import match as pairs_of
    from photosite.handcrafted.sift import sift
    from photosite.prep.load import load
    from photosite.trace.matching import matching_picture
    from photosite.trace.save import dumps

    if not 0 < ratio <= 1:
        raise RangeError(f"--ratio wants a number above 0, at most 1, got {ratio:g}")
    photos = [load(path) for path in (first, second)]
    with Console(stderr=True).status("looking for places"):
        found = [sift(np.asarray(Image.fromarray(photo).convert("L"))) for photo in photos]
    pairs = pairs_of(found[0][1], found[1][1], ratio, mutual=mutual)
    ends = [
        np.stack([keypoints.x[pairs[:, side]], keypoints.y[pairs[:, side]]], 1)
        for side, (keypoints, _) in enumerate(found)
    ]
    picture = io.BytesIO()
    Image.fromarray(matching_picture(photos[0], photos[1], ends[0], ends[1])).save(picture, "PNG")
    try:
        write_whole(out, picture.getvalue())
    except OSError as error:
        raise PhotositeError(f"match: cannot write {printable(out)}: {error.strerror or error}") from error
    if json:
        print(dumps({"keypoints": [len(keypoints) for keypoints, _ in found],
                     "matches": np.concatenate(ends, 1).round(3).tolist()}))  # fmt: skip
        return 0
    print(f"{len(found[0][0])} and {len(found[1][0])} places, {len(pairs)} matches")
    print(f"picture: {printable(out)}")
    return 0
