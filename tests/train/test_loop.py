"""The training loop against plain PyTorch, and what resuming promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from photosite.errors import RangeError
from photosite.nets.blocks import BasicBlock
from photosite.nets.resnet import ResNet, Stem
from photosite.prep.recipes import get_recipe
from photosite.train.average import WeightAverage
from photosite.train.config import TrainConfig
from photosite.train.dataset import Dataset
from photosite.train.loop import Trainer, accuracy

RECIPE = get_recipe("cifar10")
CONFIG = TrainConfig(epochs=3, batch_size=16, learning_rate=0.2, precision="float32", seed=5)


def _data(count: int = 70, seed: int = 0) -> Dataset:
    """Two classes that a network can tell apart: red and blue noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    pictures = rng.integers(0, 120, (count, 32, 32, 3))
    pictures[..., 0] += 100 * (labels == 0)[:, None, None]
    pictures[..., 2] += 100 * (labels == 1)[:, None, None]
    return Dataset(pictures.astype(np.uint8), labels.astype(np.int64), ("blue", "red"))


def _model() -> ResNet:
    torch.manual_seed(0)
    # 16 channels at least: torch 2.13's float32 backward pass through a strided 1x1 convolution of 4 or 8 channels,
    # channels last, writes past its memory for inputs of 48 or 64 px (seen with oneDNN on AVX-512)
    return ResNet(BasicBlock, (1, 1), (16, 16), stem=Stem(16, 3), num_classes=2)


def test_it_learns_and_measures_what_it_learned() -> None:
    trainer = Trainer(_model(), _data(), RECIPE, replace(CONFIG, epochs=6, average_decay=0.9), _data(40, seed=1))
    reports = [trainer.train_epoch() for _ in range(6)]
    assert reports[-1].loss < reports[0].loss
    assert reports[-1].test_accuracy == accuracy(trainer.best, _data(40, seed=1), RECIPE)
    assert reports[-1].test_accuracy > 0.9
    assert reports[-1].epoch == 6


def test_one_step_is_plain_pytorchs() -> None:
    config = replace(
        CONFIG, epochs=1, batch_size=32, crop_padding=0, erase_size=0, enlarge_share=0.0, average_decay=0.0, warmup=0.01
    )
    data = _data(64)
    trainer = Trainer(_model(), data, RECIPE, config)
    trainer.train_epoch()

    peer = _model()
    generator = torch.Generator().manual_seed(config.seed * 100_003)
    order = torch.randperm(64, generator=generator)
    decayed = [p for p in peer.parameters() if p.ndim > 1]
    spared = [p for p in peer.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    peer.train()
    for step in range(2):
        progress = step / 2
        for group in optimizer.param_groups:
            group["lr"] = 0.2 * (progress / 0.01 if progress < 0.01 else (1 - progress) / 0.99)
        index = order[step * 32 : (step + 1) * 32]
        for _ in range(2):  # the crop's two shifts
            torch.randint(0, 1, (32, 1), generator=generator)
        flip = torch.rand((32, 1), generator=generator) < 0.5
        pictures = data.pictures[index.numpy()].copy()
        pictures[flip[:, 0].numpy()] = pictures[flip[:, 0].numpy()][:, :, ::-1]
        x = torch.from_numpy(RECIPE(list(pictures)))
        loss = F.cross_entropy(peer(x), torch.from_numpy(data.labels)[index], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for key, value in peer.state_dict().items():
        # channels-last convolutions add in another order: float32 rounding through two steps
        assert_close(trainer.model.state_dict()[key], value, rtol=1e-4, atol=1e-5)


def test_a_resumed_run_ends_with_the_very_same_weights() -> None:
    whole = Trainer(_model(), _data(), RECIPE, CONFIG)
    for _ in range(3):
        whole.train_epoch()
    first = Trainer(_model(), _data(), RECIPE, CONFIG)
    first.train_epoch()
    torch.manual_seed(99)  # the global generator has no say
    second = Trainer(_model(), _data(), RECIPE, CONFIG)
    second.load_state_dict(first.state_dict())
    for _ in range(2):
        second.train_epoch()
    for key, value in whole.best.state_dict().items():
        assert_close(second.best.state_dict()[key], value, rtol=0, atol=0)


def test_other_choices_cannot_resume() -> None:
    state = Trainer(_model(), _data(), RECIPE, CONFIG).state_dict()
    other = Trainer(_model(), _data(), RECIPE, replace(CONFIG, learning_rate=0.3))
    with pytest.raises(RangeError, match=r"learning_rate was 0\.2, now 0\.3"):
        other.load_state_dict(state)


def test_a_run_that_diverges_says_so() -> None:
    trainer = Trainer(_model(), _data(), RECIPE, replace(CONFIG, learning_rate=900.0, warmup=0.01, epochs=1))
    trainer.model.fc.weight.data.fill_(float("inf"))
    with pytest.raises(RangeError, match="not finite in epoch 1; lower the learning rate"):
        trainer.train_epoch()


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", 0), ("learning_rate", 0.0), ("warmup", 1.0), ("precision", "int4"), ("momentum", 1.0)],
)
def test_impossible_choices_are_refused(field: str, value: object) -> None:
    with pytest.raises(RangeError, match=f"{field} cannot be"):
        TrainConfig(**{field: value})


def test_too_few_pictures_for_a_batch() -> None:
    with pytest.raises(RangeError, match="a batch wants 16 pictures, there are 8"):
        Trainer(_model(), _data(8), RECIPE, CONFIG)


def test_the_average_by_hand() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(0.0)
    average = WeightAverage(layer, decay=0.9)
    for value, expected in ((1.0, 9 / 11), (2.0, 9 / 11 * 3 / 12 + 2 * 9 / 12)):  # decays 2/11, then 3/12
        layer.weight.data.fill_(value)
        average.update(layer)
        assert average.model.weight.item() == pytest.approx(expected)
