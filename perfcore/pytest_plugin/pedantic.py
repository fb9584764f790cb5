# SPDX-License-Identifier: MIT
"""``benchmark.pedantic``: the test says how many rounds, what to set up before each and what to tear down after."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from perfcore import _core
from perfcore.measure.runner import Runner
from perfcore.pytest_plugin.pause import Paused

if TYPE_CHECKING:
    from perfcore.pytest_plugin.backend import Backend


class Call(NamedTuple):
    """A callable with its arguments."""

    function: Callable[..., Any]
    args: Any
    kwargs: Any


@dataclass(slots=True)
class Plan:
    """The arguments of ``benchmark.pedantic``."""

    target: Callable[..., Any]
    args: Any
    kwargs: Any
    setup: Callable[[], Any] | None
    teardown: Callable[..., Any] | None
    rounds: int
    warmup_rounds: int
    iterations: int
    has_arguments: bool = field(init=False)

    def __post_init__(self) -> None:
        if self.kwargs is None:
            self.kwargs = {}
        self.has_arguments = bool(self.args or self.kwargs)

    def valid(self) -> bool:
        """Whether stock accepts the counts; where it does not, stock is left to say so in its own words."""
        return (
            isinstance(self.iterations, int)
            and self.iterations >= 1
            and isinstance(self.rounds, int)
            and self.rounds >= 1
            and isinstance(self.warmup_rounds, int)
            and self.warmup_rounds >= 0
            and not (self.iterations > 1 and self.setup)
        )

    def stock_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for the stock method; before 5.2 it knows no teardown."""
        names = ("args", "kwargs", "setup", "rounds", "warmup_rounds", "iterations")
        arguments = {name: getattr(self, name) for name in names}
        if self.teardown is not None:
            arguments["teardown"] = self.teardown
        return arguments

    def make_arguments(self) -> tuple[Any, Any]:
        """Return the arguments of one call, from `setup` where it gives them."""
        return self.arguments(self.setup() if self.setup else None)

    def arguments(self, given: Any) -> tuple[Any, Any]:
        """Return the arguments of one call: what `setup` gave, or the plan's own as they are by now."""
        args, kwargs = self.args, self.kwargs
        if given:
            if self.has_arguments:
                raise TypeError("Can't use `args` or `kwargs` if `setup` returns the arguments.")
            args, kwargs = given
        return args, kwargs

    @property
    def has_hooks(self) -> bool:
        """Whether the test's own code runs between the rounds, which are of one call then."""
        return bool(self.setup) or (self.teardown is not None and self.iterations == 1)

    def make_runner(self, backend: Backend) -> Runner:
        """Return the runner; where hooks may change the plan's arguments in place between rounds it has none itself."""
        args, kwargs = ((), {}) if self.has_hooks else (tuple(self.args), dict(self.kwargs))
        return backend.make_runner(self.target, args, kwargs)

    def set_up(self, runner: Runner) -> Callable[[], Any] | None:
        """Return what the runner calls before each round for its arguments."""
        if not self.has_hooks or runner.kernel(1) != "coroutine":
            return self.make_arguments if self.has_hooks else None
        setup = self.setup

        async def awaited() -> tuple[Any, Any]:
            given = setup() if setup else None
            return self.arguments(await given if inspect.isawaitable(given) else given)

        return awaited


def run(backend: Backend, plan: Plan) -> Any:
    """Run the plan; return what the test gets."""
    with closing(plan.make_runner(backend)) as runner:
        record, samples = backend.begin(runner, plan.iterations, calibrated=False)
        with record:
            run_rounds(plan, runner, samples)
        result = result_of(plan, runner)
        if _repeatable(plan) and not backend.options.strict:
            backend.measure_calls(record, runner, Call(plan.target, plan.args, plan.kwargs))
        if backend.fixture.cprofile:
            _profile(backend, plan, runner)
        return result


def run_rounds(plan: Plan, runner: Runner, samples: _core.Samples) -> None:
    """Run the warm-up rounds and the rounds."""
    if plan.iterations > 1:
        _run_looped(plan, runner, samples)
    else:
        _run_single(plan, runner, samples)


def result_of(plan: Plan, runner: Runner) -> Any:
    """Return what the test gets, after the rounds."""
    return runner.result if plan.iterations == 1 else _result_of_looped(plan, runner)


def _repeatable(plan: Plan) -> bool:
    """Whether more calls than the plan's may be made: nothing is set up for each, and it makes several itself."""
    return plan.setup is None and plan.teardown is None and plan.rounds * plan.iterations > 1


def _run_looped(plan: Plan, runner: Runner, samples: _core.Samples) -> None:
    """Run rounds of many calls. There is no set-up: stock allows none with more than one iteration."""
    for _ in range(plan.warmup_rounds):
        with Paused():
            runner.time(plan.iterations)
        _tear_down(plan, runner, plan.args, plan.kwargs)
    if plan.teardown is None:
        with Paused():
            runner.run(samples, plan.rounds, plan.iterations)
        return
    for _ in range(plan.rounds):
        with Paused():
            runner.run(samples, 1, plan.iterations)
        _tear_down(plan, runner, plan.args, plan.kwargs)


def _run_single(plan: Plan, runner: Runner, samples: _core.Samples) -> None:
    """Run rounds of one call."""
    if plan.has_hooks:
        # The runner pauses tracers around the call alone: coverage sees set-up and tear-down.
        setup = plan.set_up(runner)
        runner.run_with_setup(None, plan.warmup_rounds, setup, plan.teardown)
        runner.run_with_setup(samples, plan.rounds, setup, plan.teardown)
        return
    with Paused():
        for _ in range(plan.warmup_rounds):
            runner.time(1)
        runner.run(samples, plan.rounds, 1)


def _result_of_looped(plan: Plan, runner: Runner) -> Any:
    """Make the extra call of stock: looped rounds keep no result."""
    result = runner.call(plan.target, plan.args, plan.kwargs)
    _tear_down(plan, runner, plan.args, plan.kwargs)
    return result


def _profile(backend: Backend, plan: Plan, runner: Runner) -> None:
    """Profile the target with one set of arguments, tearing down after each call."""
    loops = backend.profile_loops(plan.iterations)
    if runner.kernel(1) == "coroutine":
        # Set-up and tear-down may be coroutine functions too; they run, and are profiled, on the runner's loop.
        backend.profile(Call(runner.run_with_setup, (None, 1, plan.set_up(runner), plan.teardown), {}), loops)
        return
    args, kwargs = plan.make_arguments()
    backend.profile(Call(plan.target, args, kwargs), loops, lambda: _tear_down(plan, runner, args, kwargs))


def _tear_down(plan: Plan, runner: Runner, args: Any, kwargs: Any) -> None:
    if plan.teardown is not None:
        runner.call(plan.teardown, args, kwargs)
