"""Put together which places of a photo speak for a class: the map, its audit, and where it lies in the photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photosite import __version__
from photosite.analysis.cam.audit import Check
from photosite.analysis.cam.explanation import Explanation
from photosite.prep.geometry import Geometry
from photosite.prep.recipe import Picture
from photosite.trace.canvas import Array
from photosite.trace.explanation import LIKELY, ExplanationTrace, Verdict
from photosite.trace.field import PHOTO_SIDE
from photosite.trace.light import thumbnail
from photosite.trace.pictures import signed


def record_explanation(
    model: str,
    one: Explanation,
    checks: Sequence[Check],
    scores: Array,
    labels: Sequence[str],
    photo: Picture,
    geometry: Geometry,
) -> ExplanationTrace:
    """Put together what is known of one map.

    Args:
        model: as it was named.
        one: the map, audited.
        checks: of the audit.
        scores: (K,), what the model says.
        labels: of its classes; () where they are not known.
        photo: (H, W, 3) uint8.
        geometry: from the photo to the input.
    """
    shares = np.exp(scores.astype(np.float64) - scores.max())
    shares /= shares.sum()
    likely = tuple(
        (int(k), _label(labels, int(k)), float(shares[k])) for k in np.argsort(-shares, kind="stable")[:LIKELY]
    )
    name = f"{one.method} at {one.module or one.node}"
    return ExplanationTrace(
        model=model,
        method=one.method,
        node=one.node,
        module=one.module,
        layout=one.layout,
        grid=one.grid,
        prefix=one.prefix,
        target=one.target,
        label=_label(labels, one.target),
        score=one.score,
        likely=likely,
        values=one.values,
        positive=one.over_input(),
        tile=None if one.refused else signed(name, one.values),
        placing=one.placing.how,
        centers=one.placing.centers(one.grid),
        refused=one.refused,
        audit=tuple(Verdict(check.name, check.verdict, check.said, check.value) for check in checks),
        notes=one.notes,
        photo=thumbnail(photo, PHOTO_SIDE),
        photo_hw=(photo.shape[0], photo.shape[1]),
        input_hw=one.input_hw,
        scale=tuple(float(part) for part in (*geometry.scale, *geometry.offset)),  # type: ignore[arg-type]
        version=__version__,
    )


def _label(labels: Sequence[str], index: int) -> str:
    return labels[index] if 0 <= index < len(labels) else ""
