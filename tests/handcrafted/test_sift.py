"""SIFT against OpenCV's, on real photos, and what it promises about turned, moved and brightened ones."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError, ShapeError
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


@cache
def theirs(name: str) -> tuple[Any, Any, Any, Any]:
    points, descriptors = import_peer("cv2").SIFT_create().detectAndCompute(gray(name), None)
    places = np.array([point.pt for point in points])
    return places, np.array([p.size for p in points]), np.array([p.angle for p in points]), descriptors


@pytest.mark.parametrize("name", PHOTOS)
def test_keypoints_and_descriptors_are_opencvs(name: str) -> None:
    places, sizes, angles, descriptors = theirs(name)
    keypoints, found = ours(name)
    assert abs(len(keypoints) - len(places)) <= 0.01 * len(places)
    distances = np.hypot(places[:, :1] - keypoints.x, places[:, 1:] - keypoints.y)
    alike = np.abs(np.log2(sizes[:, None] / keypoints.size)) < 0.1
    alike &= np.abs((angles[:, None] - keypoints.angle + 180) % 360 - 180) < 2
    nearest = np.where(alike, distances, np.inf).argmin(1)
    at = np.arange(len(places))
    hit = alike[at, nearest] & (distances[at, nearest] < 1.5)
    assert hit.mean() >= 0.99
    assert np.median(distances[at, nearest][hit]) < 0.001
    apart = np.linalg.norm(descriptors[hit] - found[nearest[hit]], axis=1)
    assert np.percentile(apart, 95) < 6  # of a length near 512


def test_blurs_and_doublings_are_opencvs() -> None:
    cv2 = import_peer("cv2")
    picture = gray("coffee").astype(np.float32)
    large = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(doubled(picture), large, atol=1e-3)
    for sigma in (1.2, 2.5):
        np.testing.assert_allclose(blur(picture, sigma), cv2.GaussianBlur(picture, (0, 0), sigma), atol=2e-3)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_nearest_neighbours_in_a_turned_and_darker_photo_are_opencvs(turns: int) -> None:
    cv2 = import_peer("cv2")
    other = np.ascontiguousarray(np.rot90(gray("chelsea"), turns) * 0.7 + 20).astype(np.uint8)
    keypoints, descriptors = sift(other)
    pairs = match(ours("chelsea")[1], descriptors)
    height, width = gray("chelsea").shape
    x, y = ours("chelsea")[0].x[pairs[:, 0]], ours("chelsea")[0].y[pairs[:, 0]]
    for _ in range(turns):
        x, y, height, width = y, width - 1 - x, width, height
    right = np.hypot(keypoints.x[pairs[:, 1]] - x, keypoints.y[pairs[:, 1]] - y) < 2
    assert right.mean() > 0.9
    places, _, _, first = theirs("chelsea")
    points, second = cv2.SIFT_create().detectAndCompute(other, None)
    wanted = match(first, second)
    assert abs(len(pairs) - len(wanted)) <= 0.05 * len(wanted)
    ends = {tuple(np.rint([*places[i], *points[j].pt]).astype(int)): None for i, j in wanted}
    found = [
        tuple(np.rint([a, b, c, d]).astype(int))
        for a, b, c, d in zip(
            ours("chelsea")[0].x[pairs[:, 0]], ours("chelsea")[0].y[pairs[:, 0]],
            keypoints.x[pairs[:, 1]], keypoints.y[pairs[:, 1]], strict=True,
        )
    ]  # fmt: skip
    assert np.mean([one in ends for one in found]) > 0.9


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


@settings(deadline=None, max_examples=12)
@given(shift=st.integers(4, 60), factor=st.floats(0.5, 0.95), seed=st.integers(0, 99))
def test_a_moved_and_dimmed_disk_is_described_alike(shift: int, factor: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    patch = blur(rng.uniform(0, 255, (60, 60)).astype(np.float32), 1.5) * 0.9
    canvas = np.full((160, 160), 30.0, np.float32)
    first, second = canvas.copy(), canvas.copy()
    first[30:90, 30:90] = patch
    second[30 + shift // 4 * 4 : 90 + shift // 4 * 4, 34:94] = patch
    (k, d), (l, e) = sift(first), sift(second * np.float32(factor))
    pairs = match(d, e, 0.7, mutual=True)
    moved = np.hypot(l.x[pairs[:, 1]] - k.x[pairs[:, 0]] - 4, l.y[pairs[:, 1]] - k.y[pairs[:, 0]] - shift // 4 * 4)
    assert len(pairs) == 0 or (moved < 1).mean() > 0.8
    assert len(pairs) >= 0.3 * min(len(k), len(l))


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
    ],
)
def test_what_is_no_gray_picture_is_refused(picture: Any, said: str) -> None:
    with pytest.raises((ShapeError, RangeError), match=said):
        sift(picture)
    with pytest.raises(ShapeError, match=r"wants \(N, D\) and \(M, D\)"):
        match(np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32))
    assert match(np.zeros((0, 3), np.float32), np.zeros((2, 3), np.float32)).shape == (0, 2)


def test_small_and_odd_sizes_are_taken() -> None:
    for shape in ((12, 12), (13, 200), (37, 41)):
        picture = blur(np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32), 1)
        keypoints, descriptors = sift(picture)
        assert len(keypoints) == len(descriptors)
