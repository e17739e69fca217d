"""Our residual networks against torchvision's, and the numbers of the paper."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from photosite.errors import RangeError, ShapeError
from photosite.nets import create_model
from photosite.nets.blocks import BasicBlock, Bottleneck, PaddingShortcut
from photosite.nets.resnet import ResNet, Stem
from tests.peers import import_torchvision

# parameters: torchvision 0.28 weights.meta["num_params"]
PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
}


def _count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameters_are_the_publishers(name: str, parameters: int) -> None:
    with torch.device("meta"):
        assert _count(create_model(name)) == parameters


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_logits_agree_with_torchvision(name: str) -> None:
    torchvision = import_torchvision()
    torch.manual_seed(0)
    peer = torchvision.models.get_model(name, weights=None)
    for norm in peer.modules():  # statistics as after training, or every norm would be the identity
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 1.5)
    peer.eval()
    ours = create_model(name)
    ours.load_state_dict(peer.state_dict())  # the very same keys
    x = torch.randn(2, 3, 96, 128)
    with torch.inference_mode():
        # the same operations in the same order: 1e-5 leaves room for another order of summation only
        assert_close(ours(x), peer(x), rtol=1e-5, atol=1e-5)


def test_fresh_weights_are_torchvisions_draw_for_draw() -> None:
    torchvision = import_torchvision()
    torch.manual_seed(3)
    peer = torchvision.models.resnet18(weights=None).state_dict()
    torch.manual_seed(3)
    ours = create_model("resnet18").state_dict()
    assert list(ours) == list(peer)
    # torchvision draws every default initialization first, in the same order as we build the layers
    for key in peer:
        assert_close(ours[key], peer[key], rtol=0, atol=0)


def test_stride_on_the_first_1x1_as_in_the_paper() -> None:
    ours = create_model("resnet50", stride_on="1x1")
    strides = {
        name: module.stride
        for name, module in ours.named_modules()
        if isinstance(module, torch.nn.Conv2d) and module.stride == (2, 2)
    }
    assert sorted(strides) == [
        "conv1",
        "layer2.0.conv1",
        "layer2.0.downsample.0",
        "layer3.0.conv1",
        "layer3.0.downsample.0",
        "layer4.0.conv1",
        "layer4.0.downsample.0",
    ]
    assert _count(ours) == PARAMETERS["resnet50"]


def test_published_block_of_the_article_has_70400_parameters() -> None:
    assert _count(Bottleneck(256, 64)) == 70_400


@pytest.mark.parametrize(
    ("layers", "parameters"), [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018), (110, 1_727_962)]
)
def test_cifar_networks_have_the_papers_sizes(layers: int, parameters: int) -> None:
    # paper, table 6: 0.27, 0.46, 0.66, 0.85 and 1.7 million
    with torch.device("meta"):
        assert _count(create_model(f"cifar_resnet{layers}")) == parameters
        # option A has no parameters, so the plain twin has exactly as many
        assert _count(create_model(f"cifar_plain{layers}")) == parameters


def test_plain_twin_differs_by_the_shortcut_alone() -> None:
    torch.manual_seed(0)
    block = BasicBlock(4, 4, shortcut="padding").eval()
    plain = BasicBlock(4, 4, shortcut="none").eval()
    plain.load_state_dict(block.state_dict())
    x = torch.rand(1, 4, 6, 6)
    inner = block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x)))))
    assert_close(plain(x), torch.relu(inner), rtol=0, atol=0)
    assert_close(block(x), torch.relu(inner + x), rtol=0, atol=0)


def test_padding_shortcut_by_hand() -> None:
    x = torch.arange(8.0).reshape(1, 2, 2, 2)  # channels [[0, 1], [2, 3]] and [[4, 5], [6, 7]]
    out = PaddingShortcut(2, 4, stride=2)(x)
    assert out.tolist() == [[[[0.0]], [[0.0]], [[4.0]], [[0.0]]]]


@settings(deadline=None, max_examples=15)
@given(height=st.integers(32, 70), width=st.integers(32, 70))
def test_default_encoder_takes_any_size_from_32(height: int, width: int) -> None:
    model = create_model("photosite_resnet12")
    with torch.inference_mode():
        features = model.forward_features(torch.zeros(1, 3, height, width))
    assert features.shape == (1, model.width, -(-height // 4), -(-width // 4))  # rounded up
    assert model.reduction == 4


def test_first_kernels_are_large_and_at_stride_1() -> None:
    first = create_model("photosite_resnet12").conv1
    assert first.kernel_size == (7, 7)
    assert first.stride == (1, 1)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((3, 64, 64), "wants (B, 3, H, W), channels first, got 3 × 64 × 64"),
        ((1, 64, 64, 3), "wants (B, 3, H, W), channels first, got 1 × 64 × 64 × 3"),
        ((1, 3, 31, 64), "wants sides of at least 32 px, got 31 × 64"),
    ],
)
def test_wrong_inputs_are_refused_in_words(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ShapeError) as caught:
        create_model("photosite_resnet12")(torch.zeros(shape))
    assert words in str(caught.value)


def test_wrong_architectures_are_refused() -> None:
    with pytest.raises(RangeError, match="differ in number"):
        ResNet(BasicBlock, (1, 1), (8,))
    with pytest.raises(RangeError, match="got '5x5'"):
        ResNet(BasicBlock, (1,), (8,), stride_on="5x5")  # type: ignore[arg-type]


def test_without_classes_the_output_is_the_mean_of_the_map() -> None:
    model = ResNet(BasicBlock, (1,), (8,), stem=Stem(4, 3), num_classes=0).eval()
    x = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert_close(model(x), model.forward_features(x).mean((2, 3)))
