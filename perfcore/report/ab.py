# SPDX-License-Identifier: MIT
"""What ``perfcore ab --json`` wrote, as the document that every report is made of."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from perfcore.errors import ResultsError
from perfcore.names import split_name

_STATUS = {"regression": "critical", "improvement": "improvement", "ok": "ok"}  # all else is undecided
_MOST_BYTES = 64 << 20


def is_ab(path: str | os.PathLike[str]) -> bool:
    """Whether a regular file is a document of ``perfcore ab``, by what it opens with; False where it cannot be read."""
    try:
        if not os.path.isfile(path):  # of a pipe, what was looked at would be gone
            return False
        with open(path, "rb") as file:
            start = file.read(200)
    except OSError:
        return False
    return b'"command": "ab"' in start


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _benchmark(one: dict[str, Any]) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("min", "q1", "q3", "max", "mean", "stddev", "rounds", "p90", "p95", "p99", "p99.9", "median_ci")
    )
    status = _STATUS.get(str(one.get("status")), "undecided")
    reason, failed = str(one.get("reason") or ""), [str(side) for side in one.get("failed") or ()]
    if failed:
        reason = reason or "the benchmark fails on " + " and ".join(failed)
    return {
        "name": split_name(str(one["fullname"]))[1],
        "fullname": str(one["fullname"]),
        "group": None,
        **nothing,
        "median": _number(one.get("head_s")),
        "iterations": None,
        "kernel": None,
        "items_per_call": None,
        "interrupted_rounds": None,
        "polluted": False,
        "verdict": {
            "status": status,
            "ratio": _number(one.get("ratio")),
            "low": _number(one.get("low")),
            "high": _number(one.get("high")),
            "baseline_median": _number(one.get("base_s")),
            "reason": reason,
            "failed": failed,
        },
        "metrics": [],
        "sampled": False,
        "quantiles_ns": [],
        "baseline_quantiles_ns": [],
    }


def describe_ab(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the document of an A/B comparison, as :func:`perfcore.report.model.describe` returns that of a check.

    Raises:
        ResultsError: the file cannot be read, or is no such document.

    """
    try:
        if os.path.getsize(path) > _MOST_BYTES:
            raise ResultsError(f"{path}: over {_MOST_BYTES >> 20} MiB; perfcore ab writes no such file")
        found = json.loads(Path(path).read_bytes())
        benchmarks = [_benchmark(one) for one in found["benchmarks"]]
        notes, shift = [str(note) for note in found["notes"]], found["common_shift"]
        if shift is not None:
            notes.append(f"the suite as a whole moved by {(shift['ratio'] - 1) * 100:+.1f} %: look for a common cause")
        counts = dict.fromkeys(("critical", "warning", "undecided", "improvement", "ok"), 0)
        for one in benchmarks:
            counts[one["verdict"]["status"]] += 1
        return {
            "schema": 1,
            "source": Path(path).name,
            "datetime": "",
            "backend": "perfcore",
            "python": "",
            "processor": "",
            "commit": str(found["head"]),
            "branch": "",
            "dirty": False,
            "check": {
                "baseline": str(found["base"]),
                "against": "base",
                "baseline_datetime": "",
                "warning": float(found["threshold"]),
                "critical": float(found["threshold"]),
                "mode": str(found["mode"]),
                "counts": counts,
                "metric_counts": dict.fromkeys(counts, 0),
                "lost_metrics": {},
                "advisory": False,
                "passed": bool(found["passed"]),
                "differences": [],
                "notes": notes,
                "new": [str(name) for name in found["new"]],
                "gone": [str(name) for name in found["gone"]],
                "broken": [str(place) for place in found.get("broken", ())],
                "evidence": str(found["evidence"]),
            },
            "benchmarks": benchmarks,
        }
    except OSError as error:
        raise ResultsError(f"{path}: cannot read: {error.strerror}") from error
    except RecursionError:
        raise ResultsError(f"{path}: nested too deep; perfcore ab --json writes no such file") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ResultsError(f"{path}: not what perfcore ab --json writes ({type(error).__name__}: {error})") from None
