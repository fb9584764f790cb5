# SPDX-License-Identifier: MIT
"""The peers' own code and ours, brought to one shape. Nothing here is a copy of a peer's loop: it calls the peer."""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
import timeit
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

from benchmarks.peers.truth import Subject

RoundTimer = Callable[[int], float]  # iterations to seconds of the whole round


class Silent:
    """Stands for pytest-benchmark's logger."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        def swallow(*args: Any, **kwargs: Any) -> None:
            """Say nothing."""

        return swallow


def stock_fixture_module() -> ModuleType:
    """Return a second copy of ``pytest_benchmark.fixture``, which nobody has patched."""
    name = "pytest_benchmark._stock_fixture_of_the_league"
    if name not in sys.modules:
        original = importlib.util.find_spec("pytest_benchmark.fixture")
        if original is None or original.origin is None:
            raise ImportError("pytest_benchmark.fixture has no source file")
        spec = importlib.util.spec_from_file_location(name, original.origin)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot load {original.origin}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def make_fixture(fixture_class: Any, **changes: Any) -> Any:
    """Return a `BenchmarkFixture` with pytest-benchmark's default options, as its plugin makes it for a test."""
    from pytest_benchmark.utils import NameWrapper

    options: dict[str, Any] = {
        "node": SimpleNamespace(name="league", nodeid="league::league"),
        "disable_gc": False,
        "timer": NameWrapper(time.perf_counter),
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
    accepted = fixture_class.__init__.__code__.co_varnames
    return fixture_class(**{name: value for name, value in options.items() if name in accepted})


def stock_fixture(**changes: Any) -> Any:
    """Return pytest-benchmark's own fixture."""
    return make_fixture(stock_fixture_module().BenchmarkFixture, **changes)


def stock_round(subject: Subject) -> tuple[RoundTimer, int]:
    """Return pytest-benchmark's runner, and the iterations that its calibration picks."""
    fixture = stock_fixture()
    runner = fixture._make_runner(subject.function, subject.args, dict(subject.kwargs))
    runner(range(10))  # a first call must not decide: that flaw has a row of its own
    _, iterations, _ = fixture._calibrate_timer(runner)
    return lambda count: runner(range(count)), iterations


def ours_round(subject: Subject, *, correct: bool = False) -> tuple[RoundTimer, int]:
    """Return one round of our runner as a results file would have it, and the iterations that our calibration picks."""
    from pytest_benchmark.timers import compute_timer_precision

    from perfcore._core import Samples
    from perfcore.measure.calibration import calibrate
    from perfcore.measure.runner import make_runner

    runner = make_runner(subject.function, subject.args, dict(subject.kwargs), correct=correct)
    chosen = calibrate(
        runner, min_time=5e-6, max_time=1.0, timer_precision=compute_timer_precision(time.perf_counter)
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
        return statistics.median(samples)

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
    import functools

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
