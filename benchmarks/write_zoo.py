"""Every network of the zoo: does NumPy agree with PyTorch, and how long do both take? Writes docs/zoo.md.

Takes a quarter of an hour. Nothing is timed against a wanted number here; see bench_numpy for that.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from photosite.analysis.plans.plan import Plan  # noqa: E402
from photosite.analysis.verify import Verdict, verify  # noqa: E402
from photosite.graph.capture import capture  # noqa: E402
from photosite.graph.execute import model_arrays  # noqa: E402
from photosite.graph.functional import functional  # noqa: E402
from photosite.nets.sources import import_torchvision  # noqa: E402
from tests import zoo  # noqa: E402

PAGE = ROOT / "docs" / "zoo.md"
SOURCES = ("| torchvision:", "| timm:", "| transformers:")
HEAD = """# The zoo

Networks of torchvision, timm and transformers with random weights, one picture each (those marked † two), float32, two
threads. *Operations* is how many the captured graph has. The differences are the largest of any operation's value, and
of any gradient that is not 0 by nature, as a share of the largest number in it. *NumPy* is a plan's forward pass (see
[Networks in NumPy](numpy.md)), *PyTorch* the eager one. Nothing is left out: a network that could not be done stands
here with the reason. Where a forward difference is above 1e-4, rounding grew from one operation to the next: each by
itself agrees, and in double precision all of it to 1e-8. `make zoo` writes this page.

| network | operations | forward | backward | NumPy, ms | PyTorch, ms |
|---|---|---|---|---|---|
"""


def main() -> None:
    """Measure all of them, or those that are named, and write their lines of the page."""
    warnings.filterwarnings("ignore")
    import_torchvision()
    torch.set_num_threads(2)
    lines = {found.split(" ")[1]: found for found in PAGE.read_text().splitlines() if found.startswith(SOURCES)}
    for name in sys.argv[1:] or zoo.NAMES:
        lines[name] = line(name)
        print(lines[name], flush=True)
    PAGE.write_text(HEAD + "\n".join(lines[name] for name in zoo.NAMES if name in lines) + "\n")


def line(name: str) -> str:
    """A row of the table."""
    mark = " †" if name in zoo.PAIRED else ""
    try:
        model, x = zoo.build(name)
        graph = capture(model, x)
        verdict = verify(graph, model, x, backward=True)
        plan = Plan(functional(graph), model_arrays(model), 2)
    except Exception as error:  # whatever it is, the table says it
        return f"| {name}{mark} | {type(error).__name__}: {str(error).splitlines()[0]} | | | | |"
    ours, theirs = milliseconds(plan, model, x)
    apart = f"{share(verdict, 'values')} | {share(verdict, 'gradients')}"
    return f"| {name}{mark} | {len(verdict.values)} | {apart} | {ours:.0f} | {theirs:.0f} |"


def share(verdict: Verdict, which: str) -> str:
    """The largest difference; what only rounding is left of does not count, and a failure is named."""
    checks = [check for check in getattr(verdict, which) if check.state != "unknown"]
    failed = [check for check in checks if check.state == "differs"]
    if failed:
        return f"{failed[0].op or failed[0].node} differs by {failed[0].relative:.0e}"
    same = [check.relative for check in checks if which == "values" or check.state == "same"]
    return f"{max(same):.1e}"


def milliseconds(plan: Plan, model: nn.Module, x: torch.Tensor) -> tuple[float, float]:
    """Medians of both, in turns."""
    pictures = x.numpy()
    times: tuple[list[float], list[float]] = ([], [])
    with torch.inference_mode():
        for _ in range(3):
            for call, into in ((lambda: plan(pictures), times[0]), (lambda: model(x), times[1])):
                into.append(timed(call))
    return statistics.median(times[0]), statistics.median(times[1])


def timed(call: Callable[[], object]) -> float:
    """One call's time, after a pause and an untimed one."""
    time.sleep(0.04)
    call()
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
