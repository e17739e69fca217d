"""Recipes read from Hugging Face configs, old and new: bit for bit what transformers' Pillow processors make."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photosite.errors import PhotositeError, RangeError, UnknownNameError
from photosite.prep.published import recipe_from_huggingface
from photosite.prep.published_hf import EVERY_CLASS, FAMILIES, MAX_BYTES
from photosite.prep.recipe import Recipe
from tests.peers import import_peer, import_torchvision

laws = settings(deadline=None, derandomize=True, max_examples=40)

# As their authors published them: openai/clip-vit-large-patch14-336 before image processors had a class of their own,
# facebook/dinov2-base, google/siglip-base-patch16-224, google/vit-base-patch16-224, facebook/convnext-tiny-224.
PUBLISHED: dict[str, dict[str, Any]] = {
    name: json.loads(content)
    for name, content in {
        "CLIP, old": """{
            "crop_size": 336, "do_center_crop": true, "do_normalize": true, "do_resize": true,
            "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": [0.48145466, 0.4578275, 0.40821073],
            "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "size": 336
        }""",
        "DINOv2": """{
            "crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "do_convert_rgb": true,
            "do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": [0.485, 0.456, 0.406],
            "image_processor_type": "BitImageProcessor", "image_std": [0.229, 0.224, 0.225], "resample": 3,
            "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 256}
        }""",
        "SigLIP": """{
            "do_convert_rgb": null, "do_normalize": true, "do_rescale": true, "do_resize": true,
            "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor",
            "image_std": [0.5, 0.5, 0.5], "processor_class": "SiglipProcessor", "resample": 3,
            "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224}
        }""",
        "ViT": """{
            "do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5],
            "image_processor_type": "ViTImageProcessor", "image_std": [0.5, 0.5, 0.5], "resample": 2,
            "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224}
        }""",
        "ConvNeXt, old": """{
            "crop_pct": 0.875, "do_normalize": true, "do_resize": true,
            "feature_extractor_type": "ConvNextFeatureExtractor", "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": 224
        }""",
    }.items()
}
CASES: dict[str, dict[str, Any]] = {
    **PUBLISHED,
    **{f"{family}, its defaults": {"image_processor_type": f"{family}ImageProcessor"} for family in FAMILIES},
    "crop odd": {**PUBLISHED["CLIP, old"], "size": 225, "crop_size": {"height": 200, "width": 223}},
    "crop larger": {**PUBLISHED["CLIP, old"], "size": 120, "crop_size": [151, 201]},
    "no resize": {**PUBLISHED["DINOv2"], "do_resize": False, "crop_size": 301},
    "ConvNeXt from 384 on": {**PUBLISHED["ConvNeXt, old"], "size": {"shortest_edge": 384}},
    "ConvNeXt below 384": {**PUBLISHED["ConvNeXt, old"], "size": {"shortest_edge": 288}, "crop_pct": 0.95},
    "ViT, size 384": {**PUBLISHED["ViT"], "size": 192, "resample": 0},
    "ViT with a crop": {**PUBLISHED["ViT"], "size": {"shortest_edge": 161}, "do_center_crop": True, "crop_size": 160},
    "SigLIP, size 160": {**PUBLISHED["SigLIP"], "size": 160, "resample": 1},  # its shorter side, by its class
    "not normalized": {**PUBLISHED["ViT"], "do_normalize": False},
    "not rescaled": {**PUBLISHED["ViT"], "do_rescale": False},
    "as it is": {
        "image_processor_type": "ViTImageProcessor",
        "do_rescale": False,
        "do_normalize": False,
        "resample": 4,
    },
}


def by_transformers(config: dict[str, Any], picture: npt.NDArray[np.uint8], pil: bool = True) -> npt.NDArray[Any]:
    """What transformers' own class makes of a PIL image, with its Pillow backend or its tensor backend."""
    import_torchvision()
    transformers = import_peer("transformers")
    told = config.get("image_processor_type") or config["feature_extractor_type"]
    family = told.replace("FeatureExtractor", "").replace("ImageProcessor", "")
    processor = getattr(transformers, f"{family}ImageProcessor{'Pil' if pil else ''}").from_dict(config)
    x: npt.NDArray[Any] = processor(Image.fromarray(picture), return_tensors="np" if pil else "pt")["pixel_values"]
    return np.asarray(x)


def noise(height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def pictures(photos: list[Path]) -> list[npt.NDArray[np.uint8]]:
    """Nine photos from the smallest file to the largest, and cuts of odd and extreme sizes."""
    by_size = sorted(photos, key=lambda path: path.stat().st_size)
    opened = [np.asarray(Image.open(path).convert("RGB")) for path in [by_size[0], *by_size[4::28], by_size[-3]]]
    return [*opened, opened[1][:75, :301], opened[2][:1, :60], opened[3][:223, :225], opened[4][:41, :40]]


# -------------------------------------------------------------------------------------------------------------- peers


@pytest.mark.parametrize("config", CASES.values(), ids=CASES)
def test_matches_transformers_pillow_backend(config: dict[str, Any], pictures: list[npt.NDArray[np.uint8]]) -> None:
    recipe = recipe_from_huggingface(config)
    for picture in pictures:
        np.testing.assert_array_equal(recipe(picture), by_transformers(config, picture), err_msg=str(picture.shape))


@pytest.mark.slow
@pytest.mark.parametrize("config", PUBLISHED.values(), ids=PUBLISHED)
def test_matches_transformers_pillow_backend_on_all_photos(config: dict[str, Any], photos: list[Path]) -> None:
    recipe = recipe_from_huggingface(config)
    for path in photos:
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(recipe(picture), by_transformers(config, picture), err_msg=path.name)


@given(
    st.tuples(st.integers(1, 80), st.integers(1, 80)),
    st.integers(1, 40),
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
    st.sampled_from([0, 1, 2, 3, 4, 5]),
    st.booleans(),
)
@laws
def test_matches_transformers_pillow_backend_on_drawn_sizes(
    picture_hw: tuple[int, int], size: int, crop_hw: tuple[int, int], resample: int, resize: bool
) -> None:
    config = {
        "image_processor_type": "BitImageProcessor",
        "do_resize": resize,
        "size": size,
        "resample": resample,
        "crop_size": {"height": crop_hw[0], "width": crop_hw[1]},
    }
    picture = noise(*picture_hw)
    np.testing.assert_array_equal(recipe_from_huggingface(config)(picture), by_transformers(config, picture))


# transformers' tensor backend resizes tensors, whose filter weights torch keeps in 16 bits and Pillow in 22; weights of
# both signs add up to more. It folds rescale_factor into mean and std, so equal levels differ in float32's last bits.
@pytest.mark.parametrize(("name", "most"), [("ViT", 1), ("CLIP, old", 3), ("DINOv2", 3), ("SigLIP", 3)])
def test_is_near_transformers_tensor_backend(name: str, most: int, pictures: list[npt.NDArray[np.uint8]]) -> None:
    recipe = recipe_from_huggingface(PUBLISHED[name])
    for picture in pictures[:9]:
        ours, theirs = recipe(picture), by_transformers(PUBLISHED[name], picture, pil=False)
        off = np.abs(recipe.undo(ours).astype(int) - recipe.undo(theirs))
        assert off.max() <= most
        assert off.mean() < 0.1
        same = off.transpose(0, 3, 1, 2) == 0
        assert np.abs(ours - theirs)[same].max() <= 2**-21  # four steps of float32 at 1 … 2


def test_the_tensor_backend_pads_the_other_half() -> None:
    config, picture = {**PUBLISHED["CLIP, old"], "do_resize": False, "crop_size": 9}, noise(4, 12)
    recipe = recipe_from_huggingface(config)
    assert recipe.geometry((4, 12)).padding == (3, 0, 2, 0)
    other = replace(recipe, pad_first="smaller")
    assert other.geometry((4, 12)).padding == (2, 0, 3, 0)
    theirs = by_transformers(config, picture, pil=False)
    np.testing.assert_array_equal(other.undo(theirs), other.undo(other(picture)))


def test_defaults_are_those_of_the_classes() -> None:
    import_torchvision()
    transformers = import_peer("transformers")
    for family, defaults in FAMILIES.items():
        cls = getattr(transformers, f"{family}ImageProcessorPil")
        for key, value in defaults.items():
            own = getattr(cls, key, None)
            wanted = value or own if value is None or value is False else value  # not set is as good as False
            assert (tuple(own) if isinstance(own, list) else own) == wanted, (family, key)
        assert getattr(cls, "crop_pct", None) == defaults.get("crop_pct")


# ------------------------------------------------------------------------------------------------------------ by hand


def test_floor_and_the_larger_half_by_hand() -> None:
    config = {
        "image_processor_type": "BitImageProcessor",
        "do_resize": False,
        "do_normalize": False,
        "do_rescale": False,
    }
    picture = np.repeat(np.arange(1, 6, dtype=np.uint8)[:, None, None], 3, axis=2)  # a column 1 2 3 4 5
    # torchvision begins at round(1.5) = 2, transformers at floor(1.5) = 1
    crop = recipe_from_huggingface(config | {"crop_size": {"height": 2, "width": 1}})
    assert crop(picture)[0, 0].ravel().tolist() == [2, 3]
    # three rows of padding: two above and one below
    pad = recipe_from_huggingface(config | {"crop_size": {"height": 8, "width": 1}})
    assert pad(picture)[0, 0].ravel().tolist() == [0, 0, 1, 2, 3, 4, 5, 0]
    assert "half pixels rounded down; (0, 0, 0) where the picture is smaller, the larger half first" in pad.explain()[1]


def test_convnext_below_and_from_384_by_hand() -> None:
    config = {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 383}, "crop_pct": 0.875}
    below = recipe_from_huggingface(config)
    assert (below.resize, below.size_hw, below.crop_hw) == ("shortest", (437, 437), (383, 383))  # int(437.7)
    above = recipe_from_huggingface(config | {"size": 384})
    assert (above.resize, above.size_hw, above.crop_hw) == ("squash", (384, 384), None)
    assert recipe_from_huggingface(config | {"do_resize": False}).resize == "none"


def test_source_says_what_was_not_in_the_config() -> None:
    recipe = recipe_from_huggingface(PUBLISHED["CLIP, old"])
    assert recipe.name == "huggingface:CLIPImageProcessor"
    assert recipe.source == "config, as CLIPImageProcessor reads it; its own defaults for do_rescale, rescale_factor"
    empty = recipe_from_huggingface({"image_processor_type": "ConvNextImageProcessor", "image_mean": None})
    assert empty.source.endswith("for do_resize, do_rescale, rescale_factor, do_normalize, size, crop_pct, resample, "
                                 "image_mean, image_std")  # fmt: skip
    full = dict(FAMILIES["Siglip"]) | {"image_processor_type": "SiglipImageProcessor", "crop_size": None}
    assert recipe_from_huggingface(full).source == "config, as SiglipImageProcessor reads it"


# -------------------------------------------------------------------------------------------------------------- forms


def test_old_and_new_names_of_a_class_are_the_same() -> None:
    recipes = {
        replace(recipe_from_huggingface({key: name, "size": {"shortest_edge": 64}}), name="", source="")
        for key, name in [
            ("image_processor_type", "CLIPImageProcessor"),
            ("image_processor_type", "CLIPImageProcessorFast"),
            ("image_processor_type", "CLIPImageProcessorPil"),
            ("image_processor_type", "CLIPFeatureExtractor"),
            ("feature_extractor_type", "CLIPFeatureExtractor"),
        ]
    }
    assert len(recipes) == 1
    both = {"image_processor_type": "ViTImageProcessor", "feature_extractor_type": "CLIPFeatureExtractor"}
    assert recipe_from_huggingface(both).name == "huggingface:ViTImageProcessor"


def test_files_folders_and_processors_give_the_same(tmp_path: Path) -> None:
    import_torchvision()
    transformers = import_peer("transformers")
    model = tmp_path / "clip-vit-tiny"
    processor = transformers.CLIPImageProcessorPil(size=48, crop_size=40)
    processor.save_pretrained(model)
    (model / "processor_config.json").write_text('{"processor_class": "CLIPProcessor"}')  # of a time before nesting
    recipe = recipe_from_huggingface(model)
    assert recipe.name == "huggingface:clip-vit-tiny"
    assert recipe.source.startswith("preprocessor_config.json of clip-vit-tiny, as CLIPImageProcessor reads it")
    assert recipe_from_huggingface(str(model / "preprocessor_config.json")) == recipe
    told = json.loads((model / "preprocessor_config.json").read_text())
    for other in (processor, told, transformers.CLIPImageProcessor(size=48, crop_size=40)):
        assert replace(recipe_from_huggingface(other), name=recipe.name, source=recipe.source) == recipe
    odd = tmp_path / "a\nb"
    model.rename(odd)
    assert recipe_from_huggingface(odd).name == r"huggingface:a\nb"
    odd.rename(model)
    # the newer file counts where it holds an image processor
    (model / "processor_config.json").write_text(json.dumps({"image_processor": told | {"crop_size": 32}}))
    assert recipe_from_huggingface(model).crop_hw == (32, 32)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_transformers_saves_is_read_again(family: str, tmp_path: Path) -> None:
    import_torchvision()
    transformers = import_peer("transformers")
    for backend in ("", "Pil"):
        getattr(transformers, f"{family}ImageProcessor{backend}")().save_pretrained(tmp_path)
        recipe = recipe_from_huggingface(tmp_path)
        plain = recipe_from_huggingface({"image_processor_type": f"{family}ImageProcessor"})
        assert replace(recipe, name=plain.name, source=plain.source) == plain
        assert Recipe.from_dict(recipe.to_dict()) == recipe


# ------------------------------------------------------------------------------------------------------------- errors

VIT = PUBLISHED["ViT"]
CLIP = PUBLISHED["CLIP, old"]


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        (VIT | {"do_pad": True}, RangeError, "config: cannot follow do_pad=True of ViTImageProcessor$"),
        (VIT | {"do_convert_rgb": False}, RangeError, "cannot follow do_convert_rgb=False"),
        (
            VIT | {"do_pad": True, "do_flip": 0, "x": None},
            RangeError,
            "cannot follow do_pad=True, do_flip=0, x=None of",
        ),
        (VIT | {"crop_pct": 0.9}, RangeError, "cannot follow crop_pct=0.9 of ViTImageProcessor"),
        (VIT | {"data_format": "channels_last"}, RangeError, "cannot follow data_format='channels_last'"),
        (VIT | {"auto_map": {"AutoImageProcessor": "a.B"}}, RangeError, "cannot follow auto_map="),
        (VIT | {"do_resize": "yes"}, RangeError, r"cannot follow do_resize='yes' \(wants true, false or null\)"),
        (VIT | {"do_normalize": 1}, RangeError, "cannot follow do_normalize=1"),
        (VIT | {"do_center_crop": True}, RangeError, "crop_size is missing, and its class has no default for it"),
        (
            VIT | {"resample": 7},
            RangeError,
            "resample=7; known are 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5",
        ),
        (VIT | {"resample": True}, RangeError, "cannot follow resample=True"),
        (VIT | {"resample": "bicubic"}, RangeError, "cannot follow resample='bicubic'"),
        (VIT | {"resample": [3]}, RangeError, r"cannot follow resample=\[3\]"),
        (VIT | {"size": {"longest_edge": 9}}, RangeError, r"size={'longest_edge': 9}; known are one number"),
        (
            VIT | {"size": {"shortest_edge": 9, "longest_edge": 12}},
            RangeError,
            "size={'shortest_edge': 9, 'longest_edge'",
        ),
        (VIT | {"size": {"height": 9}}, RangeError, "cannot follow size={'height': 9}"),
        (VIT | {"size": {"height": 9, "width": 0}}, RangeError, "wants whole numbers for 'height' and 'width' from 1"),
        (VIT | {"size": 224.0}, RangeError, "cannot follow size=224.0"),
        (VIT | {"size": [1, 2, 3]}, RangeError, r"cannot follow size=\[1, 2, 3\]"),
        (CLIP | {"size": "224"}, RangeError, "cannot follow size='224'"),
        (CLIP | {"crop_size": {"shortest_edge": 9}}, RangeError, "cannot follow crop_size={'shortest_edge': 9}"),
        (CLIP | {"image_mean": [0.5]}, RangeError, r"mean wants 3 finite numbers, got \[0.5\]"),
        (CLIP | {"image_mean": "half"}, RangeError, "mean wants 3 finite numbers, got 'half'"),
        (CLIP | {"image_std": [1, 1, float("nan")]}, RangeError, "std wants 3 finite numbers above 0"),
        (CLIP | {"rescale_factor": 0}, RangeError, "scale wants a finite number above 0, got 0"),
        (PUBLISHED["ConvNeXt, old"] | {"crop_pct": 0}, RangeError, "crop_pct=0; wants a number from 0.01 to 100"),
        (
            PUBLISHED["ConvNeXt, old"] | {"do_center_crop": True},
            RangeError,
            r"do_center_crop=True \(its crop follows from",
        ),
        (
            PUBLISHED["ConvNeXt, old"] | {"size": {"height": 9, "width": 9}},
            RangeError,
            r"size={'height': 9, 'width': 9}; known are one number and {'shortest_edge'}$",
        ),
        (
            {"size": 224},
            RangeError,
            "image_processor_type is missing, so the defaults cannot be known; add it, one of CLIP",
        ),
        (
            {"image_processor_type": "VideoMAEImageProcessor"},
            UnknownNameError,
            "followed named 'VideoMAEImageProcessor'",
        ),
        ({"image_processor_type": "Siglip2ImageProcessor"}, UnknownNameError, "did you mean SiglipImageProcessor"),
        ({"image_processor_type": "CLIPVideoProcessor"}, UnknownNameError, "followed named 'CLIPVideoProcessor'"),
        ({"image_processor_type": ["x"]}, UnknownNameError, "named"),
        ([], RangeError, "config: wants an object with keys, got list"),
        (None, RangeError, "wants an object with keys, got NoneType"),
    ],
)
def test_configs_that_cannot_be_followed(config: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        recipe_from_huggingface(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        VIT
        | {"do_convert_rgb": True, "do_pad": False, "pad_size": None, "data_format": "channels_first", "device": None},
        VIT | {"_valid_processor_keys": ["images"], "processor_class": "X", "image_seq_length": 64},
        VIT | {"crop_size": 7},  # nothing crops
        VIT | dict.fromkeys(EVERY_CLASS),
    ],
)
def test_what_changes_no_pixel_is_accepted(config: dict[str, Any]) -> None:
    assert replace(recipe_from_huggingface(config), source="") == replace(recipe_from_huggingface(VIT), source="")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON: Expecting property name"),
        (b"\xff\xfe{", "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b"[1]", "preprocessor_config.json of .*: wants an object with keys, got list"),
        (b" " * (MAX_BYTES + 1), f"wants a config of at most {MAX_BYTES} bytes"),
    ],
)
def test_files_that_are_no_config(content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "preprocessor_config.json"
    file.write_bytes(content)
    for path in (file, tmp_path):
        with pytest.raises(PhotositeError, match=words) as caught:
            recipe_from_huggingface(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["openai/clip-vit-base-patch32", "", "x" * 5000, "a\nb", "a\0b"])
def test_nothing_is_downloaded(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        PhotositeError, match=r"recipe_from_huggingface: .*(nothing is downloaded|cannot be opened)"
    ) as told:
        recipe_from_huggingface(path)
    assert "\n" not in str(told.value)
