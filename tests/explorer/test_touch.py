"""Fingers on the photo: one moves it, two pinch it, a tap keeps a pixel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from photosite.explorer.session import explore
from tests.explorer.browsing import HEIGHT, WIDTH, picture, rest, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

pytestmark = pytest.mark.browser
Points = list[tuple[float, float]]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    faults: list[str] = []
    how = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with explore(picture()) as session, watched(browser, session.url, faults, **how) as made:
        rest(made)
        yield made
    assert faults == []


def touch(hand: CDPSession, kind: str, points: Points) -> None:
    where = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
    hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})


def slide(hand: CDPSession, start: Points, end: Points, release: str = "touchEnd", steps: int = 8) -> None:
    """Fingers from where they are put down to where they are lifted, along straight lines."""
    touch(hand, "touchStart", start)
    for step in range(1, steps + 1):
        share = step / steps
        between = [(a + (c - a) * share, b + (d - b) * share) for (a, b), (c, d) in zip(start, end, strict=True)]
        touch(hand, "touchMove", between)
    touch(hand, release, [])


def seen(page: Page) -> tuple[float, float, float]:
    """How large a pixel of the photo is, and the pixel in the middle of the frame."""
    rest(page)
    said = re.search(r"one pixel of the photo is ([\d.]+) px", page.locator(".stage figcaption").inner_text())
    assert said is not None
    center = [re.search(rf"{key}=([\d.]+)", page.url) for key in ("cx", "cy")]
    x, y = [float(one[1]) if one else half for one, half in zip(center, (WIDTH / 2, HEIGHT / 2), strict=True)]
    return float(said[1]), x, y


def middle(page: Page) -> tuple[float, float]:
    box = page.locator(".frame").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_two_fingers_come_closer_and_go_back(page: Page) -> None:
    hand = page.context.new_cdp_session(page)
    x, y = middle(page)
    scale, _, _ = seen(page)
    near, far = [(x - 20, y), (x + 20, y)], [(x - 100, y), (x + 100, y)]
    slide(hand, near, far)
    closer, across, down = seen(page)
    assert closer == pytest.approx(5 * scale, rel=0.01)  # three digits are written
    assert (across, down) == pytest.approx((WIDTH / 2, HEIGHT / 2), abs=0.3)  # the middle of the fingers stays
    assert "x=" not in page.url.replace("cx=", "")  # nothing was tapped
    slide(hand, far, near)
    assert seen(page)[0] == pytest.approx(scale, rel=0.01)


def test_both_fingers_move_the_photo_together(page: Page) -> None:
    hand = page.context.new_cdp_session(page)
    x, y = middle(page)
    slide(hand, [(x - 20, y), (x + 20, y)], [(x - 80, y), (x + 80, y)])
    scale, across, down = seen(page)
    slide(hand, [(x - 50, y), (x + 50, y)], [(x - 10, y + 20), (x + 90, y + 20)])
    after, moved_across, moved_down = seen(page)
    assert after == pytest.approx(scale, rel=0.02)
    assert (across - moved_across, down - moved_down) == pytest.approx((40 / scale, 20 / scale), abs=0.5)


def test_a_touch_that_the_system_takes_away_is_no_finger_any_more(page: Page) -> None:
    hand = page.context.new_cdp_session(page)
    x, y = middle(page)
    slide(hand, [(x - 20, y), (x + 20, y)], [(x - 80, y), (x + 80, y)], release="touchCancel")
    scale, across, _ = seen(page)
    slide(hand, [(x, y)], [(x + 60, y)])
    after, moved, _ = seen(page)
    assert after == scale
    # a finger that has moved by less than 4 px may still become a tap
    assert across - moved == pytest.approx(60 / scale, abs=8 / scale)


def test_a_tap_keeps_a_pixel(page: Page) -> None:
    page.touchscreen.tap(*middle(page))
    page.wait_for_url(re.compile(rf"x={WIDTH // 2}&y={HEIGHT // 2}$"))
