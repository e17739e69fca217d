"""Write docs/localization.md anew: how often each method points at an object whose place is known, beside its peers.

Run it as `python benchmarks/write_localization.py [QUESTIONS] [SLOW]` with PHOTOSITE_DATA naming a folder with
cifar10/test.zip: so many objects are asked for (600), and so many of those that take a pass for each channel (120).
Every method sees the same pictures.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from photosite.analysis.attributions import gradient_times_input, integrated_gradients, saliency
from photosite.analysis.backward import Backward
from photosite.analysis.cam import Explainer
from photosite.analysis.cam.localization import Collage, energy_inside, grid, points_inside, scattered
from photosite.analysis.cam.methods import GRADIENT_METHODS
from photosite.analysis.deconvolution import deconvnet, guided_backpropagation
from photosite.analysis.representation.linear_probe import wilson
from photosite.files import write_whole
from photosite.nets import create_model
from photosite.prep.recipe import Recipe
from photosite.train.dataset import Dataset, read_dataset
from tests.peers import import_captum, import_grad_cam

TO = Path(__file__).parent.parent / "docs" / "localization.md"
SIDE, OBJECT = 96, 32
BATCH = 18
"""Objects that are asked for at once: those of two grids of nine, or of nine pairs."""
SURE = 0.9
"""Only pictures that the network alone calls right with this probability are put into a collage."""
Maps = Callable[[Tensor, list[int]], npt.NDArray[np.floating]]
"""From pictures (B, 3, H, W) and a class for each to maps (B, H, W)."""


@dataclass(frozen=True)
class Row:
    """A method: what it is called, whose it is, at which layer, how it makes maps, whether that takes long."""

    name: str
    whose: str
    layer: str
    maps: Maps
    slow: bool = False


def main() -> None:
    """Measure and write."""
    questions, slow = ([int(one) for one in sys.argv[1:]] + [600, 120][len(sys.argv) - 1 :])[:2]
    torch.manual_seed(0)
    model = create_model("photosite_resnet12", weights="default").eval()
    recipe: Recipe = model.photo_recipe.at(OBJECT)
    known = sure(model, read_dataset(Path(os.environ["PHOTOSITE_DATA"]) / "cifar10" / "test.zip", recipe), recipe)
    rows = list(all_rows(model))
    parts = []
    for title, collages in (("two", pairs), ("nine", nines)):
        made = list(collages(known, questions))
        parts.append((title, measure(rows, made, recipe.at(SIDE), questions, slow)))
    write_whole(TO, text(parts, len(known), questions, slow).encode())
    print(TO)


def sure(model: nn.Module, data: Dataset, recipe: Recipe) -> Dataset:
    """Those pictures that the network calls right without much doubt."""
    shares = []
    for at in range(0, len(data), 500):
        x = np.concatenate([recipe(one) for one in data.pictures[at : at + 500]])
        with torch.inference_mode():
            shares.append(model(torch.from_numpy(x)).softmax(1).numpy())
    right = np.concatenate(shares)[np.arange(len(data)), data.labels] >= SURE
    return Dataset(data.pictures[right], data.labels[right], data.classes)


def pairs(known: Dataset, questions: int) -> Iterator[Collage]:
    """Two objects of different classes on a canvas of one color, at places by chance."""
    generator = np.random.default_rng(1)
    for _ in range(math.ceil(questions / 2)):
        chosen = of_different_classes(known, 2, generator)
        yield scattered(known.pictures[chosen], known.labels[chosen].tolist(), (SIDE, SIDE), generator)


def nines(known: Dataset, questions: int) -> Iterator[Collage]:
    """Nine objects of different classes side by side."""
    generator = np.random.default_rng(2)
    for _ in range(math.ceil(questions / 9)):
        chosen = of_different_classes(known, 9, generator)
        yield grid(list(known.pictures[chosen]), known.labels[chosen].tolist(), 3)


def of_different_classes(known: Dataset, count: int, generator: np.random.Generator) -> npt.NDArray[np.intp]:
    """Pictures by chance, each of a class of its own."""
    classes = generator.permutation(len(known.classes))[:count]
    return np.array([generator.choice(np.flatnonzero(known.labels == one)) for one in classes])


def all_rows(model: nn.Module) -> Iterator[Row]:
    """Every method, ours and those of peers, at the last map and at one in the middle."""
    like = torch.zeros(BATCH, 3, SIDE, SIDE)
    last = "layer3.1.relu"
    by_layer = {layer: Explainer(model, like, layers=layer) for layer in (last, "layer2.1.relu")}
    for method in [*GRADIENT_METHODS, "eigencam"]:
        yield Row(method, "photosite", last, ours(by_layer[last], method))
    placed = Explainer(model, like, layers=last, placing="fields")
    yield Row("gradcam, by receptive fields", "photosite", last, ours(placed, "gradcam"))
    for method in ("scorecam", "ablationcam"):
        yield Row(method, "photosite", last, ours(by_layer[last], method), slow=True)
    for method in ("gradcam", "gradcam++", "hirescam", "layercam", "xgradcam"):
        yield Row(method, "photosite", "layer2.1.relu", ours(by_layer["layer2.1.relu"], method))
    back = Backward(model, like)
    for name, function in (
        ("saliency", saliency),
        ("gradient × input", gradient_times_input),
        ("guided backpropagation", guided_backpropagation),
        ("deconvnet", deconvnet),
    ):
        yield Row(name, "photosite", "input", lambda x, t, f=function: f(back, x, aim=t).heat.numpy())  # type: ignore[misc]
    yield Row(
        "integrated gradients, 20 steps",
        "photosite",
        "input",
        lambda x, t: integrated_gradients(back, x, aim=t, steps=20).heat.numpy(),
        slow=True,
    )
    block = "layer3.1"  # its last value is the same; hooks on the rectifier itself, used twice, see the first use
    captum = import_captum()
    peer = captum.LayerGradCam(model, model.get_submodule(block))
    yield Row("LayerGradCam", "captum", block, lambda x, t: stretched(peer.attribute(x, t)[:, 0]))
    theirs = import_grad_cam()
    for name in (
        *("GradCAM", "GradCAMPlusPlus", "HiResCAM", "LayerCAM", "XGradCAM"),
        *("EigenCAM", "ScoreCAM", "AblationCAM"),
    ):
        slow = name in ("ScoreCAM", "AblationCAM")
        yield Row(name, "pytorch-grad-cam", block, by_grad_cam(theirs, name, model, block), slow)
    yield Row("GradCAM", "pytorch-grad-cam", last, by_grad_cam(theirs, "GradCAM", model, last))
    yield Row("contrast of the picture, whatever the network", "", "", lambda x, t: contrast(x))
    yield Row("center of the canvas, always", "", "", lambda x, t: center(x))


def ours(explainer: Explainer, method: str) -> Maps:
    """Maps of photosite; one that is refused is flat, which is chance."""

    def maps(x: Tensor, targets: list[int]) -> npt.NDArray[np.floating]:
        found = [one[0] for one in explainer(x, method, targets)]
        return np.stack([np.zeros((SIDE, SIDE)) if one.refused else one.over_input() for one in found])

    return maps


def by_grad_cam(theirs: Any, name: str, model: nn.Module, layer: str) -> Maps:
    """Maps of pytorch-grad-cam, as it draws them."""
    targets_of = sys.modules["pytorch_grad_cam.utils.model_targets"].ClassifierOutputTarget

    def maps(x: Tensor, targets: list[int]) -> npt.NDArray[np.floating]:
        with (
            contextlib.redirect_stderr(io.StringIO()),
            getattr(theirs, name)(model, [model.get_submodule(layer)]) as cam,
        ):
            found: npt.NDArray[np.floating] = cam(x.clone(), [targets_of(one) for one in targets])
        return found

    return maps


def stretched(values: Tensor) -> npt.NDArray[np.floating]:
    """A map cut off at 0 and stretched over the input, as captum's own picture of it is made."""
    large = torch.nn.functional.interpolate(values.detach().clamp_min(0)[:, None], (SIDE, SIDE), mode="bilinear")
    found: npt.NDArray[np.floating] = large[:, 0].numpy()
    return found


def contrast(x: Tensor) -> npt.NDArray[np.floating]:
    """How much each pixel differs from those beside it."""
    across, down = torch.zeros_like(x[:, 0]), torch.zeros_like(x[:, 0])
    across[..., 1:] = x.diff(dim=3).abs().mean(1)
    down[:, 1:] = x.diff(dim=2).abs().mean(1)
    found: npt.NDArray[np.floating] = (across + down).numpy()
    return found


def center(x: Tensor) -> npt.NDArray[np.floating]:
    """Largest in the middle."""
    away = np.hypot(*np.meshgrid(*[np.arange(SIDE) - (SIDE - 1) / 2] * 2, indexing="ij"))
    return np.repeat((away.max() - away)[None], len(x), 0)


@dataclass(frozen=True, eq=False)
class Found:
    """What one method gave: for each object, whether it was pointed at, whether another was, and the energy inside."""

    row: Row
    at: npt.NDArray[np.float64]
    at_others: npt.NDArray[np.float64]
    inside: npt.NDArray[np.float64]
    seconds: float


def measure(rows: Sequence[Row], collages: Sequence[Collage], recipe: Recipe, questions: int, slow: int) -> list[Found]:
    """Ask every method for every object."""
    asked = [(collage, number) for collage in collages for number in range(len(collage.boxes))][:questions]
    found = []
    for row in rows:
        numbers: list[tuple[float, float, float]] = []
        start = time.perf_counter()
        for at in range(0, slow if row.slow else questions, BATCH):
            some = asked[at : at + BATCH]
            x = torch.from_numpy(np.concatenate([recipe(collage.picture) for collage, _ in some]))
            filled = torch.cat([x, x[:1].expand(BATCH - len(x), -1, -1, -1)])
            targets = [collage.labels[number] for collage, number in some]
            maps = row.maps(filled, targets + targets[:1] * (BATCH - len(x)))
            for (collage, number), values in zip(some, maps, strict=False):
                points = [points_inside(values, box) for box in collage.boxes]
                inside = energy_inside(values, collage.boxes[number])
                numbers.append((points[number], sum(points) - points[number], inside))
        seconds = (time.perf_counter() - start) / len(numbers)
        found.append(Found(row, *np.array(numbers).T, seconds))
        print(line(found[-1]), f"{seconds * 1e3:.1f} ms", file=sys.stderr)
    return found


def line(one: Found) -> str:
    """A row of the table."""
    row = one.row
    low, high = wilson(float(one.at.sum()), len(one.at))  # ties count in part
    spread = 1.96 * float(one.inside.std(ddof=1)) / math.sqrt(len(one.inside))
    return (
        f"| {row.name} | {row.whose} | {row.layer} | {one.at.mean():.3f} ({low:.2f} … {high:.2f}) | "
        f"{one.at_others.mean():.3f} | {one.inside.mean():.3f} ± {spread:.3f} | {len(one.at)} |"
    )


HEAD = """# Does a map find the object?

Written by `python benchmarks/write_localization.py`. The pictures are put together of real ones, so that the place of
each object is known to the pixel, and objects of other classes stand beside it: a map of whatever stands out is told
from a map of the class.

The network is the shipped one, `photosite_resnet12`; the objects are {known} test pictures of CIFAR-10 that it alone
calls right with at least {sure:.0%}. It was trained on single pictures of 32 × 32 and sees collages of 96 × 96 here for
the first time. Each object is asked for by its class, {questions} of them; {slow} by methods that take a pass for every
channel, or many for every picture. Every method sees the same pictures. In brackets the 95 % interval; a map that is
refused, or nowhere above 0, counts as a flat one. Peers: captum {captum}, pytorch-grad-cam {theirs}.

- *points at it*: the map's largest place lies in the object's picture (the pointing game).
- *at another*: in one of the other objects.
- *energy inside*: of all that the map holds above 0, the share in the object's picture.
"""
TITLES = {
    "two": """## Two objects at places by chance

On a canvas of ImageNet's mean color; chance is 1/9 = 0.111, the object's share of the area.""",
    "nine": """## Nine objects side by side

The grid pointing game of Böhle, Fritz and Schiele 2021; chance is 1/9 = 0.111.""",
}
COLUMNS = "| method | of | layer | points at it | at another | energy inside | objects |\n|---|---|---|---|---|---|---|"


def text(parts: Sequence[tuple[str, Sequence[Found]]], known: int, questions: int, slow: int) -> str:
    """The whole page."""
    head = HEAD.format(
        known=f"{known:,}".replace(",", " "),
        sure=SURE,
        questions=questions,
        slow=slow,
        captum=importlib.metadata.version("captum"),
        theirs=importlib.metadata.version("grad-cam"),
    )
    tables = [f"{TITLES[title]}\n\n{COLUMNS}\n" + "\n".join(map(line, found)) + "\n" for title, found in parts]
    return "\n".join([head, *tables])


if __name__ == "__main__":
    main()
