"""The audit of maps: true ones pass, false ones are refused, and the model stays as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from photosite.analysis.cam import Explainer
from photosite.analysis.cam.audit import audit, rank_correlation


class Bright(nn.Module):
    """Its second score is how much red there is; the layer that is explained is red itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 1)
        self.head = nn.Linear(4, 2)
        with torch.no_grad():
            self.first.weight.normal_(0, 0.05)
            self.first.weight[0, 0] = 4
            self.head.weight.normal_(0, 0.05)
            self.head.weight[1, 0] = 4

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(torch.relu_(self.first(x)).mean((2, 3)))
        return found


@pytest.fixture
def red() -> Tensor:
    x = torch.rand(1, 3, 35, 35, generator=torch.Generator().manual_seed(0)) * 0.1
    x[0, 0, 5:15, 20:30] += 3
    return x


def test_a_true_map_passes(red: Tensor) -> None:
    torch.manual_seed(0)
    explainer = Explainer(Bright().eval(), red)
    one, checks = audit(explainer, red, explainer(red, "gradcam", 1)[0][0])
    assert one.refused == ""
    by_name = {check.name: check for check in checks}
    assert list(by_name) == [
        *("copies", "layout", "gradient", "occlusion", "deletion", "insertion", "shuffled weights", "model")
    ]
    assert all(by_name[name].verdict == "good" for name in ("copies", "layout", "gradient", "deletion", "model"))
    assert by_name["occlusion"].value is not None
    assert by_name["occlusion"].value > 0.3
    assert "7 × 7 cells" in by_name["occlusion"].said
    y, x = np.unravel_index(one.over_input().argmax(), (35, 35))
    assert 5 <= y < 15
    assert 20 <= x < 30


def test_it_says_how_far_it_is_and_can_be_ended(red: Tensor) -> None:
    torch.manual_seed(0)
    explainer = Explainer(Bright(), red, layers="first")
    one = explainer(red, "gradcam", 1)[0][0]
    said: list[tuple[int, int]] = []
    told = audit(explainer, red, one, on_batch=lambda done, count: said.append((done, count)))
    assert told[1] == audit(explainer, red, one)[1]
    # the picture, 49 cells, and 9 orders of 6 steps there and back, 16 at once
    count = 1 + 49 + 2 * 9 * 6
    starts = [0, *range(1, 50, 16), *range(50, 104, 16), *range(104, 158, 16)]
    assert said == [(start, count) for start in starts]

    def stop(done: int, count: int) -> None:
        if done > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit(explainer, red, one, on_batch=stop)


def test_a_map_that_contradicts_the_model_is_refused(red: Tensor) -> None:
    torch.manual_seed(0)
    explainer = Explainer(Bright().eval(), red)
    true = explainer(red, "gradcam", 1)[0][0]
    false = replace(true, values=(true.values.max() - true.values).astype(np.float32))
    one, checks = audit(explainer, red, false)
    assert one.refused.startswith("it contradicts the model: rank correlation -")
    assert {check.name for check in checks if check.verdict == "bad"} >= {"occlusion", "deletion"}


def test_a_map_of_the_picture_alone_is_told_by_shuffled_weights(red: Tensor) -> None:
    """Of a network that gives each channel the same, the map is the picture, whatever the weights."""
    model = nn.Sequential(nn.AvgPool2d(5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)).eval()
    explainer = Explainer(model, red, layers="0")
    one, checks = audit(explainer, red, explainer(red, "eigencam", 1)[0][0])
    assert one.refused == ""
    (shuffled,) = (check for check in checks if check.name == "shuffled weights")
    assert shuffled.verdict == "bad"
    assert shuffled.value == pytest.approx(1)


def test_refused_maps_stay_refused_and_models_that_change_are_named(red: Tensor) -> None:
    model = Bright().eval()
    nn.init.zeros_(model.head.weight)
    explainer = Explainer(model, red)
    one, checks = audit(explainer, red, explainer(red, "gradcam", 1)[0][0])
    assert "gradient is 0" in one.refused
    assert [(check.name, check.verdict) for check in checks] == [
        ("layout", "good"),
        ("gradient", "bad"),
        ("model", "good"),
    ]


@settings(deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=3, max_size=30), st.randoms())
def test_rank_correlation_is_scipys(values: list[int], random: object) -> None:
    from scipy.stats import spearmanr

    a = np.array(values, float)
    b = np.array([one * 2 + random.randint(-3, 3) for one in values], float)  # type: ignore[attr-defined]
    found = rank_correlation(a, b)
    if len(set(values)) > 1 and len(set(b.tolist())) > 1:
        assert found == pytest.approx(spearmanr(a, b).statistic, abs=1e-9)
    else:
        assert found == 0
