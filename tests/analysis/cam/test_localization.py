"""Collages and the two numbers of the pointing game: by hand, by laws, and on real pictures against chance."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from photosite.analysis.cam import Explainer
from photosite.analysis.cam.localization import energy_inside, grid, points_inside, scattered
from photosite.errors import RangeError, ShapeError
from photosite.nets import create_model
from photosite.train.dataset import read_dataset


def test_a_map_by_hand() -> None:
    values = np.array([[0, 1, 4], [-9, 2, 4], [0, 0, 1]], np.float32)
    assert points_inside(values, (0, 1, 2, 2)) == 0
    assert points_inside(values, (0, 2, 1, 3)) == 0.5  # one of two that are as large
    assert points_inside(values, (0, 2, 2, 3)) == 1
    assert energy_inside(values, (0, 1, 2, 3)) == 11 / 12  # what is below 0 does not count
    assert points_inside(np.zeros((4, 5)), (0, 0, 2, 2)) == energy_inside(np.zeros((4, 5)), (0, 0, 2, 2)) == 0.2


@given(hnp.arrays(np.float32, (7, 9), elements=st.floats(-4, 4, width=16)), st.integers(1, 6), st.integers(1, 8))
def test_four_boxes_share_everything(values: npt.NDArray[np.float32], row: int, column: int) -> None:
    boxes = [(0, 0, row, column), (0, column, row, 9), (row, 0, 7, column), (row, column, 7, 9)]
    for measure in (points_inside, energy_inside):
        parts = [measure(values, box) for box in boxes]
        assert sum(parts) == pytest.approx(1, abs=1e-9)
        louder = [measure(values * np.float32(2), box) for box in boxes]  # a power of two, so that nothing is rounded
        assert louder == parts


def test_pictures_lie_where_the_boxes_say() -> None:
    generator = np.random.default_rng(0)
    pictures = [generator.integers(0, 256, (8, 6, 3), np.uint8) for _ in range(4)]
    made = scattered(pictures, [3, 1, 2, 0], (32, 40), generator, color=(1, 2, 3))
    left = np.ones((32, 40), bool)
    for picture, (top, start, bottom, end) in zip(pictures, made.boxes, strict=True):
        np.testing.assert_array_equal(made.picture[top:bottom, start:end], picture)  # nothing lies over it
        left[top:bottom, start:end] = False
    assert (made.picture[left] == (1, 2, 3)).all()
    assert made.labels == (3, 1, 2, 0)
    side = grid(pictures, [3, 1, 2, 0], 2)
    assert side.boxes == ((0, 0, 8, 6), (0, 6, 8, 12), (8, 0, 16, 6), (8, 6, 16, 12))
    for picture, (top, start, bottom, end) in zip(pictures, side.boxes, strict=True):
        np.testing.assert_array_equal(side.picture[top:bottom, start:end], picture)


def test_what_cannot_be() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    generator = np.random.default_rng(0)
    with pytest.raises(ShapeError, match="1 pictures, but 2 labels"):
        scattered([picture], [0, 1], (32, 32), generator)
    with pytest.raises(ShapeError, match="8 × 8 on a canvas 7 × 32"):
        scattered([picture], [0], (7, 32), generator)
    with pytest.raises(RangeError, match="no place left for picture 1"):
        scattered([picture, picture], [0, 1], (8, 9), generator)
    with pytest.raises(ShapeError, match="full rows of 2 pictures"):
        grid([picture] * 3, [0, 1, 2], 2)
    with pytest.raises(ShapeError, match="a box in it"):
        points_inside(np.zeros((4, 4)), (0, 0, 5, 2))
    with pytest.raises(ShapeError, match="a box in it"):
        energy_inside(np.zeros((4, 4)), (2, 0, 2, 2))
    with pytest.raises(RangeError, match="energy_inside: the map is not finite"):
        energy_inside(np.full((4, 4), np.nan), (0, 0, 2, 2))


@pytest.mark.parametrize("method", ["gradcam", "layercam", "gradcam++"])
def test_maps_find_objects_and_shuffled_weights_do_not(shared_data: Path, method: str) -> None:
    """The table of docs/localization.md in small: every tenth picture of CIFAR-10's test set, the shipped encoder."""
    model = create_model("photosite_resnet12", weights="default").eval()
    recipe = model.photo_recipe.at(32)
    data = read_dataset(shared_data / "cifar10" / "test.zip", recipe)
    generator = np.random.default_rng(0)
    collages = []
    for _ in range(18):
        classes = generator.permutation(10)[:2]
        chosen = [int(generator.choice(np.flatnonzero(data.labels == one))) for one in classes]
        collages.append(scattered(data.pictures[chosen], data.labels[chosen].tolist(), (96, 96), generator))
    x = torch.from_numpy(np.concatenate([recipe.at(96)(one.picture) for one in collages]))
    shuffled = copy.deepcopy(model)
    torch.manual_seed(0)
    for parameter in shuffled.parameters():
        if parameter.ndim > 1:
            parameter.data = parameter.data.flatten()[torch.randperm(parameter.numel())].reshape(parameter.shape)
    found = {}
    for name, network in (("trained", model), ("shuffled", shuffled)):
        explainer, at, inside = Explainer(network, x), [], []
        for number in (0, 1):
            maps = explainer(x, method, [one.labels[number] for one in collages])
            for one, (made,) in zip(collages, maps, strict=True):
                values = np.zeros((96, 96), np.float32) if made.refused else made.over_input()
                at.append(points_inside(values, one.boxes[number]))
                inside.append(energy_inside(values, one.boxes[number]))
        found[name] = (float(np.mean(at)), float(np.mean(inside)))
    assert found["trained"][0] > 0.85  # 36 objects, also those that the network alone does not call right
    assert found["trained"][1] > 2 / 9
    assert found["shuffled"][0] < 0.5  # who sees that there is an object, and not which, is right half the time
    assert found["trained"][1] > found["shuffled"][1]
