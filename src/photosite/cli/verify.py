"""`photosite verify`: a model run operation by operation in NumPy, each value held against PyTorch's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

    from photosite.analysis.verify import Check, Verdict


def verify(
    model: str,
    /,
    *,
    backward: Annotated[bool, Parameter(negative="")] = False,
    image: Path | None = None,
    batch: int = 1,
    weights: str | None = None,
    recipe: str | None = None,
    size: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    all_nodes: Annotated[bool, Parameter(name="--all", negative="")] = False,
) -> int:
    """Run a model operation by operation in NumPy, and compare each value with PyTorch's.

    Prints a line for each kind of operation with the largest difference that it made. Ends with 1 if an operation
    differs by itself, or has no counterpart in NumPy.

    Args:
        model: a name of `photosite models`, hf-hub:ORG/NAME, torchvision:NAME, timm:NAME, or package.module:function.
        backward: compare gradients too, of every value and every parameter.
        image: a photo to run it on; noise, always the same, if not given.
        batch: how many pictures at once.
        weights: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME, "default" or "random".
        recipe: how the photo becomes the model's input, as for `see`.
        size: side of the model's input in pixels.
        json: print one JSON object to stdout instead of the table.
        all_nodes: a line for each node instead.
    """
    from rich.console import Console

    from photosite.cli.model_input import model_and_input

    progress = Console(stderr=True)
    with progress.status("building the model"):
        network, x, *_ = model_and_input(model, weights, recipe, size, image, batch)
    with progress.status("reading it as a graph"):
        import torch

        from photosite.graph.capture import capture

        inputs = torch.from_numpy(x)
        graph = capture(network, inputs)
    with progress.status("running it twice"):
        from photosite.analysis.verify import verify as hold

        verdict = hold(graph, network, inputs, backward=backward)
    if json:
        from photosite.trace.save import dumps

        print(dumps(to_json(model, verdict)))
    else:
        _show(model, verdict, Console(), all_nodes=all_nodes)
    return 1 if verdict.first_failure or verdict.unknown_ops else 0


def to_json(model: str, verdict: Verdict) -> dict[str, Any]:
    """What `--json` prints."""
    worst, first = verdict.worst, verdict.first_failure
    checks = {"values": verdict.values, "gradients": verdict.gradients}
    return {
        "model": model,
        "nodes": len(verdict.values),
        "gradients": len(verdict.gradients),
        "max_difference": worst.difference if worst else None,
        "worst": _as_dict(worst) if worst else None,
        "first_failure": _as_dict(first) if first else None,
        "unknown_ops": dict(verdict.unknown_ops),
        "checks": {key: [_as_dict(check) for check in found] for key, found in checks.items()},
    }


def _as_dict(check: Check) -> dict[str, Any]:
    return {
        "node": check.node,
        "op": check.op,
        "module": check.module,
        "shape": list(check.shape),
        "difference": check.difference,
        "relative": check.relative,
        "own_difference": check.own,
        "state": check.state,
    }


def _show(model: str, verdict: Verdict, console: Console, *, all_nodes: bool) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from photosite.trace.notation import count

    parts = [("value", verdict.values)] + ([("gradient", verdict.gradients)] if verdict.gradients else [])
    for what, checks in parts:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        heads = ("node", "operation", "shape") if all_nodes else ("operation", "nodes", "worst node")
        for head in heads:
            table.add_column(head, overflow="fold")
        for head in ("difference", "of largest", ""):
            table.add_column(head, justify="right", no_wrap=True)
        for first, second, third, check in _rows(checks, all_nodes=all_nodes):
            numbers = (f"{check.difference:.2g}", f"{check.relative:.1e}")
            table.add_row(Text(first), Text(second), Text(third), *numbers, check.state)
        console.print(Text(f"{model}: largest difference to PyTorch, by {what}", style="bold"))
        console.print(table)
    for op, times in verdict.unknown_ops.items():
        console.print(Text(f"unknown: {op}, {times} times; PyTorch's own value went on from there"))
    total = len(verdict.values) + len(verdict.gradients)
    drifting = sum(check.state == "drift" for check in (*verdict.values, *verdict.gradients))
    if drifting:
        console.print(Text(f"{count(drifting)} differ only because of what came before them", style="dim"))
    failed = verdict.first_failure
    if failed is not None:
        where = f" in {failed.module}" if failed.module else ""
        own = f"by itself {failed.own:.2g} of {failed.scale:.2g}"
        console.print(Text(f"differs first: {failed.node} ({failed.op}{where}), {own}", style="bold"))
    elif not verdict.unknown_ops:
        console.print(
            Text(f"{count(total)} values and gradients agree" if verdict.gradients else f"{count(total)} values agree")
        )


def _rows(checks: tuple[Check, ...], *, all_nodes: bool) -> list[tuple[str, str, str, Check]]:
    """A line for each node; or for each operation, that of its worst node, with how many there are."""
    from photosite.shapes import shape_text

    if all_nodes:
        return [(check.node, check.op, shape_text(check.shape), check) for check in checks]
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(check.op or "parameters and inputs", []).append(check)
    order = ("differs", "unknown", "drift", "same")
    found = []
    for op, members in groups.items():
        worst = max(members, key=lambda check: (-order.index(check.state), check.relative))
        found.append((op.removeprefix("aten."), str(len(members)), worst.node, worst))
    return sorted(found, key=lambda row: (order.index(row[3].state), -row[3].relative))
