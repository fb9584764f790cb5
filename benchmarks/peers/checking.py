# SPDX-License-Identifier: MIT
"""Rows about judging whole files and histories: a check, one trend of a long history, one point more in a series.

There is no peer that does the same; each figure stands against a limit of its own. Otava has no append: for it, one
point more is the whole series again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.judging import OTAVA, milliseconds, normal
from benchmarks.peers.spread import AtMost, TimesLess

COUNT = 1000  # benchmarks of a file
RUNS, NAMES = 10_000, 100  # of a history
START, DAY = 1_600_000_000.0, 86400.0


def results_document(count: int, seed: int, metrics: bool) -> dict[str, Any]:
    """Return what is in a file as perfcore's plugin makes it, without samples."""
    source = random.Random(seed)

    def benchmark(index: int) -> dict[str, Any]:
        median = 1e-6 * (1 + index % 50) * source.lognormvariate(0, 0.01)
        quantiles = dict.fromkeys(("p50", "p90", "p95", "p99", "p99.9"), median * 1.1)
        own = {
            "kernel": "unrolled",
            "calibrated": True,
            "percentiles": quantiles,
            "mad": median * 0.01,
            "median_ci": {"low": median * 0.99, "high": median * 1.01, "level": 0.95},
            "flags": {},
        }
        if metrics:
            own["metrics"] = {"cpu_s": median, "allocations": 5, "allocated_bytes": 1000, "peak_bytes": 900}
        names = ("min", "max", "mean", "median", "q1", "q3", "ld15iqr", "hd15iqr")
        stats = {name: median * source.uniform(0.9, 1.1) for name in names} | {"median": median}
        stats |= {"stddev": median / 50, "iqr": median / 50, "ops": 1 / median, "total": median * 100}
        return {
            "group": None,
            "name": f"test_{index}",
            "fullname": f"benchmarks/test_many.py::test_{index}",
            "params": None,
            "param": None,
            "extra_info": {},
            "options": {"disable_gc": False, "timer": "perf_counter", "min_rounds": 5, "max_time": 1.0},
            "stats": stats | {"rounds": 100, "iterations": 10, "iqr_outliers": 1, "stddev_outliers": 2},
            "perfcore": own,
        }

    return {
        "machine_info": {"python_version": "3.12.1", "system": "Linux", "cpu": {"brand_raw": "any", "count": 2}},
        "commit_info": {"id": "0123abc", "dirty": False},
        "benchmarks": [benchmark(index) for index in range(count)],
        "datetime": "2024-01-01T00:00:00+00:00",
        "version": "5.2.3",
        "perfcore": {"schema": 1, "backend": "perfcore"},
    }


def results_file(path: Path, seed: int, metrics: bool) -> Path:
    """Write a file of many benchmarks."""
    path.write_text(json.dumps(results_document(COUNT, seed, metrics), indent=4), encoding="utf-8")
    return path


@row("check", unit="ms", target={OURS: AtMost(50)})
def check_row(context: Context) -> Iterator[Case]:
    """Read two files of 1000 benchmarks and judge one against the other."""
    from perfcore import RegressionDetector

    detector = RegressionDetector()
    # As a user has it: modules are compiled once, and the table is written in blocks.
    unlike = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    environment = {name: value for name, value in os.environ.items() if name not in unlike}
    with tempfile.TemporaryDirectory() as name:
        for metrics, words in ((False, ""), (True, ", with four metrics of calls")):
            old, new = (results_file(Path(name, f"{seed}.json"), seed, metrics) for seed in (1, 2))

            def inside(old: Path = old, new: Path = new) -> float:
                return milliseconds(lambda: detector.check(new, old))

            def command(old: Path = old, new: Path = new) -> float:
                words = [sys.executable, "-P", "-m", "perfcore", "check", str(new), "--baseline", str(old)]
                return milliseconds(
                    lambda: subprocess.run(words, stdout=subprocess.DEVNULL, check=True, cwd="/", env=environment)
                )

            yield Case(f"in Python{words}", context.interleave({OURS: inside}))
            yield Case(f"as a command{words}", context.interleave({OURS: command}), {OURS: AtMost(150)})


def fill(path: Path, runs: int) -> None:
    """Make a history of so many runs of 100 benchmarks."""
    from perfcore.record.history import History

    History(path, create=True)
    source = random.Random(5)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO perfcore_runs (id, key, at, commit_id, environment, environment_json, backend, file) "
            "VALUES (?, ?, ?, ?, 'e', '{}', 'perfcore', 'r.json')",
            ((number, f"{number:064}", START + number * DAY / 10, f"{number:040x}") for number in range(runs)),
        )
        connection.executemany(
            "INSERT INTO perfcore_benchmarks (id, fullname) VALUES (?, ?)",
            ((number, f"benchmarks/test_many.py::test_{number}") for number in range(NAMES)),
        )
        connection.executemany(
            "INSERT INTO perfcore_figures (benchmark_id, run_id, median, mean, stddev, min, max, rounds, iterations, "
            "method) VALUES (?, ?, ?, ?, 1e-8, 9e-7, 2e-6, 100, 10, 'unrolled/perf_counter')",
            (
                (number, run, value := 1e-6 * source.lognormvariate(0, 0.01), value)
                for number in range(NAMES)
                for run in range(runs)
            ),
        )


@row("history", unit="ms", target={OURS: AtMost(50)})
def history_row(context: Context) -> Iterator[Case]:
    """Open a history of many runs of 100 benchmarks in SQLite and get one trend."""
    from perfcore.judge.history import trend
    from perfcore.record.history import History

    runs = RUNS // 10 if context.quick else RUNS
    wanted = "benchmarks/test_many.py::test_50"
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "h.db")
        fill(path, runs)

        def query() -> int:
            return len(History(path).series([wanted])[wanted])

        def developed() -> object:
            points = History(path).series([wanted])[wanted]
            return trend([point.at for point in points], [point.median for point in points])

        def month() -> int:
            return len(History(path).series([wanted], since=START + (runs / 10 - 30) * DAY)[wanted])

        if query() != runs:
            raise RuntimeError("the history does not hold what was put in")
        for words, function in (("points", query), ("with change points", developed), ("last month", month)):
            yield Case(
                f"{runs} runs: {words}",
                context.interleave({OURS: lambda function=function: milliseconds(function)}),  # type: ignore[misc]
            )


@row("append", unit="µs", peers=(OTAVA,))
def append_row(context: Context) -> Iterator[Case]:
    """Add a point to a long series and find its change points again, identical mode."""
    from perfcore.judge.changepoint import WindowedSeries

    for count in (1_000, 10_000):
        values = [value + 3 * (i // 500 % 2) for i, value in enumerate(normal(count + 200, 3))]

        def ours(values: list[float] = values, count: int = count) -> float:
            series = WindowedSeries()
            series.append(values[:count])
            series.find()

            def append() -> None:
                for value in values[count:]:
                    series.append(array("d", [value]))
                    series.find()

            return milliseconds(append) * 1e3 / 200

        timers: dict[str, Callable[[], float]] = {OURS: ours}
        if context.has(OTAVA):
            from otava.analysis import compute_change_points

            timers[OTAVA] = (
                lambda values=values, count=count: (  # type: ignore[misc]
                    milliseconds(lambda: compute_change_points(values[: count + 1])) * 1e3
                )
            )
        yield Case(f"{count} points", context.interleave(timers), {OURS: AtMost(20), OTAVA: TimesLess(1000)})


@row("many-series", unit="ms", target={OURS: AtMost(500)})
def many_series_row(context: Context) -> Iterator[Case]:
    """Search a thousand series of a thousand points for changes."""
    from perfcore.judge.changepoint import find_levels, find_levels_of_each, find_windowed

    count = 100 if context.quick else 1000
    series = [
        array("d", [value + 2 * (i // 250 % 2) for i, value in enumerate(normal(1000, seed))]) for seed in range(count)
    ]
    searches: dict[str, Callable[[], object]] = {
        "identical mode": lambda: [find_windowed(one) for one in series],
        "robust mode, one thread": lambda: find_levels_of_each(series, threads=1),
        "robust mode, two threads": lambda: find_levels_of_each(series, threads=2),
    }
    for words, search in searches.items():
        timers = {OURS: lambda search=search: milliseconds(search)}  # type: ignore[misc]
        yield Case(f"{count} series, {words}", context.interleave(timers, min(5, context.repeats)))
    alone = {OURS: lambda: milliseconds(lambda: [find_levels(one) for one in series])}
    yield Case(f"{count} series, robust mode, one by one", context.interleave(alone, min(5, context.repeats)), {})
