# SPDX-License-Identifier: MIT
"""``@pytest.mark.perfcore(max_peak="10 MB", max_allocations=100, max_growth=0)``: limits on what a test may allocate.

In a benchmark they hold for one call of the benchmarked function, measured after its timing; in any other test for the
call of the test itself, also of a method of a `unittest.TestCase` and of a coroutine function, which another plugin
awaits (what its event loop allocates meanwhile counts). `max_growth` is what is left after a garbage collection.

`warning="10%"` and `critical="25%"` go into the results file: by them `perfcore check` judges this benchmark.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from perfcore.errors import ConfigError
from perfcore.judge.thresholds import parse_fraction
from perfcore.units import format_bytes, parse_bytes

if TYPE_CHECKING:
    from perfcore.measure.call_metrics import CallMetrics

_NAMES = ("max_peak", "max_allocations", "max_growth")
_THRESHOLDS = ("warning", "critical")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one test; None where there is none."""

    max_peak: int | None = None
    max_allocations: int | None = None
    max_growth: int | None = None
    warning: float | None = None
    critical: float | None = None

    def thresholds(self) -> dict[str, float]:
        """Return the thresholds that are set, as the results file names them."""
        found = {"warning": self.warning, "critical": self.critical}
        return {name: value for name, value in found.items() if value is not None}

    def metrics(self) -> set[str]:
        """Return the names of the metrics that have to be measured."""
        needed = {"peak": self.max_peak, "alloc": self.max_allocations, "growth": self.max_growth}
        return {name for name, limit in needed.items() if limit is not None}

    def check(self, metrics: CallMetrics) -> None:
        """Fail the test if a limit is exceeded, naming all that are, or if that cannot be told."""
        from perfcore.measure.allocations import REPLACED

        exceeded = []
        for name, limit, figure, form in (
            ("max_peak", self.max_peak, metrics.peak, format_bytes),
            ("max_allocations", self.max_allocations, metrics.allocations, _form_count),
            ("max_growth", self.max_growth, metrics.growth, format_bytes),
        ):
            if limit is not None and figure is None:
                exceeded.append(f"{name[4:]} is not known, for {REPLACED} ({name}={form(limit)})")
            elif limit is not None and figure is not None and figure > limit:
                exceeded.append(f"{name[4:]} {form(figure)} is more than {name}={form(limit)}")
        if exceeded:
            pytest.fail(f"perfcore limits: {'; '.join(exceeded)}", pytrace=False)


def _form_count(count: float) -> str:
    return f"{count:,}"


def limits_of(item: pytest.Item) -> Limits | None:
    """Return the limits of a test, the nearest mark's; None where it has no mark. A wrong mark fails the test."""
    mark = item.get_closest_marker("perfcore")
    if mark is None:
        return None
    where = f"{item.nodeid}: @pytest.mark.perfcore"
    unknown = [name for name in mark.kwargs if name not in (*_NAMES, *_THRESHOLDS)]
    if mark.args or unknown:
        given = ", ".join(unknown) or "positional arguments"
        pytest.fail(f"{where} does not take {given}; it takes {', '.join((*_NAMES, *_THRESHOLDS))}", pytrace=False)
    values: dict[str, Any] = {}
    for name, value in mark.kwargs.items():
        try:
            values[name] = parse_fraction(value) if name in _THRESHOLDS else parse_bytes(value)
        except (ConfigError, ValueError, TypeError) as error:
            pytest.fail(f"{where}({name}=...): {error}", pytrace=False)
    limits = Limits(**values)
    if limits.warning is not None and limits.critical is not None and limits.warning > limits.critical:
        pytest.fail(f"{where}: warning is above critical; give warning <= critical", pytrace=False)
    return limits


def _limited(function: Callable[..., Any], limits: Limits) -> Callable[..., Any]:
    """Return a function like `function`, which calls it, or awaits it, and fails where that exceeds a limit."""
    from perfcore.measure.allocations import collect, net_growth, track_allocations
    from perfcore.measure.call_metrics import CallMetrics

    whole, test = track_allocations(), track_allocations()

    def check() -> None:
        figures = [test.allocations, test.bytes, test.peak, max(0, net_growth(whole)[1])]
        limits.check(CallMetrics(None, *figures) if whole.complete else CallMetrics())

    @functools.wraps(function)
    async def awaited(**arguments: Any) -> None:
        with track_allocations():  # so that no free of what is made from here on is unknown
            collect()
            with whole:
                with test:
                    await function(**arguments)
                collect()
        check()

    @functools.wraps(function)
    def called(**arguments: Any) -> None:
        def run() -> None:
            test.run(function, (), arguments)
            collect()

        with track_allocations():  # as above
            collect()
            whole.run(run)
        check()

    return awaited if inspect.iscoroutinefunction(function) else called


@contextmanager
def held(item: pytest.Function, limits: Limits) -> Iterator[None]:
    """Hold a test that is no benchmark to its limits: whoever calls or awaits it gets a function that checks them."""
    function = item.obj
    if inspect.isasyncgenfunction(function):  # is no test: pytest says so
        yield
        return
    item.obj = limited = _limited(function, limits)
    # The methods of a TestCase are looked up there. Those that are not coroutine functions pytest itself puts there.
    unittest, case = sys.modules.get("unittest"), getattr(function, "__self__", None)
    own = unittest is not None and isinstance(case, unittest.TestCase) and inspect.iscoroutinefunction(function)
    if own:
        setattr(case, item.name, limited)
    try:
        yield
    finally:
        item.obj = function
        if own:
            delattr(case, item.name)
