# SPDX-License-Identifier: MIT
"""A disabled `benchmark` fixture (``--benchmark-disable``, pytest-xdist, by the test), which calls the function once.

Where benchmarks run, a coroutine function is awaited and the test gets its result; so it is here, without the loops.
All of one call (set-up, function, tear-down) runs on one event loop. Inside a running loop nothing can be awaited, and
the test gets the coroutine, as without perfcore.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from perfcore.measure.callables import is_coroutine_function

if TYPE_CHECKING:
    import asyncio


def adopt(fixture: Any) -> None:
    """Have the fixture, which is pytest-benchmark's own, await coroutine functions."""
    fixture._raw = partial(raw, fixture)
    fixture._raw_pedantic = partial(raw_pedantic, fixture)


def raw(fixture: Any, function_to_benchmark: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Stand in for ``BenchmarkFixture._raw`` of a disabled fixture."""
    with _Loop() as loop:
        return type(fixture)._raw(fixture, loop.plain(function_to_benchmark), *args, **kwargs)


def raw_pedantic(
    fixture: Any, target: Callable[..., Any], args: Any = (), kwargs: Any = None, setup: Any = None, **options: Any
) -> Any:
    """Stand in for ``BenchmarkFixture._raw_pedantic`` of a disabled fixture."""
    with _Loop() as loop:
        if options.get("teardown") is not None:
            options["teardown"] = loop.plain(options["teardown"])
        setup = loop.plain(setup) if setup else setup
        return type(fixture)._raw_pedantic(fixture, loop.plain(target), args, kwargs, setup, **options)


class _Loop:
    """An event loop that is made when a coroutine function asks for it."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def __enter__(self) -> _Loop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner is not None:
            self._runner.close()

    def plain(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that gives the result of the coroutine function; any other function as it is."""
        if not is_coroutine_function(function):
            return function
        import asyncio

        if asyncio._get_running_loop() is not None:
            return function
        # The thread keeps the event loop that it has as its current one.
        runner = self._runner = self._runner or asyncio.Runner(loop_factory=asyncio.new_event_loop)
        return lambda *args, **kwargs: runner.run(function(*args, **kwargs))
