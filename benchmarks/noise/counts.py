# SPDX-License-Identifier: MIT
"""What the battery found, as counts: verdicts by condition and kind of workload, with Clopper-Pearson intervals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.noise.battery import KINDS, LOADS, Record
from perfcore.report.text import table

STATUSES = ("regression", "improvement", "undecided", "ok")
LEVEL = 0.95


def _tail(successes: int, count: int, p: float) -> float:
    """Return P(X >= successes) for X binomial, summed over the fewer terms."""
    if p <= 0 or p >= 1:
        return float(successes == 0 or p >= 1)

    def chance(k: int) -> float:
        ways = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
        return math.exp(ways + k * math.log(p) + (count - k) * math.log1p(-p))

    if successes > count / 2:
        return math.fsum(map(chance, range(successes, count + 1)))
    return 1 - math.fsum(map(chance, range(successes)))


def _solve(successes: int, count: int, tail: float) -> float:
    """Return the p at which `successes` or more have this chance."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _tail(successes, count, middle) < tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def clopper_pearson(successes: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact interval of a proportion (C. J. Clopper, E. S. Pearson, Biometrika 26 (1934), 404-413)."""
    miss = (1 - level) / 2
    low = 0.0 if successes == 0 else _solve(successes, count, miss)
    high = 1.0 if successes == count else _solve(successes + 1, count, 1 - miss)
    return low, high


def _proportion(successes: int, count: int) -> dict[str, Any]:
    low, high = clopper_pearson(successes, count)
    return {"count": successes, "share": successes / count, "low": low, "high": high}


def _row(slowdown: float, load: str, kind: str, benchmarks: Sequence[Record]) -> dict[str, Any]:
    found = Counter(one["status"] for one in benchmarks)
    count = len(benchmarks)
    return {
        "slowdown": slowdown,
        "load": load,
        "kind": kind,
        "benchmarks": count,
        **{status: _proportion(found[status], count) for status in STATUSES},
        "mean_pairs": sum(one["pairs"] for one in benchmarks) / count,
        "mean_seconds": sum(one["seconds"] for one in benchmarks) / count,
    }


def tally(records: Iterable[Record]) -> dict[str, Any]:
    """Count: rows by condition and kind ("all" last), and the A/A suites with any regression."""
    records = list(records)
    conditions = sorted(
        {(record["condition"]["slowdown"], record["condition"]["load"]) for record in records},
        key=lambda one: (LOADS.index(one[1]), one[0]),
    )
    rows, suites = [], []
    for slowdown, load in conditions:
        these = [record for record in records if record["condition"] == {"slowdown": slowdown, "load": load}]
        benchmarks = [one for record in these for one in record["benchmarks"]]
        for kind in KINDS:
            if some := [one for one in benchmarks if one["kind"] == kind]:
                rows.append(_row(slowdown, load, kind, some))
        rows.append(_row(slowdown, load, "all", benchmarks))
        if not slowdown:
            alarmed = sum(any(one["status"] == "regression" for one in record["benchmarks"]) for record in these)
            size = max(len(record["benchmarks"]) for record in these)
            suites.append({"load": load, "suites": len(these), "size": size, **_proportion(alarmed, len(these))})
    return {"level": LEVEL, "rows": rows, "suites_with_false_alarms": suites}


def _share(found: dict[str, Any]) -> str:
    return f"{found['count']}: {100 * found['low']:.2f} to {100 * found['high']:.2f} %"


def lines(found: dict[str, Any]) -> list[str]:
    """Return the table, and a line for the A/A suites of each load."""
    header = ("head", "load", "workloads", "judged", "regression", "undecided", "ok", "improvement", "pairs", "seconds")
    rows = [
        (
            f"+{100 * row['slowdown']:.3g} %" if row["slowdown"] else "same",
            row["load"],
            row["kind"],
            str(row["benchmarks"]),
            *(_share(row[status]) for status in ("regression", "undecided", "ok", "improvement")),
            f"{row['mean_pairs']:.1f}",
            f"{row['mean_seconds']:.2f}",
        )
        for row in found["rows"]
    ]
    said = table(header, rows)
    said.extend(
        f"the same code, {one['load']}: of {one['suites']} suites of {one['size']} have a regression {_share(one)}"
        for one in found["suites_with_false_alarms"]
    )
    said.append(
        f"counts, and the {100 * found['level']:.3g} % interval of their share (Clopper-Pearson, as if "
        "those of one suite were independent); seconds: of measuring one benchmark on both sides, without the start of "
        "processes"
    )
    return said
