"""Class activation maps under the names that pytorch-grad-cam and captum gave them, for code written for those.

No `reshape_transform` is asked for: where a layer's places lie is found from the graph. A map that is refused is all
NaN, and a warning says why.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from types import TracebackType

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.analysis.cam.explain import Explainer
from photosite.analysis.cam.explanation import Explanation
from photosite.errors import RangeError, ShapeError, UnknownNameError

Target = Callable[[Tensor], Tensor]
"""From the scores of one picture, (K,), to a number."""


class ClassifierOutputTarget:
    """The score of one class.

    Args:
        category: its index.
    """

    def __init__(self, category: int) -> None:
        self.category = category

    def __call__(self, model_output: Tensor) -> Tensor:
        """Take it out of the scores, (K,) or (B, K)."""
        return model_output[..., self.category]


class _Cam:
    """One method, spelled as in pytorch-grad-cam.

    Args:
        model: any vision model that gives scores; left as it is.
        target_layers: modules of it, or their paths; several maps are averaged. Found if not given.
    Raises:
        UnknownNameError: a module is none of the model's.
    Convention: of a module that runs more than once, its last value is taken; pytorch-grad-cam takes its first.
    """

    method = "gradcam"

    def __init__(self, model: nn.Module, target_layers: Sequence[nn.Module | str] | None = None) -> None:
        self.model = model
        self.layers = None if target_layers is None else [_path(model, layer) for layer in target_layers]
        self._held: tuple[tuple[int, ...], Explainer] | None = None

    def __enter__(self) -> _Cam:
        """Nothing is opened: there are no hooks."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing is left to close."""

    def __call__(self, input_tensor: Tensor, targets: Sequence[Target] | None = None) -> npt.NDArray[np.float32]:
        """Explain a batch.

        Args:
            input_tensor: (B, C, H, W).
            targets: one for each picture; the class with the largest score if not given.
        Returns:
            (B, H, W) in [0, 1]: what speaks for the target, over the largest; all NaN where the map is refused.
        Raises:
            RangeError: not one target for each picture.
            CaptureError, ShapeError: as `Explainer`.
        """
        if targets is not None and len(targets) != len(input_tensor):
            raise RangeError(f"{type(self).__name__}: {len(input_tensor)} pictures, but {len(targets)} targets")
        categories = [getattr(target, "category", None) for target in targets or ()]
        if targets is None or all(isinstance(one, int) for one in categories):
            found = self._explainer(input_tensor)(input_tensor, self.method, categories or None)  # type: ignore[arg-type]
        else:  # any function of the scores: pictures one by one, since a method may try changed ones by the dozen
            found = []
            for number, target in enumerate(targets):
                one = input_tensor[number : number + 1]

                def score(scores: Tensor, target: Target = target) -> Tensor:
                    return torch.stack([target(row) for row in scores])

                found += self._explainer(one)(one, self.method, score=score)
        return np.stack([np.mean([_drawn(one, number) for one in maps], 0) for number, maps in enumerate(found)])

    def _explainer(self, x: Tensor) -> Explainer:
        """Read the model for pictures of this shape, once."""
        if self._held is None or self._held[0] != tuple(x.shape):
            self._held = (tuple(x.shape), Explainer(self.model, x, layers=self.layers))
        return self._held[1]


class GradCAM(_Cam):
    """Grad-CAM, spelled as in pytorch-grad-cam; arguments as `_Cam`.

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    >>> with GradCAM(model=net.eval(), target_layers=[net[1]]) as cam:
    ...     cam(input_tensor=torch.rand(2, 3, 16, 16), targets=[ClassifierOutputTarget(1)] * 2).shape
    (2, 16, 16)
    """


class GradCAMPlusPlus(_Cam):
    """Grad-CAM++, spelled as in pytorch-grad-cam."""

    method = "gradcam++"


class HiResCAM(_Cam):
    """HiResCAM, spelled as in pytorch-grad-cam."""

    method = "hirescam"


class LayerCAM(_Cam):
    """LayerCAM, spelled as in pytorch-grad-cam."""

    method = "layercam"


class XGradCAM(_Cam):
    """XGrad-CAM, spelled as in pytorch-grad-cam."""

    method = "xgradcam"


class EigenCAM(_Cam):
    """Eigen-CAM, spelled as in pytorch-grad-cam."""

    method = "eigencam"


class ScoreCAM(_Cam):
    """Score-CAM, spelled as in pytorch-grad-cam."""

    method = "scorecam"


class AblationCAM(_Cam):
    """Ablation-CAM, spelled as in pytorch-grad-cam."""

    method = "ablationcam"


class LayerGradCam:
    """Grad-CAM, spelled as in captum.

    Args:
        model: any vision model that gives scores; left as it is.
        layer: a module of it, or its path.
    Raises:
        UnknownNameError: the module is none of the model's.
    """

    def __init__(self, model: nn.Module, layer: nn.Module | str) -> None:
        self._cam = GradCAM(model, [layer])

    def attribute(
        self, inputs: Tensor, target: int | Sequence[int] | None = None, relu_attributions: bool = False
    ) -> Tensor:
        """Explain a batch.

        Args:
            inputs: (B, C, H, W).
            target: a class for each picture, or one for all; the one with the largest score if not given.
            relu_attributions: whether to cut off at 0.
        Returns:
            (B, 1, h, w), on the layer's own grid.
        Raises:
            As `Explainer`.
        Matches: captum `LayerGradCam` to 1e-5, where nothing behind the layer overwrites what that keeps.
        """
        found = self._cam._explainer(inputs)(inputs, "gradcam", target)
        maps = torch.stack([torch.from_numpy(_said(one, number)) for number, (one,) in enumerate(found)])[:, None]
        return maps.clamp_min(0) if relu_attributions else maps

    @staticmethod
    def interpolate(layer_attribution: Tensor, interpolate_dims: tuple[int, int], mode: str = "nearest") -> Tensor:
        """Bring maps (B, 1, h, w) to another size, as `torch.nn.functional.interpolate` does."""
        return F.interpolate(layer_attribution, interpolate_dims, mode=mode)


def _path(model: nn.Module, layer: nn.Module | str) -> str:
    """Where in the model a module stands."""
    if isinstance(layer, str):
        return layer
    paths: list[str] = [name for name, module in model.named_modules() if module is layer]
    if not paths:
        raise UnknownNameError("module", type(layer).__name__, [name for name, _ in model.named_modules() if name])
    if not paths[0]:
        raise ShapeError("the layer is the model itself; name one inside it")
    return paths[0]


def _said(one: Explanation, number: int) -> npt.NDArray[np.float32]:
    if one.refused:
        warnings.warn(f"picture {number}: no map: {one.refused}", stacklevel=4)
    return one.values


def _drawn(one: Explanation, number: int) -> npt.NDArray[np.float32]:
    """A map over the input, all NaN where it is refused."""
    _said(one, number)
    return np.full(one.input_hw, np.nan, np.float32) if one.refused else one.over_input()
