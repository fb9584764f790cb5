# SPDX-License-Identifier: MIT
"""Whether a callable keeps memory each time it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perfcore.errors import LeakError, MeasureError
from perfcore.measure.allocations import CALLED_FROM, REPLACED, CallSite, Growth, grow, track_allocations
from perfcore.measure.callables import is_coroutine_function
from perfcore.units import format_bytes, parse_bytes

# Rounds in a row without growth, and then a long one: a list that leaks grows in steps. When even that one grows, the
# next is twice as long; so often, and it is a leak.
_STEADY = 3
_LONG = 3
_SITES_SHOWN = 5
_LOOKS = 5  # for the sites, should a leak pause just then


def assert_no_leaks(
    function: Callable[..., Any],
    /,
    *args: Any,
    calls: int = 10,
    rounds: int = 20,
    warmup: int = 5,
    max_growth: float | str = 0,
    **kwargs: Any,
) -> None:
    """Call a function in rounds until its memory stays as it is; fail when it never does.

    Caches that fill and then stay are no leaks: three rounds in a row without growth after a garbage collection, and
    then as many calls at once as half of all rounds have, are a pass. What other threads allocate meanwhile counts too.

    Args:
        function: called as ``function(*args, **kwargs)``; what it returns is dropped. A coroutine function is awaited
            on an event loop of its own.
        *args: its positional arguments.
        calls: how often it is called in a round.
        rounds: how many rounds it has to become steady.
        warmup: calls before the first round.
        max_growth: bytes per call that it may keep, such as 100 or "1 kB".
        **kwargs: its keyword arguments.

    Raises:
        LeakError: an AssertionError; its text names the call sites that grow.
        MeasureError: the function replaces Python's allocators (tracemalloc that was running is stopped), so that
            nothing can be said; or it is a coroutine function, and an event loop is running in this thread.
        ValueError: a count is too small.

    """
    if calls < 1 or warmup < 0 or rounds < _STEADY:
        raise ValueError(f"calls must be at least 1, warmup at least 0 and rounds at least {_STEADY}")
    allowed = parse_bytes(max_growth)
    name = getattr(function, "__qualname__", None) or repr(function)
    if not is_coroutine_function(function):
        _check(function, args, kwargs, (calls, rounds, warmup), allowed, name=name)
        return
    from perfcore.measure.runner import make_runner

    runner = make_runner(function, args, kwargs)
    try:
        _check(runner.time, (1,), {}, (calls, rounds, warmup), allowed, name=name)
    finally:
        runner.close()


def _check(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    counts: tuple[int, int, int],
    allowed: int,
    *,
    name: str,
) -> None:
    with track_allocations() as tracker:
        done = _calls_until_steady(function, args, kwargs, counts, allowed)
    if done is None:
        if not tracker.complete:
            raise MeasureError(f"whether {name} keeps memory is not known: {REPLACED}")
        return
    many = counts[0] * counts[1] // 2
    with track_allocations(sites=True):
        grow(function, args, kwargs, many)  # so that the sites of what the next calls free are known
        for _ in range(_LOOKS):
            growth = grow(function, args, kwargs, many, sites=True)
            if growth.sites:
                break
    raise LeakError(_text(name, growth, many, done))


def _calls_until_steady(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    counts: tuple[int, int, int],
    allowed: int,
) -> int | None:
    """Return None when memory becomes steady, and otherwise how many calls were made."""
    calls, rounds, warmup = counts
    for _ in range(warmup):
        function(*args, **kwargs)
    steady, long, done, many = 0, 0, warmup, calls * rounds // 2
    for _ in range(rounds):
        done += calls
        steady = steady + 1 if _within(grow(function, args, kwargs, calls), allowed * calls) else 0
        if steady == _STEADY:
            done += many
            if _within(grow(function, args, kwargs, many), allowed * many):
                return None
            steady, long, many = 0, long + 1, many * 2
            if long == _LONG:
                break
    return done


def _within(growth: Growth, allowed: int) -> bool:
    return growth.bytes <= allowed and (allowed > 0 or growth.blocks <= 0)


def _text(name: str, growth: Growth, calls: int, before: int) -> str:
    line = (
        f"{name} keeps {format_bytes(growth.bytes / calls)} in {growth.blocks / calls:.3g} blocks per call, "
        f"still after {before} calls"
    )
    shown = [
        f"{_place(site, name)} {format_bytes(site.live / calls)} in {site.live_blocks / calls:.3g} blocks"
        for site in growth.sites[:_SITES_SHOWN]
    ]
    return f"{line}; allocated at {', '.join(shown)}" if shown else line


def _place(site: CallSite, name: str) -> str:
    return f"{name} itself (C code)" if site[:2] == CALLED_FROM else f"{site.file}:{site.line}"
