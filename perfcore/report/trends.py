# SPDX-License-Identifier: MIT
"""What reports show of a history: how each benchmark came to its figure, and at which commits its level changed.

As in :mod:`perfcore.report.model`, the document is plain data. A trend's ``values`` stand beside the runs of its group,
None where a run lacks the benchmark, so that the moments and commits are there once for all benchmarks. The run that is
reported is the last point, whether the history has it already or not. Later runs are left out, and other environments
and the oldest runs where there would be more than ``MOST_POINTS`` in all. The form that a page holds is in
:mod:`perfcore.report.series`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perfcore.judge.history import find_changes
from perfcore.record.environment import describe
from perfcore.record.history import DAY, environment_key, method, moment
from perfcore.record.methods import alike
from perfcore.record.series import Group, Series, join_alike, read_series

if TYPE_CHECKING:
    from perfcore.record.history import History
    from perfcore.record.results import Results

DAYS = 365.0
MOST_POINTS = 1_500_000  # of all trends together: two bytes each, in base64
_LEAST_RUNS = 50  # of a benchmark, however many benchmarks there are


def _own_group(groups: list[Group], results: Results) -> int:
    """Return the index of the group that the reported run belongs to; it is added where it is the first of its kind."""
    key = (environment_key(results), results.backend)
    for index, group in enumerate(groups):
        if (group.environment, group.backend) == key:
            return index
    groups.append(Group(key[0], describe(results), results.backend))
    return len(groups) - 1


def _add_now(groups: list[Group], series: list[Series], results: Results, own: int) -> None:
    """Put the reported run at the end of its group."""
    group = groups[own]
    group.moments.append(moment(results))
    commit = results.commit_info.get("id")
    group.commits.append(commit if isinstance(commit, str) else None)
    known = {(one.fullname, one.method): one for one in series if one.group == own}
    for benchmark in results.benchmarks:
        if 0 < benchmark.median < math.inf:
            key = (benchmark.fullname, method(benchmark))
            if (one := known.get(key)) is None:
                one = Series(benchmark.fullname, own, key[1])
                series.append(one)
            one.runs.append(len(group.moments) - 1)
            one.values.append(benchmark.median)


def _trend(one: Series, count: int) -> dict[str, Any]:
    values: list[float | None] = [None] * count
    for run, value in zip(one.runs, one.values, strict=True):
        values[run] = value
    return {
        "group": one.group,
        "method": one.method,
        "values": values,
        "changes": [
            {
                "run": one.runs[change.position],
                "previous": one.runs[change.position - 1],
                "before": change.before,
                "after": change.after,
                "magnitude": change.magnitude,
                "pvalue": change.pvalue,
            }
            for change in find_changes(one.values)
        ],
    }


def _shorten(groups: Sequence[Group], series: Sequence[Series], most: int) -> None:
    """Keep the last runs of every group alone, at most so many."""
    for index, group in enumerate(groups):
        surplus = len(group.moments) - most
        if surplus <= 0:
            continue
        del group.moments[:surplus], group.commits[:surplus]
        group.earlier = surplus
        for one in series:
            if one.group == index:
                kept = [place for place, run in enumerate(one.runs) if run >= surplus]
                one.runs = [one.runs[place] - surplus for place in kept]
                one.values = [one.values[place] for place in kept]


def _choose(groups: Sequence[Group], series: Sequence[Series], own: int) -> list[int]:
    """Return the groups that there is room for: the run's own, then those with the newest runs."""
    sizes = [0] * len(groups)
    for one in series:
        sizes[one.group] += len(groups[one.group].moments)
    others = sorted((index for index in range(len(groups)) if index != own), key=lambda i: -groups[i].moments[-1])
    chosen, room = [own], MOST_POINTS - sizes[own]
    for index in others:
        if sizes[index] <= room:
            chosen.append(index)
            room -= sizes[index]
    return chosen


def _described(group: Group, own: bool) -> dict[str, Any]:
    python = " ".join(str(group.described.get(key) or "") for key in ("python_implementation", "python_version"))
    return {
        "own": own,
        "environment": group.environment,
        "backend": group.backend,
        "python": python.strip(),
        "earlier": group.earlier,
        "processor": str(group.described.get("processor") or ""),
        "runs": [[round(at), commit] for at, commit in zip(group.moments, group.commits, strict=True)],
    }


def add_trends(document: dict[str, Any], results: Results, history: History, days: float = DAYS) -> None:
    """Add the trends of its benchmarks to a document of :func:`perfcore.report.model.describe`.

    Args:
        document: gets a key ``history``, and each of its benchmarks a key ``trends``, the run's own environment first.
        results: what the document was made of.
        history: where the earlier runs are.
        days: how far back from the run to look.

    Raises:
        HistoryError: the database cannot be read, or the results do not tell when they were saved.

    """
    now = moment(results)
    names = [benchmark.fullname for benchmark in results.benchmarks]
    groups, series = read_series(history, names, since=now - days * DAY, until=now)
    own = _own_group(groups, results)
    if now not in groups[own].moments:
        _add_now(groups, series, results, own)
    series = join_alike(series)
    _shorten(groups, series, max(_LEAST_RUNS, MOST_POINTS // max(1, len(names))))
    chosen = _choose(groups, series, own)
    places = {index: place for place, index in enumerate(chosen)}
    found: dict[str, list[Series]] = {}
    for one in series:
        if one.group in places and one.runs:
            found.setdefault(one.fullname, []).append(one)
    ways = {benchmark.fullname: alike(method(benchmark)) for benchmark in results.benchmarks}
    for one in document["benchmarks"]:
        mine = found.get(one["fullname"], [])
        mine.sort(key=lambda each: (places[each.group], each.method not in ways[each.fullname], each.method))
        one["trends"] = [_trend(each, len(groups[each.group].moments)) | {"group": places[each.group]} for each in mine]
        one["trend_is_own"] = bool(mine) and mine[0].group == own and mine[0].method in ways[one["fullname"]]
    document["history"] = {
        "days": days,
        "groups": [_described(groups[index], index == own) for index in chosen],
        "left_out": len(groups) - len(chosen),
    }
