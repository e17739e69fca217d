"""Gray and color differences share a kernel's energy; the axis that was made is named."""

from __future__ import annotations

import numpy as np
import pytest

from photosite.analysis.color_opponency import AXES, GRAY, RED_GREEN, YELLOW_BLUE, opponency
from photosite.errors import ShapeError
from tests.analysis.patterns import colored, stripes


def test_the_basis_is_orthonormal() -> None:
    basis = np.stack([GRAY, RED_GREEN, YELLOW_BLUE])
    np.testing.assert_allclose(basis @ basis.T, np.eye(3), atol=1e-15)


def test_shares_by_hand() -> None:
    colors = np.array([[1.0, 1, 1], [1, 0, 0], [1, 1, 0], [1, -1, 0], [1, 1, -2], [3, 3, 0]])
    found = opponency(colors[:, :, None, None])
    # (1, 1, 0): 4/3 of 2 along gray; one channel: 1/3 along gray
    assert [one.share for one in found] == pytest.approx([0, 2 / 3, 1 / 3, 1, 1, 1 / 3], abs=1e-12)
    assert [one.axis for one in found] == ["", "red–cyan", "yellow–blue", "red–green", "yellow–blue", "yellow–blue"]


@pytest.mark.parametrize(
    ("color", "axis"),
    list(zip([[1, -1, 0], [2, -1, -1], [1, 0, -1], [1, 1, -2], [0, 1, -1], [-1, 2, -1]], AXES, strict=True)),
)
@pytest.mark.parametrize("gray", [0.0, 0.5])
def test_the_axis_is_that_of_the_color_whatever_its_sign(color: list[float], axis: str, gray: float) -> None:
    pattern = stripes(7, 30, 0.2, 0.5, 2.0)
    unit = np.array(color) / np.linalg.norm(color)
    for sign in (1, -1):
        (found,) = opponency(colored(pattern, sign * unit + gray * GRAY)[None])
        assert found.axis == axis
        assert found.along == pytest.approx(1)
        assert found.share == pytest.approx(1 / (1 + gray**2))


def test_two_axes_at_once_name_none() -> None:
    both = colored(stripes(7, 0, 0.2, 0, 2), RED_GREEN) + colored(stripes(7, 90, 0.2, 0, 2), YELLOW_BLUE)
    (found,) = opponency(both[None])
    assert found.share == pytest.approx(1)
    assert found.along < 0.75
    assert found.axis == ""


def test_independent_channels_have_two_thirds_in_color() -> None:
    found = opponency(np.random.default_rng(0).normal(size=(200, 3, 7, 7)))
    assert np.mean([one.share for one in found]) == pytest.approx(2 / 3, abs=0.01)


def test_nothing_and_other_channels() -> None:
    assert opponency(np.zeros((1, 3, 2, 2)))[0].share == 0
    with pytest.raises(ShapeError, match=r"wants kernels \(O, 3, K, K\), got \(1, 4, 2, 2\)"):
        opponency(np.zeros((1, 4, 2, 2)))
