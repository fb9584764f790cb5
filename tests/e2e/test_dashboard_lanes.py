# SPDX-License-Identifier: MIT
"""The dashboard's parts about lanes and service levels, in a real Chromium, with names that would break out."""

from __future__ import annotations

import html
import math
from pathlib import Path

import pytest
from results_files import benchmark, write
from test_dashboard import CHROMIUM, HOSTILE, browse

from perfcore.judge.sla import SLAValidator
from perfcore.judge.targets import Target
from perfcore.record.lanes import failed_lanes
from perfcore.record.results import load_results
from perfcore.report.model import describe
from perfcore.report.page import render_html

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


def entry(name: str, **changes: object) -> dict[str, object]:
    return {
        "name": name,
        "status": "failed",
        "counts": {"completed": 3, "timed_out": 1},
        "outcomes": [
            *({"index": index, "status": "completed", "seconds": 1.0 + index / 10, "reason": ""} for index in range(3)),
            {"index": 4, "status": "timed_out", "seconds": None, "reason": HOSTILE},
        ],
        "warmup": 0,
        "cores": 2,
        "memory_bytes": 10**9,
        "resources": {"cpu_percent": [50.0] * 3, "memory_max_bytes": [2e6] * 3, "processes": [2.0] * 3},
        "timeline": {
            "times": [0.1, 0.2, 0.3, 0.4],
            "cpu_percent": [None, 10.0, None, 90.0],
            "rss_bytes": [1e6, 2e6, 2e6, None],
            "disk_read_bytes_per_s": [0.0, 0.0, 0.0, 0.0],
            "threads": [1.0, 2.0],
        },
    } | changes


def page(tmp_path: Path) -> str:
    stats = {"data": [1.0, 1.1, 1.2], "iterations": 1, "mean": 1.1, "stddev": 0.1, "rounds": 3}
    path = write(
        tmp_path / "new.json",
        benchmark(HOSTILE, 1.1, 0.1, fullname=f"lane::{HOSTILE}", stats=stats, perfcore={"lane": entry(HOSTILE)}),
        benchmark("bare", 1.1, 0.1, perfcore={"lane": entry("bare", outcomes=[], resources={}, timeline=None)}),
        perfcore={"schema": 1, "lanes_failed": {"never": entry("never", outcomes=[entry("x")["outcomes"][-1]])}},  # type: ignore[index]
    )
    results = load_results(path)
    targets = (Target("*", "mean", 0.5), Target("*", "memory_max", 1e9), Target("*", "p95", math.pi))
    return render_html(
        describe(results, sla=SLAValidator(targets).validate(results.benchmarks, failed_lanes([results])))
    )


@pytest.mark.parametrize("width", [1200, 500])
def test_lanes_and_their_service_levels(tmp_path: Path, width: int) -> None:
    elements, console = browse(tmp_path, page(tmp_path), link=f"lane::{HOSTILE}", width=width)
    assert console == ""
    assert "<title>perfcore: new.json</title>" in elements
    shown = elements.split("</main>")[0]
    assert "<img" not in shown
    assert "NaN" not in shown
    assert shown.count('class="panel"') == 1
    assert shown.count('class="curve"') == 2  # of CPU and memory: zero all the time, or without its times, is none
    assert (shown.count('class="bar"'), shown.count('class="bar failed"')) == (3, 1)
    assert "memory, at most 2.00\u202fMB" in shown
    assert "50\u202f% of 200\u202f%" in shown
    assert "Service levels: 2 violated, 7 no data" in shown
    assert "Lanes that have no time" in shown
    assert f"never: timed out: {html.escape(HOSTILE, quote=False)}" in shown


def test_a_lane_of_which_little_is_known(tmp_path: Path) -> None:
    elements, console = browse(tmp_path, page(tmp_path), link="tests/test_x.py::bare")
    assert console == ""
    shown = elements.split("</main>")[0]
    assert shown.count('class="panel"') == 1
    assert shown.count('class="curve"') == 0


def test_of_many_iterations_the_first_are_drawn_and_all_are_counted(tmp_path: Path) -> None:
    outcomes = [{"index": index, "status": "completed", "seconds": 1.0, "reason": ""} for index in range(1995)]
    outcomes += [{"index": 0, "status": "timed_out", "seconds": None, "reason": ""}] * 5
    counts = {"completed": 1995, "timed_out": 5}
    lane = entry("many", outcomes=outcomes, counts=counts, timeline=None)
    path = write(tmp_path / "new.json", benchmark("many", 1.0, 0.1, fullname="lane::many", perfcore={"lane": lane}))
    elements, console = browse(tmp_path, render_html(describe(load_results(path))), link="lane::many")
    assert console == ""
    shown = elements.split("</main>")[0]
    assert "the first 200 of 2,000 iterations, one bar each; 5 not completed<" in shown
    assert shown.count('class="bar"') == 200
