# SPDX-License-Identifier: MIT
"""What the history keeps of a benchmark beside its columns, and what of it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from results_files import benchmark, document

from perfcore.record.history import History, Run, make_run
from perfcore.record.results import parse_results
from perfcore.record.series import read_kept

DAY = 86400.0
START = 1704067200.0  # 2024-01-01 UTC


def made(number: int, *items: dict[str, Any]) -> Run:
    """Return a run of that day of January 2024, from 0 on."""
    text = json.dumps(document(*items, datetime=f"2024-01-{1 + number:02}T00:00:00+00:00"))
    return make_run(parse_results(f"{number}.json", text.encode()))


def test_what_is_kept_beside_the_columns(tmp_path: Path) -> None:
    item = benchmark(
        "a",
        extra_info={
            "rate": 5,
            "text": "no",
            "yes": True,
            "latency_ns": {"p99": 7, "p99.9": 9, "unit": "ns"},
            "table": {str(number): number for number in range(51)},
            "full": {str(number): number for number in range(50)},
        },
    ) | {"perfcore": {"metrics": {"allocations": 3}, "percentiles": {"p99": 2e-6, "p50": None}}}
    (row,) = made(0, item).figures
    kept = json.loads(row["metrics_json"])
    others = [
        "iqr",
        "q1",
        "q3",
        "iqr_outliers",
        "stddev_outliers",
        "ld15iqr",
        "hd15iqr",
        "rounds",
        "total",
        "iterations",
    ]
    assert sorted(kept.pop("stats")) == sorted(others)  # numbers without a column
    assert kept == {
        "allocations": 3,
        "percentiles": {"p99": 2e-6},
        "extra_info": {
            "rate": 5,
            "latency_ns": {"p99": 7, "p99.9": 9},
            "full": {str(number): number for number in range(50)},
        },
    }
    history = History(tmp_path / "h.db", create=True)
    assert history.add([made(0, item)]) == 1
    name = row["fullname"]
    for metric, value in (("allocations", 3), ("p99", 2e-6), ("total", 1e-4), ("rate", 5), ("latency_ns.p99.9", 9)):
        assert [point.median for point in history.series([name], metric=metric)[name]] == [value]
    for metric in ("text", "table.5", "latency_ns", "latency_ns.", ".p99", "rate.p99"):
        assert history.series([name], metric=metric)[name] == []


def test_of_what_is_kept_the_last_runs_are_read(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db", create=True)
    runs = [made(day, benchmark("a") | {"perfcore": {"metrics": {"allocations": day}}}) for day in (3, 0, 1, 2)]
    assert history.add(runs) == 4
    (name,) = history.names()
    found = read_kept(history, [name], before=START + 9 * DAY, environment=runs[0].environment, limit=2)
    assert [kept.figures["allocations"] for kept in found[name]] == [2, 3]


def test_a_run_is_known_by_what_was_kept_from_the_start(tmp_path: Path) -> None:
    plain = made(0, benchmark("a"))
    more = made(0, benchmark("a", extra_info={"rate": 5}))
    assert plain.key == more.key
    history = History(tmp_path / "h.db", create=True)
    assert (history.add([plain]), history.add([more])) == (1, 0)
