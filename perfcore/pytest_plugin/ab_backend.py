# SPDX-License-Identifier: MIT
"""The fixture's timing in a worker of ``perfcore ab``: inside the test's own call it serves blocks of rounds.

Fixtures, parameters, set-up and options are therefore those of the test. A round lasts at least 250 µs where the test
leaves the number of calls to us; ``benchmark.pedantic`` keeps its iterations, and never makes more rounds than it asked
for, since they may use something up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

from perfcore import _core
from perfcore.measure.calibration import calibrate
from perfcore.measure.runner import Runner
from perfcore.pytest_plugin import pedantic
from perfcore.pytest_plugin.backend import Backend
from perfcore.pytest_plugin.pause import Paused
from perfcore.pytest_plugin.record import Record

LEAST_ROUND_S = 250e-6

Ask = Callable[..., dict[str, Any]]
# Appends so many rounds of so many calls to the samples.
RunRounds = Callable[[_core.Samples, int, int], None]


class AbBackend(Backend):
    """Runs one fixture's benchmark in blocks, as the comparing process asks for them."""

    def __init__(self, *arguments: Any, ask: Ask) -> None:
        super().__init__(*arguments)
        self._ask = ask
        self.pace = None  # the other side, measured in turns, tells that better

    def _measure(self, runner: Runner, step: float) -> tuple[Record, int]:
        """Calibrate and serve; return the record and the iterations of a round."""
        fixture = self.fixture
        with Paused():
            found = calibrate(
                runner,
                min_time=max(fixture._min_time, LEAST_ROUND_S),
                max_time=fixture._max_time,
                warmup=fixture._warmup or 0,
                timer_precision=step,
                calibration_precision=fixture._calibration_precision,
            )
        record, samples = self.begin(runner, found.iterations, calibrated=True)

        def run(into: _core.Samples, rounds: int, iterations: int) -> None:
            with Paused():
                runner.run(into, rounds, iterations)

        with record:
            self._serve(samples, run, duration=found.duration, iterations=found.iterations, capacity=None)
        return record, found.iterations

    def measure_calls(self, record: Record, runner: Runner, call: pedantic.Call) -> None:
        """Measure nothing but time: memory is not what is compared, and its limits hold in ordinary runs."""

    def run_plan(self, plan: pedantic.Plan) -> Any:
        """Run ``benchmark.pedantic``: warm-up, rounds in blocks up to what the test asked for, the result."""
        with closing(plan.make_runner(self)) as runner:
            record, samples = self.begin(runner, plan.iterations, calibrated=False)

            def run(into: _core.Samples, rounds: int, _iterations: int) -> None:
                pedantic.run_rounds(replace(plan, rounds=rounds, warmup_rounds=0), runner, into)

            with record:
                capacity, duration = plan.rounds, 0.0
                first = int(capacity > 1)  # a round that tells how long one takes, where there is one to spare
                started = time.perf_counter()
                pedantic.run_rounds(replace(plan, rounds=first), runner, samples)
                duration = (time.perf_counter() - started) / max(1, first + plan.warmup_rounds)
                self._serve(samples, run, duration=duration, iterations=plan.iterations, capacity=capacity - first)
            return pedantic.result_of(plan, runner)

    def _serve(
        self, samples: _core.Samples, run: RunRounds, *, duration: float, iterations: int, capacity: int | None
    ) -> None:
        """Run blocks until told to go on. Leaves at least one sample, for the test's own use of its statistics."""
        command = self._ask(
            "ready",
            id=self.fixture.fullname,
            duration=duration,
            iterations=iterations,
            capacity=capacity,
        )
        while command["do"] == "block":
            block = _core.Samples()
            run(block, command["rounds"], command["iterations"])
            samples.extend(block)
            command = self._ask("block", quartile=_core.summarize(block)["q1"])
        if not len(samples):
            run(samples, 1, iterations)
