# SPDX-License-Identifier: MIT
"""Service levels: what a lane or a benchmark may take, written in TOML, and whether it keeps to it.

A target is violated when the interval of the figure lies past it, possibly violated when only the figure itself does,
and met otherwise. Where there is no figure the answer is "no data", and that is never compliant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfcore.judge.quantile import LEVEL, mean_interval, quantile_interval
from perfcore.judge.targets import Target
from perfcore.record.lanes import LaneFigures, lane_figures
from perfcore.record.results import Benchmark

# From worst to best, as reports list them.
STATUSES = ("violated", "possibly", "no data", "met")
SEVERITIES = ("critical", "error", "warning")
# Further past a target than this is an error, or critical.
ERROR, CRITICAL = 0.10, 0.50

EVIDENCE = (
    f"intervals of {LEVEL:.0%} from the iterations or rounds of one run; what differs from run to run is not in them"
)


@dataclass(frozen=True, slots=True)
class TargetVerdict:
    """What became of one target for one benchmark.

    Attributes:
        subject: the benchmark's full name; the pattern where nothing matches it.
        target: the target.
        status: one of ``STATUSES``.
        severity: one of ``SEVERITIES`` by how far past the target the figure is; empty where it is not past.
        value: the figure, in the target's unit; NaN where there is none.
        low: the lower end of its interval, infinite where nothing bounds it; NaN where it has none.
        high: the upper end.
        excess: how far past the target: 0.1 is 10 %; 0 or less is within; NaN where there is no figure.
        samples: how many iterations or rounds the figure rests on.
        reason: why there is no data, or what would decide.

    """

    subject: str
    target: Target
    status: str
    severity: str
    value: float
    low: float
    high: float
    excess: float
    samples: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Figure:
    value: float
    low: float = math.nan
    high: float = math.nan
    samples: int = 0
    certain: bool = False  # what was seen is what is asked for: no interval is needed


def _real(value: object) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known else math.nan  # type: ignore[arg-type]


def _mean_of(values: Sequence[float]) -> _Figure:
    count = len(values)
    mean = math.fsum(values) / count
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1)) if count > 1 else 0.0
    return _Figure(mean, *mean_interval(mean, deviation, count), samples=count)


def _mean(benchmark: Benchmark) -> _Figure:
    mean, deviation = _real(benchmark.stats.get("mean")), _real(benchmark.stats.get("stddev"))
    rounds = benchmark.stats.get("rounds")
    count = rounds if isinstance(rounds, int) else 0
    return _Figure(mean, *mean_interval(mean, deviation, count), samples=count)


def _quantile(benchmark: Benchmark, name: str, p: float) -> _Figure:
    own = (benchmark.perfcore or {}).get("percentiles")
    value = benchmark.median if name == "median" else _real(own.get(name)) if isinstance(own, Mapping) else math.nan
    if benchmark.data is None or not len(benchmark.data):
        rounds = benchmark.stats.get("rounds")
        return _Figure(value, samples=rounds if isinstance(rounds, int) else 0)
    ordered = sorted(benchmark.data.tolist())
    if not math.isfinite(value):
        rank = (len(ordered) - 1) * p
        below = math.floor(rank)
        above = min(below + 1, len(ordered) - 1)
        value = ordered[below] + (ordered[above] - ordered[below]) * (rank - below)
    return _Figure(value, *quantile_interval(ordered, p), samples=len(ordered))


def _memory(benchmark: Benchmark, lane: LaneFigures | None) -> _Figure:
    if lane is not None and (values := lane.known("memory_max_bytes")):
        return _Figure(max(values), samples=len(values), certain=True)
    told = benchmark.extra_info.get("perfcore")  # a benchmark that knows better what its memory is says so itself
    if isinstance(told, Mapping) and math.isfinite(value := _real(told.get("memory_bytes"))):
        return _Figure(value, certain=True)
    metrics = (benchmark.perfcore or {}).get("metrics")
    return _Figure(_real(metrics.get("peak_bytes")) if isinstance(metrics, Mapping) else math.nan, certain=True)


def _cpu(benchmark: Benchmark, lane: LaneFigures | None) -> _Figure:
    if lane is not None and (values := lane.known("cpu_percent")):
        return _mean_of(values)
    metrics = (benchmark.perfcore or {}).get("metrics")
    used, mean = _real(metrics.get("cpu_s")) if isinstance(metrics, Mapping) else math.nan, _mean(benchmark)
    return _Figure(100 * used / mean.value if mean.value > 0 else math.nan)


def _throughput(benchmark: Benchmark) -> _Figure:
    extra, mean = benchmark.extra_info.get("perfcore"), _mean(benchmark)
    items = _real(extra.get("items_per_call")) if isinstance(extra, Mapping) else math.nan
    items = 1.0 if math.isnan(items) else items
    if not mean.value > 0:
        return _Figure(math.nan)
    low = items / mean.high
    high = items / mean.low if mean.low > 0 else math.inf if mean.low <= 0 else math.nan
    return _Figure(items / mean.value, low, high, mean.samples)


def _figure(benchmark: Benchmark, key: str, lane: LaneFigures | None) -> _Figure:
    match key:
        case "mean":
            return _mean(benchmark)
        case "median":
            return _quantile(benchmark, key, 0.5)
        case "p95" | "p99":
            return _quantile(benchmark, key, int(key[1:]) / 100)
        case "memory_max":
            return _memory(benchmark, lane)
        case "cpu_average":
            return _cpu(benchmark, lane)
    return _throughput(benchmark)


def _severity(excess: float) -> str:
    return "critical" if excess > CRITICAL else "error" if excess > ERROR else "warning"


def _incomplete(lane: LaneFigures | None) -> str:
    """Say which iterations of a lane have no figures; empty if all have."""
    if lane is None or lane.status == "completed":
        return ""
    wrong = [f"{count} {status.replace('_', ' ')}" for status, count in lane.counts.items() if status != "completed"]
    return f"not every iteration was completed ({', '.join(wrong)})" if wrong else f"the lane is {lane.status}"


def _nothing(subject: str, target: Target, reason: str) -> TargetVerdict:
    nan = math.nan
    return TargetVerdict(subject, target, "no data", "", nan, nan, nan, nan, 0, reason)


_MISSING = {
    "memory_max": "no memory was measured; run it as a lane, or with --perfcore-metrics=peak",
    "cpu_average": "no CPU time was measured; run it as a lane, or with --perfcore-metrics=cpu",
}


def _interval_from(benchmark: Benchmark, key: str, lane: LaneFigures | None) -> str:
    """Say what a figure lacks to have an interval."""
    if key == "cpu_average" and lane is None:
        return "to run it as a lane"
    if key in ("median", "p95", "p99") and benchmark.data is None:
        return "its samples (--benchmark-save-data)"
    return "more iterations"


def judge_target(benchmark: Benchmark, target: Target) -> TargetVerdict:
    """Judge one target of one benchmark."""
    lane = lane_figures(benchmark)
    figure = _figure(benchmark, target.key, lane)
    if not math.isfinite(figure.value):
        reason = _MISSING.get(
            target.key, "the file does not tell it; save it with perfcore, or with --benchmark-save-data"
        )
        return _nothing(benchmark.fullname, target, reason)
    least = target.key == "throughput_min"
    excess = (target.limit / figure.value if least else figure.value / target.limit) - 1 if figure.value > 0 else -1.0
    if least and figure.value <= 0:
        excess = math.inf
    past = figure.value < target.limit if least else figure.value > target.limit
    near = figure.high if least else figure.low  # the end that lies nearer to what is allowed
    sure = figure.certain or (near < target.limit if least else near > target.limit)
    if past:
        status = "violated" if sure else "possibly"
        reason = "" if sure else "the interval reaches the target; more iterations would decide"
        if not sure and math.isnan(near):
            reason = f"there is no interval; {_interval_from(benchmark, target.key, lane)} would give one"
    else:
        reason = _incomplete(lane)
        status = "no data" if reason else "met"
    severity = _severity(excess) if past else ""
    return TargetVerdict(
        benchmark.fullname,
        target,
        status,
        severity,
        figure.value,
        figure.low,
        figure.high,
        excess,
        figure.samples,
        reason,
    )


class SLAValidator:
    """Judges results by targets.

        validator = perfcore.SLAValidator(targets)        # of perfcore.config.load_config().sla
        verdicts = validator.validate(results.benchmarks)
        ok = all(verdict.status == "met" for verdict in verdicts)

    Args:
        targets: of several with the same key that match a benchmark, the last one counts.

    """

    def __init__(self, targets: Iterable[Target]) -> None:
        self.targets = tuple(targets)

    def validate(
        self, benchmarks: Iterable[Benchmark], failed: Iterable[LaneFigures] = (), *, allow_missing: bool = False
    ) -> tuple[TargetVerdict, ...]:
        """Judge benchmarks, and lanes that have no time.

        Args:
            benchmarks: what was measured.
            failed: the lanes none of whose iterations was completed.
            allow_missing: leave out the targets that match nothing; else they are verdicts without data.

        Returns:
            A verdict for each target of each benchmark, the worst first.

        """
        verdicts: list[TargetVerdict] = []
        used: set[Target] = set()

        def applying(matches: Callable[[Target], bool]) -> list[Target]:
            found = [target for target in self.targets if matches(target)]
            used.update(found)
            return list({target.key: target for target in found}.values())

        for benchmark in benchmarks:
            verdicts += [judge_target(benchmark, target) for target in applying(lambda one: one.matches(benchmark))]  # noqa: B023
        for lane in failed:
            name = f"lane::{lane.name}"
            targets = applying(lambda one: one.names(lane.name) or one.names(name))  # noqa: B023
            verdicts += [_nothing(name, target, "no iteration was completed") for target in targets]
        if not allow_missing:
            verdicts += [
                _nothing(target.pattern, target, "nothing in the results matches the pattern")
                for target in self.targets
                if target not in used
            ]
        order = {severity: index for index, severity in enumerate((*SEVERITIES, ""))}
        return tuple(sorted(verdicts, key=lambda one: (STATUSES.index(one.status), order[one.severity])))


def compliance(
    verdicts: Sequence[TargetVerdict], *, fail_on: str = "warning", fail_on_possible: bool = False
) -> tuple[bool, int]:
    """Return whether every target is met, and the exit code: 1 violated, 2 no data, 0 otherwise.

    Args:
        verdicts: at least one.
        fail_on: the least severity of a violation that fails.
        fail_on_possible: whether a possible violation fails as a sure one does.

    """
    failing = ("violated", "possibly") if fail_on_possible else ("violated",)
    severe = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    if any(one.status in failing and one.severity in severe for one in verdicts):
        code = 1
    else:
        code = 2 if any(one.status == "no data" for one in verdicts) else 0
    return all(one.status == "met" for one in verdicts), code


def as_document(verdict: TargetVerdict) -> dict[str, Any]:
    """Return a verdict as plain data, for JSON."""
    return {
        "subject": verdict.subject,
        "pattern": verdict.target.pattern,
        "key": verdict.target.key,
        "limit": verdict.target.limit,
        "status": verdict.status,
        "severity": verdict.severity or None,
        "value": verdict.value,
        "low": verdict.low,
        "high": verdict.high,
        "excess": verdict.excess,
        "samples": verdict.samples,
        "reason": verdict.reason,
    }
