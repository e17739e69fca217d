"""How many losses become one: by hand, and that spreading is the adjoint of adding."""

from __future__ import annotations

import numpy as np
import pytest

from photosite.errors import RangeError
from photosite.ops.loss_reduction import reduced, spread
from tests.ops.rows import noise


def test_by_hand() -> None:
    loss = np.array([[1.0, 2.0], [3.0, 6.0]])
    assert reduced(loss, 0, "loss") is loss
    assert [float(reduced(loss, reduction, "loss")) for reduction in (1, 2)] == [3, 12]
    assert spread(np.array(8.0), (2, 2), 1).tolist() == [[2, 2], [2, 2]]
    assert spread(np.array(8.0), (2, 2), 2).tolist() == [[8, 8], [8, 8]]
    assert spread(loss, (2, 2), 0) is loss


def test_many_small_numbers_beside_a_large_one() -> None:
    # one after the other in float32 they would be lost: 2^24 + 1 is 2^24 there
    loss = np.array([2.0**24] + [1.0] * 64, np.float32)
    assert float(reduced(loss, 2, "loss")) == 2.0**24 + 64


@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_spreading_is_the_adjoint(reduction: int) -> None:
    loss = noise(3, 4)
    grad = noise(*np.shape(reduced(loss, reduction, "loss")), seed=1)
    np.testing.assert_allclose(
        (reduced(loss, reduction, "") * grad).sum(), (loss * spread(grad, (3, 4), reduction)).sum()
    )


def test_there_are_three() -> None:
    with pytest.raises(RangeError, match=r"nll: reduction wants 0 \(none\), 1 \(mean\) or 2 \(sum\), got 7"):
        reduced(noise(3), 7, "nll")
