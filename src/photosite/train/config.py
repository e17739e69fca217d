"""All choices of a training run, with the values that the default encoder was trained with.

Knows no torch, so that the command line can show them at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from photosite.errors import RangeError
from photosite.train.schedule import schedule


@dataclass(frozen=True)
class TrainConfig:
    """All choices of a training run.

    Attributes:
        epochs: passes over the training pictures.
        batch_size: pictures a step; what is left over at the end of an epoch waits for the next.
        learning_rate: the highest one, for the mean loss of a batch.
        momentum: of SGD, in Nesterov's form.
        weight_decay: on convolution and linear weights; norms and biases have none.
        label_smoothing: share of the target spread evenly over all classes.
        schedule: "one-cycle" or "cosine".
        warmup: share of the run in which the learning rate rises.
        average_decay: of the running average of the weights, which is what is kept; 0 keeps the last step's.
        crop_padding: largest random shift, in pixels.
        erase_size: side of the square that is hidden in every picture, in pixels; 0 hides nothing.
        enlarge_share: share of the batches that are shown 1.5 or 2 times as large, in the second half of the run.
        clip_gradient: largest norm of the gradient; 0, the default, never clips.
        precision: "float32", "bfloat16", or "auto": bfloat16 where the processor multiplies it natively.
        seed: of weights, order and augmentation.
    """

    epochs: int = 28
    batch_size: int = 256
    learning_rate: float = 0.4
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    schedule: str = "one-cycle"
    warmup: float = 0.15
    average_decay: float = 0.999
    crop_padding: int = 4
    erase_size: int = 0
    enlarge_share: float = 0.0
    clip_gradient: float = 0.0
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        wanted = {
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 2,
            "learning_rate": 0 < self.learning_rate < 1e3,
            "momentum": 0 < self.momentum < 1,
            "weight_decay": 0 <= self.weight_decay < 1,
            "label_smoothing": 0 <= self.label_smoothing < 1,
            "warmup": 0 < self.warmup < 1,
            "average_decay": 0 <= self.average_decay < 1,
            "crop_padding": 0 <= self.crop_padding,
            "erase_size": 0 <= self.erase_size,
            "enlarge_share": 0 <= self.enlarge_share <= 1,
            "clip_gradient": 0 <= self.clip_gradient,
            "precision": self.precision in ("auto", "float32", "bfloat16"),
        }
        for name, is_good in wanted.items():
            if not is_good:
                raise RangeError(f"train: {name} cannot be {getattr(self, name)!r}")
        schedule(self.schedule)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint or a card."""
        return asdict(self)
