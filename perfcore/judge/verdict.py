# SPDX-License-Identifier: MIT
"""The verdict on benchmarks against a baseline, from one run of each.

Medians are compared with an allowance for noise that each file's own rounds give, and for what the machine's pace at
both times may explain (see csrc/core/judge/pc_verdict.h for the rule). The rounds of one process do not hold the noise
between processes, so the verdict says what it rests on.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from perfcore import _core
from perfcore.errors import ConfigError, ResultsError
from perfcore.judge.metrics import MetricRules, MetricVerdict, judge_metrics, lost_metrics
from perfcore.judge.pace import PACE_EVIDENCE, PACES, pace_reason
from perfcore.judge.thresholds import MetricRule, Rule, Thresholds, limits_for, percent
from perfcore.record.environment import differences
from perfcore.record.methods import ONE_CALL, ONE_CALL_S, alike
from perfcore.record.pace import pace_of
from perfcore.record.passes import counts_told, pass_count
from perfcore.record.results import STOCK, Benchmark, Results
from perfcore.units import format_seconds

_ALLOWANCE = "allowance from the rounds' own spread{}; the process-to-process noise is not in it"
EVIDENCE = f"medians of one run each; {_ALLOWANCE.format('')}"

# From worst to best, as reports list them.
STATUSES = ("critical", "warning", "undecided", "improvement", "ok")

MAD_SCALE, IQR_SCALE = 1.482602218505602, 1.3489795003921634  # as pc_verdict: the normal distribution's

_UNUSABLE = {
    "baseline median": "the baseline's median is not above zero",
    "median": "the median is not above zero",
    "no spread": "a file has neither samples nor iqr, so the noise is unknown",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one benchmark.

    Attributes:
        fullname: the benchmark.
        status: one of ``STATUSES``.
        ratio: new median over the baseline's; NaN where there is no comparison.
        low: the ratio with the allowance, and what a slower machine may explain, taken off.
        high: the ratio with the allowance, and what a faster machine may explain, added.
        allowance: relative noise of both runs together (0.02 is 2 %); NaN where unknown.
        baseline_median: seconds.
        median: seconds.
        reason: why it is undecided; empty when it is not.
        comparable: False when the two were not compared at all.
        over_limit: True when the median is over an absolute limit; that holds in any environment.
        pace: how much slower the machine itself was (1.5) or faster (0.8) than for the baseline; NaN where unknown.

    """

    fullname: str
    status: str
    ratio: float
    low: float
    high: float
    allowance: float
    baseline_median: float
    median: float
    reason: str
    comparable: bool
    over_limit: bool = False
    pace: float = math.nan


@dataclass(frozen=True, slots=True)
class Check:
    """The verdicts on a whole file.

    Attributes:
        baseline: the file that was compared with; None where it was a history.
        results: what was judged.
        thresholds: the limits used.
        verdicts: one for each benchmark that both files have, in the order of ``results``.
        new: names that only ``results`` has.
        gone: names that only ``baseline`` has.
        differences: what differs between the environments; of a history that has too few runs of this one, between that
            of its last run of another one and this.
        strict_environment: whether verdicts count although the environments differ.
        evidence: what the verdicts rest on.
        history: the history that was compared with; empty where it was a file.
        metrics: verdicts on other metrics than the time, in the order of ``results``.
        lost_metrics: metrics, of calls or named in the thresholds, that the baseline has and ``results`` lacks, and in
            how many benchmarks.

    """

    baseline: Results | None
    results: Results
    thresholds: Thresholds
    verdicts: tuple[Verdict, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    differences: tuple[str, ...]
    strict_environment: bool
    evidence: str = EVIDENCE
    history: str = ""
    metrics: tuple[MetricVerdict, ...] = ()
    lost_metrics: Mapping[str, int] = field(default_factory=dict)

    @property
    def against(self) -> str:
        """Name what was compared with."""
        return self.history if self.baseline is None else str(self.baseline.path)

    @property
    def advisory(self) -> bool:
        """Whether the verdicts only inform, because the files come from different environments.

        Those by a history never do: only its runs of the same environment are compared with.
        """
        return bool(self.differences) and self.baseline is not None and not self.strict_environment

    @property
    def counts(self) -> dict[str, int]:
        """How many verdicts on times there are of each status."""
        return _count(self.verdicts)

    @property
    def metric_counts(self) -> dict[str, int]:
        """How many verdicts on other metrics there are of each status."""
        return _count(self.metrics)

    @property
    def passed(self) -> bool:
        """Whether nothing is critical; advisory verdicts do not count, absolute limits always do."""
        if any(verdict.over_limit for verdict in self.verdicts) or any(one.over_limit for one in self.metrics):
            return False
        return self.advisory or self.counts["critical"] + self.metric_counts["critical"] == 0

    @property
    def compared(self) -> int:
        """How many benchmarks were really compared."""
        return sum(verdict.comparable for verdict in self.verdicts)


def _count(verdicts: Sequence[Verdict] | Sequence[MetricVerdict]) -> dict[str, int]:
    found = Counter(verdict.status for verdict in verdicts)
    return {status: found[status] for status in STATUSES}


def evidence(baseline: Results, results: Results) -> str:
    """Say what verdicts on two files rest on: on one run of each benchmark, or on the fastest of several passes."""
    old = {one.fullname: one for one in baseline.benchmarks}
    both = [(old[one.fullname], one) for one in results.benchmarks if one.fullname in old]
    paced = any(not math.isnan(pace_of(before)[0] + pace_of(now)[0]) for before, now in both)
    allowance = _ALLOWANCE.format(PACE_EVIDENCE if paced else "")
    pairs = [(pass_count(before), pass_count(now)) for before, now in both]
    if all(pair == (1, 1) for pair in pairs):
        return f"medians of one run each; {allowance}"
    before, now = (
        "one run" if max(counts) == 1 else f"the fastest of {counts_told(counts)} passes"
        for counts in zip(*pairs, strict=True)
    )
    if all(first == second for first, second in pairs):
        return f"medians of {before} each; {allowance}"
    fewer = "a side with fewer of a benchmark"
    if all(first < second for first, second in pairs):
        fewer = "the baseline"
    elif all(first > second for first, second in pairs):
        fewer = "what was judged"
    bias = f"on a noisy machine {fewer} looks slower for that alone"
    return f"medians, of {before} (baseline) and of {now}; {bias}; {allowance}"


def _side(benchmark: Benchmark) -> tuple[float, float, float]:
    """Return (median, MAD, IQR) in seconds, NaN where the file does not tell."""
    own, data, stats = benchmark.perfcore, benchmark.data, benchmark.stats
    mad = own.get("mad") if own else None
    if data is not None and len(data):
        mad = _core.summarize(data)["mad"]
    iqr = stats.get("iqr")
    return (float(stats["median"]), math.nan if mad is None else float(mad), math.nan if iqr is None else float(iqr))


def _kernel(benchmark: Benchmark) -> str:
    own = benchmark.perfcore
    return str(own.get("kernel", STOCK)) if own else STOCK


def _one_call(baseline: Benchmark, head: Benchmark) -> int | None:
    """Return which side has rounds of one call where the other has rounds of many; None where neither has that alone.

    A function that becomes slower than the least time of a round is measured one call at a time from then on. What
    that alone may change is taken for spread of the side it is in.
    """
    kernels = _kernel(baseline), _kernel(head)
    return kernels.index(ONE_CALL) if kernels[0] != kernels[1] and kernels[1] in alike(kernels[0]) else None


def _sides(baseline: Benchmark, head: Benchmark) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return both sides' (median, MAD, IQR), with the clock's time in those of one call."""
    old, new = _side(baseline), _side(head)
    if (at := _one_call(baseline, head)) is not None:
        sides = [old, new]
        median, mad, iqr = sides[at]
        if mad > 0 or math.isnan(iqr):  # a MAD of zero stays so, because it gives way to the quartiles
            mad += ONE_CALL_S / MAD_SCALE
        sides[at] = median, mad, iqr + ONE_CALL_S * IQR_SCALE
        old, new = sides
    return old, new


def _clock(baseline: Benchmark, head: Benchmark) -> tuple[float, float]:
    """Return what the clock's time in rounds of one call is for both sides, as relative MADs."""
    at, shares = _one_call(baseline, head), [0.0, 0.0]
    if at is not None and (median := (baseline, head)[at].median) > 0:
        shares[at] = ONE_CALL_S / MAD_SCALE / median
    return shares[0], shares[1]


def _mismatch(baseline: Benchmark, head: Benchmark, backends: tuple[str, str]) -> str:
    """Say why two figures do not mean the same; empty if they do."""
    old, new = backends
    if old != new:
        return f"measured by {new}, the baseline by {old}"
    old, new = _kernel(baseline), _kernel(head)
    if old != new and new not in alike(old):
        return f"measured with the kernel {new}, the baseline with {old}"
    before, after = baseline.options.get("timer"), head.options.get("timer")
    if before != after and before is not None and after is not None:
        return f"measured with the timer {after}, the baseline with {before}"
    return ""


def _explain(code: str, ratio: float, allowance: float, pace: float, thresholds: Thresholds) -> str:
    if code == "noise":
        enough = math.log(ratio) - math.log1p(thresholds.warning)
        return (
            f"past {percent(thresholds.warning)}, but the rounds spread by {allowance:.1%}; "
            f"a spread under {enough:.1%} would decide"
        )
    if code in PACES:
        return pace_reason(code, pace, thresholds.warning, thresholds.critical)
    return _UNUSABLE.get(code, "")


def unfit(benchmark: Benchmark) -> str:
    """Say why nothing can be compared with a benchmark; empty if it can."""
    side = _side(benchmark)
    _, code, *_ = _core.judge_medians(side, side, Thresholds().warning, Thresholds().critical)
    return _UNUSABLE.get(code, "").replace("the baseline's", "the")


def judge_benchmark(
    baseline: Benchmark,
    head: Benchmark,
    thresholds: Thresholds,
    *,
    backends: tuple[str, str] = (STOCK, STOCK),
    allow_backend_mismatch: bool = False,
) -> Verdict:
    """Judge one benchmark against its baseline.

    Args:
        baseline: the old figures.
        head: the new ones.
        thresholds: when a slow-down is a warning, and when critical.
        backends: what ran the two, as the files say.
        allow_backend_mismatch: compare figures of different backends, kernels or timers all the same.

    """
    mismatch = "" if allow_backend_mismatch else _mismatch(baseline, head, backends)
    return _compare(baseline, head, thresholds, mismatch)


def _compare(baseline: Benchmark, head: Benchmark, thresholds: Thresholds, mismatch: str) -> Verdict:
    if mismatch:
        nan = math.nan
        return Verdict(
            head.fullname, "undecided", nan, nan, nan, nan, baseline.median, head.median, mismatch, comparable=False
        )
    old, new = _sides(baseline, head)
    status, code, ratio, low, high, allowance, pace = _core.judge_medians(
        old, new, thresholds.warning, thresholds.critical, pace_of(baseline), pace_of(head)
    )
    reason = _explain(code, ratio, allowance, pace, thresholds) if code else ""
    comparable = code in ("", "noise", *PACES)
    return Verdict(head.fullname, status, ratio, low, high, allowance, old[0], new[0], reason, comparable, pace=pace)


def with_limit(verdict: Verdict, maximum: float | None) -> Verdict:
    """Return the verdict, made critical if the median is over an absolute limit in seconds."""
    if maximum is None or not verdict.median > maximum:
        return verdict
    reason = f"over its limit of {format_seconds(maximum)}"
    return replace(verdict, status="critical", reason=reason, over_limit=True)


def _fraction(value: object) -> float:
    """Return a threshold of a results file, where a number is always a fraction: 1.5 is 150 %."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError(f"{value!r} is no threshold; it must be a number above 0")
    return float(value)


def marked(benchmark: Benchmark, thresholds: Thresholds) -> Thresholds:
    """Return the thresholds with those of the test's own mark, ``@pytest.mark.perfcore(warning=..., critical=...)``.

    Raises:
        ResultsError: what the file tells of the mark is no threshold.

    """
    marks = (benchmark.perfcore or {}).get("thresholds")
    if marks is None:
        return thresholds
    try:
        if not isinstance(marks, Mapping):
            raise ConfigError("must be an object")
        found = {key: _fraction(marks[key]) for key in ("warning", "critical") if marks.get(key) is not None}
        critical = found.get("critical", max(thresholds.critical, found.get("warning", 0.0)))
        return Thresholds(found.get("warning", min(thresholds.warning, critical)), critical)
    except ConfigError as error:
        raise ResultsError(
            f"{benchmark.fullname}: perfcore.thresholds: {error}; correct the mark and measure again"
        ) from None


def judge_new(head: Benchmark, maximum: float | None) -> Verdict | None:
    """Return the verdict on a benchmark that nothing is known of; None unless it is over an absolute limit."""
    nan = math.nan
    new = Verdict(head.fullname, "undecided", nan, nan, nan, nan, nan, head.median, "it is new", comparable=False)
    limited = with_limit(new, maximum)
    return limited if limited.over_limit else None


def check_results(
    baseline: Results,
    results: Results,
    thresholds: Thresholds | None = None,
    *,
    allow_backend_mismatch: bool = False,
    strict_environment: bool = False,
    rules: Sequence[Rule] = (),
    metrics: Mapping[str, MetricRule] | None = None,
) -> Check:
    """Judge every benchmark that two files have in common.

    Args:
        baseline: what to compare with.
        results: what to judge.
        thresholds: by default 5 % for a warning and 10 % for critical.
        allow_backend_mismatch: compare figures of different backends, kernels or timers all the same.
        strict_environment: let verdicts count although the environments differ; else they are advisory.
        rules: other thresholds and absolute limits for some benchmarks; a test's own mark counts more.
        metrics: what holds for metrics other than the time.

    """
    limits = thresholds or Thresholds()
    old = {benchmark.fullname: benchmark for benchmark in baseline.benchmarks}
    names = {benchmark.fullname for benchmark in results.benchmarks}
    backends = (baseline.backend, results.backend)
    verdicts: list[Verdict] = []
    others: list[MetricVerdict] = []
    lost: Counter[str] = Counter()
    what = MetricRules(metrics, rules)
    for head in results.benchmarks:
        own, maximum = limits_for(head.fullname, limits, rules) if rules else (limits, None)
        own, before = marked(head, own), old.get(head.fullname)
        mismatch = "" if before is None or allow_backend_mismatch else _mismatch(before, head, backends)
        verdict = (
            judge_new(head, maximum) if before is None else with_limit(_compare(before, head, own, mismatch), maximum)
        )
        if verdict is not None:
            verdicts.append(verdict)
        clock = (0.0, 0.0) if before is None else _clock(before, head)
        others += judge_metrics(before, head, own, what, mismatch=mismatch, clock=clock)
        if before is not None:
            lost.update(lost_metrics(before, head, what.cases(head, own)))
    return Check(
        baseline=baseline,
        results=results,
        thresholds=limits,
        verdicts=tuple(verdicts),
        new=tuple(head.fullname for head in results.benchmarks if head.fullname not in old),
        gone=tuple(name for name in old if name not in names),
        differences=tuple(differences(baseline, results)),
        strict_environment=strict_environment,
        evidence=evidence(baseline, results),
        metrics=tuple(others),
        lost_metrics=dict(lost),
    )
