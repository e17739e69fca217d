"""Scaled decoding of JPEGs: what it promises, and how far it is from exact."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image, ImageFile, ImageOps

from photosite.errors import PictureError, RangeError
from photosite.prep import jpeg as module
from photosite.prep.decode import Wanted, open_encoded
from photosite.prep.jpeg import factor_for
from photosite.prep.load import load, load_with_info
from tests.peers import import_peer
from tests.prep.cases import (
    encode,
    exif,
    jpeg,
    picture,
    pixels,
    stored_for,
)
from tests.prep.jpegs import (
    OTHERS,
    SOUND,
    noise,
)


@pytest.fixture
def simplejpeg() -> Any:
    """The decoder of the extra `fast`; skipped where it is missing."""
    return import_peer("simplejpeg")


@pytest.mark.parametrize(
    ("size_hw", "wanted_hw", "factor"),
    [
        ((448, 448), (224, 224), 2),
        ((447, 448), (224, 224), 1),  # half of 447 is 223.5
        ((448, 447), (224, 224), 1),
        ((895, 2000), (224, 224), 2),
        ((896, 2000), (224, 224), 4),
        ((1792, 1792), (224, 224), 8),
        ((100_000, 100_000), (1, 1), 8),
        ((7, 7), (1, 1), 1),  # 7/4 and 7/8 of a pixel would be hard to tell apart from sizes alone
        ((8, 1), (1, 1), 1),
        ((8, 8), (1, 1), 8),
    ],
)
def test_factor_for(size_hw: tuple[int, int], wanted_hw: tuple[int, int], factor: int) -> None:
    assert factor_for(size_hw, wanted_hw) == factor


@settings(max_examples=80, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    wanted_h=st.integers(1, 40),
    wanted_w=st.integers(1, 40),
    orientation=st.integers(1, 8),
    subsampling=st.sampled_from([0, 1, 2]),
)
def test_scaled_decoding_matches_pillows_draft(
    height: int, width: int, wanted_h: int, wanted_w: int, orientation: int, subsampling: int
) -> None:
    data = encode(picture(size=(width, height)), "JPEG", exif=exif(orientation), subsampling=subsampling)
    scaled, info = load_with_info(data, jpeg_scale_for_hw=(wanted_h, wanted_w))
    full = load(data)
    factor = info.scaled_by
    assert info.size_hw == full.shape[:2]
    assert scaled.shape[:2] == tuple(-(-side // factor) for side in full.shape[:2])
    assert info.decoded_hw == (-(-height // factor), -(-width // factor))
    if factor == 1:
        assert_array_equal(scaled, full)
        assert info.notes == ()
        return
    assert scaled.shape[0] >= wanted_h
    assert scaled.shape[1] >= wanted_w
    assert info.notes == (f"decoded to 1/{factor} of its height and width by scaling in the DCT: values are not exact",)
    with Image.open(io.BytesIO(data)) as peer:
        peer.draft(None, (width // factor, height // factor))
        assert_array_equal(scaled, np.asarray(ImageOps.exif_transpose(peer).convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_full_box_follows_the_orientation(orientation: int) -> None:
    """A bright picture with one dark corner; half of the last stored column and row of the scaled one lies outside."""
    upright = np.full((64 + 1, 96 + 1, 3), 220, np.uint8)
    upright[:16, :16] = 30
    stored = stored_for(orientation, upright)
    data = encode(Image.fromarray(stored), "JPEG", quality=100, subsampling=0, exif=exif(orientation))
    scaled, info = load_with_info(data, jpeg_scale_for_hw=(32, 48))
    assert (info.scaled_by, info.size_hw, scaled.shape) == (2, (65, 97), (33, 49, 3))
    left, top, right, bottom = info.full_box_xyxy
    assert (right - left, bottom - top) == (48.5, 32.5)
    assert {left, top} <= {0.0, 0.5}
    # the dark corner is 8 pixels of the 48.5 x 32.5, counted from the box's own corner: to pixel 8, or half of the next
    dark = scaled[..., 0].astype(float)
    share = (220 - dark) / 190
    assert share[20 // 2].sum() == pytest.approx(0, abs=0.5)
    assert share[4].sum() == pytest.approx(
        8 + left, abs=0.35
    )  # half of the edge column stands for nothing, and is dark
    assert share[:, 4].sum() == pytest.approx(8 + top, abs=0.35)


def test_the_full_box_of_an_unscaled_picture_is_the_picture() -> None:
    for orientation in range(1, 9):
        data = encode(picture(), "JPEG", exif=exif(orientation))
        loaded, info = load_with_info(data)
        assert info.full_box_xyxy == (0, 0, loaded.shape[1], loaded.shape[0])


def test_only_jpegs_are_scaled() -> None:
    for source in (encode(picture(), "PNG"), Image.open(io.BytesIO(jpeg())), pixels()):
        loaded, info = load_with_info(source, jpeg_scale_for_hw=(3, 3))
        assert (loaded.shape, info.scaled_by, info.notes) == ((24, 40, 3), 1, ())


def test_cmyk_and_truncated_jpegs_are_scaled_too() -> None:
    loaded, info = load_with_info(OTHERS["CMYK"], jpeg_scale_for_hw=(6, 10))
    assert (loaded.shape, info.scaled_by, info.size_hw) == ((6, 10, 3), 4, (24, 40))
    cut = noise()[: len(noise()) // 2]
    loaded, info = load_with_info(cut, jpeg_scale_for_hw=(25, 35), tolerate_truncated=True)
    assert (loaded.shape, info.scaled_by, info.size_hw) == ((25, 35, 3), 2, (50, 70))
    assert [note.split(":")[0] for note in info.notes] == [
        "truncated",
        "decoded to 1/2 of its height and width by scaling in the DCT",
    ]


def test_the_pixel_limit_is_of_the_full_size() -> None:
    with pytest.raises(PictureError, match="40 wide and 24 high is 960 pixels, the limit is 959"):
        load(jpeg(), jpeg_scale_for_hw=(3, 5), max_pixels=959)


@pytest.mark.parametrize("wanted", [(0, 4), (4, -1), (4,), (4, 4, 4)])
def test_a_size_to_scale_for_is_checked(wanted: tuple[int, ...]) -> None:
    with pytest.raises(RangeError, match=r"jpeg_scale_for_hw wants \(height, width\)"):
        load(jpeg(), jpeg_scale_for_hw=wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "options", "area"),
    [
        (jpeg(), {}, 960),
        (jpeg(), {"jpeg_scale_for_hw": (12, 20)}, 240),
        (jpeg(), {"jpeg_scale_for_hw": (3, 5)}, 15),
        (jpeg(progressive=True), {"jpeg_scale_for_hw": (3, 5)}, 960),  # its coefficients are held whole
        (encode(picture(), "PNG"), {"jpeg_scale_for_hw": (3, 5)}, 960),
    ],
)
def test_opening_tells_what_decoding_will_hold(data: bytes, options: dict[str, Any], area: int) -> None:
    assert open_encoded(data, "<bytes>", Wanted(10**6, **options)).area == area


def test_opening_decodes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr(module, "decode_rgb", fail)
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    for name, data in {**SOUND, "cmyk": OTHERS["CMYK"], "png": encode(picture(), "PNG")}.items():
        assert open_encoded(data, name, Wanted(10**6)).area > 0


# The table of `load`: (asked for, target), photos, mean and worst mean and largest difference, whole and by the box.
ACCURACY = {
    (224, 224): (20, (1.60, 3.89, 80), (1.16, 3.89, 49)),
    (448, 224): (2, (0.39, 0.44, 7), (0.39, 0.44, 7)),
    (64, 64): (198, (1.92, 6.14, 80), (1.05, 3.14, 34)),
    (128, 64): (183, (0.96, 2.40, 52), (0.34, 0.91, 18)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "target"), ACCURACY)
def test_accuracy_of_scaled_decoding_is_as_documented(asked: int, target: int, photos: list[Path]) -> None:
    whole, boxed = [], []
    for path in photos:
        data = path.read_bytes()
        scaled, info = load_with_info(data, jpeg_scale_for_hw=(asked, asked))
        if info.scaled_by == 1:
            continue
        exact = _resized(load(data), target)
        whole.append(np.abs(exact - _resized(scaled, target)))
        boxed.append(np.abs(exact - _resized(scaled, target, info.full_box_xyxy)))
    count, *rows = ACCURACY[asked, target]
    assert len(whole) == count
    for differences, (mean, worst_mean, largest) in zip((whole, boxed), rows, strict=True):
        means = [difference.mean() for difference in differences]
        # two decimals are written; another libjpeg may round single values otherwise, which moves a mean by less
        assert np.mean(means) == pytest.approx(mean, abs=0.01)
        assert max(means) == pytest.approx(worst_mean, abs=0.01)
        assert max(difference.max() for difference in differences) == pytest.approx(largest, abs=1)


def _resized(loaded: np.ndarray, side: int, box: tuple[float, ...] | None = None) -> np.ndarray:
    resized = Image.fromarray(loaded).resize((side, side), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized).astype(int)
