# SPDX-License-Identifier: MIT
"""perfcore from scripts and notebooks: ``measure`` and ``compare``, on the loops that the pytest plugin runs on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf
from typing import Any

from perfcore import _core
from perfcore.errors import MeasureError
from perfcore.judge.pairs import judge_blocks
from perfcore.judge.stats import Interval, Summary, summarize
from perfcore.judge.stop import MedianPrecision
from perfcore.measure import clock
from perfcore.measure.calibration import Calibration, calibrate
from perfcore.measure.callables import name_of
from perfcore.measure.pollution import is_polluted
from perfcore.measure.runner import Runner, make_runner, pause_tracers
from perfcore.units import format_seconds

_BLOCK_S = 0.005
_MIN_BLOCKS = 6
_LEVEL = 0.95
_MOST_ROUNDS = 2**62  # more than any time holds, and the loops can count so far


@dataclass(frozen=True, slots=True, repr=False)
class Measurement:
    """The samples of one callable and what they say.

    Attributes:
        name: the callable's qualified name.
        samples: seconds per call, one for each round, in the order they were taken; a buffer of format "d".
        iterations: calls in one round.
        kernel: what made the calls: "unrolled", "vectorcall", "timer" or "coroutine".
        flags: what disturbed the rounds: involuntary context switches, rounds with one in them, stolen time in seconds.
        result: what a call returned, where rounds have one call each; else None. It is one more, outside the clock, in
            which what is returned is dropped at once.

    """

    name: str
    samples: _core.Samples
    iterations: int
    kernel: str
    flags: dict[str, Any]
    result: Any = None

    @property
    def rounds(self) -> int:
        """Number of rounds."""
        return len(self.samples)

    @property
    def summary(self) -> Summary:
        """All statistics of the samples, in seconds per call."""
        return summarize(self.samples)

    @property
    def median(self) -> float:
        """Median, in seconds per call."""
        return self.summary.median

    @property
    def mean(self) -> float:
        """Mean, in seconds per call."""
        return self.summary.mean

    @property
    def stddev(self) -> float:
        """Standard deviation of the samples, in seconds per call."""
        return self.summary.stddev

    @property
    def interval(self) -> Interval | None:
        """Confidence interval of the median (95 %), in seconds; None with too few rounds for one."""
        return self.summary.median_ci

    def __str__(self) -> str:
        summary = self.summary
        text = f"{self.name}: {format_seconds(summary.median)}"
        if (interval := summary.median_ci) is not None:
            text += f" (95 % interval {format_seconds(interval.low)} to {format_seconds(interval.high)})"
        text += (
            f", min {format_seconds(summary.min)}, p99 {format_seconds(summary.p99)}, "
            f"{self.rounds} rounds of {self.iterations} calls, {self.kernel}"
        )
        if is_polluted(interrupted := self.flags["interrupted_rounds"], self.rounds):
            text += f"; {interrupted / self.rounds:.0%} of the rounds were interrupted"
        return text

    def __repr__(self) -> str:
        return f"<Measurement of {self}>"

    def _repr_html_(self) -> str:
        from perfcore.report.display import measurement_html

        return measurement_html(self)


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """Two callables measured in turns in one process, and judged by the rule of ``perfcore ab``.

    What this leaves out: both ran in one process, so what differs between processes (memory layout, hash seed: 0.2 to
    2.4 % of the time, by experience) is not in the interval. ``perfcore ab`` measures that too.

    Attributes:
        base: the first callable's measurement.
        head: the second's.
        ratio: time of the second over time of the first: the Hodges-Lehmann estimate over stretches of blocks.
        interval: confidence interval of the ratio (95 %, of a trimmed mean); None with too few blocks for one.
        pairs: how many pairs of blocks were run.
        status: "regression": the second is slower, and by about half the threshold or more; "improvement": it is
            faster by as much; "ok": it is not slower by the threshold; "undecided": the interval is too wide to tell.
        threshold: the relative slow-down that matters.

    """

    base: Measurement
    head: Measurement
    ratio: float
    interval: Interval | None
    pairs: int
    status: str = "undecided"
    threshold: float = 0.05

    def _verdict(self) -> str:
        name = self.head.name
        return {
            "regression": f"{name} is slower",
            "improvement": f"{name} is faster",
            "ok": f"{name} is not slower by {100 * self.threshold:g} % or more",
        }.get(self.status, "undecided")

    def _judged(self) -> str:
        bounds = f" (95 % interval {self.interval.low:.3f} to {self.interval.high:.3f})" if self.interval else ""
        return (
            f"ratio {self.ratio:.3f}{bounds}, {self.pairs} pairs of blocks: {self._verdict()}, in this one process; "
            "memory layout and hash seed are left out"
        )

    def __str__(self) -> str:
        return f"{self.base}\n{self.head}\n{self._judged()}"

    def __repr__(self) -> str:
        return f"<Comparison of {self.base.name} and {self.head.name}: {self._judged()}>"

    def _repr_html_(self) -> str:
        from perfcore.report.display import comparison_html

        return comparison_html(self)


@dataclass(frozen=True, slots=True)
class Timer:
    """How to measure; ``perfcore.measure`` and ``perfcore.compare`` are those of ``Timer()``.

    Attributes:
        min_time: least duration of a round, in seconds; one of several calls lasts at least 50 µs.
        max_time: seconds of rounds in all (for each callable).
        min_rounds: fewest rounds; at least 1.
        precision: stop as soon as the interval of the median is within this fraction, e.g. 0.01; None: use `max_time`.
        timer: returns a reading in seconds; the standard library's timers are read in C.
        disable_gc: turn the garbage collector off around each round.
        correct: subtract what the measuring itself costs.
        threshold: relative slow-down that matters to `compare`; 0.05 is 5 %.

    """

    min_time: float = 5e-6
    max_time: float = 1.0
    min_rounds: int = 5
    precision: float | None = None
    timer: clock.Timer = time.perf_counter
    disable_gc: bool = False
    correct: bool = False
    threshold: float = 0.05

    def __post_init__(self) -> None:
        if self.min_rounds < 1:
            raise MeasureError(f"min_rounds must be at least 1, not {self.min_rounds}")
        if not 0 < self.min_time < inf or not 0 < self.max_time < inf:
            raise MeasureError(
                f"min_time and max_time must be above 0 and finite, not {self.min_time} and {self.max_time}"
            )
        if self.precision is not None and not 0 < self.precision < 1:
            raise MeasureError(f"precision must be a fraction between 0 and 1, not {self.precision}")
        if not 0 < self.threshold < inf:
            raise MeasureError(f"threshold must be a fraction above 0, not {self.threshold}")

    def measure(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Measurement:
        """Measure ``function(*args, **kwargs)``; a coroutine function is awaited on an event loop of its own.

        Raises:
            MeasureError: `function` cannot be called or measured this way.

        Whatever the function raises comes through.

        """
        runner = self._runner(function, args, kwargs)
        return self._measure(lambda: function(*args, **kwargs), runner, name_of(function))

    def _measure(self, call: Callable[[], Any], runner: Runner, name: str) -> Measurement:
        resume = pause_tracers()
        try:
            found = self._calibrate(runner)
            samples = _core.Samples(found.carried)
            stop = None if self.precision is None else MedianPrecision(self.min_rounds, self.precision)
            runner.run(samples, max(0, self._rounds(found) - len(samples)), found.iterations, stop)
            return _measurement(name, call, runner, samples, found.iterations)
        finally:
            resume()
            runner.close()

    def compare(self, base: Callable[[], Any], head: Callable[[], Any], /) -> Comparison:
        """Measure two callables in turns (A B, B A, ...) in this process and return the ratio of their times.

        Blocks of about 5 ms alternate, so that a change of the processor's speed meets both; up to six pairs of
        neighbouring blocks give one ratio, of their lower quartiles. Use ``functools.partial`` or a lambda for
        arguments.

        Raises:
            MeasureError: one of the two cannot be called or measured this way.

        """
        runners = self._runner(base, (), {}), self._runner(head, (), {})
        resume = pause_tracers()
        try:
            found = [self._calibrate(runner) for runner in runners]
            samples = _core.Samples(), _core.Samples()
            typical: tuple[list[float], list[float]] = ([], [])
            rounds = [max(1, round(_BLOCK_S / one.duration)) for one in found]
            pair_s = sum(count * one.duration for count, one in zip(rounds, found, strict=True))
            for pair in range(max(_MIN_BLOCKS, ceil(min(2 * self.max_time / pair_s, _MOST_ROUNDS)))):
                for side in (0, 1) if pair % 2 == 0 else (1, 0):
                    block = _core.Samples()
                    runners[side].run(block, rounds[side], found[side].iterations)
                    typical[side].append(summarize(block).q1)
                    samples[side].extend(block)
                if min(typical[0][-1], typical[1][-1]) <= 0:
                    for blocks in typical:
                        blocks.pop()
            if not typical[0]:
                raise MeasureError("the timer saw no time pass in either callable: use a finer timer or longer calls")
            judged = judge_blocks(*typical, self.threshold, _LEVEL)
            return Comparison(
                _measurement(name_of(base), base, runners[0], samples[0], found[0].iterations),
                _measurement(name_of(head), head, runners[1], samples[1], found[1].iterations),
                judged.ratio,
                Interval(judged.low, judged.high, _LEVEL) if judged.high < inf else None,
                len(typical[0]),
                judged.status,
                self.threshold,
            )
        finally:
            resume()
            for runner in runners:
                runner.close()

    def _runner(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Runner:
        if not callable(function):
            raise MeasureError(f"only a callable can be measured, not {function!r}; wrap an expression in a lambda")
        return make_runner(
            function, args, kwargs, timer=self.timer, disable_gc=self.disable_gc, correct=self.correct, keep=False
        )

    def _calibrate(self, runner: Runner) -> Calibration:
        step = clock.precision(self.timer) if clock.known_timer(self.timer) else 0.0
        return calibrate(runner, min_time=self.min_time, max_time=self.max_time, timer_precision=step)

    def _rounds(self, found: Calibration) -> int:
        return max(self.min_rounds, ceil(min(self.max_time / found.duration, _MOST_ROUNDS)))


def _measurement(
    name: str, call: Callable[[], Any], runner: Runner, samples: _core.Samples, iterations: int
) -> Measurement:
    kernel = runner.kernel(iterations)
    result = runner.call(call, (), {}) if iterations == 1 else None
    return Measurement(name, samples, iterations, kernel, runner.flags, result)


def measure(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Measurement:
    """Measure ``function(*args, **kwargs)`` for about a second; see `Timer` for other settings.

    >>> print(perfcore.measure(sorted, [3, 1, 2]))  # doctest: +SKIP
    sorted: 98.1 ns (95 % interval 98.0 ns to 98.2 ns), min 95.9 ns, ...

    Raises:
        MeasureError: `function` cannot be called or measured this way.

    """
    return Timer().measure(function, *args, **kwargs)


def compare(base: Callable[[], Any], head: Callable[[], Any], /) -> Comparison:
    """Measure two callables in turns for about a second each; return the ratio of their times with its interval.

    >>> print(perfcore.compare(old, new))  # doctest: +SKIP
    ...
    ratio 0.912 (95 % interval 0.909 to 0.914), 200 pairs of blocks: new is faster, in this one process; ...

    Raises:
        MeasureError: one of the two cannot be called or measured this way.

    """
    return Timer().compare(base, head)
