"""A trace on disk: `tokens.safetensors` and `trace.json`, and the object that `--json` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from photosite.files import write_whole
from photosite.nets.checkpoints.weights import save_weights
from photosite.trace.values import Step, Trace


def to_json(trace: Trace, out: Path | None) -> dict[str, Any]:
    """Everything of a trace but its pictures, as plain JSON.

    Args:
        trace: only read.
        out: the folder that it was written to, or None.

    Returns:
        An object with `picture`, `model`, `recipe`, `steps`, `tokens` (None where there are none), `predictions`,
        `notes`, `out`, `version`, `versions`; numbers that are not finite never appear, they are null.
    """
    tokens = trace.tokens
    return {
        "picture": trace.picture,
        "model": trace.model,
        "recipe": trace.recipe,
        "crop_box": list(trace.crop_box),
        "steps": [_step_json(step) for step in trace.steps],
        "tokens": None
        if tokens is None
        else {
            "shape": list(tokens.values.shape),
            "grid": None if tokens.grid is None else list(tokens.grid),
            "prefix": tokens.prefix,
            "layout": tokens.layout,
            "step": tokens.node,
        },
        "predictions": [{"label": one.label, "probability": one.probability} for one in trace.predictions],
        "notes": list(trace.notes),
        "out": None if out is None else str(out),
        "version": trace.version,
        "versions": trace.versions,
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "op": step.op,
        "module": step.module,
        "station": step.station,
        "shape": list(step.shape),
        "dtype": step.dtype,
        "min": step.statistics.min,
        "max": step.statistics.max,
        "mean": step.statistics.mean,
        "std": step.statistics.std,
        "nonfinite": step.statistics.nonfinite,
        "parameters": step.parameters,
        "ms": step.ms,
    }


def dumps(value: dict[str, Any]) -> str:
    """Write JSON in ASCII, so that no name from a file can act on a terminal; NaN is refused, not written."""
    return json.dumps(value, allow_nan=False, ensure_ascii=True)


def write_json(trace: Trace, path: Path, out: Path) -> None:
    """Write `to_json` to a file, whole or not at all."""
    write_whole(path, (dumps(to_json(trace, out)) + "\n").encode("ascii"))


def write_tokens(trace: Trace, path: Path) -> None:
    """Write the tokens as `tokens`, (N, D) float32, with where they come from as metadata.

    Metadata: `model`, `weights_sha256`, `recipe` (JSON), `grid` ("16x16", or "" where it is not known), `prefix`,
    `picture_sha256`, `photosite` (version).
    """
    assert trace.tokens is not None
    grid = trace.tokens.grid
    metadata = {
        "model": str(trace.model["name"]),
        "weights_sha256": str(trace.model["weights_sha256"]),
        "recipe": json.dumps(trace.recipe),
        "grid": "" if grid is None else f"{grid[0]}x{grid[1]}",
        "prefix": str(trace.tokens.prefix),
        "picture_sha256": str(trace.picture["sha256"]),
        "photosite": trace.version,
    }
    save_weights(path, {"tokens": torch.from_numpy(trace.tokens.values)}, metadata)
