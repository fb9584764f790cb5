# SPDX-License-Identifier: MIT
"""What a results file tells of the lanes in it: how their iterations ended, and what each of them used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from perfcore._core import Samples
from perfcore.record.results import Benchmark, Results


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """A lane of a results file.

    Attributes:
        name: the lane.
        status: ``completed``, ``failed``, or ``running`` where the run was cut off.
        counts: how many iterations ended how.
        outcomes: of each iteration its index, status, seconds and reason.
        warmup: how often it ran before it was measured.
        cores: processors that it could use; 0 where unknown.
        memory_bytes: of the machine; 0 where unknown.
        resources: for each completed iteration a figure, NaN where the kernel gave none.
        timeline: metrics over time of one iteration, with their ``times``; empty where there is none.

    """

    name: str
    status: str
    counts: Mapping[str, int]
    outcomes: tuple[Mapping[str, Any], ...]
    warmup: int
    cores: int
    memory_bytes: int
    resources: Mapping[str, list[float]]
    timeline: Mapping[str, list[float]]

    def known(self, name: str) -> list[float]:
        """Return the figures of a resource that are there."""
        return [value for value in self.resources.get(name, ()) if math.isfinite(value)]


def _numbers(value: object) -> list[float]:
    if not isinstance(value, Samples | list):
        return []
    made = []
    for one in value.tolist() if isinstance(value, Samples) else value:
        real = isinstance(one, int | float) and not isinstance(one, bool)
        made.append(float(one) if real else math.nan)
    return made


def _tables(value: object) -> Mapping[str, list[float]]:
    return {key: _numbers(item) for key, item in value.items()} if isinstance(value, dict) else {}


def _count(value: object) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else 0


def _figures(entry: object) -> LaneFigures | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return None
    counts, outcomes = entry.get("counts"), entry.get("outcomes")
    return LaneFigures(
        name=entry["name"],
        status=str(entry.get("status")),
        counts={key: _count(value) for key, value in counts.items()} if isinstance(counts, dict) else {},
        outcomes=tuple(one for one in outcomes if isinstance(one, dict)) if isinstance(outcomes, list) else (),
        warmup=_count(entry.get("warmup")),
        cores=_count(entry.get("cores")),
        memory_bytes=_count(entry.get("memory_bytes")),
        resources=_tables(entry.get("resources")),
        timeline={key: value for key, value in _tables(entry.get("timeline")).items() if value},
    )


def lane_figures(benchmark: Benchmark) -> LaneFigures | None:
    """Return what a benchmark tells of the lane that it is; None if it is no lane."""
    return _figures((benchmark.perfcore or {}).get("lane"))


def failed_lanes(results: Iterable[Results]) -> list[LaneFigures]:
    """Return the lanes of some files that have no time at all."""
    found = []
    for one in results:
        failed = one.perfcore.get("lanes_failed")
        entries = failed.values() if isinstance(failed, dict) else ()
        found += [figures for figures in map(_figures, entries) if figures is not None]
    return found
