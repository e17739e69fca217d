"""`photosite train`: train a network by name, with a bar that says how it goes."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Literal


def train(
    model: str,
    data: Path,
    /,
    *,
    test: Path | None = None,
    out: Path = Path("run"),
    recipe: str | None = None,
    epochs: int = 28,
    batch_size: int = 256,
    learning_rate: float = 0.4,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    label_smoothing: float = 0.1,
    schedule: Literal["one-cycle", "cosine"] = "one-cycle",
    warmup: float = 0.15,
    average_decay: float = 0.999,
    crop_padding: int = 4,
    erase_size: int = 0,
    clip_gradient: float = 0.0,
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    store: Literal["float32", "float16"] = "float32",
    seed: int = 0,
) -> int:
    """Train a network on pictures sorted into classes.

    The same command goes on with a run that was stopped, and ends with the same weights.

    Args:
        model: a name of `photosite models`.
        data: a folder of class folders, a zip of them, or a folder with CIFAR-10's batches.
        test: pictures for measuring, never trained on.
        out: folder for checkpoint, metrics, curve and weights.
        recipe: how pictures become inputs; the network's own if not given.
        epochs: passes over the pictures.
        batch_size: pictures a step.
        learning_rate: the highest learning rate.
        momentum: Nesterov momentum of SGD.
        weight_decay: on convolution and linear weights.
        label_smoothing: share of the target spread over all classes.
        schedule: how the learning rate rises and falls.
        warmup: share of the run in which it rises.
        average_decay: of the running average of the weights, which is what is kept; 0 turns it off.
        crop_padding: largest random shift in pixels.
        erase_size: side of the square hidden in every picture, in pixels; 0 turns it off.
        clip_gradient: largest norm of the gradient; 0 never clips.
        precision: what convolutions multiply in; auto takes bfloat16 where the processor has it.
        store: precision of the weights file.
        seed: of weights, order and augmentation.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    from photosite.train.loop import EpochReport, StepReport, TrainConfig
    from photosite.train.run import train as run

    config = TrainConfig(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        schedule=schedule,
        warmup=warmup,
        average_decay=average_decay,
        crop_padding=crop_padding,
        erase_size=erase_size,
        clip_gradient=clip_gradient,
        precision=precision,
        seed=seed,
    )
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
