"""Learning rates over a run."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from photosite.errors import UnknownNameError
from photosite.train.schedule import SCHEDULES, cosine, schedule


@pytest.mark.parametrize("name", SCHEDULES)
@given(progress=st.floats(0, 1), warmup=st.floats(0.01, 0.99))
def test_shares_stay_in_0_to_1_and_end_at_zero(name: str, progress: float, warmup: float) -> None:
    rate = schedule(name)
    assert 0 <= rate(progress, warmup) <= 1
    assert rate(0, warmup) == 0
    assert rate(warmup, warmup) == pytest.approx(1)
    assert rate(1, warmup) == pytest.approx(0, abs=1e-12)


def test_cosine_is_torchs() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=80)
    for step in range(80):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(cosine((20 + step) / 100, 0.2), abs=1e-12)
        optimizer.step()
        peer.step()


def test_an_unknown_name_gets_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean cosine"):
        schedule("cosin")
