"""The spellings of pytorch-grad-cam and captum: the same code gives the same maps."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from photosite.analysis.cam import explain, spellings
from photosite.errors import RangeError, ShapeError, UnknownNameError
from tests.analysis.cam.test_explain import network
from tests.peers import import_captum, import_grad_cam


def written_for_either(library: Any, target_of: Any, model: Any, x: Tensor) -> Any:
    with library.LayerCAM(model=model, target_layers=[model.layer3]) as cam:
        return cam(input_tensor=x, targets=[target_of(3), target_of(8)])


def test_code_for_pytorch_grad_cam_runs() -> None:
    theirs = import_grad_cam()
    target_of = sys.modules["pytorch_grad_cam.utils.model_targets"].ClassifierOutputTarget
    model, x = network("resnet18"), torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    wanted = written_for_either(theirs, target_of, model, x)
    for target in (target_of, spellings.ClassifierOutputTarget):
        found = written_for_either(spellings, target, model, x)
        assert found.shape == (2, 64, 64)
        # theirs begins at 0 even where every place speaks for the class
        low, high = found.min((1, 2), keepdims=True), found.max((1, 2), keepdims=True)
        np.testing.assert_allclose((found - low) / (high - low), wanted, atol=2e-5)
    assert not model._forward_hooks
    assert not any(len(one._forward_hooks) for one in model.modules())


@pytest.mark.parametrize("name", ["GradCAM", "GradCAMPlusPlus", "HiResCAM", "XGradCAM", "EigenCAM", "AblationCAM"])
def test_each_is_the_method_that_it_says(name: str) -> None:
    model, x = network("resnet18"), torch.randn(2, 3, 64, 64)
    cam = getattr(spellings, name)(model, ["layer2"])
    found = cam(x)
    one = explain(model, x, cam.method, layer="layer2")
    np.testing.assert_array_equal(found, np.stack([each.over_input() for each in one]))
    assert found.min() >= 0
    assert found.max() <= 1


def test_several_layers_are_averaged() -> None:
    model, x = network("resnet18"), torch.randn(1, 3, 64, 64)
    both = spellings.LayerCAM(model, ["layer2", "layer3"])(x)
    alone = [explain(model, x, "layercam", layer=layer)[0].over_input() for layer in ("layer2", "layer3")]
    np.testing.assert_allclose(both[0], np.mean(alone, 0), atol=1e-6)


def test_any_function_of_the_scores_is_a_target() -> None:
    model, x = network("resnet18"), torch.randn(2, 3, 64, 64)
    cam = spellings.GradCAM(model, [model.layer3])  # type: ignore[list-item]
    found = cam(x, [lambda scores: scores[3], lambda scores: scores[8]])
    np.testing.assert_allclose(found, cam(x, [spellings.ClassifierOutputTarget(one) for one in (3, 8)]), atol=1e-5)


def test_code_for_captum_runs() -> None:
    captum = import_captum()
    model, x = network("resnet18"), torch.randn(2, 3, 64, 64)
    for cut in (False, True):
        theirs, ours = (
            library.LayerGradCam(model, model.layer4).attribute(x, target=[3, 8], relu_attributions=cut).detach()
            for library in (captum, spellings)
        )
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(
        spellings.LayerGradCam.interpolate(ours, (64, 64)),
        captum.LayerGradCam.interpolate(ours, (64, 64)),
    )


def test_a_refused_map_is_not_drawn() -> None:
    model, x = network("vit"), torch.randn(1, 3, 64, 64)
    with pytest.warns(UserWarning, match=r"picture 0: no map: the score does not depend .*ln_1 instead"):
        found = spellings.GradCAM(model, ["encoder.layers.encoder_layer_2"])(x)
    assert np.isnan(found).all()
    resnet = network("resnet18")
    with pytest.raises(UnknownNameError, match="BatchNorm2d"):
        spellings.GradCAM(resnet, [torch.nn.BatchNorm2d(4)])
    with pytest.raises(ShapeError, match="the model itself"):
        spellings.GradCAM(resnet, [resnet])
    with pytest.raises(RangeError, match="GradCAM: 1 pictures, but 2 targets"):
        spellings.GradCAM(resnet)(x, [spellings.ClassifierOutputTarget(1)] * 2)
