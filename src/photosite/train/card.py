"""The model card of a training run: data, command, accuracy by class, confusion matrix, what it is not for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def confusion(labels: npt.NDArray[np.int64], answers: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.int64]:
    """Count how often each class got each answer: (classes, classes), rows true, columns answered.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, answers), 1)
    return counts


def model_card(facts: dict[str, Any], counts: npt.NDArray[np.int64] | None) -> str:
    """Write a run's facts as Markdown.

    Args:
        facts: what `photosite.train.run` keeps with the weights.
        counts: the confusion matrix on the test pictures; None where there were none.
    """
    config = facts["config"]
    lines = [
        f"# {facts['architecture']}",
        "",
        f"A network that sorts pictures into {len(facts['classes'])} classes: {', '.join(facts['classes'])}.",
        "This card was written by the run that made the weights.",
        "",
        "| | |",
        "|---|---|",
        f"| parameters | {facts['parameters']:,} |",
        f"| trained on | {facts['pictures']:,} pictures |",
        f"| their SHA-256 | `{facts['data_sha256']}` (pixels, labels and class names) |",
        f"| input | recipe `{facts['recipe']}` |",
        f"| command | `{facts['command'] or 'from Python'}` |",
        f"| seed | {config['seed']} |",
        f"| time | {facts['seconds'] / 60:.0f} minutes for {config['epochs']} epochs, {facts['threads']} threads"
        f"{', convolutions in bfloat16' if facts['bfloat16'] else ''} |",
        f"| made with | photosite {facts['photosite']}, torch {facts['torch']} |",
        "",
    ]
    if counts is not None:
        lines += _measured(facts["classes"], counts)
    lines += [
        "## What it is not for",
        "",
        "- Decisions about people, safety or money. It was made to be looked into.",
        '- Pictures of anything but its classes: it knows no "none of these", and gives every picture one of them.',
        "- Whole photos at sizes much larger than it was trained at. It takes them, and its tokens show where things",
        "  are, but objects are then larger than any it has seen, and its answers are less often right.",
        "- Claims about other data. Its accuracy is that on the test pictures above and on no others.",
        "",
    ]
    return "\n".join(lines)


def _measured(classes: Sequence[str], counts: npt.NDArray[np.int64]) -> list[str]:
    """Accuracy by class, and the confusion matrix."""
    right = int(np.trace(counts))
    lines = [
        "## Accuracy",
        "",
        f"**{right / counts.sum():.2%} top-1** on {counts.sum():,} test pictures ({right:,} right), in float32, "
        "each picture once, as it is.",
        "",
        "| class | accuracy | pictures |",
        "|---|---|---|",
    ]
    lines += [
        f"| {name} | {counts[k, k] / counts[k].sum():.1%} | {counts[k].sum():,} |" for k, name in enumerate(classes)
    ]
    lines += ["", "## Confusion", "", "Rows are true classes, columns what the network answered.", ""]
    lines += [f"| | {' | '.join(classes)} |", f"|---|{'---|' * len(classes)}"]
    lines += [
        f"| **{name}** | {' | '.join(str(n) if n else '·' for n in counts[k].tolist())} |"
        for k, name in enumerate(classes)
    ]
    return [*lines, ""]
