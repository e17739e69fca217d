"""Effective fields: the law of equal weights, exactly; places of tokens; bounded batches; what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from photosite.analysis.effective_field import effective_field
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.errors import RangeError, ShapeError
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.graph.ir import Graph, Node
from photosite.nets import create_model
from tests import zoo
from tests.analysis.test_twins import Windows


def read(model: nn.Module, *shape: int) -> Graph:
    return functional(capture(model.eval(), torch.zeros(shape)))


class Step(nn.Module):
    """Forgets how its values came about."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x > 0).float()


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


def test_places_of_windows_are_those_of_the_whole_map() -> None:
    model = Windows()
    graph = read(model, 1, 3, 32, 64)
    whole, cut = (effective_field(graph, model, node, [(9, 21)], 3)[0] for node in ("add_1", "view"))
    assert graph.node("view").shape == (1, 4, 4, 8, 4, 6)  # cut, and rolled by 2
    assert ReceptiveFields(graph)["view"].index((9, 21)) == (slice(None), 2, 1, 5, 1, slice(None))
    assert cut.center == pytest.approx((18, 42), abs=1.5)
    assert whole.theoretical == (17, 17)


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_nothing_is_seen_outside_of_the_receptive_field(data: st.DataObject) -> None:
    torch.manual_seed(data.draw(st.integers(0, 99)))
    layers: list[nn.Module] = []
    for _ in range(data.draw(st.integers(1, 4))):
        kernel, stride, dilation = (data.draw(st.integers(1, n)) for n in (4, 2, 2))
        layers += [nn.Conv2d(3, 3, kernel, stride, data.draw(st.integers(0, 2)), dilation), nn.Tanh()]
    model = nn.Sequential(*layers)
    graph = read(model, 2, 3, 48, 56)
    one = ReceptiveFields(graph)[graph.outputs[0]]
    assert one.grid is not None
    unit = tuple(data.draw(st.integers(0, side - 1)) for side in one.grid)
    heat = effective_field(graph, model, one.node, [unit], 2)[0].heat  # type: ignore[list-item]
    inside = np.zeros_like(heat, bool)
    rows, columns = (np.zeros(side, bool) for side in heat.shape)
    for seen, way, place in ((rows, "y", unit[0]), (columns, "x", unit[1])):
        for low, high in one.pixels(way, place) or ():
            seen[low : high + 1] = True
    inside = rows[:, None] & columns
    assert ((heat > 0) == inside).all() or not inside.any()


def test_a_trained_network_looks_elsewhere_than_a_random_one() -> None:
    trained, drawn = create_model("photosite_resnet12", weights="default").eval(), create_model("photosite_resnet12")
    graph = read(trained, 4, 3, 64, 64)
    heats = [effective_field(graph, model.eval(), "layer3.1", [(8, 8)], 8)[0] for model in (trained, drawn)]
    for one in heats:
        assert one.heat.sum() == pytest.approx(1)
        assert 0 < one.misfit[0] < 1
    assert np.abs(heats[0].heat - heats[1].heat).sum() > 0.05


def test_equal_weights_come_nearer_to_a_normal_distribution_with_depth() -> None:
    misfits = []
    for count in (1, 3, 10):
        layers = [nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(count)]
        for layer in layers:
            nn.init.constant_(layer.weight, 1 / 9)
        model, side = nn.Sequential(*layers), 2 * count + 9
        misfits.append(
            effective_field(read(model, 1, 1, side, side), model, str(count - 1), [(side // 2,) * 2], 1)[0].misfit[0]
        )
    assert misfits[0] > misfits[1] > misfits[2]
    assert misfits[2] < 0.01


def test_channels_last_and_double_precision() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 5, padding=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            return y

    model = Last().double()
    graph = functional(capture(model.eval(), torch.zeros(2, 16, 24, 3, dtype=torch.float64)))
    found = effective_field(graph, model, "permute_1", [(3, 20)], 3)[0]
    assert found.heat.shape == (16, 24)
    rows, columns = (np.flatnonzero(found.profile(way)) for way in ("y", "x"))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (1, 5, 18, 22)


def test_the_work_can_be_ended_between_two_operations() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    graph, seen = read(model, 1, 3, 8, 8), []
    whole = effective_field(graph, model, "2", [(1, 1)], 2, on_node=lambda node: seen.append(node.name))
    assert seen == ["conv2d", "relu", "conv2d_1"] * 2
    np.testing.assert_array_equal(whole[0].heat, effective_field(graph, model, "2", [(1, 1)], 2)[0].heat)

    def stop(node: Node) -> None:
        if node.name == "relu":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        effective_field(graph, model, "2", [(1, 1)], 2, on_node=stop)


def test_what_is_refused() -> None:
    model = create_model("photosite_resnet12").eval()
    graph = read(model, 1, 3, 64, 64)
    with pytest.raises(RangeError, match=r"16 × 16 places, none at 16,0"):
        effective_field(graph, model, "layer3.1", [(16, 0)], 1)
    with pytest.raises(ShapeError, match="has no map of places"):
        effective_field(graph, model, "fc", [(0, 0)], 1)
    with pytest.raises(RangeError, match="at least 1 picture"):
        effective_field(graph, model, "layer3.1", [(0, 0)], 0)
    with pytest.raises(ShapeError, match=r"takes pictures \(3, 64, 64\)"):
        effective_field(graph, model, "layer3.1", [(0, 0)], torch.zeros(2, 3, 32, 32))

    class Two(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x + y

    both = functional(capture(Two(), torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)))
    with pytest.raises(ShapeError, match="wants a model of one input, this takes x, y"):
        effective_field(both, Two(), "add", [(0, 0)], 1)
    step = nn.Sequential(nn.Conv2d(3, 4, 3), Step())
    with pytest.raises(ShapeError, match="no gradient leads from"):
        effective_field(read(step, 1, 3, 8, 8), step, "1", [(0, 0)], 1)
    with pytest.raises(RangeError, match="between 0 and 1"):
        effective_field(graph, model, "layer3.1", [(4, 4)], 1)[0].width(1.5)
