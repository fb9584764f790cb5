# SPDX-License-Identifier: MIT
"""The machine's pace during a benchmark, as its results file tells it: ``perfcore.pace`` of the benchmark.

What is in it, and how it is measured, says `perfcore.measure.pace`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

from perfcore.record.results import Benchmark

# Seconds of the median, and of both ends of its interval; NaN for what is not known.
PaceInterval: TypeAlias = tuple[float, float, float]

UNKNOWN: PaceInterval = (math.nan, math.nan, math.nan)


def pace_of(benchmark: Benchmark) -> PaceInterval:
    """Return the machine's pace while a benchmark ran."""
    told = (benchmark.perfcore or {}).get("pace")
    if not isinstance(told, Mapping):
        return UNKNOWN
    return _seconds(told, "median_s"), _seconds(told, "low_s"), _seconds(told, "high_s")


def _seconds(told: Mapping[str, object], key: str) -> float:
    value = told.get(key)
    return float(value) if type(value) is float and 0 < value < math.inf else math.nan
