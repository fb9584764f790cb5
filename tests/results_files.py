# SPDX-License-Identifier: MIT
"""Results files for tests, in the shape that pytest-benchmark 5.2.3 saves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MACHINE = {
    "node": "host",
    "processor": "",
    "machine": "x86_64",
    "python_compiler": "GCC 12.2.0",
    "python_implementation": "CPython",
    "python_implementation_version": "3.12.1",
    "python_version": "3.12.1",
    "python_build": ["main", "Jan  1 2024 00:00:00"],
    "release": "6.1",
    "system": "Linux",
    "cpu": {"brand_raw": "Processor 9000", "count": 4, "hz_actual_friendly": "2.0 GHz"},
}


def benchmark(name: str = "test_a", median: float = 1e-6, iqr: float = 1e-8, **changes: Any) -> dict[str, Any]:
    """Return one benchmark; ``stats`` among the changes is merged, None takes a key out."""
    stats: dict[str, Any] = {
        "min": median * 0.9,
        "max": median * 2,
        "mean": median * 1.05,
        "stddev": median * 0.1,
        "rounds": 100,
        "median": median,
        "iqr": iqr,
        "q1": median - iqr / 2,
        "q3": median + iqr / 2,
        "iqr_outliers": 1,
        "stddev_outliers": 2,
        "outliers": "2;1",
        "ld15iqr": median * 0.9,
        "hd15iqr": median * 1.1,
        "ops": 1e6,
        "total": 1e-4,
        "iterations": 10,
    }
    stats |= changes.pop("stats", {})
    return {
        "group": None,
        "name": name,
        "fullname": f"tests/test_x.py::{name}",
        "params": None,
        "param": None,
        "extra_info": {},
        "options": {"disable_gc": False, "timer": "perf_counter", "min_rounds": 5, "max_time": 1.0, "min_time": 5e-06},
        "stats": {key: value for key, value in stats.items() if value is not None},
    } | changes


def document(*benchmarks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "machine_info": MACHINE,
        "commit_info": {"id": "0123abc", "dirty": False},
        "benchmarks": list(benchmarks),
        "datetime": "2024-01-01T00:00:00+00:00",
        "version": "5.2.3",
    } | changes


def write(path: Path, *benchmarks: dict[str, Any], **changes: Any) -> Path:
    path.write_text(json.dumps(document(*benchmarks, **changes)), encoding="utf-8")
    return path


def told(median: float = 17e-6, *, spread: float = 0.01) -> dict[str, Any]:
    """Return what a benchmark tells of the machine's pace."""
    return {"median_s": median, "low_s": median * (1 - spread), "high_s": median * (1 + spread), "looks": 50}


def paced(name: str, median: float, pace: Any, **own: Any) -> dict[str, Any]:
    """Return a benchmark without a spread, measured while the machine was at this pace."""
    perfcore = {"kernel": "unrolled", "mad": 0.0, "pace": pace} | own
    return benchmark(name, median, 0.0, perfcore=perfcore)
