"""Effective fields: the law of equal weights, exactly; places of tokens; bounded batches; what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.effective_field import effective_field
from photosite.errors import RangeError, ShapeError
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.graph.ir import Graph
from photosite.nets import create_model
from tests import zoo


def read(model: nn.Module, *shape: int) -> Graph:
    return functional(capture(model.eval(), torch.zeros(shape)))


@pytest.mark.parametrize(("count", "kernel"), [(1, 3), (5, 3), (10, 3), (4, 5)])
def test_the_law_of_equal_weights(count: int, kernel: int) -> None:
    layers = [nn.Conv2d(1, 1, kernel, padding=kernel // 2, bias=False) for _ in range(count)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1 / kernel**2)
    side = 2 * count * (kernel // 2) + 5
    found = effective_field(read(nn.Sequential(*layers), 1, 1, side, side), nn.Sequential(*layers), str(count - 1),
                            [(side // 2, side // 2)], 1)[0]  # fmt: skip
    assert found.heat.sum() == pytest.approx(1)
    assert found.center == pytest.approx((side // 2, side // 2), abs=1e-4)
    assert found.deviation[0] ** 2 == pytest.approx(count * (kernel**2 - 1) / 12, rel=1e-5)
    assert found.theoretical == (count * (kernel - 1) + 1,) * 2
    rows = np.flatnonzero(found.profile("y") > 1e-12)
    assert rows[-1] - rows[0] + 1 <= found.theoretical[0]


def test_the_share_that_counts_shrinks_with_depth_as_published() -> None:
    # 95.45% of the mass of n equal 3 x 3 convolutions, as a share of the field: .73 for 5, .52 for 10
    for count, share in ((5, 0.73), (10, 0.52)):
        layers = [nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(count)]
        for layer in layers:
            nn.init.constant_(layer.weight, 1 / 9)
        model, side = nn.Sequential(*layers), 2 * count + 9
        found = effective_field(read(model, 1, 1, side, side), model, str(count - 1), [(side // 2,) * 2], 1)[0]
        assert found.ratio is not None
        assert found.ratio[0] == pytest.approx(share, abs=0.01)


def test_several_places_of_a_residual_network_do_not_depend_on_the_batch() -> None:
    model = create_model("photosite_resnet12").eval()
    units = [(4, 4), (10, 7)]
    one, four = (effective_field(read(model, batch, 3, 64, 64), model, "layer3.1", units, 6) for batch in (1, 4))
    for a, b in zip(one, four, strict=True):
        np.testing.assert_allclose(a.heat, b.heat, atol=1e-6)
        assert a.theoretical is not None
        assert 0 < a.ratio[0] <= 1  # type: ignore[index]
        assert a.width(0.68)[0] < a.width(0.95)[0] <= 64
    assert one[1].center[0] > one[0].center[0]  # further down looks further down


def test_tokens_look_around_their_own_patch_and_everywhere() -> None:
    model, x = zoo.build("timm:vit_tiny_patch16_224")
    found = effective_field(read(model, 2, *x.shape[1:]), model, "blocks.0", [(3, 9)], 4)[0]
    assert found.theoretical == (16, 16)
    assert found.heat[48:64, 144:160].sum() > 20 * found.heat.sum() / 196
    assert (found.heat > 0).mean() > 0.99  # attention


def test_what_is_refused() -> None:
    model = create_model("photosite_resnet12").eval()
    graph = read(model, 1, 3, 64, 64)
    with pytest.raises(RangeError, match=r"no place \(16, 0\)"):
        effective_field(graph, model, "layer3.1", [(16, 0)], 1)
    with pytest.raises(ShapeError, match="has no map of places"):
        effective_field(graph, model, "fc", [(0, 0)], 1)
    with pytest.raises(RangeError, match="at least 1 picture"):
        effective_field(graph, model, "layer3.1", [(0, 0)], 0)
    with pytest.raises(ShapeError, match=r"takes pictures \(3, 64, 64\)"):
        effective_field(graph, model, "layer3.1", [(0, 0)], torch.zeros(2, 3, 32, 32))
    with pytest.raises(RangeError, match="between 0 and 1"):
        effective_field(graph, model, "layer3.1", [(4, 4)], 1)[0].width(1.5)
