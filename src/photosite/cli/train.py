"""`photosite train`: train a network by name, with a bar that says how it goes."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from photosite.train.config import TrainConfig

DEFAULTS = TrainConfig()


def train(
    model: str,
    data: Path,
    /,
    *,
    test: Path | None = None,
    out: Path = Path("run"),
    recipe: str | None = None,
    config: Annotated[TrainConfig, Parameter(name="*")] = DEFAULTS,
    store: Literal["float32", "float16"] = "float32",
) -> int:
    """Train a network on pictures sorted into classes.

    The same command goes on with a run that was stopped, and ends with the same weights.

    Args:
        model: a name of `photosite models`.
        data: a folder of class folders, a zip of them, or a folder with CIFAR-10's batches.
        test: pictures for measuring, never trained on.
        out: folder for checkpoint, metrics, curve and weights.
        recipe: how pictures become inputs; the network's own if not given.
        config: the choices of the run.
        store: precision of the weights file.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    from photosite.train.loop import EpochReport, StepReport
    from photosite.train.run import train as run

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[now]}"))
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("training", total=None, now="")

        def on_step(report: StepReport) -> None:
            progress.update(
                bar,
                description=f"epoch {report.epoch}/{config.epochs}",
                total=report.steps,
                completed=report.step,
                now=f"loss {report.loss:.3f}  accuracy {report.accuracy:.2%}  "
                f"{report.pictures_per_second:.0f} images/s  {_clock(report.seconds_left)} left",
            )

        def on_epoch(report: EpochReport) -> None:
            tested = "" if report.test_accuracy is None else f"  test {report.test_accuracy:.2%}"
            console.print(
                f"epoch {report.epoch:>3}  loss {report.loss:.3f}  accuracy {report.accuracy:.2%}{tested}  "
                f"{report.seconds:.0f} s  {report.pictures_per_second:.0f} images/s",
                highlight=False,
            )

        weights = run(
            model,
            data,
            out,
            config,
            test=test,
            recipe=recipe,
            store=store,
            command=shlex.join(["photosite", *sys.argv[1:]]),
            on_step=on_step,
            on_epoch=on_epoch,
            say=lambda line: console.print(line, highlight=False, markup=False),
        )
    print(weights)
    return 0


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds, as a clock shows them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
