# SPDX-License-Identifier: MIT
"""What reports show of the metrics of a call: memory, allocations, processor time, rates; and the verdicts on them.

A metric goes by its key in the results file, which is also how ``[tool.perfcore.thresholds.metrics]`` names it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from perfcore.report.text import change
from perfcore.units import format_metric

if TYPE_CHECKING:
    from perfcore.judge.metrics import MetricVerdict
    from perfcore.record.results import Benchmark

# From worst to best, as of a benchmark's metrics the first decides how it is shown.
_LOUD = ("critical", "warning")


def change_text(ratio: float) -> str:
    """Return a metric's ratio as a change."""
    return "from zero" if ratio == math.inf else change(ratio)


def kind_text(verdict: MetricVerdict) -> str:
    """Return what a reader must know to read a metric's change."""
    return "exact" if verdict.exact else "higher is better" if verdict.up else ""


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _judged(verdict: MetricVerdict) -> dict[str, Any]:
    return {
        "metric": verdict.metric,
        "value": _number(verdict.value),
        "shown": format_metric(verdict.metric, verdict.value),
        "baseline": _number(verdict.baseline),
        "baseline_shown": format_metric(verdict.metric, verdict.baseline),
        "ratio": _number(verdict.ratio),
        "change": change_text(verdict.ratio),
        "kind": kind_text(verdict),
        "status": verdict.status,
        "reason": verdict.reason,
    }


def _measured(metric: str, value: float) -> dict[str, Any]:
    nothing = {"baseline": None, "baseline_shown": "-", "ratio": None, "change": "-", "kind": ""}
    figure = {"metric": metric, "value": value, "shown": format_metric(metric, value)}
    return figure | nothing | {"status": None, "reason": ""}


def describe_metrics(benchmark: Benchmark, verdicts: Iterable[MetricVerdict]) -> list[dict[str, Any]]:
    """Return the metrics of one benchmark: those that were judged, then those that were only measured."""
    made = [_judged(one) for one in verdicts]
    known = {one["metric"] for one in made}
    own = (benchmark.perfcore or {}).get("metrics")
    for metric, value in own.items() if isinstance(own, dict) else ():
        if metric not in known and type(value) in (int, float) and math.isfinite(value):
            made.append(_measured(metric, value))
    return made


def loud_metrics(benchmark: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a benchmark's metrics that are critical or a warning, the worst first."""
    found = [one for one in benchmark.get("metrics", ()) if one["status"] in _LOUD]
    return sorted(found, key=lambda one: _LOUD.index(one["status"]))
