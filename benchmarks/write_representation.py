"""Print the tables of docs/representation.md: our encoder layer by layer on CIFAR-10's test pictures, trained and not.

Every fifth picture of a zip of class folders, in the order of their names: 2,000 of test.zip. Some minutes on one core.

    python benchmarks/write_representation.py cifar10/test.zip
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from photosite.analysis.representation.by_depth import LayerMeasures
from photosite.analysis.representation.cka import cka_between
from photosite.analysis.representation.depth import measure_depth
from photosite.analysis.representation.linear_probe import linear_probe
from photosite.analysis.representation.orientation_selectivity import orientation_selectivity
from photosite.nets import create_model
from photosite.prep.load import load
from photosite.prep.recipes import get_recipe

NAME = "photosite_resnet12"
NODES = ("relu", "layer1", "layer2.0", "layer2", "layer3.0", "layer3")
SEEDS = (0, 1, 2)
RECIPE = get_recipe("cifar10")


def fresh(seed: int, through: bool) -> nn.Module:
    """The encoder with random weights.

    Args:
        seed: of the weights.
        through: the last norm of each block begins with 1; as it is built it begins with 0, and blocks add nothing.
    """
    torch.manual_seed(seed)
    return create_model(NAME, zero_last_norm=not through)


def quartiles(numbers: Iterable[float]) -> str:
    """Three numbers, the median in the middle."""
    return " ".join(f"{one:.2f}" for one in np.nanpercentile(np.array(list(numbers)), [25, 50, 75]))


def upright(layer: LayerMeasures) -> str:
    """The share of channels whose stripes lie or stand to 22.5 degrees."""
    known = layer.orientation[~np.isnan(layer.orientation)]
    return f"{np.mean(np.abs((known + 45) % 90 - 45) <= 22.5):.0%}"


def told(layer: LayerMeasures) -> str:
    """What the probe tells, in percent."""
    probe = layer.probe
    assert probe is not None
    return f"{probe.accuracy:.1%} ({probe.interval[0]:.1%} … {probe.interval[1]:.1%})"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print("\n| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def main(path: str) -> None:
    """Measure and print."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[::5]
        pictures = [load(archive.read(name)) for name in names]
    labels = [name.split("/")[-2] for name in names]
    trained = create_model(NAME, "default")
    found = [
        measure_depth(trained, pictures, labels, RECIPE, NODES, untrained=fresh(SEEDS[0], through))
        for through in (False, True)
    ]
    trained_layers, shortcuts, through = found[0].trained, found[0].untrained, found[1].untrained
    colors = linear_probe(np.array([picture.mean((0, 1)) for picture in pictures], np.float32), labels)
    print(f"{len(pictures)} pictures; mean color alone: {colors.accuracy:.1%}, chance {colors.chance:.1%}")

    print("\nSelectivity: first quartile, median, third quartile; untrained over three seeds together")
    many = [
        [orientation_selectivity(fresh(seed, way), NODES, (3, 32, 32), RECIPE) for seed in SEEDS]
        for way in (False, True)
    ]
    table(
        ("layer", "channels", "trained", "untrained, as built", "untrained, blocks open", "lie or stand, trained"),
        (
            (
                f"`{layer.name}`",
                str(len(layer.selectivity)),
                quartiles(layer.selectivity),
                *(quartiles(np.concatenate([one[layer.name][0] for one in ways])) for ways in many),
                upright(layer),
            )
            for layer in trained_layers
        ),
    )
    print("\nProbe")
    table(
        ("layer", "channels", "trained", "untrained, as built", "untrained, blocks open"),
        (
            (f"`{a.name}`", str(len(a.selectivity)), told(a), told(b), told(c))
            for a, b, c in zip(trained_layers, shortcuts, through, strict=True)
        ),
    )
    others = cka_between(fresh(0, True), NODES, fresh(1, True), NODES, pictures, RECIPE, RECIPE)
    untrained = cka_between(fresh(0, True), NODES, fresh(0, True), NODES, pictures, RECIPE, RECIPE)
    for title, matrix in (
        ("trained (rows) against itself", found[0].cka),
        ("trained (rows) against untrained, as built", found[0].cka_untrained),
        ("trained (rows) against untrained, blocks open", found[1].cka_untrained),
        ("untrained, blocks open, against itself", untrained),
        ("untrained, blocks open, against another seed", others),
    ):
        assert matrix is not None
        print(f"\nCKA: {title}")
        rows = zip(NODES, matrix, strict=True)
        table(("", *(f"`{name}`" for name in NODES)), ((f"`{n}`", *(f"{one:.2f}" for one in row)) for n, row in rows))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
