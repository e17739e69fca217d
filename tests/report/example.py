"""A fabricated trace that looks real: a photo, and maps made from it by blurring and taking differences.

Run it to get pages to look at: `python tests/report/example.py FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from photosite.report.page import write
from photosite.trace import pictures
from photosite.trace.values import Prediction, Statistics, Step, Tokens, Trace


def photo() -> np.ndarray:
    """Chelsea the cat where scikit-image is there, else a synthetic sky over a field; (300, 451, 3) uint8."""
    try:
        from skimage import data
    except ImportError:
        rows, columns = np.mgrid[:300, :451]
        hill = rows > 180 + 30 * np.sin(columns / 60)
        sky = np.stack([120 + rows / 4, 160 + rows / 5, 250 - rows / 6], -1)
        field = np.stack([90 + columns / 9, 140 - rows / 6, 40 + rows / 9], -1)
        return np.where(hill[..., None], field, sky).astype(np.uint8)
    return np.asarray(data.chelsea())


def shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """Average (H, W, C) down to (side, side, C)."""
    edges = [np.linspace(0, n, side + 1).astype(int)[:-1] for n in picture.shape[:2]]
    sums = np.add.reduceat(np.add.reduceat(picture.astype(np.float64), edges[0], 0), edges[1], 1)
    sizes = [np.diff(np.append(e, n)) for e, n in zip(edges, picture.shape[:2], strict=True)]
    return sums / sizes[0][:, None, None] / sizes[1][None, :, None]


def maps(tensor: np.ndarray, count: int, side: int, seed: int) -> np.ndarray:
    """Make (count, side, side) smooth maps from a (3, H, W) tensor: random mixtures of shifted differences."""
    rng = np.random.default_rng(seed)
    small = shrink(tensor.transpose(1, 2, 0), side).transpose(2, 0, 1)
    found = []
    for _ in range(count):
        mixed = np.tensordot(rng.normal(size=3), small, 1)
        dy, dx = rng.integers(-2, 3, 2)
        found.append(rng.normal() * mixed - np.roll(mixed, (dy, dx), (0, 1)) + 0.1 * rng.normal())
    return np.stack(found).astype(np.float32)


def step(name: str, op: str, station: str, values: np.ndarray, module: str = "", **more: Any) -> Step:
    """Record one array as a step with a picture."""
    finite = values[np.isfinite(values)].astype(np.float64)
    statistics = Statistics(
        float(finite.min()), float(finite.max()), float(finite.mean()), float(finite.std()), values.size - finite.size
    )
    tiles = more.pop("tiles", None)
    if tiles is None:
        tiles = (pictures.of_values(name, values, at_most=more.pop("at_most", 64)),)
    return Step(name, op, module, station, values.shape, str(values.dtype), statistics, tiles=tiles, **more)


def trace(blocks: int = 3, side: int = 64, path: str = "samples/chelsea.png") -> Trace:
    """Fabricate a trace of a small residual network with `blocks` blocks in each of three stages."""
    picture = photo()
    rng = np.random.default_rng(0)
    height, width = picture.shape[:2]
    left = (width - height) // 2
    crop = shrink(picture[:, left : left + height], side).round().astype(np.uint8)
    mean, std = np.array([0.491, 0.482, 0.447]), np.array([0.247, 0.243, 0.262])
    tensor = ((crop / 255 - mean) / std).transpose(2, 0, 1).astype(np.float32)
    octets = rng.integers(0, 256, (64, 64)).astype(np.uint8)
    steps = [
        step("file", "read", "file", octets, tiles=(pictures.plain("first 4096 bytes", octets),), did="Read the file."),
        step(
            "decoded",
            "decode",
            "color",
            picture,
            tiles=(pictures.plain("decoded", picture),),
            ms=4.1,
            did="The bytes become pixels, and the picture is stood upright.",
        ),
        step(
            "cropped",
            "crop",
            "color",
            crop,
            tiles=(pictures.plain("cropped", crop),),
            ms=0.61,
            did="The middle, as large as the shorter side, made smaller.",
            formula=f"bilinear, antialiased → {side} × {side}",
        ),
        step(
            "tensor",
            "normalize",
            "tensor",
            tensor,
            tiles=pictures.channels("tensor", tensor, "RGB"),
            ms=0.22,
            did="Scale, center, and put the channels in front.",
            formula="x′ = (x / 255 − mean) / std",
        ),
    ]
    weight = rng.normal(size=(32, 3, 5, 5)).astype(np.float32)
    weight = (weight + np.roll(weight, 1, 2) + np.roll(weight, 1, 3)) / 9
    first = maps(tensor, 32, side, 1)
    steps.append(
        step(
            "conv1",
            "convolution",
            "convolution",
            first,
            "conv1",
            parameters=2400,
            ms=1.93,
            tiles=(pictures.feature_maps("conv1", first, side=96),),
            did="32 kernels of 3 × 5 × 5 slide over the tensor.",
            formula="y[o] = Σ w[o, c, i, j] · x[c, r + i − 2, s + j − 2]",
            channels=32,
            shown=32,
        )
    )
    features = [("bn1", "batch_norm", "bn1", 32, side), ("relu", "relu", "relu", 32, side)]
    for stage, channels in enumerate((32, 64, 128)):
        grid = side >> stage
        for block in range(blocks):
            module = f"layer{stage + 1}.{block}"
            for part, op in (
                ("conv1", "convolution"),
                ("bn1", "batch_norm"),
                ("relu", "relu"),
                ("conv2", "convolution"),
                ("bn2", "batch_norm"),
                ("add", "add"),
                ("relu", "relu"),
            ):
                owner = module if part == "add" else f"{module}.{part}"
                features.append((f"{module}.{part}", op, owner, channels, grid))
    for k, (name, op, module, channels, grid) in enumerate(features):
        values = maps(tensor, channels, grid, 2 + k)
        if op in ("relu", "add"):
            values = np.maximum(values, 0)
        held = {"convolution": channels * channels * 9, "batch_norm": 2 * channels}.get(op, 0)
        small = op in ("batch_norm", "relu")
        did = {
            "convolution": "Kernels of 3 × 3 slide over all maps.",
            "add": "What the block learned is added to what came in.",
            "batch_norm": "Centered and scaled.",
            "relu": "Negative values become zero.",
        }[op]
        formula = {"convolution": "y = w ∗ x", "add": "y = F(x) + x"}.get(op, "")
        steps.append(
            step(
                name,
                op,
                "features",
                values,
                module,
                parameters=held,
                ms=0.3 + 0.01 * k,
                did=did,
                formula=formula,
                at_most=16 if small else 64,
                channels=channels,
                shown=min(channels, 16 if small else 64),
            )
        )
    grid = (values.shape[1], values.shape[2])
    tokens = values.reshape(len(values), -1).T.copy()
    logits = rng.normal(size=10).astype(np.float32)
    steps.append(
        step("avgpool", "mean", "features", values.mean((1, 2)), "", ms=0.05, did="Each map becomes its mean.")
    )
    steps.append(step("fc", "linear", "features", logits, "fc", parameters=1290, ms=0.02, did="One number a class."))
    steps.append(
        step(
            "flatten",
            "flatten",
            "tokens",
            tokens,
            "",
            ms=None,
            tiles=(pictures.matrix("tokens", tokens),),
            did="The grid is read row by row.",
            formula="token[r · columns + s] = x[:, r, s]",
        )
    )
    components, explained = pictures.token_components("principal components", tokens, grid)
    odds = np.exp(2 * logits) / np.exp(2 * logits).sum()
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    order = np.argsort(-odds)[:5]
    order = np.concatenate([[3], [k for k in order if k != 3]])
    return Trace(
        picture={
            "path": path,
            "path_bytes": "",
            "size_hw": (height, width),
            "sha256": "3f" * 32,
            "bytes": 221_318,
            "format": "PNG",
            "mode": "RGB",
            "notes": ["no color profile: read as sRGB"],
        },
        model={
            "name": "cifar_net",
            "source": "photosite",
            "parameters": 1_143_210,
            "weights": "shipped with photosite",
            "weights_sha256": "a1" * 32,
            "classes": 10,
            "input_size_hw": (side, side),
        },
        recipe={
            "name": "cifar10",
            "resize": side,
            "interpolation": "bilinear",
            "antialias": True,
            "crop": side,
            "scale": 1 / 255,
            "mean": mean.tolist(),
            "std": std.tolist(),
            "fill": None,
        },
        steps=tuple(steps),
        photo=picture,
        crop_box=(0.0, left / width, 1.0, (left + height) / width),
        tokens=Tokens(
            tokens, grid, 0, "NCHW", "layer3", pictures.token_norms("token norms", tokens, grid), components, explained
        ),
        predictions=tuple(
            Prediction(names[k], float(p)) for k, p in zip(order, sorted(odds[order])[::-1], strict=True)
        ),
        kernels=(pictures.kernels("conv1.weight", weight),),
        notes=("The model was trained on pictures of 32 × 32 px; here it sees 64 × 64.",),
        version="0.1.0",
        versions={"numpy": np.__version__},
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in (("small", trace()), ("large", trace(9, 128))):
        out = write(made, folder / f"{name}.html")
        print(out, len(made.steps), "steps", out.stat().st_size, "bytes")
