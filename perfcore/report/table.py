# SPDX-License-Identifier: MIT
"""The report as CSV: one line for each benchmark, times in seconds, for a spreadsheet or a data frame.

Text that a spreadsheet would run as a formula is led by an apostrophe, as OWASP advises. Lines end as RFC 4180 says.
"""

from __future__ import annotations

import csv
import io
from typing import Any

COLUMNS = (
    *("fullname", "group", "median", "median_low", "median_high", "median_level", "min", "q1", "mean", "stddev", "q3"),
    *("p90", "p95", "p99", "p99.9", "max", "rounds", "iterations", "kernel", "items_per_call", "interrupted_rounds"),
    *("verdict", "ratio", "ratio_low", "ratio_high", "baseline_median", "reason"),
)


def safe(value: Any) -> Any:
    """Return text that a spreadsheet would run as a formula with an apostrophe before it, all else as it is."""
    # A space before it does not stop a spreadsheet, nor do the controls that it skips.
    if isinstance(value, str) and (value[:1] in "\t\r\n" or value.lstrip()[:1] in ("=", "+", "-", "@")):
        return f"'{value}" if value else value
    return value


def _row(one: dict[str, Any]) -> dict[str, Any]:
    interval, verdict = one["median_ci"] or {}, one["verdict"] or {}
    return one | {
        "median_low": interval.get("low"),
        "median_high": interval.get("high"),
        "median_level": interval.get("level"),
        "verdict": verdict.get("status"),
        "ratio": verdict.get("ratio"),
        "ratio_low": verdict.get("low"),
        "ratio_high": verdict.get("high"),
        "baseline_median": verdict.get("baseline_median"),
        "reason": verdict.get("reason"),
    }


def render_csv(document: dict[str, Any]) -> str:
    """Return the document of :func:`perfcore.report.model.describe` as CSV."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for row in map(_row, document["benchmarks"]):
        writer.writerow([safe(row[column]) for column in COLUMNS])
    return file.getvalue()
