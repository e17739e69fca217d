"""All eight orientations give one picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image, ImageOps

from photosite.prep.load import load, load_with_info
from photosite.prep.upright import orientation_of, swapped, upright, upright_array
from tests.prep.cases import encode, exif, pixels, stored_for

ORIENTATIONS = range(1, 9)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_one_golden_picture_for_all_eight(orientation: int, format_: str) -> None:
    options = {"lossless": True} if format_ == "WEBP" else {}
    stored = stored_for(orientation, pixels())
    data = encode(Image.fromarray(stored), format_, exif=exif(orientation), **options)
    loaded, info = load_with_info(data)
    assert_array_equal(loaded, pixels())
    assert (info.orientation, info.size_hw, info.decoded_hw) == (orientation, (24, 40), stored.shape[:2])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_jpeg_turns_as_pillow_does(orientation: int) -> None:
    data = encode(Image.fromarray(stored_for(orientation, pixels())), "JPEG", exif=exif(orientation))
    peer = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert_array_equal(load(data), np.asarray(peer))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_deep_gray_and_alpha_turn_too(orientation: int) -> None:
    deep = encode(
        Image.fromarray(stored_for(orientation, pixels(channels=1).astype(np.uint16) * 257)),
        "PNG",
        exif=exif(orientation),
    )
    assert_array_equal(load(deep)[..., 0], pixels(channels=1))
    alpha = encode(Image.fromarray(stored_for(orientation, pixels(channels=4))), "PNG", exif=exif(orientation))
    assert_array_equal(load(alpha), load(pixels(channels=4)))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_turning_undoes_how_it_was_stored(orientation: int) -> None:
    image = Image.fromarray(stored_for(orientation, pixels()))
    assert_array_equal(np.asarray(upright(image, orientation)), pixels())


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_upright_array_matches_exif_transpose(orientation: int, channels: int) -> None:
    stored = stored_for(orientation, pixels()[..., :channels])
    image = Image.fromarray(stored.squeeze())
    image.getexif()[0x0112] = orientation
    turned = upright_array(stored, orientation)
    assert_array_equal(turned.squeeze(), np.asarray(ImageOps.exif_transpose(image)))
    assert_array_equal(turned, pixels()[..., :channels])
    assert turned.flags.c_contiguous
    assert swapped(stored.shape[:2], orientation) == turned.shape[:2]
    assert swapped(turned.shape[:2], orientation) == stored.shape[:2]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_upright_array_turns_what_is_larger_than_a_square(orientation: int) -> None:
    whole = np.random.default_rng(4).integers(0, 256, (513, 1025, 3), np.uint8)
    assert_array_equal(upright_array(stored_for(orientation, whole), orientation), whole)


@pytest.mark.parametrize("value", [0, 9, 99, "6", (6, 6), b"\x06"])
def test_unsound_orientation_counts_as_upright(value: object) -> None:
    image = Image.new("RGB", (2, 1))
    image.getexif()[0x0112] = value
    assert orientation_of(image) == 1


def test_orientation_is_read_from_xmp_where_exif_has_none() -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    stored = stored_for(6, pixels())
    assert_array_equal(load(encode(Image.fromarray(stored), "WEBP", lossless=True, xmp=packet)), pixels())
