"""One function opens anything: every row of the table of odd and hostile files, arrays, and agreement with Pillow."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from PIL import Image, ImageOps

from photosite.errors import FAILURE_CODES, PictureError, RangeError, ShapeError
from photosite.prep.load import PictureInfo, load, load_with_info
from tests.prep.cases import TABLE, Case, encode, exif, gray_png, huge_png, jpeg, picture, pixels


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_every_row_of_the_table(case: Case, tmp_path: Path) -> None:
    path = tmp_path / f"{case.id}{case.suffix}"
    path.write_bytes(case.make())
    if case.code:
        with pytest.raises(PictureError) as caught:
            load(path)
        assert caught.value.code == case.code
        assert case.words in caught.value.detail
        assert str(caught.value).startswith(f"{path}: {case.code}: ")
        assert "\n" not in str(caught.value)
    else:
        loaded, info = load_with_info(path)
        assert loaded.shape == (*case.size_hw, 3)
        assert loaded.dtype == np.uint8
        assert loaded.flags.c_contiguous
        assert loaded.flags.writeable
        assert info.size_hw == case.size_hw
        assert (any(case.words in note for note in info.notes)) if case.words else (info.notes == ())
        json.dumps(asdict(info), ensure_ascii=False).encode()


def test_the_table_covers_what_decoding_can_answer() -> None:
    elsewhere = {"too_large_file", "too_small", "unreadable", "not_regular", "vanished", "timeout", "decoder_crashed"}
    elsewhere |= {"out_of_memory", "nonfinite"}
    assert {case.code for case in TABLE} - {""} == set(FAILURE_CODES) - elsewhere


def test_real_photos_match_pillow_bit_for_bit(photos: list[Path]) -> None:
    _assert_like_pillow(photos[::10])


@pytest.mark.slow
def test_all_real_photos_match_pillow_bit_for_bit(photos: list[Path]) -> None:
    assert len(photos) == 200
    _assert_like_pillow(photos)


def _assert_like_pillow(photos: list[Path]) -> None:
    for path in photos:
        loaded, info = load_with_info(path)
        with Image.open(path) as peer:
            assert_array_equal(loaded, np.asarray(ImageOps.exif_transpose(peer).convert("RGB")), err_msg=path.name)
        assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (info.format, info.size_hw) == ("JPEG", loaded.shape[:2])


@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_lossless_formats_give_back_the_pixels(format_: str, mode: str) -> None:
    if (format_, mode) == ("WEBP", "L"):
        pytest.skip("WebP has no gray")
    options = {"lossless": True} if format_ == "WEBP" else {}
    assert_array_equal(load(encode(picture(mode), format_, **options)), np.asarray(picture(mode).convert("RGB")))


# --- sources ---------------------------------------------------------------------------------------------------------


def test_all_sources_of_one_file_agree(tmp_path: Path) -> None:
    data = jpeg(exif=exif(6))
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    expected, info = load_with_info(path)
    assert info.path == str(path)
    assert (info.size_hw, info.decoded_hw, info.orientation) == ((40, 24), (24, 40), 6)
    with path.open("rb") as file:
        sources = [str(path), data, bytearray(data), memoryview(data), io.BytesIO(data), file, Image.open(path)]
        for source in sources:
            assert_array_equal(load(source), expected)
    assert_array_equal(load(expected), expected)


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda p: p.read_bytes(), "<bytes>"),
        (lambda p: io.BytesIO(p.read_bytes()), "<file>"),
        (lambda p: p.open("rb"), "<file {}>"),
        (lambda p: Image.open(p), "<PIL image>"),
        (lambda p: np.asarray(Image.open(p)), "<array>"),
    ],
    ids=["bytes", "BytesIO", "file", "PIL", "array"],
)
def test_info_says_where_a_picture_came_from(make, path: str, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(encode(picture(), "PNG"))
    source = make(file)
    info = load_with_info(source)[1]
    assert (info.path, info.path_bytes) == (path.format(file), "")
    raw = pixels().tobytes() if path in ("<PIL image>", "<array>") else file.read_bytes()
    assert (info.sha256, info.bytes) == (hashlib.sha256(raw).hexdigest(), len(raw))
    if hasattr(source, "close"):
        source.close()


def test_info_in_full() -> None:
    data = gray_png()
    assert load_with_info(data)[1] == PictureInfo(
        path="<bytes>",
        path_bytes="",
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        format="PNG",
        mode="L",
        size_hw=(4, 8),
        decoded_hw=(4, 8),
        orientation=1,
        frames=1,
        notes=(),
    )


def test_a_pil_image_is_not_changed() -> None:
    image = picture("RGBA")
    image.getexif()[0x0112] = 3
    before = image.tobytes(), dict(image.info), image.getexif().tobytes()
    assert load(image).shape == (24, 40, 3)
    assert (image.tobytes(), dict(image.info), image.getexif().tobytes()) == before


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "LA", "La", "PA", "RGBA"]
)
def test_every_mode_of_pil_opens(mode: str) -> None:
    image = picture("LA").convert(mode) if mode == "La" else Image.new("LAB", (40, 24)) if mode == "LAB" else None
    loaded = load(image or picture().convert(mode))
    assert loaded.shape == (24, 40, 3)


# --- arrays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 7, 255]], np.uint8), [0, 7, 255]),
        (np.array([[False, True]]), [0, 255]),
        # 128 / 257 = 0.498 and 129 / 257 = 0.502: the first rounds down, the second up
        (np.array([[0, 128, 129, 256, 1000, 65535]], np.uint16), [0, 0, 1, 1, 4, 255]),
        (np.array([[0, 129, 65535]], ">u2"), [0, 1, 255]),
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.25, 1.0]], np.float16), [64, 255]),
    ],
    ids=["uint8", "bool", "uint16", "big-endian", "float32", "float16"],
)
def test_dtypes(array: np.ndarray, expected: list[int]) -> None:
    for given_array in (array, array[..., None], np.stack([array] * 3, axis=-1)):
        assert load(given_array).tolist() == [[[v, v, v] for v in expected]]


@settings(deadline=None)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8).map(lambda s: (*s, 3))))
def test_uint8_comes_back_from_every_dtype(array: np.ndarray) -> None:
    assert_array_equal(load(array), array)
    assert_array_equal(load(array.astype(np.uint16) * 257), array)
    assert_array_equal(load(array.astype(np.float32) / 255), array)
    assert_array_equal(load(array.astype(np.float64) / 255), array)


def test_a_loaded_array_is_a_copy() -> None:
    array = pixels()
    load(array)[:] = 0
    assert_array_equal(array, pixels())


def test_alpha_of_an_array_is_composited() -> None:
    array = np.array([[[255, 0, 0, 0], [255, 0, 0, 255], [200, 0, 0, 51]]], np.uint8)
    # 51 / 255 = 0.2: 0.2 * 200 + 0.8 * 255 = 244, and 0.8 * 255 = 204
    assert load(array).tolist() == [[[255, 255, 255], [255, 0, 0], [244, 204, 204]]]
    assert load(array, background=(0, 0, 255)).tolist() == [[[0, 0, 255], [255, 0, 0], [40, 0, 204]]]


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (
            (3, 48, 64),
            r"got \(3, 48, 64\); channels come first here: give array.transpose\(1, 2, 0\), which is \(48, 64, 3\)",
        ),
        ((1, 48, 64), r"which is \(48, 64, 1\)"),
        ((2, 48, 64, 3), "give one picture, not a batch"),
        ((48, 64, 2), r"wants \(H, W\), \(H, W, 1\), \(H, W, 3\) or \(H, W, 4\)"),
        ((0, 64, 3), "no empty side"),
        ((9,), r"got \(9,\)"),
        ((), r"got \(\)"),
    ],
)
def test_other_layouts_are_refused(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        load(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("array", "code", "words"),
    [
        (np.array([[0.0, 255.0]]), "unsupported_range", "floats want 0 … 1, got 0 … 255"),
        (np.array([[-0.1, 1.0]]), "unsupported_range", "got -0.1 … 1"),
        (np.array([[np.nan, 1.0]]), "nonfinite", "1 samples are NaN or infinite"),
        (np.array([[1, 2]]), "unsupported_range", "got int64; say value_range"),
        (np.array([[1 + 1j]]), "unsupported_range", "got complex128"),
        (np.array([["a"]]), "unsupported_range", "got <U1"),
        (np.array([[None]]), "unsupported_range", "got object"),
    ],
)
def test_values_that_cannot_be_pixels(array: np.ndarray, code: str, words: str) -> None:
    with pytest.raises(PictureError, match=words) as caught:
        load(array)
    assert caught.value.code == code


def test_value_range_maps_low_to_black_and_high_to_white() -> None:
    assert load(np.array([[-5, 0, 5, 99]]), value_range=(-5, 5))[0, :, 0].tolist() == [0, 128, 255, 255]
    loaded, info = load_with_info(
        encode(Image.fromarray(np.array([[1.0, 3.0]], np.float32)), "TIFF"), value_range=(1, 3)
    )
    assert loaded[0, :, 0].tolist() == [0, 255]
    assert info.notes == ("samples scaled from 1 … 3 to 0 … 255",)
    nan = encode(Image.fromarray(np.array([[np.nan]], np.float32)), "TIFF")
    with pytest.raises(PictureError, match="nonfinite"):
        load(nan, value_range=(0, 1))


# --- limits and arguments --------------------------------------------------------------------------------------------


def test_max_pixels_holds_for_every_source_and_can_be_moved() -> None:
    for source in (gray_png(), picture(size=(8, 4)), np.zeros((4, 8), np.uint8)):
        assert load(source, max_pixels=32).shape == (4, 8, 3)
        with pytest.raises(PictureError, match="8 wide and 4 high is 32 pixels, the limit is 31") as caught:
            load(source, max_pixels=31)
        assert caught.value.code == "too_many_pixels"


@pytest.mark.slow
def test_a_larger_limit_is_obeyed_beyond_pillows_own() -> None:
    side = 14000  # 196 megapixels: Pillow by itself refuses more than 179
    assert load(huge_png(side), max_pixels=side**2).shape == (side, side, 3)


def test_pillows_settings_stay_as_they_are() -> None:
    before = Image.MAX_IMAGE_PIXELS
    load(gray_png(), max_pixels=10**9, tolerate_truncated=True)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"background": (0, 0, 256)}, "background wants three numbers in 0..255"),
        ({"background": (0, 0)}, "background wants three numbers"),
        ({"max_pixels": 0}, "max_pixels wants at least 1, got 0"),
        ({"max_bytes": -1}, "max_bytes wants at least 1, got -1"),
        ({"frame": -1}, "counted from 0, got -1"),
        ({"value_range": (1, 1)}, "low < high"),
        ({"value_range": (0, float("nan"))}, "low < high"),
    ],
)
def test_arguments_out_of_range(options: dict, words: str) -> None:
    with pytest.raises(RangeError, match=words):
        load(gray_png(), **options)


@pytest.mark.parametrize("source", [np.zeros((2, 2), np.uint8), picture()], ids=["array", "PIL"])
def test_frames_are_for_files_only(source) -> None:
    with pytest.raises(RangeError, match="frames are chosen in files and bytes only"):
        load(source, frame=1)


def test_threads_do_not_disturb_each_other() -> None:
    cut, whole = jpeg()[:-40], jpeg()
    expected = load(whole)
    faults: list[str] = []

    def work(tolerate: bool) -> None:
        for _ in range(100):
            assert_array_equal(load(whole), expected)
            try:
                load(cut, tolerate_truncated=tolerate)
                faults.extend([] if tolerate else ["a truncated file passed"])
            except PictureError:
                faults.extend(["a tolerated file failed"] if tolerate else [])

    threads = [threading.Thread(target=work, args=(i % 2 == 0,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
