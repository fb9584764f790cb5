# SPDX-License-Identifier: MIT
"""What every report shows, gathered once from a results file and, where there is one, the check against a baseline.

The document is plain data (strings, numbers, lists, dicts; None for what is unknown or not finite), the same for the
same input: no time of writing, no random order. Times are seconds; the quantiles that draw a distribution are
nanoseconds, rounded to five digits, because they are many. An A/B comparison makes the same document (``ab``): there
the check has the ``mode`` of its verdicts, ``notes``, and what is ``broken`` (head cannot collect it), and a verdict
the sides that the benchmark ``failed`` on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from perfcore import _core
from perfcore.measure.pollution import is_polluted
from perfcore.report.lanes import describe_failed, describe_lane, describe_sla
from perfcore.report.metrics import describe_metrics
from perfcore.report.pace import pace_line

if TYPE_CHECKING:
    from perfcore.judge.metrics import MetricVerdict
    from perfcore.judge.sla import TargetVerdict
    from perfcore.judge.verdict import Check, Verdict
    from perfcore.record.results import Benchmark, Results

SCHEMA = 1
MOST_POINTS = 200  # of one distribution
LEAST_POINTS = 32
MOST_SECONDS = 1e299  # that are drawn: nanoseconds of more are infinite
ALL_POINTS = 100_000  # of all of them together, which keeps a page of a thousand benchmarks under two megabytes

_STATS = ("min", "q1", "median", "q3", "max", "mean", "stddev", "rounds")
_PERCENTILES = ("p90", "p95", "p99", "p99.9")


def _number(value: object) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def _short(seconds: float) -> float | int:
    value = float(f"{seconds * 1e9:.5g}")
    return int(value) if value.is_integer() else value


def _is_drawn(seconds: float) -> bool:
    return abs(seconds) < MOST_SECONDS  # nor is what is no number


def quantiles(benchmark: Benchmark, points: int) -> list[float | int]:
    """Return nanoseconds at evenly spaced probabilities, from the minimum to the maximum.

    From the samples where the file has them (all of them, if they are no more than ``points``), else from the five
    figures of a box plot; empty where it has neither.
    """
    samples = sorted(filter(_is_drawn, benchmark.data.tolist())) if benchmark.data is not None else []
    if not samples:
        five = [_number(benchmark.stats.get(key)) for key in ("min", "q1", "median", "q3", "max")]
        known = [_short(value) for value in five if value is not None and _is_drawn(value)]
        return known if len(known) == len(five) else []
    if len(samples) <= points:
        return [_short(value) for value in samples]
    made = []
    for index in range(points):
        rank = index * (len(samples) - 1) / (points - 1)
        low = math.floor(rank)
        high = min(low + 1, len(samples) - 1)
        made.append(_short(samples[low] + (samples[high] - samples[low]) * (rank - low)))
    return made


def _percentiles(benchmark: Benchmark) -> dict[str, Any]:
    own = (benchmark.perfcore or {}).get("percentiles")
    if isinstance(own, dict):
        return {name: _number(own.get(name)) for name in _PERCENTILES}
    if benchmark.data is not None and len(benchmark.data):
        try:
            summary = _core.summarize(benchmark.data)
        except ValueError:  # a sample that is not finite
            return dict.fromkeys(_PERCENTILES)
        return {name: _number(summary[name.replace("p99.9", "p999")]) for name in _PERCENTILES}
    return dict.fromkeys(_PERCENTILES)


def _interval(benchmark: Benchmark) -> dict[str, Any] | None:
    own = (benchmark.perfcore or {}).get("median_ci")
    if not isinstance(own, dict):
        return None
    made = {key: _number(own.get(key)) for key in ("low", "high", "level")}
    return None if None in made.values() else made


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "status": verdict.status,
        "ratio": _number(verdict.ratio),
        "low": _number(verdict.low),
        "high": _number(verdict.high),
        "baseline_median": _number(verdict.baseline_median),
        "reason": verdict.reason,
        "failed": [],
    }


def _benchmark(
    benchmark: Benchmark,
    verdict: Verdict | None,
    metrics: Iterable[MetricVerdict],
    old: Benchmark | None,
    points: int,
) -> dict[str, Any]:
    own = benchmark.perfcore or {}
    flags = own.get("flags")
    interrupted = _number((flags if isinstance(flags, dict) else {}).get("interrupted_rounds"))
    extra = benchmark.extra_info.get("perfcore")
    stats = {key: _number(benchmark.stats.get(key)) for key in _STATS}
    return {
        "name": benchmark.name,
        "fullname": benchmark.fullname,
        "group": benchmark.group,
        **stats,
        **_percentiles(benchmark),
        "median_ci": _interval(benchmark),
        "iterations": benchmark.iterations,
        "kernel": own.get("kernel") if isinstance(own.get("kernel"), str) else None,
        "items_per_call": _number(extra.get("items_per_call")) if isinstance(extra, dict) else None,
        "interrupted_rounds": interrupted,
        "polluted": is_polluted(interrupted or 0, stats["rounds"] or 0),
        "verdict": _verdict(verdict),
        "metrics": describe_metrics(benchmark, metrics),
        "sampled": benchmark.data is not None and len(benchmark.data) > 0,
        "quantiles_ns": quantiles(benchmark, points),
        "baseline_quantiles_ns": [] if old is None else quantiles(old, points),
        "lane": describe_lane(benchmark),
    }


def _text(source: object, *keys: str) -> str:
    for key in keys:
        source = source.get(key) if isinstance(source, dict) else None
    return source if isinstance(source, str) else ""


def describe(results: Results, check: Check | None = None, sla: Iterable[TargetVerdict] = ()) -> dict[str, Any]:
    """Return the document that the reports are made of.

    Args:
        results: what to show.
        check: its verdicts; without them the report shows figures alone.
        sla: the verdicts on the targets that hold for it.

    """
    verdicts = {} if check is None else {verdict.fullname: verdict for verdict in check.verdicts}
    metrics: dict[str, list[MetricVerdict]] = {}
    for judged in () if check is None else check.metrics:
        metrics.setdefault(judged.fullname, []).append(judged)
    baseline = None if check is None else check.baseline
    old = {} if baseline is None else {one.fullname: one for one in baseline.benchmarks}
    many = max(1, len(results.benchmarks) * (2 if old else 1))
    points = max(LEAST_POINTS, min(MOST_POINTS, ALL_POINTS // many))
    return {
        "schema": SCHEMA,
        "source": results.path.name,
        "datetime": results.datetime,
        "backend": results.backend,
        "python": " ".join(
            filter(None, (_text(results.machine_info, key) for key in ("python_implementation", "python_version")))
        ),
        "processor": _text(results.machine_info, "cpu", "brand_raw"),
        "commit": _text(results.commit_info, "id"),
        "branch": _text(results.commit_info, "branch"),
        "dirty": results.commit_info.get("dirty") is True,
        "check": None
        if check is None
        else {
            # Not where the history is: a page or a comment may be public, a database's host is not.
            "baseline": "the history" if baseline is None else baseline.path.name,
            "against": "history" if baseline is None else "baseline",
            "baseline_datetime": "" if baseline is None else baseline.datetime,
            "warning": check.thresholds.warning,
            "critical": check.thresholds.critical,
            "mode": None,
            "counts": check.counts,
            "metric_counts": check.metric_counts,
            "lost_metrics": dict(check.lost_metrics),
            "advisory": check.advisory,
            "passed": check.passed,
            "differences": list(check.differences),
            "notes": [*filter(None, [pace_line(check, "the history" if baseline is None else "the baseline")])],
            "new": list(check.new),
            "gone": list(check.gone),
            "broken": [],
            "evidence": check.evidence,
        },
        "sla": describe_sla(sla),
        "lanes_failed": describe_failed(results),
        "benchmarks": [
            _benchmark(one, verdicts.get(one.fullname), metrics.get(one.fullname, ()), old.get(one.fullname), points)
            for one in results.benchmarks
        ],
    }
