# SPDX-License-Identifier: MIT
"""The folder of a lane's run: locked, resumed, never half-written; and the results file that is made of it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import ResultsError
from perfcore.judge.verdict import check_results
from perfcore.record.lanes import failed_lanes, lane_figures
from perfcore.record.results import load_results
from perfcore.suite.document import make_document
from perfcore.suite.lane import Lane
from perfcore.suite.store import RunFolder, latest_results

LANE = Lane("standard", ("true",), iterations=3)
SYSTEM = {
    "machine_info": {"python_version": "3.12.1"},
    "commit_info": {"id": "0123abc"},
    "version": "5.2.3",
    "environment": {"cores": 4, "processor": "Processor 9000"},
    "memory_bytes": 8 * 10**9,
}
RUN = {"started": "2026-01-01T00:00:00+00:00", "perfcore": "0.1.0", "system": SYSTEM}


def timeline(index: int) -> dict[str, Any]:
    return {"times": [0.1 * index, 0.2 * index], "rss_bytes": [1e6, None]}


def report(index: int, seconds: float | None = 1.0, status: str = "completed") -> dict[str, Any]:
    return {
        "index": index,
        "status": status,
        "reason": "" if status == "completed" else "exit code 3",
        "seconds": seconds,
        "left_behind": [],
        "resources": {
            "cpu_s": 0.5,
            "cpu_percent": 50.0,
            "memory_max_bytes": None if index == 2 else 10**7,
            "sampled": {"processes": {"max": 2.0}},
        },
        "timeline": timeline(index),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    made = RunFolder.create(tmp_path, LANE, SYSTEM)
    yield made
    made.close()
    made.close()


def test_one_run_at_a_time_is_resumed(tmp_path: Path, folder: RunFolder) -> None:
    folder.save_iteration(1, report(1))
    folder.save_iteration(3, report(3))
    with pytest.raises(ResultsError, match="another perfcore is running this lane"):
        RunFolder.reopen(tmp_path, LANE)
    folder.close()
    again = RunFolder.reopen(tmp_path, LANE)
    assert again is not None
    assert again.path == folder.path
    assert sorted(again.iterations()) == [1, 3]
    assert "timeline" not in again.iterations()[3]
    assert again.timeline(3) == timeline(3)
    again.save_run(status="completed")
    again.close()
    assert RunFolder.reopen(tmp_path, LANE) is None  # there is nothing to go on with


def test_nothing_to_resume(tmp_path: Path) -> None:
    assert RunFolder.reopen(tmp_path, LANE) is None
    assert latest_results(tmp_path, "standard") is None


def test_a_lane_that_has_changed_is_not_resumed(tmp_path: Path, folder: RunFolder) -> None:
    folder.close()
    with pytest.raises(ResultsError, match=r"was 'true' there, .* start anew, without --resume"):
        RunFolder.reopen(tmp_path, Lane("standard", ("false",)))
    again = RunFolder.reopen(tmp_path, Lane("standard", ("true",), iterations=99, timeout=1.0))
    assert again is not None
    again.close()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 99}'])
def test_damage_is_told(tmp_path: Path, folder: RunFolder, text: str) -> None:
    (folder.path / "iteration-0001.json").write_text(text)
    with pytest.raises(ResultsError, match=r"iteration-0001\.json: not "):
        folder.iterations()
    folder.close()
    (folder.path / "run.json").write_text(text)
    with pytest.raises(ResultsError, match=r"run\.json: not "):
        RunFolder.reopen(tmp_path, LANE)


def test_two_runs_in_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    folders = [RunFolder.create(tmp_path, LANE, SYSTEM) for _ in range(3)]
    assert len({one.path for one in folders}) == 3
    for number, one in enumerate(folders):
        one.save_results(make_document(LANE, "completed", [report(1, 1.0 + number)], RUN, timeline))
        one.close()
    latest = latest_results(tmp_path, "standard")
    assert latest is not None
    assert load_results(latest).benchmarks[0].median == 3.0


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match=r"cannot write: Not a directory; choose --folder"):
        RunFolder.create(tmp_path / "file", LANE, SYSTEM)


def test_the_results_file(tmp_path: Path, folder: RunFolder) -> None:
    iterations = [report(1, 2.0), report(2, 3.0), report(3, None, "failed"), report(4, 4.0)]
    path = folder.save_results(make_document(LANE, "failed", iterations, RUN, timeline))
    results = load_results(path)
    (one,) = results.benchmarks
    assert (one.fullname, one.name, one.group, one.iterations) == ("lane::standard", "standard", "lanes", 1)
    assert one.data is not None
    assert one.data.tolist() == [2.0, 3.0, 4.0]  # what failed is no time
    assert (one.stats["rounds"], one.stats["mean"], one.median) == (3, 3.0, 3.0)
    assert results.backend == "perfcore"
    figures = lane_figures(one)
    assert figures is not None
    assert (figures.status, figures.counts, figures.cores) == ("failed", {"completed": 3, "failed": 1}, 4)
    assert figures.resources["processes"] == [2.0, 2.0, 2.0]
    assert math.isnan(figures.resources["memory_max_bytes"][1])
    assert figures.known("memory_max_bytes") == [1e7, 1e7]
    assert figures.timeline["times"] == [0.2, 0.4]  # of the second, the nearest to the median
    assert [outcome["status"] for outcome in figures.outcomes] == ["completed", "completed", "failed", "completed"]
    assert one.extra_info == {
        "cpu_s": 0.5,
        "cpu_percent": 50.0,
        "memory_max_bytes": 1e7,
    }  # for thresholds and the history
    check = check_results(results, results)
    assert [verdict.status for verdict in check.verdicts] == ["ok"]


def test_a_lane_without_a_time_is_no_benchmark(folder: RunFolder) -> None:
    for iterations in ([], [report(1, None, "timed_out")]):
        results = load_results(folder.save_results(make_document(LANE, "failed", iterations, RUN, timeline)))
        assert results.benchmarks == ()
        (failed,) = failed_lanes([results])
        assert (failed.name, failed.status) == ("standard", "failed")


def test_what_others_wrote_is_read_with_care(tmp_path: Path) -> None:
    document = make_document(LANE, "completed", [report(1)], RUN, timeline)
    lane = document["benchmarks"][0]["perfcore"]["lane"]
    lane |= {"counts": 3, "outcomes": [1], "cores": "x", "resources": [], "timeline": {"a": "b"}}
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(document))
    figures = lane_figures(load_results(path).benchmarks[0])
    assert figures is not None
    assert (figures.counts, figures.outcomes, figures.cores, figures.resources, figures.timeline) == ({}, (), 0, {}, {})
    document["benchmarks"][0]["perfcore"]["lane"] = "x"
    path.write_text(json.dumps(document))
    assert lane_figures(load_results(path).benchmarks[0]) is None
