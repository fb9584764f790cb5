# SPDX-License-Identifier: MIT
"""The verdict on benchmarks against the runs of a history, and where a series of runs is going.

With y the logarithm of the new median and h those of the last K runs of the same environment and backend that were
measured the same way, the excess y - median(h) counts when it is above both the threshold and what a further run may
differ by: t(0.37 (K - 1)) * 1.4826 * MAD(h) * sqrt(1 + pi / (2 K)), a prediction interval from robust estimates (pi /
(2 K) is the variance of a median in units of one run's). K runs tell a MAD as well as 0.37 K tell a standard deviation
(P. J. Rousseeuw, C. Croux, J. Amer. Statist. Assoc. 88 (1993), 1273-1283), hence Student's t with so few degrees.
Where rounds of one call are compared with rounds of many, what the clock may have added is taken off first, and what
the machine's pace may explain, where it is known: that of the run against the median of the others'. Unlike the rounds
of one process, the runs hold the noise between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from perfcore import _core
from perfcore.judge.changepoint import LevelChange, find_levels
from perfcore.judge.metrics import JUDGED, Case, MetricRules, MetricVerdict, Outcome, figure, is_steady, of_call
from perfcore.judge.pace import UNKNOWN_PACES, Paces, pace_reason
from perfcore.judge.stats import exp, inverse
from perfcore.judge.thresholds import Thresholds, percent
from perfcore.judge.verdict import Verdict
from perfcore.record.kept import kept_figure
from perfcore.record.methods import ONE_CALL_S, alike, is_one_call
from perfcore.record.results import Benchmark

MIN_RUNS = 10
MAX_RUNS = 50  # the latest; what lies further back is another program by now
KEPT_RUNS = 200  # that are looked through for a metric, which not every run need have
LEVEL = 0.99  # of the prediction interval, both sides together
EVIDENCE = f"medians; allowance from how the last runs of the same environment differ ({LEVEL:.0%} prediction interval)"

_MAD_SCALE = 1.4826
_MAD_EFFICIENCY = 0.37  # of normal data, against the standard deviation
_DAY = 86400.0
_BARS = "▁▂▃▄▅▆▇█"
_MOST_POINTS = 100  # of a slope; longer series are thinned to medians of neighbours


def judge_history(
    fullname: str,
    value: float,
    history: Sequence[float],
    thresholds: Thresholds,
    *,
    clock: float = 0.0,
    paces: Paces = UNKNOWN_PACES,
) -> Verdict:
    """Judge a median against those of earlier runs that mean the same.

    Args:
        fullname: the benchmark.
        value: its new median in seconds.
        history: the medians of the earlier runs, the oldest first; only the last ``MAX_RUNS`` count.
        thresholds: when a slow-down is a warning, and when critical.
        clock: the relative change that the clock's own time may make, which some of the runs have in them.
        paces: the machine's, during the earlier runs and during this one.

    Returns:
        The verdict; ``undecided`` and not comparable with fewer than ``MIN_RUNS`` runs.

    """
    usable = [math.log(one) for one in history if 0 < one < math.inf][-MAX_RUNS:]
    nan, count = math.nan, len(usable)
    middle = exp(median(usable)) if usable else nan
    reason = ""
    if not 0 < value < math.inf:
        reason = "the median is not above zero"
    elif count < MIN_RUNS:
        reason = _too_few(count)
    if reason:
        return Verdict(fullname, "undecided", nan, nan, nan, nan, middle, value, reason, comparable=False)
    centre = median(usable)
    excess = math.log(value) - centre
    mad = median(abs(one - centre) for one in usable)
    quantile = _core.student_quantile(0.5 + LEVEL / 2, _MAD_EFFICIENCY * (count - 1))
    noise = quantile * _MAD_SCALE * mad * math.sqrt(1 + math.pi / (2 * count))
    added = math.log1p(clock)
    warning, critical = math.log1p(thresholds.warning), math.log1p(thresholds.critical)
    pace, slower, faster, hidden = _core.pace_effect(*paces)
    if excess - added - slower > max(critical, noise):
        status = "critical"
    elif excess - added - slower > max(warning, noise):
        status = "warning"
    elif excess - added > max(warning, noise):
        status, reason = "undecided", pace_reason("slower", pace, thresholds.warning, thresholds.critical)
    elif excess > warning:
        status = "undecided"
        reason = f"past {percent(thresholds.warning)}, but runs of the history differ by {exp(noise) - 1:.1%}"
        reason += f", and the clock may add {clock:.1%} to rounds of one call" if clock else ""
    elif excess + hidden > critical:
        status, reason = "undecided", pace_reason("faster", pace, thresholds.warning, thresholds.critical)
    else:
        status = "improvement" if excess + added + faster < -max(warning, noise) else "ok"
    allowance = noise + added
    low, high = exp(excess - allowance - slower), exp(excess + allowance + faster)
    return Verdict(
        fullname, status, exp(excess), low, high, allowance, middle, value, reason, comparable=True, pace=pace
    )


def _too_few(count: int) -> str:
    more = MIN_RUNS - count
    return (
        f"{count} {'run' if count == 1 else 'runs'} of this environment measured this way in the history; "
        f"{more} more {'is' if more == 1 else 'are'} needed"
    )


def clock_share(head: Benchmark, way: str, earlier: Sequence[tuple[float, float, str]]) -> float:
    """Return the relative change that the clock alone may make, where only one side has rounds of one call.

    Args:
        head: what is judged.
        way: how it was measured.
        earlier: moment, median and way of the runs that it is judged by.

    """
    ways = alike(way)
    others = [value for _, value, other in earlier if other != way and other in ways]
    if not others or not head.median > 0:
        return 0.0
    return ONE_CALL_S / (head.median if is_one_call(way) else median(others))


def judge_metrics_by_history(
    head: Benchmark,
    thresholds: Thresholds,
    rules: MetricRules,
    runs: Sequence[Mapping[str, Any]],
    same: Sequence[Mapping[str, Any]] | None = None,
    *,
    clock: float = 0.0,
    paces: Paces = UNKNOWN_PACES,
) -> list[MetricVerdict]:
    """Judge the metrics of one benchmark by those of earlier runs of the same environment.

    What is exact, and sizes, are compared with the last run that has them; times and rates as medians are, or, where
    they are not above zero, with all of the last runs.

    Args:
        head: what to judge.
        thresholds: those of the benchmark, for what has none of its own.
        rules: what holds for metrics.
        runs: the figures of the earlier runs, the oldest first, as the history keeps them.
        same: those of the runs that were measured the same way, which all but metrics of calls are judged by.
        clock: as of `judge_history`, for those.
        paces: as of `judge_history`.

    """
    made = []
    for case in rules.cases(head, thresholds):
        value = figure(head, case.metric)
        if value is None:
            continue
        those, added = (runs, 0.0) if same is None or case.metric in JUDGED else (same, clock)
        here = of_call(head, case.metric)
        found = [known for run in those if (known := kept_figure(run, case.metric, of_call=here)) is not None]
        before = found[-1] if found else None
        if before is None:
            outcome = Outcome("undecided", reason="the history does not have it", comparable=False)
        elif case.exact or is_steady(case.metric) or not case.limits[0]:
            outcome = case.compare(before, value)
        else:
            before, outcome = _by_runs(case, head.fullname, value, found, clock=added, paces=paces)
        verdict = case.verdict(head.fullname, before, value, outcome)
        if before is not None or verdict.over_limit:
            made.append(verdict)
    return made


def _by_runs(
    case: Case, fullname: str, value: float, runs: Sequence[float], *, clock: float, paces: Paces
) -> tuple[float, Outcome]:
    """Judge a metric by its figures in earlier runs, as medians are; return what it was compared with, too.

    Where it is, or mostly was, not above zero, there is no ratio to judge by: then what lies past all of the last runs
    counts, against the nearest of them: a rate that falls to zero is critical, as are failures where there were none.
    """
    last = runs[-MAX_RUNS:]
    if len(last) >= MIN_RUNS and (value <= 0 or median(last) <= 0 or sum(one > 0 for one in last) < MIN_RUNS):
        nearest = min(max(value, min(last)), max(last))
        return nearest, case.compare(nearest, value, (0.0, 0.0))
    if len(last) < MIN_RUNS:
        return median(last), Outcome("undecided", reason=_too_few(len(last)), comparable=False)
    turn: Callable[[float], float] = inverse if case.up else float
    series = [turn(one) for one in runs if one > 0]
    judged = judge_history(fullname, turn(value), series, Thresholds(*case.limits), clock=clock, paces=paces)
    ratio, before = turn(judged.ratio), turn(judged.baseline_median)
    return before, Outcome(judged.status, ratio, judged.allowance, judged.reason, judged.comparable)


@dataclass(frozen=True, slots=True)
class Trend:
    """Where a benchmark is going.

    Attributes:
        count: runs.
        first: the first median in seconds.
        last: the last one.
        weekly: growth in a week as a ratio (1.02 is 2 % slower each week); NaN where all runs lie within a day.
        changes: indices of the runs at which a change begins.
        sparkline: the series as bars, the lowest figure the lowest bar.
        levels: the same changes with the levels before and after, and their p-values.

    """

    count: int
    first: float
    last: float
    weekly: float
    changes: tuple[int, ...]
    sparkline: str
    levels: tuple[LevelChange, ...] = ()


def sparkline(values: Sequence[float], width: int = 20, *, last: bool = False) -> str:
    """Return figures as bars, at most ``width`` of them, each the median of its part, the last one alone if asked."""
    parts = [*_parts(values[:-1], width - 1), values[-1]] if last and len(values) > 1 else _parts(values, width)
    low, high = min(parts), max(parts)
    span = (high - low) or 1.0
    # What differs by less than a percent is drawn flat: noise should not look like mountains.
    scale = len(_BARS) - 1 if high - low > 0.01 * abs(high) else 0
    return "".join(_BARS[round((value - low) / span * scale)] for value in parts)


def _parts(values: Sequence[float], most: int) -> list[float]:
    count = min(len(values), most)
    edges = [len(values) * part // count for part in range(count + 1)]
    return [median(values[begin:end]) for begin, end in pairwise(edges)]


def _weekly(moments: Sequence[float], values: Sequence[float]) -> float:
    """Return the Theil-Sen slope of the logarithms (Sen, JASA 63 (1968), 1379-1389) as growth in a week."""
    when = _parts(moments, _MOST_POINTS)
    what = [math.log(value) for value in _parts(values, _MOST_POINTS)]
    if max(when) - min(when) < _DAY:  # a few seconds, or a morning, say nothing of a week
        return math.nan
    slopes = [
        (what[j] - what[i]) / (when[j] - when[i])
        for i in range(len(when))
        for j in range(i + 1, len(when))
        if when[j] > when[i]
    ]
    if not slopes:
        return math.nan
    return exp(min(median(slopes) * 7 * _DAY, 700.0))  # two moments close together may give any slope


def find_changes(values: Sequence[float]) -> tuple[LevelChange, ...]:
    """Return the changes of level; nothing in a series shorter than ``MIN_RUNS``."""
    return tuple(find_levels(values)) if len(values) >= MIN_RUNS else ()


def trend(moments: Sequence[float], values: Sequence[float]) -> Trend | None:
    """Describe a series of medians (the oldest first); None where no figure is above zero."""
    kept = [(at, value) for at, value in zip(moments, values, strict=True) if 0 < value < math.inf]
    if not kept:
        return None
    when, what = [at for at, _ in kept], [value for _, value in kept]
    levels = find_changes(what)
    changes = tuple(change.position for change in levels)
    return Trend(len(what), what[0], what[-1], _weekly(when, what), changes, sparkline(what), levels)
