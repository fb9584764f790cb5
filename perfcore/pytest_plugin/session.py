# SPDX-License-Identifier: MIT
"""The state of one pytest session: whether perfcore runs its benchmarks, and what it recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from perfcore import __version__
from perfcore.pytest_plugin import compat
from perfcore.pytest_plugin.options import read_options
from perfcore.pytest_plugin.record import Record

if TYPE_CHECKING:
    from perfcore.pytest_plugin.limits import Limits

SCHEMA = 1
# What makes the backend of a fixture, where it is not Backend: a worker of `perfcore ab` has its own.
BACKEND = pytest.StashKey[Callable[..., Any]]()


class Session:
    """What lives as long as a pytest session."""

    def __init__(self, config: pytest.Config) -> None:
        self.options = read_options(config)
        self._config = config
        self._stock: compat.Stock | None = None
        self._disabled: compat.Stock | None = None
        self._records: list[Record] = []
        self._measured: dict[pytest.Item, list[Record]] = {}
        self._foreign: list[str] = []
        self.reason = self._why_off()

    def _why_off(self) -> str | None:
        """Return why pytest-benchmark's own loops run, or None where ours do."""
        if not self.options.on:
            return "--perfcore=off"
        benchmarks = getattr(self._config, "_benchmarksession", None)
        if benchmarks is None:
            return "pytest-benchmark is not active"
        if benchmarks.skip:
            return "benchmarks are skipped"
        try:
            stock = compat.probe()
        except compat.UnknownStockError as error:
            return str(error)
        if benchmarks.disabled:
            self._disabled = stock
            return "benchmarks are disabled"
        self._stock = stock
        return None

    def header(self) -> str:
        """Return the header line."""
        from perfcore.pytest_plugin import report

        if self._stock is None or self.reason is not None:
            return report.header_off(self.reason or "")
        timer = self._config._benchmarksession.options["timer"].target  # type: ignore[attr-defined]
        return report.header_on(self._stock, timer)

    def adopt(self, fixture: object, item: pytest.Item, limits: Limits | None = None) -> None:
        """Take over the `benchmark` fixture of a test that is pytest-benchmark's with its timing methods intact."""
        if "_raw" in getattr(fixture, "__dict__", ()):
            return
        if self._disabled is not None and self._disabled.accepts(fixture):
            from perfcore.pytest_plugin import disabled

            disabled.adopt(fixture)
        if self._stock is None:
            return
        if not self._stock.accepts(fixture):
            self._foreign.append(f"{type(fixture).__module__}.{type(fixture).__qualname__}")
            return
        from perfcore.pytest_plugin.backend import Backend

        make = self._config.stash.get(BACKEND, Backend)
        make(fixture, self._stock, self.options, self._keeper(item), limits).adopt()

    def _keeper(self, item: pytest.Item) -> Callable[[Record], None]:
        """Return what keeps the records of one set-up of a test."""
        measured = self._measured.setdefault(item, [])
        earlier = tuple(measured)  # the same test was run before, so it is a rerun

        def keep(record: Record) -> None:
            for one in earlier:
                one.superseded = True
            measured.append(record)
            self._records.append(record)

        return keep

    def describe(self, output: Any) -> None:
        """Add the run's own "perfcore" entry to a results file; of a test that was rerun keep the last benchmark."""
        if self._stock is None or not isinstance(output, dict):
            return
        from perfcore.record.environment import environment

        output["perfcore"] = {
            "schema": SCHEMA,
            "version": __version__,
            "backend": "perfcore",
            "environment": environment(),
            "options": self.options.as_dict(),
        }
        self._leave_out_superseded(output)
        compat.quicken_saving()

    def _leave_out_superseded(self, output: dict[Any, Any]) -> None:
        stale = {id(record.entry) for record in self._records if record.superseded and record.entry is not None}
        if stale and isinstance(benchmarks := output.get("benchmarks"), list):
            last = {one.get("fullname"): one for one in benchmarks}
            benchmarks[:] = [
                one for one in benchmarks if id(one.get("perfcore")) not in stale or last[one.get("fullname")] is one
            ]

    def summarise(self, terminal: pytest.TerminalReporter) -> None:
        """Print the second table and what the user should know; if quiet, only which tests perfcore left alone."""
        if self._stock is None:
            return
        from perfcore.pytest_plugin import report

        lines = [report.foreign_line(self._foreign)]
        if not self._config._benchmarksession.quiet:  # type: ignore[attr-defined]
            if self.options.table:
                report.write_table(terminal, self._records, self.options.table)
            lines = [
                report.polluted_line(self._records),
                report.pace_line(self._records),
                *lines,
                report.instructions_line(self.options),
            ]
        for line in lines:
            if line is not None:
                terminal.write_line(line, yellow=True)


_KEY = pytest.StashKey[Session]()


def session_of(config: pytest.Config) -> Session:
    """Return the session's state, made at the first question (when pytest-benchmark is configured)."""
    session = config.stash.get(_KEY, None)
    if session is None:
        session = config.stash[_KEY] = Session(config)
    return session
