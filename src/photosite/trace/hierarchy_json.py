"""Everything of a hierarchy but its pictures, as one JSON object: all channels, measures, what is missing and why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from photosite.analysis.representation.by_depth import DepthMeasures, LayerMeasures
from photosite.trace.hierarchy import Channel, HierarchyTrace, Layer, Top


def to_json(trace: HierarchyTrace) -> dict[str, Any]:
    """What `--json` prints: numbers of all channels, those first that a page shows."""
    return {
        "model": trace.model,
        "pictures": trace.pictures,
        "source": trace.source,
        "left_out": list(trace.left_out),
        "input": list(trace.input_hw),
        "top": trace.k,
        "signal": trace.rule,
        "classes": dict(trace.labels),
        "same_class_by_chance": trace.chance,
        "layers": [_layer(one) for one in trace.layers],
        "measures": None if trace.measures is None else _measures(trace.measures),
        "not_measured": trace.unmeasured or None,
        "against": None
        if trace.alike is None
        else {"model": trace.against, "layers": list(trace.against_layers), "cka": _numbers(trace.alike.tolist())},
        "trained": trace.trained,
        "notes": list(trace.notes),
        "version": trace.version,
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "node": layer.node,
        "module": layer.module,
        "op": layer.op,
        "chosen_for": layer.reason,
        "layers_with_weights": layer.layers,
        "grid": list(layer.grid),
        "receptive_field": _list(layer.size),
        "upper_bound": list(layer.at_most),
        "jump": _list(layer.jump),
        "global_by": list(layer.global_by),
        "same_class": layer.agreement,
        "silent": list(layer.silent),
        "pictures_with_channels_that_are_no_numbers": layer.not_numbers,
        "notes": list(layer.notes),
        "shown": layer.shown,
        "channels": [_channel(one) for one in layer.channels],
    }


def _channel(channel: Channel) -> dict[str, Any]:
    again = [None if cut is None else cut.again for cut in channel.cuts] or [None] * len(channel.tops)
    return {
        "channel": channel.number,
        "same_class": channel.agreement,
        "top": [_top(top, number) for top, number in zip(channel.tops, again, strict=True)],
    }


def _top(top: Top, again: float | None) -> dict[str, Any]:
    return {
        "picture": top.name,
        "class": top.label,
        "activation": top.value,
        **({} if again is None else {"again": again}),
        "place": _list(top.place),
        "input_box": _list(top.input_box),
        "photo_box": _list(top.photo_box),
    }


def _measures(measures: DepthMeasures) -> dict[str, Any]:
    return {
        "pictures": measures.pictures,
        "classes": list(measures.classes),
        "layers": [_measured(one) for one in measures.trained],
        "untrained": [_measured(one) for one in measures.untrained],
        "cka": _numbers(measures.cka.tolist()),
        "cka_untrained": None if measures.cka_untrained is None else _numbers(measures.cka_untrained.tolist()),
    }


def _measured(one: LayerMeasures) -> dict[str, Any]:
    probe = one.probe
    return {
        "name": one.name,
        "selectivity": _numbers(one.selectivity.tolist()),
        "orientation": _numbers(one.orientation.tolist()),
        "probe": None
        if probe is None
        else {
            "accuracy": probe.accuracy,
            "interval": list(probe.interval),
            "chance": probe.chance,
            "train_accuracy": probe.train_accuracy,
            "train": probe.train,
            "test": probe.test,
        },
    }


def _numbers(values: Any) -> Any:
    """Lists of numbers, None where one is not a number: JSON has no word for it."""
    if isinstance(values, list):
        return [_numbers(value) for value in values]
    return values if math.isfinite(values) else None


def _list(values: Sequence[Any] | Iterable[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)
