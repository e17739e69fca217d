"""`photosite inspect`: a model module by module: shape, parameters, multiply-adds, and how far it sees."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

    from photosite.analysis.inspection import Inspection, ModuleReport


def inspect(
    model: str,
    /,
    *,
    input: str | None = None,
    module: str = "",
    weights: str = "random",
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show a model module by module: output shape, parameters, multiply-adds, receptive field.

    A receptive field is local: the pixels that reach a value through convolutions, pools and sums, as if the picture
    had no borders. What weighs by the whole picture (attention, a gate behind a mean, a norm over space) is named
    beside it. A jump is how many pixels lie between neighboring places.

    Args:
        model: a name of `photosite models`, hf-hub:ORG/NAME, torchvision:NAME, timm:NAME, or package.module:function.
        input: the input's channels, height and width, such as 3x224x224; the model's own if not given.
        module: the path of a module, to see it and those inside it alone.
        weights: as for `see`; of no consequence for what is shown, so none are loaded by default.
        out: a folder, to write inspect.html and inspect.json.
        json: print one JSON object to stdout instead of the table.
    """
    from rich.console import Console

    from photosite.cli.model_input import SIDE
    from photosite.nets.sources import find_model

    progress = Console(stderr=True)
    with progress.status("building the model"):
        network = find_model(model, weights)
        recipe = getattr(network, "photo_recipe", None)
        height, width = (recipe.input_hw if recipe is not None else None) or (SIDE, SIDE)
        shape = _shape(input) if input else (3, height, width)
    with progress.status("reading it as a graph"):
        import torch

        from photosite.graph.capture import capture
        from photosite.graph.functional import functional

        graph = functional(capture(network, torch.zeros(1, *shape)))
    from photosite.analysis.inspection import inspect as look

    types = {path: type(part).__name__ for path, part in network.named_modules()}
    found = look(graph, module, types)
    from photosite.trace.save import dumps

    written = ""
    if out is not None:
        from photosite import __version__
        from photosite.cli.photo import write_page
        from photosite.report.inspection import render

        written = write_page(
            out, "inspect", render(model, shape, found, __version__), dumps(to_json(model, shape, found))
        )
    from photosite.cli.photo import answer

    console = Console() if sys.stdout.isatty() else Console(width=140)
    answer(to_json(model, shape, found), lambda: _show(model, shape, found, console), json, written)
    return 0


def to_json(model: str, shape: tuple[int, ...], found: Inspection) -> dict[str, Any]:
    """What `--json` prints; numbers that are not whole are fractions in words."""
    return {
        "model": model,
        "input": list(shape),
        "macs": found.cost.macs,
        "parameters": found.cost.parameters,
        "modules": [_as_dict(module) for module in found.modules],
        "unknown_ops": dict(found.cost.unknown_ops),
        "unknown_fields": found.unknown,
    }


def _as_dict(module: ModuleReport) -> dict[str, Any]:
    size, jump = module.receptive_field, module.jump
    return {
        "path": module.path,
        "type": module.type,
        "output_shape": list(module.output_shape),
        "parameters": module.parameters,
        "macs": module.macs,
        "receptive_field": None if size is None else list(size),
        "jump": None if jump is None else [_number(step) for step in jump],
        "global_by": list(module.field.global_by),
        "unaligned": list(module.field.field.unaligned),
        "at_most": list(module.field.at_most),
        "unknown": module.field.unknown or None,
    }


def _number(value: Fraction) -> int | str:
    return value.numerator if value.denominator == 1 else str(value)


def _shape(text: str) -> tuple[int, ...]:
    from photosite.errors import RangeError

    sides = text.lower().replace("×", "x").split("x")
    if len(sides) != 3 or not all(side.strip().isdigit() and int(side) > 0 for side in sides):
        raise RangeError(f"--input wants channels, height and width such as 3x224x224, got {text!r}")
    return tuple(int(side) for side in sides)


def _show(model: str, shape: tuple[int, ...], found: Inspection, console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from photosite.shapes import shape_text
    from photosite.trace.notation import count, short

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("module", no_wrap=True)
    table.add_column("type", overflow="ellipsis", no_wrap=True, min_width=6)
    table.add_column("output", no_wrap=True)
    for head in ("params", "MACs", "field", "jump"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("all by", overflow="ellipsis", no_wrap=True, min_width=6)
    for module in found.modules:
        jump = module.jump
        table.add_row(
            Text(module.path or "(all)"),
            Text(module.type),
            Text("×".join(map(str, module.output_shape[1:]))),
            short(module.parameters),
            short(module.macs),
            ("≤ " if module.field.at_most else "") + _field(module),
            _pair(jump) if jump else "",
            Text(_names(module)),
        )
    console.print(Text(f"{model}, input {shape_text(shape)}", style="bold"))
    console.print(table)
    console.print(Text(f"{count(found.cost.parameters)} parameters, {count(found.cost.macs)} multiply-adds"))
    for op, times in found.cost.unknown_ops.items():
        console.print(Text(f"unknown: {op}, {times} times; its multiply-adds are missing above"))
    for why in dict.fromkeys(found.unknown.values()):
        console.print(Text(f"field unknown behind {why}"))


def _field(module: ModuleReport) -> str:
    if module.receptive_field is not None:
        return _pair(module.receptive_field)
    return "?" if module.field.unknown else "all"


def _pair(numbers: tuple[Any, Any]) -> str:
    down, across = numbers
    return str(down) if down == across else f"{down} × {across}"


def _names(module: ModuleReport) -> str:
    """What makes it see everything: the last one first, since that is nearest."""
    names = module.field.global_by
    return f"{names[-1]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}" if names else ""
