"""Which convolution reads the picture, and whose weights are whose."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.analysis.layer_weights import layer_weights
from photosite.errors import PhotositeError, ShapeError, UnknownNameError
from photosite.graph.capture import capture
from tests.zoo import FAST, build


class Odd(nn.Module):
    """Normalizes, makes a mask that is not from the picture, and computes its first weight."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.unused, self.table = nn.Conv2d(3, 2, 1), nn.Conv2d(1, 1, 3)
        self.stem, self.norm, self.next = nn.Conv2d(3, 6, 5, 2), nn.BatchNorm2d(6), nn.Conv2d(6, 4, 3, groups=2)
        self.up, self.head = nn.ConvTranspose2d(4, 6, 2, 2, groups=2), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        mask = self.table(torch.ones(1, 1, 3, 3))
        x = F.pad((x - 0.5) / 0.2, (1, 1, 1, 1))
        x = F.conv2d(x, self.stem.weight - self.stem.weight.mean((1, 2, 3), keepdim=True), stride=2) * mask
        y: Tensor = self.head(self.up(self.next(self.norm(x))).mean((2, 3)))
        return y


@pytest.fixture(scope="module")
def odd() -> Odd:
    return Odd().eval()


def test_the_first_one_reads_the_picture_and_its_weight_is_computed(odd: Odd) -> None:
    found = layer_weights(odd, capture(odd, torch.zeros(1, 3, 32, 32)))
    weight = odd.stem.weight.detach().double()
    np.testing.assert_allclose(found.weight, weight - weight.mean((1, 2, 3), keepdim=True), atol=1e-7)
    assert (found.reads_picture, found.way, found.stride, found.groups) == (True, ("sub", "div", "pad"), (2, 2), 1)
    assert found.norm is None  # a product stands between
    np.testing.assert_array_equal(found.picture_kernels, found.weight)


def test_others_are_named_by_node_or_module_and_read_features(odd: Odd) -> None:
    graph = capture(odd, torch.zeros(1, 3, 32, 32))
    for name, shape in (("next", (4, 3, 3, 3)), ("up", (6, 2, 2, 2)), ("head", (3, 6)), ("table", (1, 1, 3, 3))):
        found = layer_weights(odd, graph, name)
        assert (found.weight.shape, found.reads_picture) == (shape, False)
    with pytest.raises(ShapeError, match="reads features, no picture"):
        _ = found.picture_kernels
    with pytest.raises(PhotositeError, match="norm holds no convolution and no linear layer, but batch_norm"):
        layer_weights(odd, graph, "norm")
    with pytest.raises(UnknownNameError, match="no node or module named 'nxt'; did you mean next"):
        layer_weights(odd, graph, "nxt")


def test_a_filter_of_a_transposed_convolution_makes_one_channel(odd: Odd) -> None:
    found = layer_weights(odd, capture(odd, torch.zeros(1, 3, 32, 32)), "up")
    # 4 channels in, 6 out, 2 groups: filter 4 is the second of the group that reads channels 2 and 3.
    x = torch.zeros(1, 4, 1, 1)
    x[0, 3] = 1
    made = (odd.up(x) - odd.up(x * 0))[0, 4].detach()
    np.testing.assert_allclose(found.weight[4, 1], made, atol=1e-7)
    assert not (odd.up(x) - odd.up(x * 0))[0, :3].any()


def test_the_norm_behind_it_is_folded_in() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([1.0, 0, -2, 3]))
        model[1].running_var.copy_(torch.tensor([1.0, 4, 4, 0.25]))
    found = layer_weights(model, capture(model, torch.zeros(1, 3, 8, 8)))
    assert found.norm is not None
    np.testing.assert_allclose(found.norm.factor, [1, 0, -1, 6], rtol=1e-4)


def test_grouped_kernels_are_blind_to_the_other_groups_channels() -> None:
    model = nn.Conv2d(3, 6, 3, groups=3)
    kernels = layer_weights(model, capture(model, torch.zeros(1, 3, 8, 8))).picture_kernels
    assert kernels.shape == (6, 3, 3, 3)
    assert [np.flatnonzero(np.abs(one).sum((1, 2))).tolist() for one in kernels] == [[0], [0], [1], [1], [2], [2]]
    whole = nn.Conv2d(3, 6, 3)
    with torch.no_grad():
        whole.weight.copy_(torch.from_numpy(kernels))
        whole.bias.copy_(model.bias)  # type: ignore[arg-type]
    x = torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(whole(x), model(x))


def test_time_is_summed_as_a_still_picture_is_seen() -> None:
    model = nn.Conv3d(3, 4, (2, 5, 5), bias=False)
    kernels = layer_weights(model, capture(model, torch.zeros(1, 3, 2, 16, 16))).picture_kernels
    still = torch.randn(1, 3, 1, 16, 16)
    seen = F.conv2d(still[:, :, 0].double(), torch.from_numpy(kernels))
    torch.testing.assert_close(seen.float(), model(still.repeat(1, 1, 2, 1, 1))[:, :, 0])


class FromPicture(nn.Module):
    """Its weight is made from the picture."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, x.mean((2, 3))[:, :, None, None])


def test_where_there_is_none_it_says_so() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    with pytest.raises(PhotositeError, match=r"no convolution reads the picture itself; read by linear \(linear\)"):
        layer_weights(flat, capture(flat, torch.zeros(1, 3, 8, 8)))
    with pytest.raises(PhotositeError, match="made from the picture"):
        layer_weights(FromPicture(), capture(FromPicture(), torch.zeros(1, 3, 8, 8)))
    relu = nn.ReLU()
    with pytest.raises(PhotositeError, match="no convolution reads the picture itself; --layer names another"):
        layer_weights(relu, capture(relu, torch.zeros(1, 3, 8, 8)))


@pytest.mark.parametrize("name", FAST)
def test_the_zoo_reads_pictures_by_kernels(name: str) -> None:
    model, x = build(name)
    found = layer_weights(model, capture(model, x))
    assert found.reads_picture
    assert found.picture_kernels.shape[1] == 3
    modules = [one for one in model.modules() if isinstance(one, nn.Conv2d | nn.Conv3d)]
    assert tuple(found.weight.shape) == tuple(modules[0].weight.shape)
