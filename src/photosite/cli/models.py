"""`photosite models`: what networks there are; `photosite models show NAME`: one of them on one screen."""

from __future__ import annotations

import json as json_text
import sys
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from photosite.analysis.inspection import Inspection, ModuleReport
    from photosite.nets.checkpoints.published import Published

WEIGHTS_SHOWN = 8
"""Entries of published weights on the screen; `--json` has them all."""

models_app = App(name="models")


@models_app.default
def models(pattern: str = "*", /, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List the networks that are here, with their parameters, input sizes and tokens.

    Args:
        pattern: only names that match, with * and ?.
        json: print one JSON object instead of a table.
    """
    from photosite.errors import UnknownNameError
    from photosite.nets import list_models, model_info
    from photosite.nets.checkpoints.published import published_weights
    from photosite.nets.sizes import model_size
    from photosite.trace.notation import short

    names = list_models(pattern)
    if not names:
        raise UnknownNameError("model", pattern, list_models())
    rows: list[dict[str, Any]] = []
    for name in names:
        info, size = model_info(name), model_size(name)
        assert size is not None  # a test holds the table to the registry
        rows.append(
            {
                "name": name,
                "parameters": size.parameters,
                "macs": size.macs,
                "input_size_hw": size.input_hw,
                "grid": size.grid,
                "prefix_tokens": size.prefix,
                "width": size.width,
                "recipe": info.recipe,
                "classes": info.num_classes,
                "weights": "in the package" if info.shipped else None,
                "published": len(published_weights(name)),
                "source": info.source,
            }
        )
    if json:
        print(json_text.dumps({"models": rows}))
        return 0

    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model", no_wrap=True)
    for column in ("params", "MACs", "input px", "tokens", "width", "classes"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("weights", no_wrap=True)
    for row in rows:
        (height, width), (down, across) = row["input_size_hw"], row["grid"]
        prefix = f"{row['prefix_tokens']} + " if row["prefix_tokens"] else ""
        table.add_row(
            row["name"],
            short(row["parameters"]),
            short(row["macs"]),
            f"{height}×{width}",
            f"{prefix}{down}×{across}",
            str(row["width"]),
            str(row["classes"]),
            "here" if row["weights"] else f"{row['published']} published" if row["published"] else "a file",
        )
    console = Console() if sys.stdout.isatty() else Console(width=120)
    console.print(table)
    return 0


@models_app.command
def show(model: str, /, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Show one network: its stages, what it costs, its recipe, and whose weights fit it under which license.

    Args:
        model: a name of `photosite models`.
        json: print one JSON object instead.
    """
    import torch

    from photosite.analysis.inspection import inspect
    from photosite.graph.capture import capture
    from photosite.graph.functional import functional
    from photosite.nets import create_model, model_info
    from photosite.nets.checkpoints.published import published_weights
    from photosite.nets.sizes import model_size
    from photosite.prep.recipes import get_recipe

    info = model_info(model)
    with torch.device("meta"):  # shapes without numbers
        network = create_model(info.name)
    recipe, size = get_recipe(info.recipe), model_size(info.name)
    side = recipe.input_hw or (224, 224)
    graph = functional(capture(network, torch.zeros(1, 3, *side, device="meta")))
    found = inspect(graph, "", {path: type(part).__name__ for path, part in network.named_modules()})
    stages, entries = _stages(found), published_weights(info.name)
    if json:
        print(
            json_text.dumps(
                {
                    "name": info.name,
                    "source": info.source,
                    "size": None if size is None else asdict(size),
                    "stages": [stage | {"modules": len(stage["modules"])} for stage in stages],
                    "recipe": recipe.to_dict(),
                    "shipped": info.shipped is not None,
                    "weights": [
                        asdict(entry) | {"recipe": entry.recipe.to_dict() if entry.recipe else None}
                        for entry in entries
                    ],
                }
            )
        )
        return 0
    _print(info.name, info.source, stages, found, entries, shipped=info.shipped is not None)
    return 0


def _stages(found: Inspection) -> list[dict[str, Any]]:
    """The parts of a network one level down, two where a part is a row of stages; equal neighbors as one."""
    paths = {module.path: module for module in found.modules}

    def parts(path: str) -> list[ModuleReport]:
        depth = path.count(".") + 1 if path else 0
        return [
            module
            for name, module in paths.items()
            if name and name.count(".") == depth and name.startswith(f"{path}." if path else "")
        ]

    rows: list[ModuleReport] = []
    for module in parts(""):
        inner = parts(module.path)
        rows += inner if module.path in ("features", "blocks", "classifier") and inner else [module]
    stages: list[dict[str, Any]] = []
    for (kind, shape, parameters, macs), run in groupby(
        rows, lambda one: (one.type, one.output_shape, one.parameters, one.macs)
    ):
        same = list(run)
        size, jump = same[-1].receptive_field, same[-1].jump
        stages.append(
            {
                "modules": [one.path for one in same],
                "path": same[0].path if len(same) == 1 else f"{same[0].path} … {same[-1].path.rpartition('.')[2]}",
                "type": kind,
                "output_shape": list(shape[1:]),
                "parameters": parameters * len(same),
                "macs": macs * len(same),
                "receptive_field": None if size is None else list(size),
                "sees_all": bool(same[-1].field.global_by) or size is None,
                "jump": None if jump is None else [str(step) for step in jump],
            }
        )
    return stages


def _field(stage: dict[str, Any]) -> str:
    field = str(stage["receptive_field"][0]) if stage["receptive_field"] else ""
    if not stage["sees_all"]:
        return field
    return f"{field}, all" if field and stage["jump"] else "all"


def _print(
    name: str,
    source: str,
    stages: list[dict[str, Any]],
    found: Inspection,
    entries: tuple[Published, ...],
    *,
    shipped: bool,
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from photosite.nets.registry import model_info
    from photosite.prep.recipes import get_recipe
    from photosite.trace.notation import count, short

    console = Console() if sys.stdout.isatty() else Console(width=120)
    console.print(Text(name, style="bold"))
    console.print(Text(source, style="dim"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("stage", no_wrap=True)
    table.add_column("type", overflow="ellipsis", no_wrap=True)
    table.add_column("output", no_wrap=True)
    for head in ("params", "MACs", "field", "jump"):
        table.add_column(head, justify="right", no_wrap=True)
    for stage in stages:
        jump = stage["jump"]
        table.add_row(
            Text(stage["path"]),
            Text(stage["type"] if len(stage["modules"]) == 1 else f"{len(stage['modules'])} × {stage['type']}"),
            "×".join(map(str, stage["output_shape"])),
            short(stage["parameters"]),
            short(stage["macs"]),
            _field(stage),
            jump[0] if jump else "",
        )
    console.print(table)
    console.print(Text(f"{count(found.cost.parameters)} parameters, {count(found.cost.macs)} multiply-adds"))
    console.print(Text("\nrecipe", style="bold"), Text(model_info(name).recipe))
    for step in get_recipe(model_info(name).recipe).explain()[:4]:
        console.print(Text(f"  {step}"))
    console.print(Text("\nweights", style="bold"))
    if shipped:
        console.print(Text("  default: in the package"))
    for entry in entries[:WEIGHTS_SHOWN]:
        facts = [
            f"{entry.num_classes} classes" if entry.num_classes else "",
            f"top-1 {entry.top1:.2f} %" if entry.top1 else "",
            f"{entry.megabytes:.0f} MB" if entry.megabytes else "",
            f"license: {entry.license or 'not stated'}",
        ]
        mark = "  (default)" if entry.default and not shipped else ""
        console.print(Text(f"  {entry.name}{mark}"))
        console.print(Text(f"    {', '.join(fact for fact in facts if fact)}", style="dim"), soft_wrap=True)
        if entry.origin:
            console.print(Text(f"    from {entry.origin}", style="dim"), soft_wrap=True)
    if len(entries) > WEIGHTS_SHOWN:
        console.print(Text(f"  and {len(entries) - WEIGHTS_SHOWN} more: --json"))
    if not entries and not shipped:
        console.print(Text("  none known: give a file"))
