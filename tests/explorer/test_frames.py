"""What pointing and dragging cost on each station, written down for whoever reads the report; frames do come."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from photosite.exploring import explore
from tests.explorer.browsing import network, picture, watched
from tests.explorer.frames import SCENES, Report, measure

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_figures_by_hand() -> None:
    report = Report("any", [float(one) for one in range(20)], [1.0], [16.0, 17.0])
    found = report.figures()
    assert (found["event_ms mean"], found["event_ms p95"], found["event_ms worst"]) == (9.5, 18.0, 19.0)
    assert found["frame_ms mean"] == 16.5
    assert "2 frames" in report.line()


@pytest.mark.parametrize(
    ("height", "width"), [(300, 400), pytest.param(3000, 4000, marks=pytest.mark.slow, id="12 megapixels")]
)
def test_frames_come_while_a_person_points_and_drags(
    browser: Browser, tmp_path: Path, record_property: Any, height: int, width: int
) -> None:
    """Times are recorded, never asserted; $PHOTOSITE_SCREENSHOTS names the folder where they are kept."""
    faults: list[str] = []
    reports = []
    with (
        explore(picture(height, width), network()) as session,
        watched(browser, session.url, faults) as page,
    ):
        for report in measure(page, events=6 if height < 1000 else 60):
            record_property(report.work, report.line())
            print(report.line())
            reports.append(report)
    folder = Path(os.environ.get("PHOTOSITE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"frames-{height}x{width}.json").write_text(json.dumps([one.words() for one in reports], indent=1))
    assert faults == []
    assert [one.work for one in reports] == [scene.work for scene in SCENES]
    still, *moved = reports
    for report in moved:
        assert len(report.frame_ms) >= 2, report.work
        assert np.isfinite(report.event_ms).all(), report.work
        # something was computed and drawn: a scene whose target takes no events would be as cheap as none
        assert report.figures()["script_ms mean"] > 1.5 * still.figures()["script_ms mean"], report.line()
