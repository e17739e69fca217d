"""Pooling in the explorer: six maps as torch makes them, and how much of a change a shift explains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.interpolate import lagrange
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d

from photosite.color import rgb_to_ycbcr
from photosite.color.ycbcr import ycbcr_to_levels
from photosite.errors import RangeError
from photosite.explorer.message import Question, unpack
from photosite.explorer.views import VIEWS
from photosite.explorer.views.pooling import WAYS
from photosite.explorer.workspace import Workspace
from tests.explorer.test_fields import answers, node  # noqa: F401  # a fixture

BLUR = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]).double()[None, None] / 16


def ask(workspace: Workspace, **query: object) -> dict[str, Any]:
    given = {"photo": workspace.photos()[0].key, **{key: str(value) for key, value in query.items()}}
    return unpack(VIEWS["pooling"](workspace, Question("pooling", given)).body)[1]


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def luma(picture: np.ndarray) -> np.ndarray:
    return ycbcr_to_levels(rgb_to_ycbcr(picture))[..., 0] / 255.0


def by_torch(x: np.ndarray, way: str, kernel: np.ndarray, times: int) -> np.ndarray:
    y, k = torch.from_numpy(x.copy())[None, None], torch.from_numpy(kernel).reshape(1, 1, 3, 3)
    for _ in range(times):
        y = {
            "max": lambda y: max_pool2d(y, 2),
            "average": lambda y: avg_pool2d(y, 2),
            "conv": lambda y: conv2d(y, k, stride=2),
            "max-blur": lambda y: conv2d(max_pool2d(y, 2, 1), BLUR, stride=2),
            "blur": lambda y: conv2d(y, BLUR, stride=2),
            "conv-blur": lambda y: conv2d(conv2d(y, k), BLUR, stride=2),
        }[way](y)
    return y[0, 0].numpy()


@pytest.mark.parametrize("times", [1, 2])
def test_the_six_maps_are_torchs(picture: np.ndarray, times: int) -> None:
    workspace = Workspace()
    workspace.add_photo(picture, "noise")
    kernel = np.random.default_rng(1).normal(size=9)
    words = ",".join(map(str, kernel))
    found = ask(workspace, side=60, left=3, width=44, times=times, kernel=words)
    for way in WAYS:
        wanted = by_torch(luma(picture)[:, 3:47], way, kernel, times)
        np.testing.assert_allclose(found[way], wanted, rtol=1e-12, atol=1e-12)  # sums of 9 in another order


def carried(y: np.ndarray, by: float, columns: range) -> np.ndarray:
    """Columns of y, `by` places on, by scipy's polynomial through the six nearest."""
    whole = int(np.floor(by))
    nodes = np.arange(-2, 4)
    weights = [lagrange(nodes, np.eye(6)[k])(by - whole) for k in range(6)]
    return np.stack([sum(w * y[:, c + whole + n] for w, n in zip(weights, nodes, strict=True)) for c in columns], 1)


def test_what_a_shift_does_not_explain(node: str, picture: np.ndarray) -> None:  # noqa: F811
    x = luma(picture)
    kernel = np.random.default_rng(2).normal(size=9).round(3)
    cases = [(times, shift) for times in (1, 2) for shift in (1, 2, 3, 7)]
    asked = [
        {
            "kind": "pooling",
            "height": 40,
            "width": 60,
            "values": x.ravel().tolist(),
            "kernel": kernel.tolist(),
            "times": times,
            "shift": shift,
            "room": 44,
        }
        for times, shift in cases
    ]
    for (times, shift), found in zip(cases, answers(node, asked), strict=True):
        assert [one["way"] for one in found] == list(WAYS)
        for one in found:
            y, z = (by_torch(part, one["way"], kernel, times) for part in (x, x[:, shift : shift + 44]))
            np.testing.assert_allclose(np.array(one["values"]).reshape(z.shape), z, rtol=1e-12, atol=1e-12)
            by = shift / 2**times
            columns = range(2, min(z.shape[1], y.shape[1] - int(by) - 3))
            before, after = y[:, columns], z[:, columns]
            changed = ((after - before) ** 2).sum()
            left = ((after - carried(y, by, columns)) ** 2).sum() / changed
            assert one["unexplained"] == pytest.approx(left, rel=1e-8, abs=1e-20)  # coefficients of scipy's polynomials
            assert one["change"] == pytest.approx((changed / before.size) ** 0.5 / before.std(), rel=1e-9)


def test_what_a_page_can_get_wrong(picture: np.ndarray) -> None:
    workspace = Workspace()
    workspace.add_photo(picture, "noise")
    for query, words in (
        ({"times": 4}, "times wants a whole number 1 … 3"),
        ({"kernel": "1,2"}, "kernel wants 9 numbers within ±1e9"),
        ({"kernel": "1,1,1,1,nan,1,1,1,1"}, "kernel wants 9 numbers"),
        ({"left": 60}, "left wants a whole number 0 … 59"),
        ({"left": 10, "width": 51}, "width wants a whole number 1 … 50"),
    ):
        with pytest.raises(RangeError, match=words):
            ask(workspace, side=60, **query)
