"""Each mode's rule, by hand: transparency, 16 bits, CMYK, Lab, profiles."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from photosite.errors import PictureError
from photosite.prep.load import load, load_with_info
from tests.prep.cases import (
    chunk,
    cmyk_profile,
    deep_png,
    encode,
    gray_tiff,
    jpeg,
    picture,
    pixels,
    png,
    profile,
    swapped_profile,
)


def gray(data: bytes, **options) -> list[int]:
    """The first row of a picture that must come out gray."""
    loaded = load(data, **options)
    assert (loaded[..., 0] == loaded[..., 1]).all()
    assert (loaded[..., 0] == loaded[..., 2]).all()
    return loaded[0, :, 0].tolist()


def test_16_bit_gray_is_scaled_and_not_cut_off() -> None:
    data = deep_png(np.array([[0, 128, 129, 256, 1000, 65535]], np.uint16))
    assert gray(data) == [0, 0, 1, 1, 4, 255]
    with Image.open(io.BytesIO(data)) as peer:  # what Pillow's own convert makes of it
        assert np.asarray(peer.convert("RGB"))[0, :, 0].tolist() == [0, 128, 129, 255, 255, 255]


def test_16_bit_color_keeps_its_high_byte() -> None:
    samples = np.array([[[0x00FF, 0x0100, 0xFFFF]]], np.uint16)
    assert load(deep_png(samples)).tolist() == [[[0, 1, 255]]]


def test_16_bit_color_with_alpha() -> None:
    rgba = np.array([[[0xFFFF, 0, 0, 0], [0xFFFF, 0, 0, 0xFFFF]]], np.uint16)
    assert load(deep_png(rgba)).tolist() == [[[255, 255, 255], [255, 0, 0]]]
    gray_alpha = np.array([[[0x1000, 0], [0x1000, 0xFFFF]]], np.uint16)
    assert load(deep_png(gray_alpha)).tolist() == [[[255] * 3, [16] * 3]]


def test_12_bit_and_white_is_zero() -> None:
    assert gray(gray_tiff(bytes([0x00, 0x0F, 0xFF]), 2, 1, 12)) == [0, 255]
    deep = struct.pack("<3H", 0, 65535, 257)
    assert gray(gray_tiff(deep, 3, 1, 16)) == [0, 255, 1]
    assert gray(gray_tiff(deep, 3, 1, 16, photometric=0)) == [255, 0, 254]
    assert gray(gray_tiff(bytes([0, 255, 1]), 3, 1, 8, photometric=0)) == [255, 0, 254]


def test_value_range_replaces_the_16_bit_scale() -> None:
    assert gray(deep_png(np.array([[0, 500, 1000]], np.uint16)), value_range=(0, 1000)) == [0, 128, 255]


def test_16_bit_netpbm() -> None:
    assert gray(b"P5 3 1 65535\n" + struct.pack(">3H", 0, 1000, 65535)) == [0, 4, 255]


def test_bilevel_is_black_and_white() -> None:
    assert gray(png(3, 1, 1, 0, b"\xa0")) == [255, 0, 255]
    assert gray(b"P4 3 1\n\xa0") == [0, 255, 0]  # in PBM a 1 is black


# --- transparency ----------------------------------------------------------------------------------------------------


def test_hidden_color_stays_hidden() -> None:
    data = encode(Image.fromarray(np.array([[[255, 0, 0, 0]]], np.uint8)), "PNG")
    assert load(data).tolist() == [[[255, 255, 255]]]
    assert load(data, background=(1, 2, 3)).tolist() == [[[1, 2, 3]]]
    assert load_with_info(data, background=(1, 2, 3))[1].notes == (
        "transparency composited over RGB (1, 2, 3), on sRGB values",
    )


def test_opaque_alpha_changes_nothing_and_says_nothing() -> None:
    loaded, info = load_with_info(encode(picture("RGBA"), "PNG"))
    assert_array_equal(loaded, pixels())
    assert info.notes == ()


def test_every_alpha_rounds_to_nearest() -> None:
    alpha = np.arange(256, dtype=np.uint8)
    rgba = np.stack([np.full(256, 10, np.uint8)] * 3 + [alpha], axis=-1)[None]
    share = alpha / 255
    assert_array_equal(load(encode(Image.fromarray(rgba), "PNG"))[0, :, 0], np.rint(10 * share + 255 * (1 - share)))


@pytest.mark.parametrize(
    ("bits", "rows", "key", "expected"),
    [
        (1, b"\x40", 1, [0, 9, 0]),
        (2, b"\x1b", 3, [0, 85, 170, 9]),
        (4, b"\x0f\xa0", 15, [0, 9, 170]),
        (8, b"\x00\x07\xff", 7, [0, 9, 255]),
        (16, b"\x00\x00\x12\x34\xff\xff", 0x1234, [0, 9, 255]),
    ],
    ids=lambda v: None,
)
def test_one_transparent_gray(bits: int, rows: bytes, key: int, expected: list[int]) -> None:
    data = png(len(expected), 1, bits, 0, rows, chunk(b"tRNS", struct.pack(">H", key)))
    assert gray(data, background=(9, 9, 9)) == expected


def test_one_transparent_color() -> None:
    key = chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))
    assert load(png(2, 1, 8, 2, bytes([1, 2, 3, 1, 2, 4]), key)).tolist() == [[[255, 255, 255], [1, 2, 4]]]
    deep = struct.pack(">6H", 0x0102, 0x0304, 0x0506, 0x0702, 0x0304, 0x0506)
    key = chunk(b"tRNS", struct.pack(">3H", 0x0102, 0x0304, 0x0506))
    assert load(png(2, 1, 16, 2, deep, key)).tolist() == [[[255, 255, 255], [7, 3, 5]]]


def test_palette_with_alpha_by_index_and_by_bytes() -> None:
    palette = chunk(b"PLTE", bytes([250, 0, 0, 0, 250, 0, 0, 0, 250]))
    rows = bytes([0, 1, 2])
    by_index = png(3, 1, 8, 3, rows, palette, chunk(b"tRNS", b"\xff\x00"))
    assert load(by_index).tolist() == [[[250, 0, 0], [255, 255, 255], [0, 0, 250]]]
    by_bytes = png(3, 1, 8, 3, rows, palette, chunk(b"tRNS", b"\xff\x00\x33"))
    assert load(by_bytes, background=(0, 0, 0)).tolist() == [[[250, 0, 0], [0, 0, 0], [0, 0, 50]]]  # 0x33 is a fifth


@pytest.mark.parametrize("key", [b"transparency", b"icc_profile", b"exif", b"xmp", b"Raw profile type exif", b"gamma"])
def test_text_chunks_cannot_pose_as_settings(key: bytes) -> None:
    data = png(2, 1, 8, 0, b"\x05\x06", chunk(b"tEXt", key + b"\0some text"))
    assert gray(data) == [5, 6]


# --- CMYK, Lab, profiles ---------------------------------------------------------------------------------------------


def test_cmyk_without_a_profile() -> None:
    ink = Image.fromarray(np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255]]], np.uint8), "CMYK")
    loaded, info = load_with_info(encode(ink, "TIFF"))
    assert loaded.tolist() == [[[255, 255, 255], [0, 255, 255], [0, 0, 0]]]
    assert info.notes == ("CMYK converted without a profile: colors are approximate",)


def test_cmyk_goes_through_its_profile() -> None:
    inks = np.array([[[255, 0, 0, 0], [0, 0, 0, 128], [0, 0, 0, 255]]], np.uint8)
    data = encode(Image.fromarray(inks, "CMYK"), "TIFF", icc_profile=cmyk_profile())
    # half black is L* 49.8, which is sRGB gray 118; two levels for the 8-bit Lab of the table
    assert_allclose(load(data)[0].astype(int), [[255] * 3, [118] * 3, [0] * 3], atol=2)


@pytest.mark.parametrize("bad", [b"not a profile" * 10, profile("sRGB"), cmyk_profile()[:300]])
def test_cmyk_with_a_profile_that_does_not_fit_is_converted_without(bad: bytes) -> None:
    data = encode(picture("CMYK"), "JPEG", icc_profile=bad)
    loaded, info = load_with_info(data)
    assert_array_equal(loaded, load(encode(picture("CMYK"), "JPEG")))
    assert "CMYK converted without a profile: colors are approximate" in info.notes


def test_lab_is_converted() -> None:
    lab = Image.frombytes("LAB", (3, 1), bytes([255, 0, 0, 0, 0, 0, 128, 0, 0]))  # a* and b* are signed
    # two levels: 8-bit Lab, and its white point is D50 rounded
    assert_allclose(load(lab)[0].astype(int), [[255] * 3, [0] * 3, [119] * 3], atol=2)


def test_rgb_profile_is_applied_on_request_only() -> None:
    data = encode(picture(), "PNG", icc_profile=swapped_profile())
    plain, info = load_with_info(data)
    assert_array_equal(plain, pixels())
    assert info.notes == ("embedded ICC profile (Swapped) not applied: taken as sRGB",)
    swapped, info = load_with_info(data, icc=True)
    assert info.notes == ("converted to sRGB through its embedded ICC profile (Swapped)",)
    # the profile's curve is a plain gamma 2.2, sRGB's is not: up to 7 levels in the dark
    assert_allclose(swapped.astype(int), pixels()[..., ::-1].astype(int), atol=8)


def test_srgb_profile_needs_nothing() -> None:
    data = jpeg(icc_profile=profile("sRGB"))
    for icc in (False, True):
        loaded, info = load_with_info(data, icc=icc)
        assert_array_equal(loaded, load(jpeg()))
        assert info.notes == ()


def test_profile_names_are_escaped() -> None:
    hostile = swapped_profile().replace(b"Swapped", b"\x1b[31mX\n")
    note = load_with_info(encode(picture(), "PNG", icc_profile=hostile))[1].notes[0]
    assert "\x1b" not in note
    assert "\n" not in note


def test_profile_of_an_alpha_picture_is_applied_before_compositing() -> None:
    rgba = np.array([[[200, 0, 0, 255], [200, 0, 0, 0]]], np.uint8)
    loaded = load(encode(Image.fromarray(rgba), "PNG", icc_profile=swapped_profile()), icc=True)
    assert loaded[0, 0].argmax() == 2
    assert loaded[0, 1].tolist() == [255, 255, 255]


def test_unknown_white_names_the_range_found() -> None:
    data = encode(Image.fromarray(np.array([[-2.5, 7.0]], np.float32)), "TIFF")
    with pytest.raises(PictureError, match=r"32-bit floats, here -2.5 to 7; say .* value_range=\(low, high\)"):
        load(data)
