# SPDX-License-Identifier: MIT
"""The verdicts on what a benchmark costs besides the median of its time: memory, allocations, processor time, rates.

A metric is known by its key in the results file: what ``--perfcore-metrics`` measured (``perfcore.metrics``), a
statistic (``mean``, ``p99``, ``ops``), or a number that the test put into ``extra_info`` (``latency_ns.p99`` is that
of an object there). Those of ``JUDGED`` are judged wherever both files have them, all others where
``[tool.perfcore.thresholds.metrics]`` names them: what a test counts need not be better when it grows or shrinks.

Exact metrics are the same in every run of the same code, so any change of one counts, by its direction. The others are
compared as medians are, by csrc/core/judge/pc_verdict.h: sizes and instructions without an allowance, times and rates
with that of the benchmark's own rounds, relative to the metric's figure, because a file holds one figure of each, and
with what the machine's pace may explain.
Instructions are counted by the processor, and the hash seed alone moves them a little, so they count from 1 % on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from perfcore import _core
from perfcore.errors import ConfigError
from perfcore.judge.pace import PACES, UNKNOWN_PACES, Paces, pace_reason
from perfcore.judge.thresholds import MetricRule, Rule, Thresholds, metric_rule, percent
from perfcore.record.kept import look_up
from perfcore.record.pace import pace_of
from perfcore.record.results import Benchmark
from perfcore.units import format_metric, unit_of

# Metrics of a call that are judged without being named, and whether they are exact.
JUDGED = {
    "allocations": True,
    "allocated_bytes": True,
    "growth_bytes": True,
    "instructions": False,
    "peak_bytes": False,
    "cpu_s": False,
}
INSTRUCTIONS = 0.01  # the change of them that is a warning
_NUMBERS = {int, float}
_UPWARDS = ("ops", "throughput")
_UPWARD_ENDINGS = ("_per_second", "_per_s", "_throughput")


class MetricVerdict(NamedTuple):
    """What became of one metric of one benchmark.

    Attributes:
        fullname: the benchmark.
        metric: its key in the results file.
        status: one of ``perfcore.judge.verdict.STATUSES``.
        ratio: new figure over the baseline's; infinite from zero, NaN where there is no comparison.
        baseline: the old figure; NaN where there is none.
        value: the new one.
        allowance: relative noise of both together; 0 for what is judged exactly.
        up: whether more is better.
        exact: whether any change counts.
        reason: why it is undecided, or which limit it is over; empty otherwise.
        comparable: False when the two were not compared at all.
        over_limit: True when the figure is past an absolute limit; that holds in any environment.

    """

    fullname: str
    metric: str
    status: str
    ratio: float
    baseline: float
    value: float
    allowance: float
    up: bool
    exact: bool
    reason: str
    comparable: bool
    over_limit: bool = False


def rises(metric: str) -> bool:
    """Whether more of a metric is better, unless the configuration says otherwise."""
    return metric in _UPWARDS or metric.endswith(_UPWARD_ENDINGS)


def is_steady(metric: str) -> bool:
    """Whether figures of a metric are compared as they are, without the spread of the rounds."""
    return metric == "instructions" or unit_of(metric) == "B"


def measured(benchmark: Benchmark) -> Mapping[str, Any]:
    """Return a benchmark's metrics of calls, that ``--perfcore-metrics`` measured; nothing where there are none."""
    found = (benchmark.perfcore or {}).get("metrics")
    return found if isinstance(found, dict) else {}


def of_call(benchmark: Benchmark, metric: str) -> bool:
    """Whether a benchmark's figure of this name is one of calls."""
    return metric in measured(benchmark)


def figure(benchmark: Benchmark, metric: str) -> float | None:
    """Return a metric's figure; None where the file has none."""
    return _figure(benchmark, measured(benchmark), metric)


def _figure(benchmark: Benchmark, of_calls: Mapping[str, Any], metric: str) -> float | None:
    value = of_calls.get(metric)
    if type(value) is float or type(value) is int:
        return float(value)  # finite: the reader refuses all else
    return look_up(metric, (benchmark.stats, (benchmark.perfcore or {}).get("percentiles"), benchmark.extra_info))


def _spread(benchmark: Benchmark) -> float:
    """Return the relative MAD of the benchmark's rounds, or what stands for it; NaN where the file does not tell."""
    own, stats = benchmark.perfcore or {}, benchmark.stats
    mad, iqr, median = own.get("mad"), stats.get("iqr"), float(stats["median"])
    if not 0 < median < math.inf:
        return math.nan
    known = [float(one) / median for one in (mad, None if iqr is None else iqr / 2) if one is not None]
    return max(known, default=math.nan)  # of normal data, the IQR is two MADs


def _judge_exact(ratio: float, worse: bool, limits: tuple[float, float]) -> str:
    """Judge a change of an exact metric; ``ratio`` is not 1."""
    if not worse:
        return "improvement"
    warning, critical = limits
    change = ratio - 1 if ratio > 1 else 1 / ratio - 1 if ratio > 0 else math.inf
    change /= 1 + 1e-9  # from 100 to 110 is 10 %, whatever the last bit of the quotient
    return "critical" if change > critical else "warning" if change > warning else "ok"


class Outcome(NamedTuple):
    """What came out of comparing two figures."""

    status: str
    ratio: float = math.nan
    allowance: float = math.nan
    reason: str = ""
    comparable: bool = True


class Case(NamedTuple):
    """A metric, and what holds for it in some benchmark.

    Attributes:
        metric: its name.
        rule: what was said of it.
        up: whether more is better.
        exact: whether any change counts.
        limits: the relative changes that are a warning and critical; 0: any.
        is_plain: whether it is one of ``JUDGED`` without an absolute limit: where it is what it was, it is ok.

    """

    metric: str
    rule: MetricRule
    up: bool
    exact: bool
    limits: tuple[float, float]
    is_plain: bool = False

    def compare(
        self,
        old: float,
        new: float,
        spreads: tuple[float, float] = (math.nan, math.nan),
        paces: Paces = UNKNOWN_PACES,
    ) -> Outcome:
        """Compare two figures; ``spreads`` are the relative MADs of the rounds of the two, ``paces`` the machine's."""
        ratio = new / old if old else (1.0 if new == old else math.inf)
        warning, critical = self.limits
        if new == old:
            return Outcome("ok", 1.0, 0.0)
        if self.exact or old <= 0 or new <= 0 or not warning:
            worse = new < old if self.up else new > old
            return Outcome(_judge_exact(ratio, worse, (warning, critical)), ratio, 0.0)
        steady = is_steady(self.metric)
        old_mad, new_mad = (0.0, 0.0) if steady else (spreads[0] * old, spreads[1] * new)
        before, after = (old, old_mad, math.nan), (new, new_mad, math.nan)
        sides = (after, before) if self.up else (before, after)
        meanwhile = () if steady else paces
        status, code, _, _, _, allowance, pace = _core.judge_medians(*sides, warning, critical, *meanwhile)
        if code == "noise":
            reason = f"past {percent(warning)}, but the rounds spread by {allowance:.1%}"
            return Outcome(status, ratio, allowance, reason)
        if code in PACES:
            return Outcome(status, ratio, allowance, pace_reason(code, pace, warning, critical))
        if code:
            return Outcome(status, ratio, reason="the noise of the rounds is unknown", comparable=False)
        return Outcome(status, ratio, allowance)

    def verdict(self, fullname: str, old: float | None, new: float, outcome: Outcome) -> MetricVerdict:
        """Return the verdict, made critical if the figure is past an absolute limit."""
        over = self._over_limit(new)
        status, ratio, allowance, reason, comparable = outcome
        return MetricVerdict(
            fullname,
            self.metric,
            "critical" if over else status,
            ratio,
            math.nan if old is None else old,
            new,
            allowance,
            self.up,
            self.exact,
            over or reason,
            comparable,
            bool(over),
        )

    def _over_limit(self, value: float) -> str:
        """Say which absolute limit a figure is past; nothing if none."""
        if self.rule.maximum is not None and value > self.rule.maximum:
            return f"over its limit of {format_metric(self.metric, self.rule.maximum)}"
        if self.rule.minimum is not None and value < self.rule.minimum:
            return f"under its limit of {format_metric(self.metric, self.rule.minimum)}"
        return ""


def make_case(metric: str, rule: MetricRule, thresholds: Thresholds) -> Case:
    """Return what holds for a metric of a benchmark with these thresholds.

    A general threshold gives way to one of the metric's own: what is a warning from 20 % on is not critical before.

    Raises:
        ConfigError: what is the metric's own makes no sense together.

    """
    exact = JUDGED.get(metric, False) if rule.exact is None else rule.exact
    general = 0.0 if metric == "growth_bytes" else thresholds.critical  # any growth is a leak
    critical = max(general, rule.warning or 0.0) if rule.critical is None else rule.critical
    least = INSTRUCTIONS if metric == "instructions" else thresholds.warning
    warning = 0.0 if exact else min(least, critical)
    limits = (warning if rule.warning is None else rule.warning, critical)
    if limits[0] > critical:
        raise ConfigError(
            f"thresholds of {metric}: warning is {percent(limits[0])} and critical {percent(critical)}; "
            "give warning <= critical"
        )
    is_plain = metric in JUDGED and rule.maximum is None and rule.minimum is None
    return Case(metric, rule, rises(metric) if rule.up is None else rule.up, exact, limits, is_plain)


class MetricRules:
    """What holds for metrics, and which are to be judged.

    Args:
        general: of any benchmark, by the metric.
        rules: of the benchmarks that match.

    """

    def __init__(self, general: Mapping[str, MetricRule] | None = None, rules: Sequence[Rule] = ()) -> None:
        self._general = general or {}
        self._rules = [rule for rule in rules if rule.metrics]
        self._known: dict[tuple[Any, ...], list[Case]] = {}  # most benchmarks of a file are alike
        self._last: tuple[tuple[str, ...] | None, Thresholds | None, list[Case]] = (None, None, [])

    def cases(self, head: Benchmark, thresholds: Thresholds) -> list[Case]:
        """Return the metrics of a benchmark that are to be judged.

        Raises:
            ConfigError: the rules make no sense together; the text names the benchmark.

        """
        names, rules, last = tuple(measured(head)), self._rules, self._last
        if names == last[0] and thresholds is last[1] and not rules:
            return last[2]
        matching = tuple(index for index, rule in enumerate(rules) if rule.matches(head.fullname)) if rules else ()
        key = (thresholds.warning, thresholds.critical, names, matching)
        if (found := self._known.get(key)) is None:
            try:
                found = self._known[key] = self._make(names, thresholds, [rules[index] for index in matching])
            except ConfigError as error:
                raise ConfigError(f"{head.fullname}: {error}") from None
        self._last = names, thresholds, found
        return found

    def _make(self, of_calls: Iterable[str], thresholds: Thresholds, rules: Sequence[Rule]) -> list[Case]:
        named = (name for rule in rules for name in rule.metrics)
        names = dict.fromkeys((*(name for name in of_calls if name in JUDGED), *self._general, *named))
        found = ((name, metric_rule(name, self._general, rules)) for name in names)
        return [make_case(name, rule, thresholds) for name, rule in found if not rule.ignore]


def judge_metrics(
    old: Benchmark | None,
    head: Benchmark,
    thresholds: Thresholds,
    rules: MetricRules,
    *,
    mismatch: str = "",
    clock: tuple[float, float] = (0.0, 0.0),
) -> list[MetricVerdict]:
    """Judge the metrics of one benchmark.

    Args:
        old: the baseline's; None where it has none, and absolute limits alone are judged.
        head: what to judge.
        thresholds: those of the benchmark, for what has none of its own.
        rules: what holds for metrics.
        mismatch: why times of the two do not mean the same; sizes and counts of a call do all the same.
        clock: what is added to the spread of the rounds of the two, for all but metrics of calls.

    """
    made: list[MetricVerdict] = []
    cases = rules.cases(head, thresholds)
    if not cases:
        return made
    name, here, there = head.fullname, measured(head), measured(old) if old is not None else {}
    spreads = None  # of the rounds, which most metrics do without
    for case in cases:
        metric = case.metric
        if case.is_plain and metric in here and metric in there:  # nearly all of a file
            now, then = here[metric], there[metric]
            if now == then and type(now) in _NUMBERS and type(then) in _NUMBERS:
                kept = float(now)
                same = (name, metric, "ok", 1.0, kept, kept, 0.0, case.up, case.exact, "", True, False)
                made.append(tuple.__new__(MetricVerdict, same))
                continue
        value = _figure(head, here, metric)
        if value is None:
            continue
        # What a test counted under the name of a metric of calls is something else.
        alike = old is not None and (metric in here) == (metric in there)
        before = _figure(old, there, metric) if old is not None and alike else None
        if old is None or before is None:
            outcome = Outcome("undecided", reason="the baseline does not have it", comparable=False)
        elif mismatch and metric not in JUDGED:
            outcome = Outcome("undecided", reason=mismatch, comparable=False)
        elif value == before:
            outcome = Outcome("ok", 1.0, 0.0)
        else:
            spreads = spreads or (_spread(old), _spread(head))
            added = (0.0, 0.0) if metric in JUDGED else clock
            paces = pace_of(old), pace_of(head)
            outcome = case.compare(before, value, (spreads[0] + added[0], spreads[1] + added[1]), paces)
        verdict = case.verdict(name, before, value, outcome)
        if before is not None or verdict.over_limit:
            made.append(verdict)
    return made


def lost_metrics(old: Benchmark, head: Benchmark, cases: Iterable[Case]) -> set[str]:
    """Return the metrics that an old benchmark has and a new one lacks: those of calls, and what is to be judged.

    Args:
        old: the baseline's.
        head: what is judged.
        cases: the metrics of it that are to be judged.

    """
    before, has = measured(old), measured(head)
    lost = {name for name in before if name in JUDGED and name not in has}
    for case in cases:
        metric = case.metric
        if _figure(head, has, metric) is None and _figure(old, before, metric) is not None:
            lost.add(metric)
    return lost
