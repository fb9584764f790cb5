# SPDX-License-Identifier: MIT
"""The results file of a lane: pytest-benchmark's JSON, with a benchmark ``lane::NAME`` whose rounds are iterations.

Only iterations that were completed are rounds; a time-out is not a time. What the lane used is in the benchmark's
``perfcore.lane`` entry: for each completed iteration one figure of each resource, and the time line of the iteration
nearest to the median; one figure of each for all iterations is in ``extra_info``. A lane none of whose iterations was
completed has no benchmark; it is in the file's ``perfcore.lanes_failed``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from perfcore._core import Samples
from perfcore.judge.stats import Summary, summarize
from perfcore.record.environment import environment
from perfcore.suite.lane import Lane

SCHEMA = 1
GROUP = "lanes"
_STATS = (
    "min",
    "max",
    "mean",
    "stddev",
    "rounds",
    "median",
    "iqr",
    "q1",
    "q3",
    "iqr_outliers",
    "stddev_outliers",
    "ld15iqr",
    "hd15iqr",
    "ops",
    "total",
)
# One figure for each iteration.
RESOURCES = (
    "cpu_s",
    "user_s",
    "system_s",
    "cpu_percent",
    "memory_max_bytes",
    "minor_faults",
    "major_faults",
    "voluntary_switches",
    "involuntary_switches",
    "disk_read_bytes",
    "disk_write_bytes",
    "others_busy",
)
_GREATEST = ("memory_max_bytes",)
_PEAKS = ("processes", "threads", "fds")


def fullname(lane: str) -> str:
    """Return the name of a lane's benchmark."""
    return f"lane::{lane}"


def system_info() -> dict[str, Any]:
    """Return what a run tells of the system, for a results file's head and for people."""
    # pytest's plugin, because only it knows the form; it takes half a second, so a run asks once.
    from pytest_benchmark import __version__ as version
    from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
    from pytest_benchmark.utils import get_commit_info

    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) * 1024
    return {
        "machine_info": pytest_benchmark_generate_machine_info(),  # type: ignore[no-untyped-call]
        "commit_info": get_commit_info(),  # type: ignore[no-untyped-call]
        "version": version,
        "environment": environment(),
        "memory_bytes": memory,
        "load": list(os.getloadavg()),
    }


def completed(iterations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the iterations that gave a time."""
    return [one for one in iterations if one["status"] == "completed"]


def _statistics(times: Samples, summary: Summary) -> dict[str, Any]:
    figures = {name: getattr(summary, name) for name in _STATS}
    return {**figures, "outliers": summary.outliers, "iterations": 1, "data": times.tolist()}


def _figures(resources: Mapping[str, Sequence[float | None]]) -> dict[str, float]:
    """Return one figure of each resource, for thresholds and the history: the mean, of the memory the greatest."""
    known = {name: [one for one in resources.get(name, ()) if one is not None] for name in RESOURCES}
    return {name: max(of) if name in _GREATEST else fmean(of) for name, of in known.items() if of}


def _nearest(done: Sequence[Mapping[str, Any]], median: float) -> int:
    return int(min(done, key=lambda one: abs(one["seconds"] - median))["index"])


def _lane(
    lane: Lane, status: str, iterations: Sequence[Mapping[str, Any]], system: Mapping[str, Any]
) -> dict[str, Any]:
    done = completed(iterations)
    counts = Counter(one["status"] for one in iterations)
    resources = {name: [one["resources"].get(name) for one in done] for name in RESOURCES}
    for name in _PEAKS:
        resources[name] = [one["resources"]["sampled"].get(name, {}).get("max") for one in done]
    return {
        "name": lane.name,
        "status": status,
        "words": lane.words,
        "digest": lane.digest,
        "wanted": lane.iterations,
        "warmup": lane.warmup,
        "timeout": lane.timeout,
        "counts": dict(counts),
        "outcomes": [
            {key: one.get(key) for key in ("index", "status", "seconds", "reason", "left_behind")} for one in iterations
        ],
        "resources": {name: values for name, values in resources.items() if any(v is not None for v in values)},
        "cores": system["environment"]["cores"],
        "memory_bytes": system["memory_bytes"],
    }


def make_document(
    lane: Lane,
    status: str,
    iterations: Sequence[Mapping[str, Any]],
    run: Mapping[str, Any],
    timeline: Callable[[int], Mapping[str, Any]],
) -> dict[str, Any]:
    """Return a results file's content.

    Args:
        lane: what was run.
        status: ``running``, ``completed`` or ``failed``.
        iterations: what ended so far, in order.
        run: of :class:`perfcore.suite.store.RunFolder`: when it was started, and on what system.
        timeline: gives the time line of an iteration.

    """
    system = run["system"]
    entry = _lane(lane, status, iterations, system)
    done = completed(iterations)
    own: dict[str, Any] = {
        "schema": SCHEMA,
        "version": run["perfcore"],
        "backend": "perfcore",
        "environment": system["environment"],
    }
    benchmarks = []
    if done:
        times = Samples([one["seconds"] for one in done])
        summary = summarize(times)
        interval = summary.median_ci
        shown = _nearest(done, summary.median)
        benchmarks.append(
            {
                "group": GROUP,
                "name": lane.name,
                "fullname": fullname(lane.name),
                "params": None,
                "param": None,
                "extra_info": _figures(entry["resources"]),
                "options": {
                    "disable_gc": False,
                    "timer": "monotonic",
                    "min_rounds": lane.iterations,
                    "max_time": lane.timeout,
                    "min_time": 0.0,
                    "warmup": lane.warmup > 0,
                },
                "stats": _statistics(times, summary),
                "perfcore": {
                    "kernel": "lane-callable" if lane.callable else "lane-command",
                    "calibrated": False,
                    "percentiles": summary.percentiles,
                    "mad": summary.mad,
                    "median_ci": None if interval is None else interval._asdict(),
                    "flags": {},
                    "lane": entry | {"timeline": {"iteration": shown, **timeline(shown)}},
                },
            }
        )
    else:
        own["lanes_failed"] = {lane.name: entry}
    return {
        "machine_info": system["machine_info"],
        "commit_info": system["commit_info"],
        "benchmarks": benchmarks,
        "datetime": run["started"],
        "version": system["version"],
        "perfcore": own,
    }
