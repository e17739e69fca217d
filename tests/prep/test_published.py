"""Recipes read from torchvision and timm: the same numbers as their own transforms give, bit for bit on PIL images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photosite.errors import PhotositeError, RangeError, ShapeError, UnknownNameError
from photosite.prep.published import TIMM_DEFAULTS, TIMM_OTHER, recipe_from_timm, recipe_from_torchvision
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import IMAGENET_MEAN, RECIPES
from tests.peers import import_peer, import_torchvision

laws = settings(deadline=None, derandomize=True, max_examples=40)


def noise(height: int, width: int, seed: int = 3) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def pictures(photos: list[Path]) -> list[npt.NDArray[np.uint8]]:
    """Nine photos from the smallest file to the largest, and cuts of odd and extreme sizes."""
    by_size = sorted(photos, key=lambda path: path.stat().st_size)
    opened = [np.asarray(Image.open(path).convert("RGB")) for path in [by_size[0], *by_size[4::28], by_size[-3]]]
    return [*opened, opened[1][:75, :301], opened[2][:1, :60], opened[3][:223, :225], opened[4][:41, :40]]


# -------------------------------------------------------------------------------------------------------- torchvision


def published_entries() -> Iterator[Any]:
    """One of torchvision's entries for each of its ImageClassification presets, which are fewer than the entries."""
    models = import_torchvision().models
    seen = set()
    for name in models.list_models():
        for entry in models.get_model_weights(name):
            preset = entry.transforms()
            if type(preset).__name__ == "ImageClassification" and str(preset) not in seen:
                seen.add(str(preset))
                yield entry


@pytest.mark.parametrize(
    "name",
    [
        "ResNet50_Weights.IMAGENET1K_V2",
        "EfficientNet_B0_Weights.IMAGENET1K_V1",  # bicubic
        "VGG16_Weights.IMAGENET1K_FEATURES",  # levels less their mean, not scaled
    ],
)
def test_matches_torchvision_s_transforms(name: str, pictures: list[npt.NDArray[np.uint8]]) -> None:
    import_torchvision()
    recipe = recipe_from_torchvision(import_torchvision().models.get_weight(name))
    chain = import_torchvision().models.get_weight(name).transforms()
    for picture in pictures:
        expected = chain(Image.fromarray(picture))[None].numpy()
        np.testing.assert_array_equal(recipe(picture), expected, err_msg=str(picture.shape))


@pytest.mark.slow
def test_matches_torchvision_s_transforms_of_all_weights(pictures: list[npt.NDArray[np.uint8]]) -> None:
    entries = list(published_entries())
    for entry in entries:
        recipe, chain = recipe_from_torchvision(entry), entry.transforms()
        for picture in pictures:
            expected = chain(Image.fromarray(picture))[None].numpy()
            np.testing.assert_array_equal(recipe(picture), expected, err_msg=f"{entry} {picture.shape}")
    assert len(entries) == 28


# torch keeps filter weights in 16 bits where Pillow has 22, so a weighted mean can round to the next level. Weights of
# both signs add up to more: bicubic can be 3 off.
@pytest.mark.parametrize(
    ("name", "most"), [("ResNet50_Weights.IMAGENET1K_V2", 1), ("EfficientNet_B0_Weights.IMAGENET1K_V1", 3)]
)
def test_is_near_torchvision_s_tensor_chain(name: str, most: int, pictures: list[npt.NDArray[np.uint8]]) -> None:
    import_torchvision()
    torch, functional = import_peer("torch"), import_peer("torchvision.transforms.v2.functional")
    entry = import_torchvision().models.get_weight(name)
    recipe, preset = recipe_from_torchvision(entry), entry.transforms()
    for picture in pictures[:9]:  # the photos
        tensor = torch.from_numpy(picture.copy()).permute(2, 0, 1)
        tensor = functional.resize(tensor, preset.resize_size, interpolation=preset.interpolation, antialias=True)
        tensor = functional.to_dtype(functional.center_crop(tensor, preset.crop_size), torch.float32, scale=True)
        x = functional.normalize(tensor, preset.mean, preset.std)[None].numpy()
        off = np.abs(recipe.undo(x).astype(int) - recipe.undo(recipe(picture)))
        assert off.max() <= most
        assert off.mean() < 0.1  # and most levels are the same


def test_an_entry_and_its_preset_give_the_same() -> None:
    entry = import_torchvision().models.ResNet50_Weights.IMAGENET1K_V2
    recipe = recipe_from_torchvision(entry)
    assert recipe.name == "torchvision:ResNet50_Weights.IMAGENET1K_V2"
    assert recipe.explain()[-1] == (
        "source: torchvision's ResNet50_Weights.IMAGENET1K_V2.transforms(): resize_size=[232], crop_size=[224]"
    )
    preset = recipe_from_torchvision(entry.transforms())
    assert (preset.size_hw, preset.crop_hw, preset.mean, preset.std) == (
        (232,) * 2,
        (224,) * 2,
        recipe.mean,
        recipe.std,
    )
    v1 = recipe_from_torchvision(import_torchvision().models.ResNet50_Weights.IMAGENET1K_V1)
    assert v1.to_dict() | {"name": "", "source": ""} == RECIPES["imagenet"].to_dict() | {"name": "", "source": ""}


class ImageClassification:
    """Stands for torchvision's preset: the same fields, by hand."""

    def __init__(self, **changed: Any) -> None:
        fields = {"resize_size": [8], "crop_size": [4], "mean": [0.5] * 3, "std": [0.5] * 3, "antialias": True}
        self.__dict__ = fields | {"interpolation": SimpleNamespace(value="box")} | changed


def test_a_preset_by_hand() -> None:
    recipe = recipe_from_torchvision(ImageClassification())
    assert (recipe.resize, recipe.size_hw, recipe.crop_hw) == ("shortest", (8, 8), (4, 4))
    assert recipe(np.full((20, 16, 3), 255, np.uint8))[0, 0].tolist() == [[1.0] * 4] * 4
    # torchvision's Resize squashes to a pair of sides
    assert recipe_from_torchvision(ImageClassification(resize_size=[8, 9], crop_size=(3, 4))).resize == "squash"
    assert recipe_from_torchvision(ImageClassification(resize_size=8, crop_size=4)).crop_hw == (4, 4)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"antialias": False}, r"recipe 'torchvision:ImageClassification': antialias wants True .*, got False"),
        ({"antialias": None}, "antialias wants True .*, got None"),
        ({"interpolation": "nearest-exact"}, "no interpolation named 'nearest-exact'"),
        ({"mean": None}, "mean wants 3 finite numbers, got None"),
        ({"std": [1, 0, 1]}, "std wants 3 finite numbers above 0"),
        ({"crop_size": None}, r"crop_hw wants \(height, width\)"),
        ({"resize_size": [1, 2, 3]}, r"size_hw wants \(height, width\)"),
    ],
)
def test_a_preset_that_a_recipe_cannot_follow(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(PhotositeError, match=words):
        recipe_from_torchvision(ImageClassification(**changed))


def test_other_presets_are_refused_by_name() -> None:
    models = import_torchvision().models
    for entry, words in (
        (
            models.segmentation.FCN_ResNet50_Weights.DEFAULT,
            "COCO_WITH_VOC_LABELS_V1 gives SemanticSegmentation without",
        ),
        (
            models.video.R3D_18_Weights.DEFAULT,
            "R3D_18_Weights.KINETICS400_V1 gives VideoClassification without antialias",
        ),
        (
            models.ResNet50_Weights,
            "wants weights whose transforms.* EnumType gives EnumType without resize_size, crop_size",
        ),
        (5, "int gives int without resize_size, crop_size, mean, std, interpolation, antialias"),
    ):
        with pytest.raises(RangeError, match=words):
            recipe_from_torchvision(entry)


def test_a_name_is_looked_up_elsewhere() -> None:
    with pytest.raises(
        RangeError, match=r"wants the entry itself, got the text 'ResNet50_Weights.DEFAULT'; .*find_recipe"
    ):
        recipe_from_torchvision("ResNet50_Weights.DEFAULT")


# --------------------------------------------------------------------------------------------------------------- timm


def import_timm() -> Any:
    import_torchvision()
    return import_peer("timm")


def by_timm(cfg: Any, picture: npt.NDArray[np.uint8], use_test_size: bool = False) -> npt.NDArray[np.float32]:
    """What timm's own evaluation transform makes of a PIL image."""
    data = import_timm().data
    told = data.resolve_data_config(pretrained_cfg=cfg, use_test_size=use_test_size)
    x: npt.NDArray[np.float32] = data.create_transform(**told)(Image.fromarray(picture))[None].numpy()
    return x


CFGS: dict[str, dict[str, Any]] = {
    "nothing said": {"architecture": "a"},
    "center": {"input_size": (3, 224, 224), "crop_pct": 0.95, "interpolation": "bilinear", "std": [0.5] * 3},
    "center, not square": {"input_size": (3, 160, 96), "crop_pct": 0.9, "crop_mode": "center"},
    "squash": {"input_size": [3, 128, 128], "crop_pct": 1.0, "crop_mode": "squash", "mean": (0.5, 0.5, 0.5)},
    "squash and crop": {
        "input_size": (3, 100, 144),
        "crop_pct": 0.93,
        "crop_mode": "squash",
        "interpolation": "lanczos",
    },
    "border": {"input_size": (3, 128, 128), "crop_pct": 1.0, "crop_mode": "border", "mean": (0.48, 0.4578, 0.408)},
    "border and crop": {"input_size": (3, 91, 128), "crop_pct": 0.8, "crop_mode": "border", "interpolation": "box"},
    "border around": {"input_size": (3, 128, 91), "crop_pct": 1.3, "crop_mode": "border", "interpolation": "hamming"},
    "nearest": {"input_size": (3, 64, 64), "interpolation": "nearest", "crop_pct": None},
}


@pytest.mark.parametrize("cfg", CFGS.values(), ids=CFGS)
def test_matches_timm_s_transform(cfg: dict[str, Any], pictures: list[npt.NDArray[np.uint8]]) -> None:
    recipe = recipe_from_timm(cfg)
    for picture in pictures:
        if min(recipe.geometry(picture.shape[:2]).resized_hw) > 1:  # timm fails where a side would be 0
            np.testing.assert_array_equal(recipe(picture), by_timm(cfg, picture), err_msg=str(picture.shape))


@given(
    st.tuples(st.integers(2, 200), st.integers(2, 200)),
    st.tuples(st.integers(2, 60), st.integers(2, 60)),
    st.sampled_from([0.8, 0.875, 0.9, 0.95, 1.0, 1.25]),
    st.sampled_from(["center", "squash", "border"]),
)
@laws
def test_matches_timm_s_transform_on_drawn_sizes(
    picture_hw: tuple[int, int], input_hw: tuple[int, int], crop_pct: float, mode: str
) -> None:
    cfg = {"input_size": (3, *input_hw), "crop_pct": crop_pct, "crop_mode": mode}
    recipe = recipe_from_timm(cfg)
    if min(recipe.geometry(picture_hw).resized_hw) > 1:
        np.testing.assert_array_equal(recipe(noise(*picture_hw)), by_timm(cfg, noise(*picture_hw)))


@pytest.mark.slow
def test_matches_timm_s_transform_for_all_published_cfgs(pictures: list[npt.NDArray[np.uint8]]) -> None:
    timm = import_timm()
    kinds = {}
    for name in timm.list_models(pretrained=True):
        cfg = timm.get_pretrained_cfg(name)
        for use_test_size in (False, True):
            told = timm.data.resolve_data_config(pretrained_cfg=cfg.to_dict(), use_test_size=use_test_size)
            kinds.setdefault(str(told), (name, cfg, use_test_size))
        assert recipe_from_timm(cfg).name == f"timm:{name}"
    for count, (name, cfg, use_test_size) in enumerate(kinds.values()):
        recipe = recipe_from_timm(cfg, use_test_size=use_test_size)
        picture = pictures[count % 9]
        expected = by_timm(cfg.to_dict(), picture, use_test_size)
        np.testing.assert_array_equal(recipe(picture), expected, err_msg=f"{name} {picture.shape}")
    assert len(kinds) > 170


def test_timm_s_forms_of_a_cfg_give_the_same() -> None:
    timm = import_timm()
    cfg = timm.get_pretrained_cfg("vit_base_patch16_siglip_224.webli")
    recipe = recipe_from_timm(cfg)
    assert recipe.name == "timm:vit_base_patch16_siglip_224.webli"
    assert (recipe.resize, recipe.size_hw, recipe.mean) == ("shortest", (248, 248), (0.5, 0.5, 0.5))
    assert recipe_from_timm(cfg.to_dict()) == recipe
    assert recipe_from_timm(SimpleNamespace(pretrained_cfg=cfg)) == recipe  # a model
    hub = {
        "architecture": cfg.architecture,
        "num_features": 768,
        "pretrained_cfg": cfg.to_dict() | {"architecture": None},
    }
    assert recipe_from_timm(hub).input_hw == recipe.input_hw


def test_the_larger_size_for_tests_is_taken_when_asked_for() -> None:
    cfg = {"input_size": (3, 224, 224), "test_input_size": (3, 288, 288), "crop_pct": 0.95, "test_crop_pct": 1.0}
    assert recipe_from_timm(cfg).crop_hw == (224, 224)
    assert recipe_from_timm(cfg, use_test_size=True).size_hw == (288, 288)
    assert recipe_from_timm({"crop_pct": 1.0, "test_crop_pct": None}, use_test_size=True).size_hw == (224, 224)


def test_defaults_are_timm_s_own_and_said() -> None:
    timm = import_timm()
    data = timm.data.resolve_data_config(pretrained_cfg={"architecture": "a"})
    assert {key: data[key] for key in TIMM_DEFAULTS} == TIMM_DEFAULTS
    assert set(timm.models.PretrainedCfg.__dataclass_fields__) == set(TIMM_DEFAULTS) | TIMM_OTHER
    recipe = recipe_from_timm({"architecture": "net", "tag": "in1k", "crop_pct": 0.9, "mean": None})
    assert recipe.source == (
        "timm's pretrained_cfg of net.in1k: input_size 224 × 224 / crop_pct 0.9, rounded down, crop_mode center; "
        "timm's defaults for input_size, interpolation, crop_mode, mean, std"
    )
    assert recipe.mean == IMAGENET_MEAN


def test_a_border_has_the_mean_color() -> None:
    cfg = {"input_size": (3, 6, 6), "crop_pct": 1.0, "crop_mode": "border", "mean": (0.5, 0.2, 0.1), "std": (1, 1, 1)}
    recipe = recipe_from_timm(cfg)
    assert recipe.pad_color == (128, 51, 26)  # 255 * (0.5, 0.2, 0.1), half to even
    x = recipe(np.full((2, 3, 3), 255, np.uint8))  # 3 becomes 6, 2 becomes 4: one row above, one below
    assert recipe.undo(x)[0, :, 0].tolist() == [[128, 51, 26], *[[255] * 3] * 4, [128, 51, 26]]
    assert "as large as fits into 6 × 6" in recipe.explain()[0]


@pytest.mark.parametrize(
    ("cfg", "error", "words"),
    [
        (
            {"crop_border_pixels": 4, "x": None},
            RangeError,
            "pretrained_cfg: cannot follow crop_border_pixels, x, no field",
        ),
        ({"interpolation": "random"}, UnknownNameError, "no interpolation named 'random'"),
        ({"crop_mode": "centre"}, UnknownNameError, "no timm crop mode named 'centre'; did you mean center"),
        ({"crop_mode": ["center"]}, UnknownNameError, "no timm crop mode named"),
        ({"input_size": (1, 28, 28)}, ShapeError, r"wants an input_size \(3, height, width\), got \(1, 28, 28\)"),
        ({"input_size": 224}, ShapeError, r"wants an input_size \(3, height, width\), got 224"),
        ({"input_size": "322"}, ShapeError, "got '322'"),
        ({"input_size": (3, 0, 5)}, ShapeError, "got"),
        ({"crop_pct": 0}, RangeError, "wants a crop_pct from 0.01 to 100, got 0"),
        ({"crop_pct": float("nan")}, RangeError, "wants a crop_pct from 0.01 to 100, got nan"),
        ({"crop_pct": 0.01}, RangeError, r"size_hw wants .*, got \(22400, 22400\)"),
        ({"mean": (0.5,)}, RangeError, r"recipe 'timm:pretrained_cfg': mean wants 3 finite numbers, got \(0.5,\)"),
        ({"std": 0.5}, RangeError, "std wants 3 finite numbers above 0, got 0.5"),
        ("resnet50", ShapeError, "wants a pretrained_cfg, as a dict or from a timm model, got str"),
        (None, ShapeError, "got NoneType"),
    ],
)
def test_cfgs_that_cannot_be_followed(cfg: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        recipe_from_timm(cfg)
    assert "\n" not in str(caught.value)


def test_every_recipe_read_survives_a_round_trip() -> None:
    for cfg in CFGS.values():
        recipe = recipe_from_timm(cfg)
        assert Recipe.from_dict(recipe.to_dict()) == recipe
