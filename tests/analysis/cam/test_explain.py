"""Class activation maps against captum, formulas and finite differences, on networks that break other tools."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.analysis.cam import METHODS, Explainer, Explanation, Tap, explain, of_classes
from photosite.analysis.cam.placing import fields, over_input, over_photo, tiles
from photosite.analysis.features import laid_out
from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.nets import create_model
from photosite.prep.geometry import Geometry
from tests.peers import import_captum, import_grad_cam, import_torchvision

QUICK = ("gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "eigencam")


def network(name: str) -> nn.Module:
    """One of torchvision's, small, with weights that are nowhere 0."""
    models = import_torchvision().models
    torch.manual_seed(0)
    model = {
        "resnet18": lambda: models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 2], num_classes=10),
        "densenet": lambda: models.DenseNet(8, (2, 2, 2, 2), 16, num_classes=10),
        "vgg": lambda: models.VGG(models.vgg.make_layers([16, "M", 32, "M", 32, "M", 512]), num_classes=10),
        "alexnet": lambda: models.AlexNet(num_classes=10),
        "swin": lambda: models.SwinTransformer([4, 4], 24, [1, 1, 2, 1], [2, 2, 4, 4], [4, 4], num_classes=10),
        "vit": lambda: models.VisionTransformer(64, 32, 3, 4, 64, 128, num_classes=10),
    }[name]().eval()
    for parameter in model.parameters():
        if not bool((parameter != 0).any()):
            nn.init.normal_(parameter, 0, 0.02)
    assert isinstance(model, nn.Module)
    return model


def test_a_graph_that_was_read_before_gives_the_same_maps() -> None:
    model, x = network("resnet18"), torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    graph = capture(model, torch.zeros_like(x))
    for given in (graph, functional(graph)):
        ((found,),) = Explainer(model, x, layers="layer3", graph=given)(x, "gradcam", 3)
        ((wanted,),) = Explainer(model, x, layers="layer3")(x, "gradcam", 3)
        np.testing.assert_array_equal(found.values, wanted.values)
        assert (found.node, found.score) == (wanted.node, wanted.score)
    with pytest.raises(ShapeError, match=r"the graph takes \(1, 3, 64, 64\), the example is \(2, 3, 64, 64\)"):
        Explainer(model, x.expand(2, -1, -1, -1), graph=graph)


def by_differences(model: nn.Module, x: Tensor, node: str, target: int) -> Tensor:
    """How the score changes with each channel of a layer as a whole, by finite differences in double precision."""
    model, x = model.double(), x.double()
    tap, score = Tap(model, x), of_classes(target, 1 << 30)
    place = tap.place(node)
    value = tap(x, [place.node], score, gradients=False).values[place.node]
    a = laid_out(value, place, "NCHW")
    slopes = []
    for channel in range(0, a.shape[1], max(a.shape[1] // 3, 1)):
        ends = []
        for sign in (1, -1):
            moved = value.clone()
            laid_out(moved, place, "NCHW")  # a view for maps and tokens, so that adding to it adds to the value
            if place.layout == "NCHW":
                moved[:, channel] += sign * 1e-5
            elif place.layout == "NHWC":
                moved[..., channel] += sign * 1e-5
            else:
                moved[:, place.prefix : place.prefix + place.grid[0] * place.grid[1], channel] += sign * 1e-5
            ends.append(float(tap(x, [], score, given={place.node: moved}, gradients=False).chosen))
        slopes.append((ends[0] - ends[1]) / 2e-5)
    return torch.tensor(slopes)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18", None),
        ("resnet18", "layer4.1.bn1"),  # an in-place ReLU follows
        ("densenet", None),
        ("densenet", "features.denseblock4"),
        ("vgg", "features.9"),  # a convolution that an in-place ReLU follows
        ("alexnet", "features.10"),
        ("swin", "features.7"),
        ("swin", None),
        ("vit", None),
    ],
)
@torch.no_grad()
def test_weights_of_channels_are_finite_differences(name: str, layer: str | None) -> None:
    model, x = network(name), torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    explainer = Explainer(model.double(), x.double(), layers=layer)
    one = explainer(x.double(), "gradcam", 5)[0][0]
    run = explainer.tap(x.double(), [one.node], of_classes(5, 10))
    place = explainer.tap.place(one.node)
    gradient = run.gradients[one.node]
    assert gradient is not None
    g, a = laid_out(gradient, place, "NCHW"), laid_out(run.values[one.node], place, "NCHW")
    slopes = g.sum((2, 3))[0, :: max(g.shape[1] // 3, 1)]
    torch.testing.assert_close(slopes, by_differences(model, x, one.node, 5).double(), atol=1e-6, rtol=1e-4)
    wanted = (g.mean((2, 3), keepdim=True) * a).sum(1)[0]
    np.testing.assert_allclose(one.values, wanted.numpy(), atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize(("name", "layer"), [("resnet18", "layer4"), ("densenet", "features.norm5")])
def test_captum_gives_the_same(name: str, layer: str) -> None:
    captum = import_captum()
    model, x = network(name), torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    if name == "densenet":  # captum's hook would see what the in-place ReLU made of it
        model.forward = lambda given: model.classifier(F.relu(model.features(given)).mean((2, 3)))  # type: ignore[method-assign]
    wanted = captum.LayerGradCam(model, model.get_submodule(layer)).attribute(x, target=[3, 8])
    found = Explainer(model, x, layers=layer)(x, "gradcam", [3, 8])
    made = np.stack([maps[0].values for maps in found])
    np.testing.assert_allclose(made, wanted[:, 0].detach().numpy(), atol=1e-5 * float(wanted.abs().max()), rtol=1e-4)


def test_the_activation_is_that_before_an_in_place_relu() -> None:
    """Two well-known libraries weigh what the ReLU left of it: 0.56 to 0.97 correlated with the truth."""
    model, x = network("resnet18"), torch.randn(1, 3, 64, 64)
    one = Explainer(model, x, layers="layer4.1.bn1")(x, "gradcam", 5)[0][0]
    kept: dict[str, Tensor] = {}
    model.layer4[1].relu.inplace = False  # type: ignore[index,union-attr]
    hook = model.layer4[1].bn1.register_forward_hook(lambda *given: kept.update(a=given[2]))  # type: ignore[index,union-attr]
    score = model(x)[0, 5]
    hook.remove()
    (g,) = torch.autograd.grad(score, kept["a"])
    wanted = (g.mean((2, 3), keepdim=True) * kept["a"]).sum(1)[0].detach()
    np.testing.assert_allclose(one.values, wanted.numpy(), atol=1e-5 * float(wanted.abs().max()))
    assert float(kept["a"].min()) < 0


@pytest.mark.parametrize(
    ("name", "layout", "prefix", "ends"),
    [("resnet18", "NCHW", 0, "layer4.1.relu"), ("vit", "tokens", 1, "encoder_layer_2.ln_1")],
)
def test_the_layer_is_found_and_said(name: str, layout: str, prefix: int, ends: str) -> None:
    model, x = network(name), torch.randn(2, 3, 64, 64)
    one = explain(model, x)[1]
    assert (one.layout, one.prefix, one.grid) == (layout, prefix, (2, 2))
    assert one.module.endswith(ends)
    assert one.target == int(model(x)[1].argmax())


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "vit_small_patch14_reg4_dinov2", "vit_base_patch32_clip_224"])
def test_towers_of_ours_with_registers_and_without(name: str) -> None:
    torch.manual_seed(0)
    side = 70 if "14" in name else 64
    model = create_model(name, img_size=side, num_classes=10, depth=2).eval()
    for parameter in model.parameters():
        if not bool((parameter != 0).any()):
            nn.init.normal_(parameter, 0, 0.02)
    x = torch.randn(1, 3, side, side)
    one = explain(model, x, "hirescam", 3)[0]
    assert one.layout == "tokens"
    assert one.prefix == (5 if "reg4" in name else 1)
    assert not one.refused or "nowhere above 0" in one.refused
    shares = explain(model, x, "rollout", 3)[0]
    assert shares.grid == one.grid
    assert 0 < float(shares.values.sum()) < 1  # some of what is read comes from the tokens in front


def test_the_last_block_of_a_transformer_is_refused_with_a_better_one() -> None:
    model, x = network("vit"), torch.randn(1, 3, 64, 64)
    one = explain(model, x, layer="encoder.layers.encoder_layer_2")[0]
    assert "does not depend on any place" in one.refused
    assert one.refused.endswith("take encoder.layers.encoder_layer_2.ln_1 instead")
    assert np.isnan(one.values).all()
    assert not explain(model, x, "hirescam", layer="encoder.layers.encoder_layer_2.ln_1")[0].refused
    zero = import_torchvision().models.VisionTransformer(64, 32, 3, 4, 64, 128).eval()
    assert "all zeros, as before training" in explain(zero, x)[0].refused


def test_a_layer_of_one_place_is_no_map() -> None:
    assert "single place" in explain(network("resnet18"), torch.randn(1, 3, 32, 32))[0].refused


def test_cam_is_refused_where_the_head_is_not_linear() -> None:
    x = torch.randn(1, 3, 64, 64)
    assert not explain(network("resnet18"), x, "cam", 3)[0].refused
    assert "more than a mean and a linear layer" in explain(network("vgg"), x, "cam", 3)[0].refused
    residual = network("resnet18")
    same = [explain(residual, x, method, 3)[0].values for method in ("cam", "gradcam", "hirescam", "xgradcam")]
    for other in same[1:]:  # every place has the same gradient, so that they are one
        np.testing.assert_allclose(same[0], other, atol=1e-5)
    weights = residual.fc.weight[3].detach()  # type: ignore[union-attr]
    maps = (
        Explainer(residual, x)
        .tap(x, [explain(residual, x)[0].node], of_classes(3, 10))
        .values[explain(residual, x)[0].node]
    )
    wanted = torch.einsum("c,cyx->yx", weights, maps[0]) / 4  # type: ignore[arg-type]
    np.testing.assert_allclose(same[0], wanted.numpy(), atol=1e-5)


def test_ablation_is_what_is_lost() -> None:
    """By hand: a layer's channel set to 0 in the model itself."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(inplace=True))
    model = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)).eval()
    x = torch.randn(1, 3, 17, 17)
    one = explain(model, x, "ablationcam", 2, layer="0")[0]
    with torch.no_grad():
        a, base = body(x), model(x)[0, 2]
        wanted = torch.zeros(8, 8)
        for channel in range(6):
            without = a.clone()
            without[:, channel] = 0
            wanted += (base - model[1:](without)[0, 2]) / base.abs() * a[0, channel]
    np.testing.assert_allclose(one.values, wanted.numpy(), atol=1e-5)
    scored = explain(model, x, "scorecam", 2, layer="0")[0]
    with torch.no_grad():
        large = F.interpolate(a, size=(17, 17), mode="bilinear")[0]
        low, high = large.amin((1, 2), keepdim=True), large.amax((1, 2), keepdim=True)
        found = model(x * ((large - low) / (high - low + 1e-8))[:, None])[:, 2].softmax(0)
    np.testing.assert_allclose(scored.values, torch.einsum("c,cyx->yx", found, a[0]).numpy(), atol=1e-5)


class Several(nn.Module):
    """Gives a dictionary, with what is no score first."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        scores = self.model(x)
        return {"loss": scores.sum(), "logits": scores, "other": scores * 2}


@pytest.mark.parametrize("kind", ["dict", "half", "compiled", "off", "inference", "channels last"])
def test_models_of_all_kinds_and_left_as_they_were(kind: str) -> None:
    plain, x = network("resnet18"), torch.randn(1, 3, 64, 64)
    wanted = explain(plain, x, "gradcam", 3)[0].values
    model: nn.Module = plain
    if kind == "dict":
        model = Several(plain)
    elif kind == "half":
        model, x = plain.to(torch.bfloat16), x.to(torch.bfloat16)
    elif kind == "compiled":
        model = torch.compile(plain)  # type: ignore[assignment]
    elif kind == "off":
        plain.requires_grad_(False)
    elif kind == "channels last":
        x = x.to(memory_format=torch.channels_last)
    before = {name: (one.clone(), one.requires_grad) for name, one in plain.named_parameters()}
    with torch.inference_mode() if kind == "inference" else torch.no_grad():
        found = explain(model, x, "gradcam", 3)[0].values
    np.testing.assert_allclose(found, wanted, atol=0.03 if kind == "half" else 1e-5)
    for name, one in plain.named_parameters():
        assert one.grad is None
        assert one.requires_grad == before[name][1]
        assert torch.equal(one, before[name][0])
    assert not any(one.training for one in plain.modules())


def test_several_layers_pictures_and_targets() -> None:
    model, x = network("resnet18"), torch.randn(3, 3, 64, 64)
    explainer = Explainer(model, x, layers=["layer2", "layer4"])
    found = explainer(x, "layercam", [1, 2, 3])
    assert [[one.grid for one in maps] for maps in found] == [[(8, 8), (2, 2)]] * 3
    assert [maps[0].target for maps in found] == [1, 2, 3]
    alone = Explainer(model, x[1:2], layers="layer2")(x[1:2], "layercam", 2)[0][0]
    np.testing.assert_allclose(found[1][0].values, alone.values, atol=1e-6)
    own = explainer(x, "layercam", score=lambda given: given[:, 1] - given[:, 0])
    assert own[0][0].target == -1
    for method in QUICK:
        assert all(one.values.shape == one.grid for maps in explainer(x, method, 1) for one in maps)


def test_bad_questions() -> None:
    model, x = network("resnet18"), torch.randn(2, 3, 64, 64)
    explainer = Explainer(model, x)
    with pytest.raises(RangeError, match="target 1000: there are 10 classes, 0 … 9"):
        explainer(x, "gradcam", 1000)
    with pytest.raises(UnknownNameError, match="gradcam"):
        explainer(x, "gradcan")
    with pytest.raises(ShapeError, match="the tap is for"):
        explainer(torch.randn(1, 3, 64, 64))
    with pytest.raises(ShapeError, match="one target or 2"):
        explainer(x, "gradcam", [1, 2, 3])
    with pytest.raises(ShapeError, match="holds no map of places"):
        Explainer(model, x, layers="fc")
    with pytest.raises(ShapeError, match="gives no scores"):
        Explainer(nn.Conv2d(3, 4, 3), x)
    with pytest.raises(RangeError, match="no output 'x'"):
        Explainer(Several(model), x, output="x")
    with pytest.raises(ShapeError, match="no attention that rollout could follow"):
        explainer(x, "rollout")
    assert set(QUICK) < set(METHODS)


def test_where_places_lie() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((7, 5)).astype(np.float32)
    wanted = F.interpolate(torch.from_numpy(values)[None, None], size=(224, 160), mode="bilinear")[0, 0].numpy()
    found = over_input(values, tiles((7, 5), (224, 160)), (224, 160))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    explainer = Explainer(network("resnet18"), torch.randn(1, 3, 224, 224), placing="fields")
    one = explainer(torch.randn(1, 3, 224, 224), "eigencam")[0][0]
    assert one.placing.first == (0.0, 0.0)  # and not 15.5, the middle of the first tile
    assert one.placing.jump == (32.0, 32.0)
    assert fields is not None
    geometry = Geometry((448, 600), (224, 300), (224, 224), (0, 38), "bilinear")
    photo = over_photo(values, tiles((7, 5), (224, 224)), geometry)
    assert photo.shape == (448, 600)
    assert np.isnan(photo[:, :76]).all()
    assert np.isnan(photo[:, 524:]).all()
    assert not np.isnan(photo[:, 76:524]).any()
    inside = over_input(values, tiles((7, 5), (448, 448)), (448, 448))
    np.testing.assert_allclose(photo[:, 76:524], inside, atol=1e-6)
    same = Geometry((224, 224), (224, 224), (224, 224), (0, 0), "bilinear")
    np.testing.assert_allclose(one.over_photo(same), one.over_input(), atol=1e-6)


GRAD_CAM = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMPlusPlus",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "xgradcam": "XGradCAM",
    "scorecam": "ScoreCAM",
    "ablationcam": "AblationCAM",
    "eigencam": "EigenCAM",
}


def drawn_by_grad_cam(theirs: Any, method: str, model: nn.Module, layer: str, x: Tensor, targets: list[int]) -> Any:
    targets_of = sys.modules["pytorch_grad_cam.utils.model_targets"].ClassifierOutputTarget
    with getattr(theirs, GRAD_CAM[method])(model, [model.get_submodule(layer)]) as cam:
        return cam(x.clone(), [targets_of(one) for one in targets])


def as_it_draws(one: Explanation) -> Any:
    values = one.over_input()
    return (values - values.min()) / (values.max() - values.min())


@pytest.mark.parametrize("method", [name for name in GRAD_CAM if name != "eigencam"])
def test_pytorch_grad_cam_gives_the_same(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = import_grad_cam()
    # it stretches Score-CAM's masks with aligned corners, the paper's own code and we do not; that costs 0.0023 here
    monkeypatch.setattr(nn, "UpsamplingBilinear2d", lambda size: nn.Upsample(size, mode="bilinear"))
    model, x = network("resnet18"), torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    wanted = drawn_by_grad_cam(theirs, method, model, "layer3", x, [1, 4])  # scores above 0, see below
    found = Explainer(model, x, layers="layer3")(x, method, [1, 4])
    for (one,), there in zip(found, wanted, strict=True):
        np.testing.assert_allclose(as_it_draws(one), there, atol=1e-4)  # differences of scores, in single precision


def test_a_score_below_0_does_not_turn_ablation_over() -> None:
    theirs = import_grad_cam()
    model, x = network("resnet18"), torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert float(model(x)[0, 7]) < -0.2
    (wanted,) = drawn_by_grad_cam(theirs, "ablationcam", model, "layer3", x, [7])
    one = Explainer(model, x, layers="layer3")(x, "ablationcam", 7)[0][0]
    turned = replace(one, values=-one.values)
    np.testing.assert_allclose(as_it_draws(turned), wanted, atol=1e-4)


def test_pytorch_grad_cam_gives_the_same_direction_with_a_sign_by_chance() -> None:
    theirs = import_grad_cam()
    model, x = network("resnet18"), torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    wanted = drawn_by_grad_cam(theirs, "eigencam", model, "layer3", x, [1] * 4)
    for (one,), there in zip(Explainer(model, x, layers="layer3")(x, "eigencam"), wanted, strict=True):
        signs = [as_it_draws(replace(one, values=sign * one.values)) for sign in (1, -1)]
        assert min(float(np.abs(drawn - there).max()) for drawn in signs) < 1e-4
