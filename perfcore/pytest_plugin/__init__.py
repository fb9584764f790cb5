# SPDX-License-Identifier: MIT
"""The pytest plugin: existing pytest-benchmark tests run on the C loops, unmodified.

This module is imported by every pytest run in the environment, benchmarks or not, so it imports little; the loops are
loaded when the first `benchmark` fixture is set up or the header is printed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from perfcore.pytest_plugin.fixtures import memory_tracker, metrics_collector  # noqa: F401 (found here by pytest)
from perfcore.pytest_plugin.options import add_options

if TYPE_CHECKING:
    from perfcore.codecs import Codec
    from perfcore.measure.allocations import AllocationTracker
    from perfcore.messaging import Ring, Router
    from perfcore.pytest_plugin.session import Session


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark; become a worker of ``perfcore ab``, where that command started this process."""
    config.addinivalue_line(
        "markers",
        "perfcore(max_peak='10 MB', max_allocations=100, max_growth=0): fail when a benchmarked call, or a test that "
        "is no benchmark, exceeds one of these limits; warning='10%', critical='25%': the thresholds by which "
        "`perfcore check` judges this benchmark.",
    )
    if "PERFCORE_AB_PIPES" in os.environ:
        from perfcore.pytest_plugin.ab_worker import start
        from perfcore.pytest_plugin.session import BACKEND

        start(config, BACKEND)


@pytest.fixture
def allocation_tracker() -> Iterator[AllocationTracker]:
    """Count this test's allocations, from here on: a tracker of `perfcore.track_allocations`; `reset()` starts anew."""
    from perfcore.measure.allocations import track_allocations

    with track_allocations() as tracker:
        yield tracker


@pytest.fixture
def assert_no_leaks() -> Callable[..., None]:
    """Call a function again and again, and fail when it keeps memory each time: `perfcore.assert_no_leaks`."""
    from perfcore.judge.leaks import assert_no_leaks

    return assert_no_leaks


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Hold a test that is no benchmark to its mark's limits."""
    if item.get_closest_marker("perfcore") is None:
        return (yield)
    if not isinstance(item, pytest.Function) or "benchmark" in item.fixturenames:
        return (yield)
    from perfcore.pytest_plugin import limits

    wanted = limits.limits_of(item)
    if wanted is None or not wanted.metrics():
        return (yield)
    with limits.held(item, wanted):
        return (yield)


def pytest_report_header(config: pytest.Config) -> str:
    """Say which code will run the benchmarks."""
    return _session(config).header()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Take over the fixture named `benchmark`, if it is pytest-benchmark's."""
    value = yield
    if fixturedef.argname == "benchmark":
        limits = None
        if request.node.get_closest_marker("perfcore") is not None:
            from perfcore.pytest_plugin.limits import limits_of

            limits = limits_of(request.node)
        _session(request.config).adopt(value, request.node, limits)
    return value


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: Any) -> None:
    """Add what describes the whole run; first, so that the user's own hooks see it and may change it."""
    _session(config).describe(output_json)


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, object, object]:
    """Print our table and lines after pytest-benchmark's, also when it found a regression."""
    try:
        return (yield)
    finally:
        _session(config).summarise(terminalreporter)


@pytest.fixture
def codec(request: pytest.FixtureRequest) -> Codec:
    """Return a codec: JSON, or the one that ``parametrize("codec", [...], indirect=True)`` names."""
    from perfcore.codecs import get_codec

    return get_codec(getattr(request, "param", "json"))


@pytest.fixture
def message_queue() -> Ring[Any]:
    """Return an empty `perfcore.messaging.Ring` without a limit."""
    from perfcore.messaging import Ring

    return Ring()


@pytest.fixture
def message_router() -> Router:
    """Return a `perfcore.messaging.Router` without endpoints."""
    from perfcore.messaging import Router

    return Router()


def _session(config: pytest.Config) -> Session:
    """Return the state of this pytest session (there may be several in a process)."""
    from perfcore.pytest_plugin.session import session_of

    return session_of(config)
