# SPDX-License-Identifier: MIT
"""What the history keeps of a benchmark beside its columns, as JSON, and how a metric is found by its name.

The metrics of a call stand at the top; the other statistics, percentiles, and the numbers that the test put into
``extra_info``, stand under these names (``stats``, …), so that a test's own ``allocations`` are never taken for those
of a call.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from perfcore.record.results import Benchmark

COLUMNS = ("median", "mean", "stddev", "min", "max")  # statistics that have a column of their own
MOST_NUMBERS = 50  # of one object of extra_info: what has more is a table and no figures, and is not kept


class Kept(NamedTuple):
    """A benchmark's figures in one run of the history."""

    backend: str
    method: str
    figures: Mapping[str, Any]
    """Metrics of calls; and under ``stats``, ``percentiles`` and ``extra_info`` what a results file has there."""


def real(value: object) -> float | None:
    """Return a finite number as a float; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _numbers(source: object) -> dict[str, Any]:
    """Return the numbers of an object, by their keys; nothing if there are too many."""
    if not isinstance(source, Mapping):
        return {}
    found = {str(key): value for key, value in source.items() if real(value) is not None}
    return found if len(found) <= MOST_NUMBERS else {}


def keep(benchmark: Benchmark) -> str | None:
    """Return what the history keeps of a benchmark beside its columns; None where there is nothing."""
    import json  # here, because a check without a history comes by for look_up() alone

    own = benchmark.perfcore or {}
    metrics, extra = own.get("metrics"), benchmark.extra_info
    kept = dict(metrics) if isinstance(metrics, Mapping) else {}
    objects = {str(key): found for key, value in extra.items() if (found := _numbers(value))}
    others = {key: value for key, value in benchmark.stats.items() if key not in (*COLUMNS, "ops")}  # ops: of the mean
    under = {
        "stats": _numbers(others),
        "percentiles": _numbers(own.get("percentiles")),
        "extra_info": _numbers(extra) | objects,
    }
    kept |= {name: found for name, found in under.items() if found}
    return json.dumps(kept, sort_keys=True, default=str) if kept else None


def look_up(metric: str, sources: Iterable[object]) -> float | None:
    """Return a metric's figure from the first source that has a number of that name; None if none has.

    In the last source, ``latency_ns.p99`` is the ``p99`` of the object ``latency_ns``.
    """
    source: object = None
    for source in sources:
        if isinstance(source, dict) and metric in source and (found := real(source[metric])) is not None:
            return found
    outer, dot, inner = metric.partition(".")
    within = source.get(outer) if dot and isinstance(source, dict) else None
    return real(within.get(inner)) if isinstance(within, dict) else None


def kept_figure(figures: Mapping[str, Any], metric: str, *, of_call: bool | None = None) -> float | None:
    """Return a metric's figure from what is kept, as `perfcore.judge.metrics.figure` finds it in a results file.

    Args:
        figures: what is kept.
        metric: its name.
        of_call: whether only metrics of calls will do (or only others); by default, either.

    """
    if of_call:
        return look_up(metric, (figures, None))
    others = map(figures.get, ("stats", "percentiles", "extra_info"))
    return look_up(metric, (None if of_call is False else figures, *others))
