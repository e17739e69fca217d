"""`photosite models`: what networks there are, with parameters and input size."""

from __future__ import annotations

import json as json_text
import sys
from typing import Annotated, Any

from cyclopts import Parameter


def models(pattern: str = "*", /, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List the networks that are here, with their parameters and input sizes.

    Args:
        pattern: only names that match, with * and ?.
        json: print one JSON object instead of a table.
    """
    import torch

    from photosite.errors import UnknownNameError
    from photosite.nets import create_model, list_models, model_info
    from photosite.prep.recipes import get_recipe
    from photosite.trace.notation import short

    names = list_models(pattern)
    if not names:
        raise UnknownNameError("model", pattern, list_models())
    rows: list[dict[str, Any]] = []
    for name in names:
        info = model_info(name)
        with torch.device("meta"):  # shapes without numbers
            model = create_model(name)
        size = get_recipe(info.recipe).input_hw
        rows.append(
            {
                "name": name,
                "parameters": sum(parameter.numel() for parameter in model.parameters()),
                "input_size_hw": size,
                "recipe": info.recipe,
                "classes": info.num_classes,
                "weights": "in the package" if info.shipped else None,
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
    for column in ("params", "input px", "classes"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("recipe", no_wrap=True)
    table.add_column("weights", no_wrap=True)
    for row in rows:
        height, width = row["input_size_hw"]
        table.add_row(
            row["name"],
            short(row["parameters"]),
            f"{height}×{width}",
            str(row["classes"]),
            row["recipe"],
            "here" if row["weights"] else "a file",
        )
    console = Console() if sys.stdout.isatty() else Console(width=120)
    console.print(table)
    return 0
