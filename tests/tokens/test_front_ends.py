"""Front ends against their publishers' processors: pixels bit for bit, counts at random sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.prep.published import recipe_from_timm
from photosite.tokens import front_end, list_front_ends
from tests.peers import import_peer
from tests.tokens.peers import PIXELS, photo, processor

SIZES = ((224, 224), (336, 500), (600, 300), (97, 1100), (1024, 768), (31, 40), (300, 1501))
TABLE = {
    # height, width: Qwen2-VL, qwen_vl_utils, LLaVA-NeXT, InternVL, SmolVLM, SmolVLM-256M, Idefics3
    (224, 224): (64, 64, 1176, 256, 1377, 1088, 2873),
    (336, 336): (144, 144, 1176, 256, 1377, 1088, 2873),
    (448, 448): (256, 256, 2928, 256, 1377, 1088, 2873),
    (480, 640): (391, 391, 2340, 3328, 1053, 832, 2197),
    (600, 800): (609, 609, 2340, 3328, 1053, 832, 2197),
    (768, 1024): (999, 999, 2340, 3328, 1053, 832, 2197),
    (1024, 1024): (1225, 1369, 2928, 2560, 1377, 1088, 2873),
    (720, 1280): (1196, 1196, 1948, 2304, 1053, 832, 2197),
    (1080, 1920): (1222, 2691, 1948, 2304, 1053, 832, 2197),
    (2160, 3840): (1222, 10549, 1948, 2304, 1053, 832, 2197),
    (1500, 600): (1134, 1134, 2076, 2816, 729, 576, 1521),
}
COLUMNS = ("qwen2-vl", "qwen2-vl-utils", "llava-next", "internvl2", "smolvlm", "smolvlm-256m", "idefics3")


@pytest.mark.parametrize("size_hw", SIZES)
@pytest.mark.parametrize("name", PIXELS)
def test_the_encoder_gets_the_publishers_pixels(name: str, size_hw: tuple[int, int]) -> None:
    picture = photo(*size_hw)
    wanted = PIXELS[name](picture)
    found = front_end(name).prepare(picture).values
    assert found.dtype == np.float32
    if name == "nanovlm":  # its whole is resized by torch in single precision, whose sums have another order
        np.testing.assert_allclose(found[0], wanted[0], atol=1e-6)
        found, wanted = found[1:], wanted[1:]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_random_photos_are_taken_or_refused_as_the_publishers_do(seed: int) -> None:
    """From one pixel to four million; as pictures, for of arrays with one or three rows the axes are guessed there."""
    rng = np.random.default_rng(seed)
    most = int(rng.choice([4, 30, 300, 2000]))
    height, width = (int(side) for side in rng.integers(1, most + 1, 2))
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    for name, peer in PIXELS.items():
        try:
            wanted = peer(picture if name.startswith("nanovlm") else Image.fromarray(picture))
        except ValueError:
            with pytest.raises(RangeError):
                front_end(name).prepare(picture)
            continue
        found = front_end(name).prepare(picture).values
        tolerance = 1e-6 if name == "nanovlm" else 0
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance, err_msg=f"{name} {height} × {width}")


@pytest.mark.parametrize("size_hw", TABLE)
def test_counts_of_the_table(size_hw: tuple[int, int]) -> None:
    assert tuple(front_end(name).count(size_hw).total for name in COLUMNS) == TABLE[size_hw]


@pytest.mark.parametrize("name", list_front_ends())
@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 3000), width=st.integers(1, 3000))
def test_maps_and_counts_agree(name: str, height: int, width: int) -> None:
    one = front_end(name)
    try:
        found = one.count((height, width))
    except RangeError:
        with pytest.raises(RangeError):
            one.tiles((height, width))
        return
    places = one.token_map((height, width))
    assert len(places) == found.total
    assert len(places.tiles) == found.tiles
    assert int(places.newline.sum()) == found.newlines
    assert int((places.tile < 0).sum()) == found.newlines + found.prefix
    boxes = [places.box(token) for token in (0, len(places) // 2, len(places) - 1)]
    for token, box in zip((0, len(places) // 2, len(places) - 1), boxes, strict=True):
        if box is not None:
            tile = places.tiles[places.tile[token]]
            assert box[2] <= tile.size_hw[0]
            assert box[3] <= tile.size_hw[1]


@pytest.mark.parametrize("name", list_front_ends())
def test_many_sizes_are_counted_as_each_by_itself(name: str) -> None:
    one = front_end(name)
    sizes = np.random.default_rng(0).integers(20, 2000, (200, 2))
    together = one.count(sizes)
    for number in range(0, 200, 7):
        alone = one.count(tuple(int(side) for side in sizes[number]))
        assert tuple(int(part[number]) for part in together) == tuple(alone)


@settings(deadline=None, max_examples=150)
@given(height=st.integers(1, 8000), width=st.integers(1, 8000))
def test_counts_are_the_processors_at_any_size(height: int, width: int) -> None:
    qwen = processor("qwen2_vl.image_processing_pil_qwen2_vl", "Qwen2VLImageProcessorPil")
    module = __import__(type(qwen).__module__, fromlist=["smart_resize"])
    for name, limits in (("qwen2-vl", (56 * 56, 28 * 28 * 1280)), ("qwen2-vl-utils", (4 * 28 * 28, 16384 * 28 * 28))):
        try:
            down, across = module.smart_resize(height, width, 28, *limits)
        except ValueError:
            with pytest.raises(RangeError, match="takes sides up to 1 : 200"):
                front_end(name).count((height, width))
            continue
        if down and across:
            assert front_end(name).count((height, width)).total == down // 28 * (across // 28)
        else:
            with pytest.raises(RangeError, match="without pixels"):
                front_end(name).count((height, width))
    intern = processor("got_ocr2.image_processing_pil_got_ocr2", "GotOcr2ImageProcessorPil")
    canvas = __import__(type(intern).__module__, fromlist=["x"]).get_optimal_tiled_canvas
    columns, rows = canvas((height, width), (448, 448), 1, 12)
    assert front_end("internvl2").count((height, width)).tiles == rows * columns + (rows * columns > 1)


@settings(deadline=None, max_examples=100)
@given(height=st.integers(1, 8000), width=st.integers(1, 8000))
def test_idefics_llava_next_and_pixtral_count_as_their_processors_do(height: int, width: int) -> None:
    picture = np.broadcast_to(np.zeros(1, np.float32), (3, height, width))
    one = processor("idefics3.image_processing_pil_idefics3", "Idefics3ImageProcessorPil")
    module = __import__(type(one).__module__, fromlist=["x"])
    first = module.get_resize_output_image_size(picture, 1456) if min(height, width) > 3 else None
    (down, across), second = front_end("idefics3").resized(np.array([height]), np.array([width]))  # type: ignore[attr-defined]
    assert first is None or (int(down[0]), int(across[0])) == first
    assert all(int(side[0]) % 364 == 0 for side in second)
    for name, side in (("idefics3", 364), ("smolvlm", 384), ("smolvlm-256m", 512)):
        sizes = {"size": {"longest_edge": 4 * side}, "max_image_size": {"longest_edge": side}}
        tiles = one.get_number_of_image_patches(height, width, {"do_image_splitting": True, **sizes})[0]
        assert front_end(name).count((height, width)).tiles == tiles
    llava = import_peer("transformers").LlavaNextProcessor
    next_one = llava.__new__(llava)  # its tokenizer is not needed to count
    sizes = {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}
    module = import_peer("transformers.models.llava_next")
    next_one.image_processor = module.LlavaNextImageProcessorPil(**sizes)
    next_one.patch_size, next_one.num_additional_image_tokens = 14, 0
    next_one.vision_feature_select_strategy = "default"
    wanted = int(next_one._get_number_of_features(height, width, 336, 336))
    assert front_end("llava-next").count((height, width)).total == wanted
    pixtral = __import__("transformers.models.pixtral.image_processing_pil_pixtral", fromlist=["x"])
    if min(height, width) > 3:
        down, across = pixtral.get_resize_output_image_size(picture, (1024, 1024), (16, 16))
        if down and across:
            assert front_end("pixtral").count((height, width)).total == down // 16 * (across // 16)
        else:
            with pytest.raises(RangeError, match="without pixels"):
                front_end("pixtral").count((height, width))


def test_newlines_end_each_row_of_llava_next() -> None:
    places = front_end("llava-next").token_map((600, 800))
    behind = np.flatnonzero(places.newline)
    assert (places.tile[behind] == -1).all()
    widths = np.diff(np.concatenate([[575], behind]))
    assert set(widths.tolist()) == {49}  # 48 places of two tiles side by side, and the newline
    assert places.tile[:576].max() == 0


def test_qwens_patches_stand_by_group() -> None:
    one = front_end("qwen2-vl")
    picture = np.zeros((112, 168, 3), np.uint8)
    picture[28:42, 56:70] = 255  # the patch in row 2, column 4: first of the group in row 1, column 2
    values = one.prepare(picture).values
    bright = np.flatnonzero(values.mean(1) > 0)
    assert bright.tolist() == [(1 * 6 + 2) * 4]


def test_the_first_shuffle_of_internvl_ran_down_columns() -> None:
    from dataclasses import replace

    one = front_end("internvl2")
    first = replace(one, transposed=True).token_map((448, 448))  # type: ignore[call-arg]
    now = one.token_map((448, 448))
    assert (first.row == now.column).all()
    assert (first.column == now.row).all()


def test_names_and_bad_input() -> None:
    with pytest.raises(UnknownNameError, match="qwen2-vl"):
        front_end("qwen2vl")
    one = front_end("QWEN2-VL")
    with pytest.raises(RangeError, match="1 : 200"):
        one.prepare(np.zeros((1, 300, 3), np.uint8))
    with pytest.raises(ShapeError, match="uint8"):
        one.prepare(np.zeros((30, 30, 3), np.float32))  # type: ignore[arg-type]
    for wrong in ((3,), [[1, 2, 3]], [[1.5, 2.0]]):
        with pytest.raises(ShapeError):
            one.count(wrong)
    with pytest.raises(RangeError, match="at least 1"):
        one.count((0, 5))
    with pytest.raises(RangeError, match="token 64: there are 64"):
        one.token_map((224, 224)).box(64)


@pytest.mark.parametrize("size_hw", SIZES)
def test_dinov2_takes_photos_as_timms_recipe_does(size_hw: tuple[int, int]) -> None:
    """There is no processor at this side; the recipe of timm's tower is held to timm's own transforms."""
    recipe = recipe_from_timm({"input_size": (3, 518, 518), "crop_pct": 1.0, "interpolation": "bicubic"})
    picture = photo(*size_hw)
    np.testing.assert_array_equal(front_end("dinov2-b-518").prepare(picture).values, recipe(picture))
