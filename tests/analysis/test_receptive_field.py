"""Receptive fields: published numbers, closed forms, and the gradient of a twin with positive weights as the judge."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from photosite.analysis.receptive_field import ReceptiveFields, plain_stack
from photosite.errors import RangeError
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.graph.reach.line import PIXELS, Line
from photosite.graph.reach.rules import REACH
from photosite.graph.table import TABLE
from photosite.nets.sources import find_model, import_torchvision
from tests import zoo

PUBLISHED = {
    "alexnet": 195, "vgg11": 150, "vgg16": 212, "resnet18": 435, "resnet50": 427, "inception_v3": 1311,
    "googlenet": 379, "mobilenet_v2": 491, "mobilenet_v3_small": 639, "mnasnet1_0": 843, "efficientnet_b0": 851,
    "convnext_tiny": 1688,
}  # fmt: skip
"""Of the last map of torchvision's networks; measured by the nonzero gradient of positive twins."""
MORE = {
    "vgg13": 156, "vgg19": 268, "resnet34": 899, "resnet101": 971, "resnet152": 1451, "resnext50_32x4d": 427,
    "wide_resnet50_2": 427, "squeezenet1_0": 155, "squeezenet1_1": 207, "densenet121": 2071, "densenet161": 2967,
    "densenet169": 3351, "densenet201": 3863, "regnet_y_400mf": 575, "regnet_x_400mf": 975, "mobilenet_v3_large": 595,
    "shufflenet_v2_x1_0": 527, "efficientnet_b1": 1183, "efficientnet_b4": 1799, "efficientnet_b7": 3079,
    "efficientnet_v2_s": 1487, "convnext_base": 3416,
}  # fmt: skip
"""Of the features' last map, whatever follows it."""
STAGES = {
    "alexnet": {
        f"features.{n}": size for n, size in {0: 11, 2: 19, 3: 51, 5: 67, 6: 99, 8: 131, 10: 163, 12: 195}.items()
    },
    "vgg16": {
        f"features.{n}": size
        for n, size in zip(
            (0, 2, 4, 5, 7, 9, 10, 12, 14, 16, 17, 19, 21, 23, 24, 26, 28, 30),
            (3, 5, 6, 10, 14, 16, 24, 32, 40, 44, 60, 76, 92, 100, 132, 164, 196, 212),
            strict=True,
        )
    },
    "resnet18": {"maxpool": 11, "layer1": 43, "layer2": 99, "layer3": 211, "layer4": 435},
    "resnet50": {"maxpool": 11, "layer1": 35, "layer2": 91, "layer3": 267, "layer4": 427},
    "efficientnet_b0": {f"features.{n}": size for n, size in enumerate((3, 7, 19, 67, 147, 339, 787, 851, 851))},
    "convnext_tiny": {f"features.{n}": size for n, size in enumerate((4, 76, 80, 224, 232, 1096, 1112, 1688))},
    "mobilenet_v2": {
        f"features.{n}": size
        for n, size in enumerate((3, 7, 11, 19, 27, 43, 59, 75, 107, 139, 171, 203, 235, 267, 299, 363, 427, 491, 491))
    },
}
"""Of modules on the way, measured in the same manner."""
QUICK = ("alexnet", "resnet18", "mobilenet_v3_small")


def fields(model: nn.Module, *shape: int) -> ReceptiveFields:
    return ReceptiveFields(functional(capture(model.eval(), torch.zeros(shape))))


def last_map(found: ReceptiveFields) -> Any:
    return [one for node in found.graph if (one := found[node.name]).depends and one.known and one.jump[0]][-1]


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in PUBLISHED])
def test_published_numbers(name: str) -> None:
    import_torchvision()
    side = 299 if name == "inception_v3" else 224
    found = fields(find_model(f"torchvision:{name}"), 1, 3, side, side)
    assert last_map(found).size == (PUBLISHED[name], PUBLISHED[name])
    assert last_map(found).jump == (32, 32)
    assert not found.unknown


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_more_published_numbers(name: str) -> None:
    import_torchvision()
    assert last_map(fields(find_model(f"torchvision:{name}"), 1, 3, 224, 224)).size == (MORE[name], MORE[name])


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in STAGES])
def test_published_numbers_of_modules_on_the_way(name: str) -> None:
    import_torchvision()
    found = fields(find_model(f"torchvision:{name}"), 1, 3, 224, 224)
    assert {path: found[path].size for path in STAGES[name]} == {path: (n, n) for path, n in STAGES[name].items()}


def test_the_stride_on_the_first_convolution_widens_resnet50() -> None:
    from photosite.nets import create_model

    assert last_map(fields(create_model("resnet50"), 1, 3, 224, 224)).size == (427, 427)
    assert last_map(fields(create_model("resnet50", stride_on="1x1"), 1, 3, 224, 224)).size == (483, 483)


def test_every_operation_has_a_rule_or_is_known_to_have_none() -> None:
    assert set(REACH) <= set(TABLE)
    without = set(TABLE) - set(REACH)
    assert all("loss" in op or "cross_entropy" in op or "kl_div" in op or op in WITHOUT for op in without), without


WITHOUT = {
    f"aten.{op}"
    for op in (
        "_native_batch_norm_legit_functional.default", "native_dropout.default", "outer.default", "gru_cell.default",
        "lstm_cell.default", "logsumexp.default", "std.correction", "std.dim", "var.correction", "var.dim",
        "var_mean.correction", "norm.Scalar", "view_as_complex.default", "view_as_real.default",
        "col2im.default", "diagonal.default", "fill.Tensor", "meshgrid.default", "meshgrid.indexing", "rot90.default",
        "select_scatter.default", "slice_scatter.default",
        "max_pool1d_with_indices.default", "max_pool2d_with_indices.default",
    )
}  # fmt: skip


def test_by_hand() -> None:
    found = fields(
        nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1)), 1, 3, 64, 64
    )
    one = found["2"]
    assert (one.size, one.jump) == ((19, 19), (4, 4))  # 7, + 2 steps of 2, + 2 steps of 4
    assert one.interval("y", 0) == (-9, 9)
    assert one.box("y", 0) == (0, 9)
    assert one.interval("x", 3) == one.box("x", 3) == (3, 21)
    assert one.phases("x") == [19]


def test_same_padding_of_an_even_kernel_has_more_behind() -> None:
    one = fields(nn.Sequential(nn.Conv2d(3, 4, 4, padding="same")), 1, 3, 16, 16)["0"]
    assert one.interval("x", 5) == (4, 7)


def test_places_that_see_different_windows() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 2, 2), nn.Upsample(scale_factor=2.0), nn.Conv2d(4, 4, 3, padding=1))
    one = fields(model, 1, 3, 16, 16)["2"]
    assert one.phases("x") == [4, 4]
    assert [one.interval("x", i) for i in range(3)] == [(-2, 1), (0, 3), (0, 3)]
    assert one.jump == (1, 1)
    stride = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.Upsample(scale_factor=2.0))
    assert fields(stride, 1, 3, 16, 16)["1"].jump == (Fraction(2), Fraction(2))


def test_what_sees_everything_is_named_beside_the_local_field() -> None:
    class Squeeze(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.gate, self.norm = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), nn.GroupNorm(2, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
            y: torch.Tensor = self.norm(x)
            return y

    found = fields(Squeeze(), 1, 3, 16, 16)
    assert found["conv"].global_by == ()
    assert found["mul"].size == (3, 3)
    assert found["mul"].global_by == ("mean",)
    assert found["group_norm"].size == (3, 3)
    assert found["group_norm"].global_by == ("mean", "group_norm")


def test_tokens_keep_their_place_and_the_class_token_has_none() -> None:
    model, x = zoo.build("timm:vit_small_patch14_reg4_dinov2")
    found = fields(model, *x.shape)
    attention = next(node.name for node in found.graph if node.kind == "scaled_dot_product_attention")
    assert found[attention].size == (14, 14)
    assert found[attention].global_by == (attention,)
    assert found[found.graph.outputs[0]].size is None
    assert not found.unknown


def test_shifted_windows_come_back_to_their_place() -> None:
    import_torchvision()
    found = fields(find_model("torchvision:swin_t"), 1, 3, 224, 224)
    stages = [found[f"features.{stage}"] for stage in range(8)]
    assert [one.size[0] for one in stages if one.size] == [4, 56, 84, 168, 224, 840, 952, 952]
    assert [bool(one.global_by) for one in stages] == [False] * 7 + [True]  # in the last, a window is all there is
    assert not found.unknown


def test_what_cannot_be_known_says_why() -> None:
    class Sorted(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(x.sort(3).values)

    found = fields(Sorted(), 1, 3, 8, 8)
    one = found["relu"]
    assert one.size is None
    assert "sort moves places of the picture by numbers that only a run knows" in one.unknown
    assert set(found.unknown) >= {"relu"}


def test_sums_of_what_lies_elsewhere_are_flagged() -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.a(x)[..., 1:] + self.b(x)[..., :-1]

    one = fields(Shifted(), 1, 3, 8, 8)["add"]
    assert one.size == (3, 3)
    assert one.field.unaligned == ("add",)
    assert one.interval("x", 0) == (0, 2)


def test_lines() -> None:
    assert PIXELS.windows(3, 2, 1, 1).windows(3, 1, 1, 1) == Line(2, ((-3, 3),))
    up = PIXELS.spread(4, 2, 1, 1)
    assert [up.at(i) for i in range(4)] == [(-1, 0), (0, 1), (0, 1), (1, 2)]
    assert up.step == Fraction(1, 2)


def test_what_sees_a_pixel_is_the_reverse_of_the_pixels_that_are_seen() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, 2), nn.Upsample(scale_factor=2.0), nn.Conv2d(4, 4, 3, padding=1))
    one = fields(model, 1, 3, 24, 40)["2"]
    assert one.grid == (22, 38)
    for way, side, places in (("y", 24, 22), ("x", 40, 38)):
        for pixel in range(side):
            forward = [p for p in range(places) if any(a <= pixel <= b for a, b in one.pixels(way, p) or ())]
            reverse = [p for a, b in one.places_seeing(way, pixel) or () for p in range(a, b + 1)]
            assert forward == reverse


def test_boxes_in_the_input_and_in_the_photo() -> None:
    from photosite.prep.recipes import get_recipe

    one = fields(nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3), nn.MaxPool2d(3, 2, 1)), 1, 3, 224, 224)["1"]
    assert one.unit_box((0, 55)) == (0, 215, 6, 224)
    assert one.center((0, 55)) == (Fraction(1, 2), Fraction(441, 2))
    assert one.padding_share((0, 55)) == 1 - 6 * 9 / 121
    assert one.padding_share((20, 20)) == 0
    geometry = get_recipe("imagenet").geometry((512, 256))
    assert geometry.clipped_box(*one.unit_box((20, 20)) or ()) == (219, 91, 230, 102)  # 512 x 256, center 224 x 224
    with pytest.raises(RangeError, match="56 × 56 places, none at 56,0"):
        one.unit_box((56, 0))


@settings(max_examples=60, deadline=None)
@given(
    layers=st.lists(st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(0, 3), st.integers(1, 3)), max_size=5)
)
def test_a_plain_stack_has_a_closed_form(layers: list[tuple[int, int, int, int]]) -> None:
    line = PIXELS
    for kernel, stride, padding, dilation in layers:
        line = line.windows(kernel, stride, padding, dilation)
    assert plain_stack(layers) == (line.size, line.jump, line.at(0))


def test_channels_that_lie_side_by_side_keep_their_own_field() -> None:
    class Side(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 2, 7, padding=3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.cat([self.a(x), self.b(x)], 1).relu()
            small, both = y[:, :3], y[:, 3:]
            return small.sum() + both.sum()

    found = fields(Side(), 1, 3, 16, 16)
    assert found["relu"].size == (7, 7)
    assert [found[f"slice_{n}"].size for n in (1, 2)] == [(3, 3), (7, 7)]


def test_what_is_taken_apart_has_an_upper_bound_that_is_said_to_be_one() -> None:
    class Uneven(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            rows = F.pad(x.flatten(2), (0, 4)).reshape(1, 3, 6, 10)
            return rows.mean(2)

    found = fields(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), Uneven()), 1, 3, 7, 8)
    assert "cuts an axis that joins tokens of several kinds" in next(iter(found.unknown.values()))
    model, x = zoo.build("timm:botnet26t_256")
    bound = fields(model, *x.shape)
    assert not bound.unknown
    attention = bound["stages.2.1.self_attn"]
    assert attention.at_most
    assert attention.global_by


def test_an_input_without_rows_and_columns_is_unknown() -> None:
    found = fields(nn.Linear(8, 4), 1, 9, 8)
    assert found["linear"].unknown == "input has no rows and columns: (1, 9, 8)"


@pytest.mark.parametrize("node", ["conv2d", "permute", "reshape", "view", "roll", "add_1"])
def test_a_number_belongs_to_a_unit_and_a_unit_to_numbers(node: str) -> None:
    from tests.analysis.test_twins import Windows

    one = fields(Windows(), 1, 3, 32, 64)[node]
    for unit in ((0, 0), (9, 21), (15, 31)):
        index = one.index(unit)
        assert one.unit_of([i if isinstance(i, int) else 0 for i in index]) == unit


def test_a_field_in_pieces_around_a_border_has_no_share_of_padding() -> None:
    class Around(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.avg_pool2d(torch.roll(F.avg_pool2d(x, 3, 1, 1), (2,), (2,)), 3, 1)

    one = fields(Around(), 1, 3, 12, 12)["avg_pool2d_1"]
    assert one.padding_share((0, 5)) is None
    assert one.padding_share((5, 5)) == 0
