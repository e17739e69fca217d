"""Measure every network of ours on its captured graph: writes src/photosite/nets/sizes.json and docs/sizes.md.

On the meta device: nothing is computed but shapes. Takes some minutes; names on the command line measure only those.
"""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

import torch

from photosite.analysis.cost import cost
from photosite.analysis.feature_map import find_feature_map, known_fields
from photosite.analysis.receptive_field import ReceptiveField
from photosite.files import write_whole
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.nets import create_model, list_models
from photosite.nets.classifier import Classifier
from photosite.nets.sizes import ModelSize, size_from
from photosite.trace.notation import short

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "src" / "photosite" / "nets" / "sizes.json"
PAGE = ROOT / "docs" / "sizes.md"
HEAD = """# How large the networks are

Each network at its recipe's input, one picture. *MACs* are multiply-adds of all convolutions and matrix products, as
torchvision counts them; *strides* the input pixels per cell of each level that `features_only=True` gives; *tokens* the
places of the feature map as rows × columns, with what stands in front of them; *width* the numbers for each; *field*
the pixels that one of them sees by convolutions, exact, and what makes it see everything beside that.
`python benchmarks/write_networks.py` writes this page.

| network | parameters | input | MACs | strides | tokens | width | field |
|---|---|---|---|---|---|---|---|
"""


def measure(name: str) -> ModelSize:
    """Build a network on the meta device, read it as a graph, and count."""
    with torch.device("meta"):
        model = create_model(name)
    assert isinstance(model, Classifier)
    recipe = model.recipe
    height, width = recipe.input_hw or (224, 224)
    graph = functional(capture(model, torch.zeros(1, 3, height, width, device="meta")))
    fields, counted = known_fields(graph), cost(graph)
    assert not counted.unknown_ops, (name, counted.unknown_ops)
    found = find_feature_map(graph, fields)
    assert found is not None
    assert found.grid is not None
    field = ReceptiveField(found.node, fields[found.node])
    assert field.known, (name, field.unknown)
    return ModelSize(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        macs=counted.macs,
        input_hw=(height, width),
        grid=found.grid,
        width=found.width,
        prefix=found.prefix or 0,
        reductions=tuple(dict.fromkeys(level.reduction for level in model.levels)),
        field=field.size,
        global_by=graph.node(field.global_by[0]).kind if field.global_by else "",
    )


def line(name: str, size: ModelSize) -> str:
    """A row of the page."""
    rows, columns = size.grid
    height, width = size.input_hw
    tokens = f"{size.prefix} + {rows} × {columns}" if size.prefix else f"{rows} × {columns}"
    sees = [str(size.field[0])] if size.field else []
    field = ", ".join([*sees, *([f"all by {size.global_by}"] if size.global_by else [])])
    strides = ", ".join(map(str, size.reductions))
    return (
        f"| {name} | {short(size.parameters)} | {height} × {width} | {short(size.macs)} | {strides} | {tokens} "
        f"| {size.width} | {field} |"
    )


def main() -> None:
    """Measure all, or those that are named, and write table and page."""
    warnings.filterwarnings("ignore")
    known = json.loads(TABLE.read_text()) if TABLE.is_file() else {}
    for name in sys.argv[1:] or list_models():
        known[name] = asdict(measure(name))
        print(name, known[name], flush=True)
    entries = {name: known[name] for name in list_models() if name in known}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())
    write_whole(TABLE, f"{{\n{lines}\n}}\n".encode())
    rows = (line(name, size_from(entry)) for name, entry in entries.items())
    write_whole(PAGE, (HEAD + "\n".join(rows) + "\n").encode())


if __name__ == "__main__":
    main()
