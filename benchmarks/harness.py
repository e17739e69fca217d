"""Measure ours against a peer in the same run: interleaved, medians, ratios, losses included.

The thread pools of torch, BLAS and others share two cores and can spoil each other's times, so each timed call comes
after a pause of 40 ms and one untimed call.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parent / "README.md"
PACKAGES = ("photosite", "torch", "torchvision", "numpy", "pillow", "simplejpeg", "numba")


@dataclass(frozen=True)
class Result:
    """One comparison: medians in milliseconds, and `ratio` = peer / ours (above 1: ours is faster)."""

    work: str
    peer: str
    ours_ms: float
    peer_ms: float
    ratio: float
    spread: float
    rounds: int


def compare(
    work: str,
    peer: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    rounds: int = 15,
    units: int = 1,
) -> Result:
    """Time two callables in turns; the times are for one of `units` that a call works through.

    `spread` is the half width of the middle half of the ratios of neighboring rounds: what the ratio is good to.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, into in ((ours, times[0]), (theirs, times[1])):
            time.sleep(0.04)
            call()
            began = time.perf_counter()
            call()
            into.append((time.perf_counter() - began) * 1000 / units)
    ratios = sorted(b / a for a, b in zip(*times, strict=True))
    quarter = len(ratios) // 4
    mine, other = statistics.median(times[0]), statistics.median(times[1])
    spread = (ratios[-1 - quarter] - ratios[quarter]) / 2
    return Result(work, peer, mine, other, other / mine, spread, rounds)


def publish(name: str, results: list[Result], notes: str = "") -> None:
    """Print a table and write it as JSON, with machine and versions."""
    for result in results:
        print(
            f"{result.work:<44} ours {result.ours_ms:9.2f} ms   {result.peer:<34} {result.peer_ms:9.2f} ms   "
            f"ratio {result.ratio:5.2f} ± {result.spread:.2f}"
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(
        json.dumps(
            {
                "name": name,
                "machine": {
                    "processor": _processor(),
                    "system": platform.system(),
                    "python": platform.python_version(),
                },
                "versions": {package: _version(package) for package in PACKAGES},
                "notes": notes,
                "results": [asdict(result) for result in results],
            },
            indent=1,
        )
        + "\n"
    )
    README.write_text(_readme([json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]))


def _readme(runs: list[dict[str, Any]]) -> str:
    """The page that shows the last run of every benchmark."""
    lines = [
        "# Benchmarks",
        "",
        "`make bench` measures everything here again and writes this page. Ours and the peer's take turns in one",
        "process, each timed call after a pause of 40 ms and one untimed call; medians. Above 1, ours is faster.",
        "The ± is half the width of the middle half of the ratios.",
    ]
    for run in runs:
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items() if version)
        lines += [
            "",
            f"## {run['name']}",
            "",
            *([f"{run['notes'][0].upper()}{run['notes'][1:]}.", ""] if run["notes"] else []),
            "| work | ours, ms | peer | peer's, ms | ratio |",
            "|---|---|---|---|---|",
            *(
                f"| {result['work']} | {result['ours_ms']:.2f} | {result['peer']} | {result['peer_ms']:.2f} | "
                f"{result['ratio']:.2f} ± {result['spread']:.2f} |"
                for result in run["results"]
            ),
            "",
            f"{run['machine']['processor']}; Python {run['machine']['python']}, {versions}.",
        ]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
