# SPDX-License-Identifier: MIT
"""The figures of a benchmark or a lane that recommendations rest on, gathered once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

from perfcore.judge.stats import Summary, summarize
from perfcore.record.lanes import LaneFigures, lane_figures
from perfcore.record.results import Benchmark


@dataclass(frozen=True, slots=True)
class Facts:
    """The figures that the rules look at; NaN where there are none."""

    times: list[float]
    summary: Summary
    lane: LaneFigures | None
    cpu: float = math.nan  # seconds an iteration
    used: float = math.nan  # processors in use on average
    system: float = math.nan  # share of the CPU time
    cores: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)  # means over the iterations


def gather(benchmark: Benchmark) -> Facts | None:
    """Return the facts about a benchmark; None if it has no samples."""
    if benchmark.data is None or not len(benchmark.data):
        return None
    times = benchmark.data.tolist()
    try:
        summary = summarize(benchmark.data)
    except ValueError:  # a sample that is not finite
        return None
    lane = lane_figures(benchmark)
    if lane is None:
        return Facts(times, summary, None)
    means = {name: fmean(known) for name in lane.resources if (known := lane.known(name))}
    cpu, percent = means.get("cpu_s", math.nan), means.get("cpu_percent", math.nan)
    system = means.get("system_s", math.nan) / cpu if cpu > 0 else math.nan
    return Facts(times, summary, lane, cpu, percent / 100, system, lane.cores, means)
