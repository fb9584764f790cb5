# SPDX-License-Identifier: MIT
"""The two methods of pytest-benchmark's fixture that time things, on the C loops.

A fixture is taken over by two instance attributes, ``_raw`` and ``_raw_pedantic``, which its own public methods look
up. Everything else stays pytest-benchmark's: the guard against a second use, the error flag, weaving, options, storage,
tables. Nothing is patched on its classes, so nested sessions and fixtures that conftests redefine keep working.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
from collections.abc import Callable, Iterable
from contextlib import closing, nullcontext
from math import ceil
from time import time as wall_time  # bound now: a benchmark may weave time.time
from typing import TYPE_CHECKING, Any

import pytest

from perfcore import _core
from perfcore.measure import clock
from perfcore.measure.calibration import calibrate, least_of_many_s
from perfcore.measure.callables import is_coroutine_function
from perfcore.measure.pace import Pace
from perfcore.measure.runner import Runner, make_runner
from perfcore.pytest_plugin import disabled, pedantic
from perfcore.pytest_plugin.compat import Stock
from perfcore.pytest_plugin.options import Options
from perfcore.pytest_plugin.pause import Paused
from perfcore.pytest_plugin.record import Record
from perfcore.pytest_plugin.stats import SampleStats

if TYPE_CHECKING:
    from perfcore.judge.stop import MeanPrecision, MedianPrecision
    from perfcore.pytest_plugin.limits import Limits


class RunningLoopWarning(pytest.PytestWarning):
    """A coroutine function was benchmarked while an event loop was running."""


class Backend:
    """Runs one fixture's benchmark."""

    def __init__(
        self,
        fixture: Any,
        stock: Stock,
        options: Options,
        keep: Callable[[Record], None],
        limits: Limits | None = None,
    ) -> None:
        self.fixture = fixture
        self.stock = stock
        self.options = options
        self._hand_over = keep
        self._limits = limits
        self.pace: Pace | None = Pace()

    def adopt(self) -> None:
        """Take the fixture's timing over."""
        self.fixture._raw = self.raw
        self.fixture._raw_pedantic = self.raw_pedantic

    def raw(self, function_to_benchmark: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Stand in for ``BenchmarkFixture._raw``: calibrate, run the rounds, call once more for the result."""
        fixture = self.fixture
        if not fixture.enabled:
            return disabled.raw(fixture, function_to_benchmark, *args, **kwargs)
        if self._loop_is_running(function_to_benchmark):
            return self._leave(self._stock_raw, function_to_benchmark, args, kwargs)
        with Paused():
            step = self._timer_step()
        if not isinstance(step, int | float):
            # A timer of Decimal, of timedelta, of nothing: its differences are not seconds that a double can hold.
            return self._leave(self._stock_raw, function_to_benchmark, args, kwargs)
        runner = self.make_runner(function_to_benchmark, args, kwargs, keep=False)
        with closing(runner):
            record, iterations = self._measure(runner, float(step))
            if not self.options.strict:
                self.measure_calls(record, runner, pedantic.Call(function_to_benchmark, args, kwargs))
            # Once more, outside the clock and with tracers on, for the value that the test gets.
            call = pedantic.Call(function_to_benchmark, args, kwargs)
            if runner.kernel(1) == "coroutine":
                call = pedantic.Call(runner.call, tuple(call), {})
            if fixture.cprofile:
                return self.profile(call, self.profile_loops(iterations))
            return call.function(*call.args, **call.kwargs)

    def raw_pedantic(  # noqa: PLR0917 - stock's own signature
        self,
        target: Callable[..., Any],
        args: Any = (),
        kwargs: Any = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        rounds: int = 1,
        warmup_rounds: int = 0,
        iterations: int = 1,
    ) -> Any:
        """Stand in for ``BenchmarkFixture._raw_pedantic``: the rounds and iterations that the test asks for."""
        plan = pedantic.Plan(target, args, kwargs, setup, teardown, rounds, warmup_rounds, iterations)
        fixture = self.fixture
        if not fixture.enabled:
            return disabled.raw_pedantic(fixture, target, **plan.stock_arguments())
        # A timer of the user's own may not return numbers, and unlike in `raw` nothing has shown it yet.
        ours = plan.valid() and clock.known_timer(fixture._timer)
        if not ours or self._loop_is_running(target):
            stock = type(fixture)._raw_pedantic
            return self._leave(stock, fixture, target, **plan.stock_arguments())
        return self.run_plan(plan)

    def run_plan(self, plan: pedantic.Plan) -> Any:
        """Run a plan that is valid and whose timer is known."""
        return pedantic.run(self, plan)

    def make_runner(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, keep: bool = True
    ) -> Runner:
        """Return the runner for one call, with the fixture's timer and options as they are now."""
        return make_runner(
            function,
            args,
            kwargs,
            timer=self.fixture._timer,
            disable_gc=bool(self.fixture._disable_gc),
            correct=self.options.correct,
            keep=keep,
            pace=self.pace,
        )

    def begin(self, runner: Runner, iterations: int, *, calibrated: bool) -> tuple[Record, _core.Samples]:
        """Register the benchmark with pytest-benchmark's session; return its record and its empty samples."""
        samples = _core.Samples()
        metadata = self.fixture._make_stats(iterations)
        metadata.stats = SampleStats(samples)
        record = Record(metadata, runner.kernel(iterations), runner, pace=self.pace, calibrated=calibrated)
        self._keep(record)
        return record, samples

    def measure_calls(self, record: Record, runner: Runner, call: pedantic.Call) -> None:
        """Call a few more times for the metrics that the options and the test's limits ask for."""
        limited = () if self._limits is None else self._limits.metrics()
        wanted = {*self.options.metrics, *limited} - {"time"}
        if not wanted:
            return
        from perfcore.measure.call_metrics import measure_calls

        with Paused():
            seconds = record.metadata.stats.median
            record.metrics = measure_calls(
                runner, call.function, tuple(call.args), dict(call.kwargs), wanted=wanted, seconds=seconds
            )
        if self._limits is not None:
            self._limits.check(record.metrics)

    def profile(self, call: pedantic.Call, loops: Iterable[int], after: Callable[[], Any] | None = None) -> Any:
        """Call under cProfile as the installed release does; return the last result."""
        profile = cProfile.Profile()
        result = None
        for _ in loops:
            with Paused() if self.stock.pauses_cprofile else nullcontext():
                result = profile.runcall(call.function, *call.args, **call.kwargs)
            if after is not None:
                after()
        if self.stock.saves_cprofile:
            self.fixture._save_cprofile(profile)
        else:
            self.fixture.stats.cprofile_stats = pstats.Stats(profile)
        return result

    def profile_loops(self, iterations: int) -> Iterable[int]:
        """Return how often the installed release calls under cProfile."""
        if not self.stock.saves_cprofile:
            return range(1)
        loops = self.fixture.cprofile_loops
        return range(iterations if loops is None else loops)

    def say(self, line: str) -> None:
        """Write a line of the verbose log."""
        self.fixture._logger.debug(line, yellow=True, bold=True)

    def _measure(self, runner: Runner, step: float) -> tuple[Record, int]:
        """Calibrate and run the rounds; return the record and the iterations of a round."""
        fixture, form = self.fixture, self.stock.format_time
        min_time = max(fixture._min_time, step * fixture._calibration_precision)
        min_time = least_of_many_s(min_time, strict=self.options.strict)
        fixture._logger.debug("")
        self.say(
            f"  Calibrating to target round {form(min_time)}s; will estimate when reaching "
            f"{form(min_time * 5 / fixture._calibration_precision)}s "
            f"(using: {self.stock.timer_name(fixture._timer)}, precision: {form(step)}s)."
        )
        with Paused():
            calibration = calibrate(
                runner,
                min_time=fixture._min_time,
                max_time=fixture._max_time,
                warmup=fixture._warmup or 0,
                timer_precision=step,
                calibration_precision=fixture._calibration_precision,
                strict=self.options.strict,
                log=lambda line: fixture._logger.debug(f"    {line}", yellow=True),
            )
        iterations = calibration.iterations
        rounds = min(max(ceil(fixture._max_time / calibration.duration), fixture._min_rounds), sys.maxsize)
        record, samples = self.begin(runner, iterations, calibrated=True)
        self.say(f"  Running {rounds} rounds x {iterations} iterations ...")
        started = wall_time()
        with record, Paused():
            if fixture._warmup:
                warmup_rounds = min(rounds, max(1, int(fixture._warmup / iterations)))
                fixture._logger.debug(f"  Warmup {warmup_rounds} rounds x {iterations} iterations ...")
                for _ in range(warmup_rounds):
                    runner.time(iterations)
            samples.extend(duration / iterations for duration in calibration.carried[:rounds])
            stop = self._stop()
            runner.run(samples, rounds - len(samples), iterations, stop)
        if stop is not None and len(samples) < rounds:
            self.say(f"  Reached precision (target ±{stop.precision:.2%}) after {len(samples)} rounds.")
        self.say(f"  Ran for {form(wall_time() - started)}s.")
        return record, iterations

    def _stop(self) -> MeanPrecision | MedianPrecision | None:
        """Return the stopping rule: pytest-benchmark's own of the mean where it is set, ours of the median, or none."""
        fixture = self.fixture
        of_mean = getattr(fixture, "_precision", None)
        if of_mean is not None:
            from perfcore.judge.stop import MeanPrecision

            return MeanPrecision(fixture._min_rounds, of_mean, fixture._confidence, every_round=self.options.strict)
        if self.options.precision is not None:
            from perfcore.judge.stop import MedianPrecision

            return MedianPrecision(fixture._min_rounds, self.options.precision)
        return None

    def _timer_step(self) -> Any:
        """Return the timer's precision: ours for the standard library's, else (and under strict) stock's."""
        fixture = self.fixture
        intact = type(fixture)._get_precision is self.stock.fixture_class._get_precision
        if intact and not self.options.strict and clock.known_timer(fixture._timer):
            return clock.precision(fixture._timer)
        return fixture._get_precision(fixture._timer)

    def _loop_is_running(self, function: Callable[..., Any]) -> bool:
        """Warn and return True for a coroutine function inside a running event loop, where none can be awaited."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is None or asyncio._get_running_loop() is None or not is_coroutine_function(function):
            return False
        self.fixture._warner(
            RunningLoopWarning(
                "a coroutine function is benchmarked while an event loop is running, so only the creation of its "
                "coroutine is timed; write the test as a plain `def` and perfcore awaits it on a loop of its own"
            )
        )
        return True

    def _keep(self, record: Record) -> None:
        """Hand a record to the session, with the thresholds of the test's mark."""
        if self._limits is not None:
            record.thresholds = self._limits.thresholds()
        self._hand_over(record)

    def _stock_raw(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return type(self.fixture)._raw(self.fixture, function, *args, **kwargs)

    def _leave(self, stock: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run the stock code, and record that it ran if it measured anything."""
        before = self.fixture.stats
        try:
            return stock(*args, **kwargs)
        finally:
            if self.fixture.stats is not before:
                calibrated = "pedantic" not in str(self.fixture._mode)
                self._keep(Record(self.fixture.stats, "stock", None, calibrated=calibrated))
