# SPDX-License-Identifier: MIT
"""What reports show of lanes and of service levels, as plain data; see :mod:`perfcore.report.model`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from perfcore.judge.targets import show
from perfcore.record.lanes import LaneFigures, failed_lanes, lane_figures

if TYPE_CHECKING:
    from perfcore.judge.sla import TargetVerdict
    from perfcore.record.results import Benchmark, Results

MOST_ITERATIONS = 200  # of a lane, that are shown one by one
# What is drawn over time, and how it is called.
_LINES = {
    "cpu_percent": ("CPU", "%"),
    "rss_bytes": ("memory", "bytes"),
    "disk_read_bytes_per_s": ("read from disk", "bytes/s"),
    "disk_write_bytes_per_s": ("written to disk", "bytes/s"),
    "net_received_bytes_per_s": ("received", "bytes/s"),
    "net_sent_bytes_per_s": ("sent", "bytes/s"),
    "processes": ("processes", ""),
    "threads": ("threads", ""),
}


def _number(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _outcome(one: Any) -> dict[str, Any]:
    seconds = one.get("seconds")
    real = isinstance(seconds, int | float) and math.isfinite(seconds)
    return {
        "status": str(one.get("status")),
        "seconds": seconds if real else None,
        "reason": str(one.get("reason") or ""),
    }


def _lane(figures: LaneFigures) -> dict[str, Any]:
    line = figures.timeline
    times = [_number(value) for value in line.get("times", ())]
    return {
        "name": figures.name,
        "status": figures.status,
        "counts": dict(figures.counts),
        "outcomes": [_outcome(one) for one in figures.outcomes[:MOST_ITERATIONS]],
        "cores": figures.cores,
        "cpu_s": _mean(figures.known("cpu_s")),
        "cpu_percent": _mean(figures.known("cpu_percent")),
        "memory_max_bytes": max(figures.known("memory_max_bytes"), default=None),
        "processes": max(figures.known("processes"), default=None),
        "times": times,
        # What is zero all the time is not worth a line; nor is one that the times do not belong to.
        "lines": [
            {"name": words, "unit": unit, "values": [_number(value) for value in line[key]]}
            for key, (words, unit) in _LINES.items()
            if key in line and len(line[key]) == len(times) and any(value > 0 for value in line[key])
        ],
    }


def describe_lane(benchmark: Benchmark) -> dict[str, Any] | None:
    """Return what is shown of the lane that a benchmark is; None if it is no lane."""
    figures = lane_figures(benchmark)
    return None if figures is None else _lane(figures)


def describe_failed(results: Results) -> list[dict[str, Any]]:
    """Return what is shown of the lanes that have no time."""
    return [_lane(figures) for figures in failed_lanes([results])]


def interval_text(verdict: TargetVerdict) -> str:
    """Return the interval of a verdict, an ellipsis where nothing bounds it, ``-`` where there is none."""
    if math.isnan(verdict.low) and math.isnan(verdict.high):
        return "-"
    low = "…" if verdict.low == -math.inf else show(verdict.target.key, verdict.low)
    high = "…" if verdict.high == math.inf else show(verdict.target.key, verdict.high)
    return f"{low} to {high}"


def verdict_words(verdict: TargetVerdict) -> str:
    """Return a verdict with how far past the target it is."""
    words = "possibly violated" if verdict.status == "possibly" else verdict.status
    if verdict.severity and math.isfinite(verdict.excess):
        words += f" ({verdict.severity}, {verdict.excess:+.1%})"
    return words


def describe_sla(verdicts: Iterable[TargetVerdict]) -> list[dict[str, Any]]:
    """Return what is shown of the verdicts on targets."""
    return [
        {
            "subject": one.subject,
            "key": one.target.key,
            "limit": show(one.target.key, one.target.limit),
            "value": show(one.target.key, one.value),
            "interval": interval_text(one),
            "status": one.status,
            "severity": one.severity,
            "words": verdict_words(one),
            "reason": one.reason,
        }
        for one in verdicts
    ]
