"""The curve of a training run as a picture: loss and accuracy by epoch, in SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 56, 24, 40


def curve_svg(history: Sequence[dict[str, Any]]) -> str:
    """Draw training loss (left axis) and accuracies (right axis) over epochs.

    Args:
        history: one dictionary an epoch with `epoch`, `loss`, `accuracy` in [0, 1] and `test_accuracy` (or None).

    Returns:
        A complete SVG document, 720 x 320 px.
    """
    epochs = [int(entry["epoch"]) for entry in history]
    top_loss = max((float(entry["loss"]) for entry in history), default=1.0)
    last = max(epochs, default=1)

    def x(epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(1, last - 1)

    def y(share: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)

    def line(values: Sequence[float | None], color: str, label: str, *, dashed: bool = False) -> str:
        points = " ".join(
            f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in zip(epochs, values, strict=True) if value is not None
        )
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        return (
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"{dash}>'
            f"<title>{label}</title></polyline>"
        )

    grid = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}" stroke="#e3e0d8"/>'
        f'<text x="{LEFT - 8}" y="{y(share) + 4:.1f}" text-anchor="end">{share * top_loss:.2f}</text>'
        f'<text x="{WIDTH - RIGHT + 8}" y="{y(share) + 4:.1f}">{share:.0%}</text>'
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    )
    final = history[-1] if history else {"loss": 0.0, "accuracy": 0.0, "test_accuracy": None}
    tested = "" if final["test_accuracy"] is None else f" · test {final['test_accuracy']:.2%}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="ui-sans-serif,system-ui,sans-serif" font-size="12" fill="#5f646c">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fbfaf7"/>{grid}'
        + line([float(entry["loss"]) / top_loss for entry in history], "#a4630a", "training loss")
        + line([entry["accuracy"] for entry in history], "#6f4fa3", "training accuracy", dashed=True)
        + line([entry["test_accuracy"] for entry in history], "#6f4fa3", "test accuracy")
        + f'<text x="{LEFT}" y="{HEIGHT - 12}">epoch 1</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 12}" text-anchor="end">epoch {last}</text>'
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">'
        f'<tspan fill="#a4630a">loss {final["loss"]:.3f}</tspan> · '
        f'<tspan fill="#6f4fa3">accuracy {final["accuracy"]:.2%} (dashed){tested}</tspan></text></svg>\n'
    )
