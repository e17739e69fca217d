"""The training loop: pictures and a network in, a better network out, resumable to the same result.

Every epoch draws its random numbers from a generator seeded with (seed, epoch), so a run that was stopped and goes on
from its last checkpoint takes the same steps as one that never stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.errors import RangeError
from photosite.prep.recipe import Recipe
from photosite.train.augment import crop_and_flip, enlarge, erase, pad_pictures
from photosite.train.average import WeightAverage
from photosite.train.config import TrainConfig
from photosite.train.dataset import Dataset
from photosite.train.schedule import schedule


@dataclass(frozen=True)
class StepReport:
    """Where a run stands after a step; `loss` and `accuracy` are means over the epoch so far, on augmented pictures."""

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float
    pictures_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class EpochReport:
    """What an epoch brought; accuracies are shares in [0, 1], `test_accuracy` None without test pictures."""

    epoch: int
    loss: float
    accuracy: float
    test_accuracy: float | None
    learning_rate: float
    seconds: float
    pictures_per_second: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a line of the metrics file."""
        return asdict(self)


def native_bfloat16() -> bool:
    """Tell whether this processor multiplies bfloat16 itself (AVX-512 BF16 or AMX), rather than through float32."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


class Trainer:
    """A run that can be taken epoch by epoch, saved and resumed.

    `model` is trained in place; `best` is what to keep: the running average of its weights, or the model itself.
    """

    def __init__(
        self, model: nn.Module, data: Dataset, recipe: Recipe, config: TrainConfig, test: Dataset | None = None
    ) -> None:
        """Prepare a run; nothing is trained yet.

        Raises:
            RangeError: fewer pictures than one batch.
        """
        if len(data) < config.batch_size:
            raise RangeError(f"train: a batch wants {config.batch_size} pictures, there are {len(data)}")
        self.config = config
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.padded = pad_pictures(torch.from_numpy(data.pictures), config.crop_padding)
        self.labels = torch.from_numpy(data.labels)
        self.test = test
        self.recipe = recipe
        # x / 255 - mean over std, as one multiplication and one addition
        std, mean = torch.tensor(recipe.std), torch.tensor(recipe.mean)
        self.factor = (recipe.scale / std).view(1, -1, 1, 1)
        self.offset = (-mean / std).view(1, -1, 1, 1)
        decayed = [p for p in model.parameters() if p.ndim > 1]
        spared = [p for p in model.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.SGD(
            [{"params": decayed, "weight_decay": config.weight_decay}, {"params": spared, "weight_decay": 0.0}],
            lr=config.learning_rate,
            momentum=config.momentum,
            nesterov=True,
        )
        self.average = WeightAverage(self.model, config.average_decay) if config.average_decay else None
        self.reduced = config.precision == "bfloat16" or (config.precision == "auto" and native_bfloat16())
        self.epoch = 0
        self.steps_per_epoch = len(data) // config.batch_size

    @property
    def best(self) -> nn.Module:
        """The network to keep."""
        return self.average.model if self.average is not None else self.model

    def batch(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """Augment and normalize the pictures at `index`: (B, 3, H, W) float32, channels last in memory."""
        config = self.config
        pictures = crop_and_flip(self.padded, index, config.crop_padding, generator)
        x = pictures.permute(0, 3, 1, 2).float().mul_(self.factor).add_(self.offset)  # (B, 3, H, W)
        if config.erase_size:
            x = erase(x, config.erase_size, generator)
        if config.enlarge_share and self.epoch >= config.epochs // 2:
            x = enlarge(x, config.enlarge_share, generator)
        return x

    def train_epoch(self, on_step: Callable[[StepReport], None] | None = None) -> EpochReport:
        """Take one pass over the pictures, then measure on the test pictures if there are any."""
        config, steps = self.config, self.steps_per_epoch
        generator = torch.Generator().manual_seed(config.seed * 100_003 + self.epoch)
        order = torch.randperm(len(self.labels), generator=generator)
        rate_at = schedule(config.schedule)
        self.model.train()
        loss_sum = torch.zeros((), dtype=torch.float64)
        right = torch.zeros((), dtype=torch.int64)
        began, rate = time.perf_counter(), 0.0
        for step in range(steps):
            rate = config.learning_rate * rate_at((self.epoch * steps + step) / (config.epochs * steps), config.warmup)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            index = order[step * config.batch_size : (step + 1) * config.batch_size]
            x, y = self.batch(index, generator), self.labels[index]
            with torch.autocast("cpu", torch.bfloat16, enabled=self.reduced):
                logits = self.model(x)
            loss = F.cross_entropy(logits.float(), y, label_smoothing=config.label_smoothing)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if config.clip_gradient:
                nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_gradient)
            self.optimizer.step()
            if self.average is not None:
                self.average.update(self.model)
            loss_sum += loss.detach()
            right += (logits.argmax(1) == y).sum()
            if on_step is not None:
                done = step + 1
                elapsed = time.perf_counter() - began
                left = (config.epochs - self.epoch) * steps - done
                on_step(
                    StepReport(
                        epoch=self.epoch + 1,
                        step=done,
                        steps=steps,
                        loss=float(loss_sum) / done,
                        accuracy=float(right) / (done * config.batch_size),
                        pictures_per_second=done * config.batch_size / elapsed,
                        seconds_left=elapsed / done * left,
                    )
                )
        seconds = time.perf_counter() - began
        if not torch.isfinite(loss_sum):
            raise RangeError(f"train: the loss is not finite in epoch {self.epoch + 1}; lower the learning rate")
        self.epoch += 1
        test_accuracy = None if self.test is None else accuracy(self.best, self.test, self.recipe)
        return EpochReport(
            epoch=self.epoch,
            loss=float(loss_sum) / steps,
            accuracy=float(right) / (steps * config.batch_size),
            test_accuracy=test_accuracy,
            learning_rate=rate,
            seconds=seconds,
            pictures_per_second=steps * config.batch_size / seconds,
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that resuming to the same result needs, as tensors and plain values."""
        return {
            "epoch": self.epoch,
            "config": self.config.to_dict(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises:
            RangeError: the checkpoint was made with other choices; they are listed.
        """
        theirs, ours = state["config"], self.config.to_dict()
        differing = [
            f"{key} was {theirs.get(key)!r}, now {ours[key]!r}" for key in ours if theirs.get(key) != ours[key]
        ]
        if differing:
            raise RangeError(f"train: cannot resume with other choices: {'; '.join(differing)}")
        self.epoch = state["epoch"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])


@torch.inference_mode()
def predict(model: nn.Module, data: Dataset, recipe: Recipe, batch_size: int = 500) -> np.ndarray[Any, Any]:
    """Classify every picture in float32, without augmentation: (N,) int64 class indices."""
    was_training = model.training
    model.eval()
    answers = [
        model(torch.from_numpy(recipe(list(data.pictures[begin : begin + batch_size])))).argmax(1)
        for begin in range(0, len(data), batch_size)
    ]
    model.train(was_training)
    return torch.cat(answers).numpy()


def accuracy(model: nn.Module, data: Dataset, recipe: Recipe) -> float:
    """Share of pictures whose highest logit is their class, top-1."""
    return float((predict(model, data, recipe) == data.labels).mean())
