"""SIFT against OpenCV's, on real photos, and what it promises about turned, moved and brightened ones."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError, ShapeError
from photosite.handcrafted import sift as sift_file
from photosite.handcrafted.scale_space import blur, doubled, scale_space
from photosite.handcrafted.sift import Keypoints, match, sift
from photosite.prep.load import load
from photosite.prep.samples import sample_path
from tests.peers import import_peer

PHOTOS = ("chelsea", "coffee", "astronaut")


@cache
def gray(name: str) -> Any:
    cv2 = import_peer("cv2")
    return cv2.cvtColor(load(sample_path(name)), cv2.COLOR_RGB2GRAY)


@cache
def ours(name: str) -> tuple[Keypoints, Any]:
    return sift(gray(name))


def peer(picture: Any) -> tuple[Keypoints, Any]:
    """What OpenCV finds, in our words; its octaves count from -1, in a byte below that of the layer."""
    points, descriptors = import_peer("cv2").SIFT_create().detectAndCompute(picture, None)
    table = np.array([(*p.pt, p.size, p.angle, p.response) for p in points]).reshape(-1, 5)
    codes = np.array([p.octave for p in points], np.intp)
    return Keypoints(*table.T, octave=(codes + 1) & 255, layer=codes >> 8 & 255), descriptors


@cache
def theirs(name: str) -> tuple[Keypoints, Any]:
    return peer(gray(name))


def texture(seed: int, side: int) -> Any:
    """Something to look at, 0 … 200."""
    rough = blur(np.random.default_rng(seed).uniform(0, 255, (side, side)).astype(np.float32), 1.5)
    return (rough - rough.min()) * np.float32(200 / np.ptp(rough))


def twins(a: Keypoints, b: Keypoints, within: float = 1.5) -> tuple[Any, Any]:
    """For each of `a` the nearest in `b` of a similar size and direction, and whether there is one."""
    if not len(a) or not len(b):
        return np.zeros(len(a), np.intp), np.zeros(len(a), bool)
    distances = np.hypot(a.x[:, None] - b.x, a.y[:, None] - b.y)
    distances[np.abs(np.log2(a.size[:, None] / b.size)) > 0.1] = np.inf
    distances[np.abs((a.angle[:, None] - b.angle + 180) % 360 - 180) > 2] = np.inf
    return distances.argmin(1), distances.min(1) < within


def apart(a: Any, b: Any) -> Any:
    """Distances of descriptors, whose own length is near 512."""
    return np.linalg.norm(a - b, axis=1)


@pytest.mark.parametrize("name", PHOTOS)
def test_keypoints_and_descriptors_are_opencvs(name: str) -> None:
    (wanted, descriptors), (keypoints, found) = theirs(name), ours(name)
    _, expected = twins(keypoints, wanted)
    assert expected.mean() >= 0.99
    nearest, hit = twins(wanted, keypoints)
    assert hit.mean() >= 0.99
    nearest = nearest[hit]
    distances = np.hypot(wanted.x[hit] - keypoints.x[nearest], wanted.y[hit] - keypoints.y[nearest])
    assert np.percentile(distances, 95) < 0.001
    assert np.percentile(apart(descriptors[hit], found[nearest]), 95) < 6
    np.testing.assert_array_equal(wanted.octave[hit], keypoints.octave[nearest])
    np.testing.assert_array_equal(wanted.layer[hit], keypoints.layer[nearest])
    np.testing.assert_allclose(wanted.response[hit], keypoints.response[nearest], atol=1e-5)  # float32, theirs


@pytest.mark.parametrize("side", [27, 48, 60])
def test_every_blur_of_every_octave_is_opencvs(side: int) -> None:
    """Down to octaves of a few pixels, where the weights reach far over the border on both sides."""
    cv2 = import_peer("cv2")
    space = scale_space(texture(0, side)[:, : side - 3])
    assert min(min(octave.shape[1:]) for octave in space.blurred) < 7
    for octave in space.blurred:
        for number, (before, after) in enumerate(pairwise(octave)):
            sigma = 1.6 * math.sqrt(2 ** ((2 * number + 2) / 3) - 2 ** (2 * number / 3))
            np.testing.assert_allclose(after, cv2.GaussianBlur(before, (0, 0), sigma), atol=2e-3)


# Pictures with octaves of 11 … 13 pixels in which a keypoint depends on the largest blur, which reaches 13.
@pytest.mark.parametrize(("side", "seed"), [(24, 78), (27, 287), (48, 219), (52, 215), (54, 49), (54, 190)])
def test_octaves_smaller_than_the_blur_are_opencvs(side: int, seed: int) -> None:
    cv2 = import_peer("cv2")
    noise = np.random.default_rng(seed).uniform(0, 255, (side, 2 * side)).astype(np.float32)
    picture = cv2.normalize(blur(noise, side / 8), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    keypoints, wanted = sift(picture)[0], peer(picture)[0]
    assert len(keypoints) == len(wanted) > 0
    assert twins(keypoints, wanted, 0.1)[1].all()
    assert twins(wanted, keypoints, 0.1)[1].all()


def test_directions_by_hand() -> None:
    counts = np.zeros((3, 36))
    counts[0, 0] = counts[1, 9] = counts[2, 4] = 16
    counts[2, 5] = counts[2, 20] = 16  # a peak between two bins, and one 11/16 as high
    which, degrees = sift_file._peaks(counts)
    assert which.tolist() == [0, 1]  # two equal bins beside each other are no peak, as in OpenCV
    assert degrees.tolist() == [0, 270]  # not 360
    counts[2, 5] = 15
    which, degrees = sift_file._peaks(counts)
    assert which.tolist() == [0, 1, 2]
    assert 310 < degrees[2] < 320


def copies(name: str) -> dict[str, Any]:
    """A photo seen differently."""
    cv2 = import_peer("cv2")
    photo = gray(name)
    size = (photo.shape[1], photo.shape[0])
    turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), 30, 0.8)
    return {
        "turned and smaller": cv2.warpAffine(photo, turn, size),
        "half": cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        "brighter": (photo * 0.8 + 50).astype(np.uint8),
    }


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("how", ["turned and smaller", "half", "brighter"])
def test_nearest_neighbours_in_a_copy_are_opencvs(name: str, how: str) -> None:
    other = copies(name)[how]
    (keypoints, found), (there, described) = ours(name), sift(other)
    (wanted, descriptors), (there_wanted, described_wanted) = theirs(name), peer(other)
    nearest, hit = twins(wanted, keypoints)
    theirs_to = dict(match(descriptors[hit], described_wanted, 1.0).tolist())
    ours_to = dict(match(found[nearest[hit]], described, 1.0).tolist())
    pairs = np.array([(ours_to[i], theirs_to[i]) for i in ours_to.keys() & theirs_to.keys()]).T
    assert pairs.shape[1] > 0.98 * hit.sum()  # the rest are those with two as near
    ends = np.hypot(there.x[pairs[0]] - there_wanted.x[pairs[1]], there.y[pairs[0]] - there_wanted.y[pairs[1]])
    assert (ends < 1.5).mean() >= 0.98


def test_blurs_and_doublings_are_opencvs() -> None:
    cv2 = import_peer("cv2")
    picture = gray("coffee").astype(np.float32)
    large = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(doubled(picture), large, atol=1e-3)
    for sigma in (1.2, 2.5):
        np.testing.assert_allclose(blur(picture, sigma), cv2.GaussianBlur(picture, (0, 0), sigma), atol=2e-3)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_and_darker_photo_is_found_again(turns: int) -> None:
    other = np.ascontiguousarray(np.rot90(gray("chelsea"), turns) * 0.7 + 20).astype(np.uint8)
    keypoints, descriptors = sift(other)
    pairs = match(ours("chelsea")[1], descriptors)
    height, width = gray("chelsea").shape
    x, y = ours("chelsea")[0].x[pairs[:, 0]], ours("chelsea")[0].y[pairs[:, 0]]
    for _ in range(turns):
        x, y, height, width = y, width - 1 - x, width, height
    right = np.hypot(keypoints.x[pairs[:, 1]] - x, keypoints.y[pairs[:, 1]] - y) < 2
    assert right.mean() > 0.95
    assert len(pairs) > 0.5 * len(keypoints)


def test_matching_is_opencvs() -> None:
    cv2 = import_peer("cv2")
    a, b = ours("chelsea")[1], ours("coffee")[1]
    wanted = {
        (first.queryIdx, first.trainIdx)
        for first, second in cv2.BFMatcher().knnMatch(a, b, k=2)
        if first.distance < 0.85 * second.distance
    }
    assert {tuple(pair) for pair in match(a, b, 0.85).tolist()} == wanted
    mutual = {(one.queryIdx, one.trainIdx) for one in cv2.BFMatcher(crossCheck=True).match(a, b)}
    assert {tuple(pair) for pair in match(a, b, 1.0, mutual=True).tolist()} == mutual


def test_matches_by_hand() -> None:
    a = np.float32([[9, 0], [0, 0], [0, 50]])
    b = np.float32([[1, 0], [9, 0], [0, 20], [0, 30]])
    assert match(a, b).tolist() == [[0, 1], [1, 0], [2, 3]]  # 0, 1 and 20 away; the second nearest 8, 9 and 30
    assert match(a, b, 0.6).tolist() == [[0, 1], [1, 0]]
    assert match(a, b[:1], 0.5).tolist() == [[1, 0], [0, 0], [2, 0]]  # without a second, the nearest
    assert match(a, b[:1], 0.5, mutual=True).tolist() == [[1, 0]]
    assert match(a[[2, 1, 0]], b).tolist() == [[2, 1], [1, 0], [0, 3]]  # by distance, in whichever order they come
    assert match(a, np.repeat(b, 2, 0), 1.0).tolist() == []  # which of two equal ones?


def test_large_matches_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 4, (count, 4)).astype(np.float32) for count in (90, 70))  # with many equal distances
    for mutual in (False, True):
        whole = match(a, b, 1.0, mutual=mutual)
        assert len(whole) > 5
        for block in (1, 700):  # one row at a time, and ten
            monkeypatch.setattr(sift_file, "BLOCK", block)
            np.testing.assert_array_equal(match(a, b, 1.0, mutual=mutual), whole)
        monkeypatch.undo()


def only(keypoints: Keypoints, which: Any) -> Keypoints:
    return Keypoints(*(getattr(keypoints, field)[which] for field in Keypoints.__dataclass_fields__))


def assert_found_again(a: Keypoints, b: Keypoints, descriptors_a: Any, descriptors_b: Any, least: float) -> None:
    """Each of `a` has a twin in `b` that is described alike, but for a few that rounding decides."""
    assert len(a) > 20
    nearest, hit = twins(a, b, 0.05)
    assert hit.mean() >= least
    assert np.percentile(apart(descriptors_a[hit], descriptors_b[nearest[hit]]), 95) < 8


@settings(deadline=None, max_examples=4)
@given(right=st.integers(0, 8), down=st.integers(0, 8), seed=st.integers(0, 99))
def test_what_is_moved_is_found_moved(right: int, down: int, seed: int) -> None:
    """By four pixels and multiples, which are whole ones in the first four octaves."""
    first, second = (np.full((160, 160), 100, np.float32) for _ in range(2))
    thing = texture(seed, 64)
    first[32:96, 32:96] = thing
    second[32 + 4 * down : 96 + 4 * down, 32 + 4 * right : 96 + 4 * right] = thing
    (a, describe_a), (b, describe_b) = sift(first), sift(second)
    low = a.octave < 3  # in larger ones the border of the picture is in sight
    moved = dataclasses.replace(a, x=a.x + 4 * right, y=a.y + 4 * down)
    assert_found_again(only(moved, low), b, describe_a[low], describe_b, 0.99)


@settings(deadline=None, max_examples=4)
@given(light=st.floats(0, 55), seed=st.integers(0, 99))
def test_more_light_changes_nothing(light: float, seed: int) -> None:
    picture = texture(seed, 80)
    (a, describe_a), (b, describe_b) = sift(picture), sift(picture + np.float32(light))
    assert_found_again(a, b, describe_a, describe_b, 0.99)
    np.testing.assert_allclose(np.sort(a.response)[-20:], np.sort(b.response)[-20:], rtol=1e-3)


@settings(deadline=None, max_examples=4)
@given(share=st.floats(0.6, 0.95), seed=st.integers(0, 99))
def test_less_contrast_finds_fewer_and_describes_them_alike(share: float, seed: int) -> None:
    picture = texture(seed, 80)
    (a, describe_a), (b, describe_b) = sift(picture), sift(picture * np.float32(share))
    assert len(b) <= len(a)
    assert_found_again(b, a, describe_b, describe_a, 0.99)


@settings(deadline=None, max_examples=4)
@given(turns=st.integers(1, 3), seed=st.integers(0, 99))
def test_what_is_turned_is_found_turned(turns: int, seed: int) -> None:
    """The first octave is doubled alike from all sides; later ones take every second pixel, from one corner."""
    side = 80
    picture = texture(seed, side)
    (a, describe_a), (b, describe_b) = sift(picture), sift(np.rot90(picture, turns))
    first = a.octave == 0
    turned = only(a, first)
    for _ in range(turns):  # the last half pixel of the doubled picture becomes the first
        x, y, angle = turned.y, side - 0.5 - turned.x, (turned.angle - 90) % 360
        turned = dataclasses.replace(turned, x=x, y=y, angle=angle)
    assert_found_again(turned, b, describe_a[first], describe_b, 0.97)


@pytest.mark.parametrize("level", [0, 255])
def test_a_blank_picture_has_none(level: int) -> None:
    keypoints, descriptors = sift(np.full((40, 50), level, np.uint8))
    assert len(keypoints) == 0
    assert descriptors.shape == (0, 128)


def test_octaves_halve() -> None:
    space = scale_space(gray("chelsea").astype(np.float32))
    assert [octave.shape[1:] for octave in space.blurred[:3]] == [(600, 902), (300, 451), (150, 225)]


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (np.zeros((20, 20, 3)), "gray"),
        (np.zeros((11, 50)), "sides of at least 12"),
        (np.full((20, 20), np.nan), "levels 0 … 255"),
        (np.full((20, 20), 256.0), "levels 0 … 255"),
        (np.full((20, 20), -1.0), "levels 0 … 255"),
        (np.full((20, 20), 1j), "complex128"),
        (np.full((20, 20), "1"), "levels 0 … 255, got <U1"),
        (np.zeros((0, 0)), "sides of at least 12"),
    ],
)
def test_what_is_no_gray_picture_is_refused(picture: Any, said: str) -> None:
    with pytest.raises((ShapeError, RangeError), match=said):
        sift(picture)


def test_what_cannot_be_matched_is_refused() -> None:
    some, none = np.zeros((2, 3), np.float32), np.zeros((0, 3), np.float32)
    with pytest.raises(ShapeError, match=r"wants \(N, D\) and \(M, D\)"):
        match(some, np.zeros((2, 4), np.float32))
    for ratio in (0, 1.1, np.nan):
        with pytest.raises(RangeError, match="a ratio above 0"):
            match(some, some, ratio)
    for pair in ((some, some + np.float32(np.nan)), (some + np.float32(np.inf), some)):
        with pytest.raises(RangeError, match="not finite"):
            match(*pair)
    for a, b in ((none, some), (some, none), (none, none)):
        assert match(a, b, mutual=True).shape == (0, 2)


def test_small_and_odd_sizes_are_taken() -> None:
    for shape in ((12, 12), (13, 200), (37, 41)):
        picture = blur(np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32), 1)
        keypoints, descriptors = sift(picture)
        assert len(keypoints) == len(descriptors)
