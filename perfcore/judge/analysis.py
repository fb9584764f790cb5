# SPDX-License-Identifier: MIT
"""What results files and a history tell: statistics, standings in a group, whole files side by side, trends by window.

Times are seconds. A file against another is the centre of its benchmarks' log ratios (Hodges-Lehmann, with its
interval; see csrc/core/judge/pc_shift.h); a window of runs against the one before it is their shift, likewise. Nothing
here is a gate: ``RegressionDetector`` is.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from perfcore.errors import ResultsError
from perfcore.judge import rank
from perfcore.judge.detector import as_results
from perfcore.judge.history import MIN_RUNS, trend
from perfcore.judge.stats import exp, summarize
from perfcore.judge.thresholds import WARNING, Thresholds
from perfcore.judge.verdict import judge_benchmark
from perfcore.names import is_chosen
from perfcore.record.environment import differences
from perfcore.record.results import Benchmark, Results

if TYPE_CHECKING:
    from perfcore.record.history import History, Point

By = Literal["group", "all"]
LEVEL = 0.95
_DAY = 86400.0
_FIGURES = ("min", "q1", "median", "q3", "max", "mean", "stddev", "iqr", "ops")


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of one benchmark of one file, in seconds; NaN where the file does not tell.

    Attributes:
        file: where they come from.
        fullname: the benchmark.
        group: its group, if any.
        rounds: how many samples there were.
        iterations: calls in each of them.
        min: the least sample; the others likewise, by their names.
        ops: calls in a second, by the mean.
        low: the lower end of the median's 95 % interval.
        high: its upper end.

    """

    file: str
    fullname: str
    group: str | None
    rounds: int
    iterations: int
    min: float
    q1: float
    median: float
    q3: float
    max: float
    mean: float
    stddev: float
    iqr: float
    ops: float
    p90: float
    p95: float
    p99: float
    p999: float
    mad: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Standing:
    """One of the benchmarks that were put side by side.

    Attributes:
        file: where it comes from.
        fullname: the benchmark.
        median: seconds.
        ratio: to the fastest one's.
        low: the ratio with the allowance for the rounds' spread taken off; NaN where that is unknown.
        high: the ratio with it added.
        tied: whether that spread may explain the difference from the fastest.

    """

    file: str
    fullname: str
    median: float
    ratio: float
    low: float
    high: float
    tied: bool


@dataclass(frozen=True, slots=True)
class FileComparison:
    """A whole file against another: the benchmarks that both have, as one.

    Attributes:
        file: what is compared.
        against: with what.
        common: how many benchmarks both have.
        compared: how many of them mean the same in both.
        ratio: the typical ratio of the medians; NaN where nothing was compared.
        low: the lower end of its 95 % interval; NaN where there are too few benchmarks (fewer than 6).
        high: its upper end.
        pvalue: of the signed-rank test that the ratios lie about 1; NaN where all of them are 1.
        slower: how many are slower by more than the warning and the rounds' spread.
        faster: how many are faster so.
        differences: what differs between the environments.

    """

    file: str
    against: str
    common: int
    compared: int
    ratio: float
    low: float
    high: float
    pvalue: float
    slower: int
    faster: int
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WindowTrend:
    """The last runs of a benchmark against as many before them; runs that mean the same alone.

    Attributes:
        benchmark: its name.
        environment: the digest of the environment.
        backend: what ran it.
        method: the kernel and the timer, those of the newest run where rounds had one call and many.
        metric: what was looked at.
        count: runs.
        window: runs in a window.
        before: the median of the window before.
        recent: the median of the last window.
        ratio: of the two windows; NaN where there are not enough runs.
        low: the lower end of its 95 % interval.
        high: its upper end.
        direction: ``up`` or ``down`` where the interval says so, ``steady`` where it lies within 5 % either way, else
            ``undecided``.
        weekly: growth in a week as a ratio, over all runs; NaN where they lie within a day.
        changes: moments and commits at which a change of level begins.
        moving: the median of each run's window.
        sparkline: all runs as bars.

    """

    benchmark: str
    environment: str
    backend: str
    method: str
    metric: str
    count: int
    window: int
    before: float
    recent: float
    ratio: float
    low: float
    high: float
    direction: str
    weekly: float
    changes: tuple[tuple[float, str | None], ...]
    moving: tuple[float, ...]
    sparkline: str


def _number(source: Any, key: str) -> float:
    value = source.get(key) if isinstance(source, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def describe(benchmark: Benchmark, file: str = "") -> Statistics:
    """Return a benchmark's figures: from its samples where the file has them, else as the file tells them."""
    own = benchmark.perfcore or {}
    found = {name: _number(dict(benchmark.stats), name) for name in _FIGURES}
    percentiles, interval = own.get("percentiles"), own.get("median_ci")
    found |= {name: _number(percentiles, name) for name in ("p90", "p95", "p99")}
    found |= {"p999": _number(percentiles, "p99.9"), "mad": _number(own, "mad")}
    found |= {name: _number(interval, name) for name in ("low", "high")}
    rounds = benchmark.stats.get("rounds")
    if benchmark.data is not None and len(benchmark.data):
        summary = summarize(benchmark.data, LEVEL)
        found |= {name: getattr(summary, name) for name in (*_FIGURES, "p90", "p95", "p99", "p999", "mad")}
        if summary.median_ci is not None:
            found |= {"low": summary.median_ci.low, "high": summary.median_ci.high}
        rounds = summary.rounds
    return Statistics(
        file=file,
        fullname=benchmark.fullname,
        group=benchmark.group,
        rounds=rounds if isinstance(rounds, int) else 0,
        iterations=benchmark.iterations,
        **found,
    )


def _standings(members: Sequence[tuple[str, Benchmark]]) -> list[Standing]:
    ordered = sorted(members, key=lambda member: (member[1].median, member[1].fullname, member[0]))
    fastest = ordered[0][1]
    made = []
    for file, one in ordered:
        found = judge_benchmark(fastest, one, Thresholds(), allow_backend_mismatch=True)
        known = not math.isnan(found.low)
        tied = one is fastest or (known and found.low <= 1)
        made.append(Standing(file, one.fullname, one.median, found.ratio, found.low, found.high, tied))
    return made


def _compare(base: Results, other: Results) -> FileComparison:
    old = {one.fullname: one for one in base.benchmarks}
    pairs = [(old[one.fullname], one) for one in other.benchmarks if one.fullname in old]
    backends = (base.backend, other.backend)
    verdicts = [judge_benchmark(before, after, Thresholds(), backends=backends) for before, after in pairs]
    logs = [math.log(found.ratio) for found in verdicts if 0 < found.ratio < math.inf]
    ratio = low = high = pvalue = math.nan
    if logs:
        centre = rank.center(logs, LEVEL)
        ratio = exp(centre.estimate)
        if centre.interval is not None:
            low, high = exp(centre.interval.low), exp(centre.interval.high)
        if any(logs):
            pvalue = rank.signed_rank(logs).pvalue
    return FileComparison(
        file=str(other.path),
        against=str(base.path),
        common=len(pairs),
        compared=len(logs),
        ratio=ratio,
        low=low,
        high=high,
        pvalue=pvalue,
        slower=sum(found.status in ("warning", "critical") for found in verdicts),
        faster=sum(found.status == "improvement" for found in verdicts),
        differences=tuple(differences(base, other)),
    )


def _window_trend(name: str, metric: str, points: Sequence[Point], window: int) -> WindowTrend | None:
    """Describe one series; None where there is nothing to describe."""
    values = [point.median for point in points]
    whole = trend([point.at for point in points], values)
    if whole is None:
        return None
    recent, before = values[-window:], values[-2 * window : -window]
    ratio = low = high = math.nan
    direction = "undecided"
    if len(before) == window:
        moved = rank.shift([math.log(value) for value in recent], [math.log(value) for value in before], LEVEL)
        ratio = exp(moved.estimate)
        if moved.interval is not None:
            low, high = exp(moved.interval.low), exp(moved.interval.high)
            steady = low > 1 / (1 + WARNING) and high < 1 + WARNING
            direction = "up" if low > 1 else "down" if high < 1 else "steady" if steady else "undecided"
    newest = points[-1]
    return WindowTrend(
        benchmark=name,
        environment=newest.environment,
        backend=newest.backend,
        method=newest.method,
        metric=metric,
        count=len(points),
        window=window,
        before=median(before) if before else math.nan,
        recent=median(recent),
        ratio=ratio,
        low=low,
        high=high,
        direction=direction,
        weekly=whole.weekly,
        changes=tuple((points[i].at, points[i].commit) for i in whole.changes),
        moving=tuple(median(values[max(0, end - window) : end]) for end in range(1, len(values) + 1)),
        sparkline=whole.sparkline,
    )


class PerformanceAnalyzer:
    """Analyses results files (of benchmarks or of lanes) and a history.

    Args:
        sources: results, or the files to read them from.
        history: for `trends`: a history, or where it is (a file or a database's URL).

    Raises:
        ResultsError: a file cannot be read.

    """

    def __init__(
        self, *sources: Results | str | os.PathLike[str], history: History | str | os.PathLike[str] | None = None
    ) -> None:
        self.results = tuple(as_results(source) for source in sources)
        self._history = history

    def _members(self, pattern: str | None) -> list[tuple[str, Benchmark]]:
        found = [
            (str(results.path), one)
            for results in self.results
            for one in results.benchmarks
            if is_chosen(one.fullname, pattern)
        ]
        if pattern is not None and not found:
            raise ResultsError(f"no benchmark holds or matches {pattern!r}; the names are those of perfcore analyze")
        return found

    def statistics(self, pattern: str | None = None) -> list[Statistics]:
        """Return the figures of each benchmark of each file.

        Args:
            pattern: only names that hold this text or match it as a shell pattern.

        Raises:
            ResultsError: none does.

        """
        return [describe(one, file) for file, one in self._members(pattern)]

    def rank(self, by: By = "group", pattern: str | None = None) -> dict[str, list[Standing]]:
        """Return the benchmarks of each group side by side, the fastest first.

        Args:
            by: ``group``: those that the files put into one group; ``all``: all of them together, as for lanes.
            pattern: only names that hold this text or match it.

        Returns:
            The standings by the group's name; groups with a single benchmark are left out.

        """
        groups: dict[str, list[tuple[str, Benchmark]]] = {}
        for file, one in self._members(pattern):
            if by == "all" or one.group is not None:
                groups.setdefault("" if by == "all" else str(one.group), []).append((file, one))
        return {name: _standings(members) for name, members in groups.items() if len(members) > 1}

    def compare(self) -> list[FileComparison]:
        """Return how each further file differs from the first one as a whole."""
        return [_compare(self.results[0], other) for other in self.results[1:]]

    def trends(
        self,
        pattern: str | None = None,
        *,
        metric: str = "median",
        window: int = MIN_RUNS,
        days: float = 90.0,
        now: float | None = None,
    ) -> list[WindowTrend]:
        """Return how the last runs in the history differ from those before them.

        Args:
            pattern: only names that hold this text or match it.
            metric: the median, another statistic that a history keeps (mean, min, max, stddev), or a metric of calls.
            window: runs in a window, at least 2.
            days: how far back to look.
            now: the present moment in seconds since 1970; by default that of the clock.

        Raises:
            HistoryError: there is no history.
            ValueError: the window is too small.

        """
        from perfcore.record.history import History
        from perfcore.record.series import group_alike

        if window < 2:
            raise ValueError(f"a window must have at least 2 runs, not {window}")
        history = self._history
        if not isinstance(history, History):
            from perfcore.config import load_config

            history = History(history or load_config().history)
        since = (time.time() if now is None else now) - days * _DAY
        made = []
        for name, points in history.series(history.names(pattern), since=since, metric=metric).items():
            found = (_window_trend(name, metric, group, window) for group in group_alike(points))
            made += [one for one in found if one is not None]
        return made
