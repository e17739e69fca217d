"""All measures of what a network holds, layer by layer, trained and untrained: the pictures are read once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from photosite.analysis.layer_values import LayerValues, like
from photosite.analysis.picture_batches import Given, PictureBatches
from photosite.analysis.representation.by_depth import DepthMeasures, LayerMeasures, Probe
from photosite.analysis.representation.cka import LEAST, CkaSums, gram
from photosite.analysis.representation.linear_probe import Labels, checked_classes, linear_probe
from photosite.analysis.representation.orientation_selectivity import orientation_selectivity
from photosite.analysis.representation.pooled import Pooled
from photosite.errors import RangeError, ShapeError
from photosite.prep.recipe import Recipe


def measure_depth(
    model: nn.Module,
    pictures: Iterable[Given],
    labels: Labels | None,
    recipe: Recipe | None,
    nodes: Sequence[str],
    *,
    untrained: nn.Module | None = None,
    classes: Sequence[str] = (),
    batch: int = 32,
    seed: int = 0,
) -> DepthMeasures:
    """Orientation, class and likeness of some layers of a network, and of the same network untrained.

    The pictures are read once; what is held is a row of channel means for each picture and layer, and a batch. Gratings
    come on top of that, some hundreds of inputs whose number does not depend on the pictures.

    Args:
        model: any vision model of one input, left as it was; run as in evaluation.
        pictures: each (H, W, 3) uint8, or batches that are prepared already.
        labels: the class of each picture, numbers or names; None leaves the probes out.
        recipe: makes the model's input of a picture, and of gratings by its mean, deviation and layout. None where all
            pictures are prepared and the model takes 0 … 1, channels first: gratings then come as they are.
        nodes: names of nodes or paths of modules, whose last value is taken: maps, tokens, or (B, D).
        untrained: the same network with random weights, with the same names and inputs.
        classes: names, in the order of numbers in `labels`.
        batch: how many pictures at once, at least 4. Part of the result: CKA compares pictures within a batch.
        seed: deals the pictures out to the probes, alike in all layers and both networks.
    Returns:
        Layers in the order of `nodes`. CKA is unbiased; a last batch of fewer than four pictures has no part in it.
    Raises:
        UnknownNameError: there is no such node or module.
        ShapeError: a value has no channels; pictures give inputs of several sizes; not a label for each picture.
        RangeError: batch is below 4; fewer pictures; a picture without a recipe; fewer than two classes, or one of a
            single picture; numbers that are not finite.
        CaptureError: a model cannot be read.
    """
    if batch < LEAST:
        raise RangeError(f"depth: wants batch of at least {LEAST}, got {batch}")
    if labels is not None:
        checked_classes(labels, len(labels), "depth")  # before hours of pictures, not behind them
    rows = PictureBatches(pictures, recipe, batch, like(model), 0, "depth")
    networks = [_Seen(one, rows, nodes) for one in (model, untrained) if one is not None]
    within, across = CkaSums(nodes, nodes), CkaSums(nodes, nodes)
    count = 0
    for x, _, sizes in rows.batches(0):
        count += len(sizes)
        if labels is not None and count > len(labels):
            raise ShapeError(f"depth: wants a label for each picture, got {len(labels)} for {count} or more")
        found = [network.see(x, len(sizes)) for network in networks]
        if len(sizes) >= LEAST:
            within.add(found[0], found[0])
            if untrained is not None:
                across.add(found[0], found[1])
    if labels is not None and count != len(labels):
        raise ShapeError(f"depth: wants a label for each picture, got {len(labels)} for {count}")
    measured = [network.measures(nodes, rows.shape[1:], recipe, labels, batch, seed) for network in networks]
    return DepthMeasures(
        trained=measured[0],
        untrained=measured[1] if untrained is not None else (),
        cka=within.cka(),
        cka_untrained=across.cka() if untrained is not None else None,
        pictures=count,
        classes=tuple(classes),
    )


class _Seen:
    """One network, and what is collected of it."""

    def __init__(self, model: nn.Module, rows: PictureBatches, nodes: Sequence[str]) -> None:
        self.model = model
        self.values = LayerValues(model, rows.shape, rows.dtype, nodes, "depth")
        self.pooled = Pooled(self.values.places)

    def see(self, x: Tensor, count: int) -> dict[str, Tensor]:
        """Take in a batch of which some pictures count; products of them by name, if they are enough."""
        grams: dict[str, Tensor] = {}

        def look(name: str, value: Tensor) -> None:
            self.pooled.add(name, value[:count])
            if count >= LEAST:
                grams[name] = gram(value[:count], f"depth: {name}")

        self.values(x, look)
        return grams

    def measures(
        self,
        nodes: Sequence[str],
        shape: tuple[int, ...],
        recipe: Recipe | None,
        labels: Labels | None,
        batch: int,
        seed: int,
    ) -> tuple[LayerMeasures, ...]:
        """Of each layer, once all pictures have been seen."""
        tunings = orientation_selectivity(self.model, nodes, shape, recipe, batch=batch)
        probes: dict[str, Probe | None] = dict.fromkeys(nodes)
        if labels is not None:
            for name, rows in self.pooled.rows().items():
                probes[name] = linear_probe(rows, labels, seed=seed, who=f"depth: probe of {name}")
        return tuple(LayerMeasures(name, *tunings[name], probes[name]) for name in nodes)
