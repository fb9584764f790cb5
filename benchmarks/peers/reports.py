# SPDX-License-Identifier: MIT
"""Rows about reports: the dashboard of a large suite with a year of history, the command line's help, an analysis.

The data is synthetic and says so in its names: 2000 benchmarks of 100 rounds, judged against a baseline, with a history
of 365 runs in which every tenth benchmark changes its level once; and one benchmark with 10 000 runs.
"""

from __future__ import annotations

import json
import math
import os
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers.chromium import PATH, Browser
from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.processes import run_python
from benchmarks.peers.spread import AtMost

DAY = 86400.0
START = 1_700_000_000.0
ROUNDS = 100
ENVIRONMENT = {"processor": "synthetic", "python_implementation": "CPython", "python_version": "3.12.0"}


def names(count: int) -> list[str]:
    """Return the names of a suite."""
    return [f"synthetic/test_part{number // 40}.py::test_{number}[case-{number % 7}]" for number in range(count)]


def results_file(path: Path, medians: dict[str, float], at: float, seed: int) -> None:
    """Write a results file as pytest-benchmark and perfcore do."""
    random_ = random.Random(seed)
    benchmarks: list[dict[str, Any]] = []
    for number, (fullname, median) in enumerate(medians.items()):
        data = [median * (1 + abs(random_.gauss(0, 0.02))) for _ in range(ROUNDS)]
        figures = {"min": min(data), "max": max(data), "mean": math.fsum(data) / ROUNDS, "stddev": median * 0.02}
        stats = figures | {"median": median, "iqr": median * 0.02, "q1": median * 0.99, "q3": median * 1.01}
        metrics = {"allocations": 12, "peak_bytes": 4096 * (1 + number % 3), "cpu_s": median}
        benchmarks.append(
            {
                "name": fullname.rpartition("::")[2],
                "fullname": fullname,
                "group": f"part {number // 100}",
                "options": {"timer": "perf_counter"},
                "stats": stats | {"rounds": ROUNDS, "iterations": 10, "data": data},
                "perfcore": {"kernel": "unrolled", "mad": median * 0.01, "metrics": metrics},
            }
        )
    document = {
        "benchmarks": benchmarks,
        "datetime": datetime.fromtimestamp(at, UTC).isoformat(),
        "commit_info": {"id": f"{int(at):040x}", "branch": "synthetic"},
        "perfcore": {"schema": 1, "backend": "perfcore", "environment": ENVIRONMENT},
    }
    path.write_text(json.dumps(document), encoding="utf-8")


def history_file(path: Path, like: Path, levels: dict[str, float], count: int) -> None:
    """Make a history of as many runs, a day apart, of the environment of a results file."""
    import hashlib
    from dataclasses import replace

    from perfcore.record.history import History, make_run
    from perfcore.record.results import load_results

    random_, first = random.Random(1), make_run(load_results(like))
    method = first.figures[0]["method"]
    runs = []
    for number in range(count):
        figures = []
        for index, (fullname, level) in enumerate(levels.items()):
            median = level * math.exp(random_.gauss(0, 0.01)) * (1.2 if index % 10 == 0 and number > count / 2 else 1)
            known = {"median": median, "mean": median, "stddev": median * 0.02, "min": median, "max": median * 2}
            absent = dict.fromkeys(("median_low", "median_high", "metrics_json"))
            figures.append(
                {"fullname": fullname, "rounds": ROUNDS, "iterations": 10, "method": method} | known | absent
            )
        commit = hashlib.sha256(str(number).encode()).hexdigest()
        runs.append(replace(first, key=commit, at=START + number * DAY, commit=commit[:40], figures=figures))
    History(path, create=True).add(runs)


def suite(folder: Path, benchmarks: int, runs: int) -> list[str]:
    """Make the files of a suite, and return the arguments that report on it."""
    random_ = random.Random(2)
    levels = {name: random_.uniform(1e-6, 1e-3) for name in names(benchmarks)}
    after = START + runs * DAY
    results_file(folder / "old.json", levels, after - DAY, 3)
    results_file(folder / "new.json", {name: level * 1.02 for name, level in levels.items()}, after, 4)
    history_file(folder / "history.db", folder / "new.json", levels, runs)
    options = ["--baseline", str(folder / "old.json"), "--database", str(folder / "history.db"), "--days", "36500"]
    return ["-P", "-m", "perfcore", "report", str(folder / "new.json"), *options, "--output", str(folder)]


def first_paint(browser: Browser, page: Path) -> float:
    """Open a page and return how many seconds it took until something was painted."""
    tab = browser.page()
    tab.look(1280, 900)
    tab.open(page.as_uri())
    return float(tab.value("performance.getEntriesByName('first-contentful-paint')[0].startTime")) / 1e3


class Timed:
    """Runs a Python again and again; remembers the processor time of each, which a busy machine changes less."""

    def __init__(self, arguments: list[str], scale: float = 1.0) -> None:
        self._arguments, self._scale = arguments, scale
        self.cpu: list[float] = []

    def __call__(self) -> float:
        """Return the wall time of one process."""
        before = os.times()
        wall, _ = run_python(self._arguments)
        after = os.times()
        used = after.children_user - before.children_user + after.children_system - before.children_system
        self.cpu.append(used * self._scale)
        return wall * self._scale

    def cases(self, context: Context, name: str, repeats: int = 0, note: str = "") -> Iterator[Case]:
        """Measure, and give the cases of both times."""
        yield Case(name, context.interleave({OURS: self}, repeats), note=note)
        yield Case(f"{name}: processor time", {OURS: self.cpu}, {})


@row("dashboard", unit="s", target={OURS: AtMost(5)})
def dashboard(context: Context) -> Iterator[Case]:
    """Measure the dashboard of 2000 synthetic benchmarks with 365 runs of history: built, its size, first painted."""
    benchmarks, runs = (200, 40) if context.quick else (2000, 365)
    repeats = 2 if context.quick else max(3, context.repeats // 4)
    what = f"{benchmarks} benchmarks x {runs} runs"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command, page = suite(folder, benchmarks, runs), folder / "report.html"
        note = "the whole process, from the files to the page"
        yield from Timed(command).cases(context, f"built, {what}", repeats, note)
        yield Case(f"size, {what}", {OURS: [page.stat().st_size / 1e6]}, {OURS: AtMost(10)}, unit="MB")
        if PATH is not None:
            with Browser() as browser:
                painted = context.interleave({OURS: lambda: first_paint(browser, page)}, repeats)
            yield Case(f"first paint, {what}", painted, {OURS: AtMost(1)}, note="in headless Chromium")


@row("help", unit="ms", target={OURS: AtMost(100)})
def help_row(context: Context) -> Iterator[Case]:
    """Measure the wall time of perfcore --help, the whole process."""
    command = ["-P", "-m", "perfcore", "--help"]
    yield from Timed(command, 1e3).cases(context, "perfcore --help")


@row("analysis", unit="s", target={OURS: AtMost(1)})
def analysis(context: Context) -> Iterator[Case]:
    """Measure perfcore analyze and trends on 10 000 stored synthetic runs, the whole process."""
    runs = 1000 if context.quick else 10_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results_file(folder / "new.json", {"synthetic::one": 1e-5}, START, 1)
        history_file(folder / "history.db", folder / "new.json", {"synthetic::one": 1e-5}, runs)
        for command in ("analyze", "trends"):
            options = ["--days", "36500", "--database", str(folder / "history.db")]
            timed = Timed(["-P", "-m", "perfcore", command, *options])
            yield from timed.cases(context, f"perfcore {command}, {runs:,} runs of one benchmark")
