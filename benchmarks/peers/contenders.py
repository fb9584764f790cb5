# SPDX-License-Identifier: MIT
"""The peers' own code and ours, brought to one shape. Nothing here is a copy of a peer's loop: it calls the peer."""

from __future__ import annotations

import functools
import inspect
import statistics
import time
import timeit
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from benchmarks.peers.truth import Subject

RoundTimer = Callable[[int], float]  # iterations to seconds of the whole round


class Silent:
    """Stands for pytest-benchmark's logger."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        def swallow(*args: Any, **kwargs: Any) -> None:
            """Say nothing."""

        return swallow


def stock_fixture(**changes: Any) -> Any:
    """Return a `BenchmarkFixture` with pytest-benchmark's default options, as its plugin makes it for a test."""
    from pytest_benchmark.fixture import BenchmarkFixture
    from pytest_benchmark.utils import NameWrapper

    options: dict[str, Any] = {
        "node": SimpleNamespace(name="league", nodeid="league::league"),
        "disable_gc": False,
        "timer": NameWrapper(time.perf_counter),  # type: ignore[no-untyped-call]
        "min_rounds": 5,
        "min_time": 0.000005,
        "max_time": 1.0,
        "precision": None,
        "confidence": 0.99,
        "warmup": False,
        "warmup_iterations": 100000,
        "calibration_precision": 10,
        "add_stats": lambda stats: None,
        "logger": Silent(),
        "warner": None,
        "disabled": False,
        "cprofile": False,
        "cprofile_loops": None,
        "cprofile_dump": None,
    }
    options |= changes
    accepted = inspect.signature(BenchmarkFixture).parameters
    return BenchmarkFixture(  # type: ignore[no-untyped-call]
        **{name: value for name, value in options.items() if name in accepted}
    )


@functools.cache
def installed_stock() -> Any:
    """Return what our plugin knows of the installed pytest-benchmark."""
    from perfcore.pytest_plugin.compat import probe

    return probe()


def ours_fixture(**changes: Any) -> Any:
    """Return the same fixture, taken over by our plugin as it does for a test under default options."""
    from perfcore.pytest_plugin.backend import Backend
    from perfcore.pytest_plugin.options import Options

    fixture = stock_fixture(**changes)
    options = Options(on=True, strict=False, precision=None, correct=False, columns=())
    records: list[Any] = []
    Backend(fixture, installed_stock(), options, records.append).adopt()
    return fixture


def stock_round(subject: Subject) -> tuple[RoundTimer, int]:
    """Return pytest-benchmark's runner, and the iterations that its calibration picks."""
    fixture = stock_fixture()
    runner = fixture._make_runner(subject.function, subject.args, dict(subject.kwargs))
    runner(range(10))  # a first call must not decide: that flaw has a row of its own
    _, iterations, _ = fixture._calibrate_timer(runner)
    return lambda count: runner(range(count)), iterations


def ours_round(subject: Subject, *, correct: bool = False) -> tuple[RoundTimer, int]:
    """Return one round of our runner as a results file would have it, and the iterations that our calibration picks."""
    from perfcore._core import Samples
    from perfcore.measure import clock
    from perfcore.measure.calibration import calibrate
    from perfcore.measure.runner import make_runner

    runner = make_runner(subject.function, subject.args, dict(subject.kwargs), correct=correct)
    chosen = calibrate(
        runner, min_time=5e-6, max_time=1.0, timer_precision=clock.precision(time.perf_counter)
    ).iterations

    def one_round(count: int) -> float:
        samples = Samples()
        runner.run(samples, 1, count)
        return samples[0] * count

    return one_round, chosen


def ours_single(subject: Subject, rounds: int, *, correct: bool) -> Callable[[], float]:
    """Return a function that runs rounds of one iteration and gives the median sample."""
    from perfcore._core import Samples
    from perfcore.measure.runner import make_runner

    runner = make_runner(subject.function, subject.args, dict(subject.kwargs), correct=correct)

    def median() -> float:
        samples = Samples()
        runner.run(samples, rounds, 1)
        return statistics.median(samples.tolist())

    return median


def timeit_round(subject: Subject) -> RoundTimer:
    """Return timeit's loop in its best form: callable and arguments made locals by the setup."""
    bindings = dict(zip(subject.parameters, subject.values, strict=True))
    setup = "\n".join(f"{name} = _{name}" for name in bindings)
    namespace = {f"_{name}": value for name, value in bindings.items()}
    return timeit.Timer(subject.call, setup, globals=namespace).timeit


def pyperf_round(subject: Subject) -> RoundTimer:
    """Return the very function that a pyperf worker calls for ``Runner.bench_func``.

    Arguments go the way pyperf's documentation gives them: positional ones to ``bench_func`` (which makes a partial
    of them), keyword ones by ``functools.partial``.
    """
    import pyperf  # type: ignore[import-untyped]

    class Capture(pyperf.Runner):  # type: ignore[misc]
        """Keeps the task instead of starting worker processes."""

        _created: set[int] = set()  # noqa: RUF012 - pyperf counts the instances of a class in it

        def _main(self, task: Any) -> Any:
            return task

    runner = Capture()
    runner.parse_args([])
    function = functools.partial(subject.function, **subject.kwargs) if subject.kwargs else subject.function
    task = runner.bench_func(subject.name, function, *subject.args)
    call: Callable[[Any, int], float] = task.task_func
    return lambda count: call(task, count)
