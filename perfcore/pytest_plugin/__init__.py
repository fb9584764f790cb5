# SPDX-License-Identifier: MIT
"""The pytest plugin: existing pytest-benchmark tests run on the C loops, unmodified.

This module is imported by every pytest run in the environment, benchmarks or not, so it imports little; the loops are
loaded when the first `benchmark` fixture is set up or the header is printed.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from perfcore.pytest_plugin.options import add_options

if TYPE_CHECKING:
    from perfcore.pytest_plugin.session import Session


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Become a worker of ``perfcore ab``, where that command started this process."""
    if "PERFCORE_AB_PIPES" in os.environ:
        from perfcore.pytest_plugin.ab_worker import start
        from perfcore.pytest_plugin.session import BACKEND

        start(config, BACKEND)


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
        _session(request.config).adopt(value)
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


def _session(config: pytest.Config) -> Session:
    """Return the state of this pytest session (there may be several in a process)."""
    from perfcore.pytest_plugin.session import session_of

    return session_of(config)
