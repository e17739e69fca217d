"""Learning rates over a training run, as shares of the highest one."""

from __future__ import annotations

import math
from collections.abc import Callable

from photosite.errors import UnknownNameError


def one_cycle(progress: float, warmup: float) -> float:
    """Rise in a straight line until `warmup`, then fall in a straight line to zero.

    Args:
        progress: share of the run that is done, in [0, 1].
        warmup: share of the run that the rise takes, in (0, 1).

    >>> [one_cycle(p, 0.25) for p in (0.0, 0.125, 0.25, 0.625, 1.0)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return progress / warmup if progress < warmup else (1 - progress) / (1 - warmup)


def cosine(progress: float, warmup: float) -> float:
    """Rise in a straight line until `warmup`, then fall along half a cosine to zero.

    Source: Loshchilov and Hutter 2017, without restarts.

    >>> round(cosine(0.6, 0.2), 3)
    0.5
    """
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


SCHEDULES: dict[str, Callable[[float, float], float]] = {"one-cycle": one_cycle, "cosine": cosine}


def schedule(name: str) -> Callable[[float, float], float]:
    """Look a schedule up by name.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in SCHEDULES:
        raise UnknownNameError("schedule", name, SCHEDULES)
    return SCHEDULES[name]
