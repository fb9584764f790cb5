# SPDX-License-Identifier: MIT
"""One side of ``perfcore ab``: a pytest process that runs benchmarks block by block, as the comparing process says.

What the two say to each other, and how, stands in perfcore/suite/protocol.py.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perfcore.suite.protocol import OUTSIDE, PIPES

FIXTURES = frozenset({"benchmark", "benchmark_weave"})

# What would write files, compare, or stop the run early: none of it is the A/B's business.
_NEUTRAL: dict[str, Any] = {
    "benchmark_autosave": False,
    "benchmark_save": None,
    "benchmark_json": None,
    "benchmark_compare": None,
    "benchmark_compare_fail": None,
    "benchmark_histogram": None,
    "benchmark_cprofile": None,
    "benchmark_skip": False,
    "benchmark_disable": False,
    "benchmark_enable": True,
    "benchmark_quiet": True,
    "continue_on_collection_errors": True,
    "maxfail": 0,
}


class Pipes:
    """The worker's end of the two pipes."""

    def __init__(self, text: str) -> None:
        commands, events = map(int, text.split(","))
        for descriptor in (commands, events):
            os.set_inheritable(descriptor, False)
        self._commands = os.fdopen(commands, encoding="utf-8")
        self._events = os.fdopen(events, "w", encoding="utf-8")

    def tell(self, event: str, **fields: Any) -> None:
        """Send an event; the comparing process may be gone."""
        try:
            self._events.write(json.dumps({"event": event, **fields}) + "\n")
            self._events.flush()
        except BrokenPipeError:
            pytest.exit("the comparing process went away", returncode=3)

    def ask(self, event: str, **fields: Any) -> dict[str, Any]:
        """Send an event and return the command that answers it."""
        self.tell(event, **fields)
        line = self._commands.readline()
        if not line:
            pytest.exit("the comparing process went away", returncode=3)
        command: dict[str, Any] = json.loads(line)
        return command


class Worker:
    """The hooks of a worker, registered as a plugin of its own."""

    def __init__(self, config: pytest.Config, pipes: Pipes) -> None:
        self._config = config
        self.pipes = pipes
        self._outside = [Path(one) for one in os.environ.pop(OUTSIDE, "").split(os.pathsep) if one]
        self._errors: dict[str, str] = {}
        self._outcome, self._message = "passed", ""

    def backend(self, *arguments: Any) -> Any:
        """Make the backend of one fixture."""
        from perfcore.pytest_plugin.ab_backend import AbBackend

        return AbBackend(*arguments, ask=self.pipes.ask)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what cannot be collected."""
        if report.failed:
            self._errors[report.nodeid] = _one_line(report)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Tell what there is, and keep what the comparing process wants, in its order."""
        from perfcore.pytest_plugin.session import session_of

        found = {item.nodeid: item for item in items if FIXTURES.intersection(getattr(item, "fixturenames", ()))}
        reason = session_of(config).reason
        command = self.pipes.ask("collected", ids=list(found), errors=self._errors, reason=reason)
        wanted = [found[name] for name in command["ids"]]
        kept = set(wanted)
        dropped = [item for item in items if item not in kept]
        items[:] = wanted
        if dropped:
            config.hook.pytest_deselected(items=dropped)

    def pytest_runtest_logstart(self) -> None:
        """Begin a test."""
        self._outcome, self._message = "passed", ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the worst outcome of a test's set-up, call and tear-down."""
        if report.outcome != "passed" and self._outcome != "failed":
            self._outcome, self._message = report.outcome, _one_line(report)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell how a test ended, and wait until the other side has had its turn."""
        self.pipes.ask("done", id=nodeid, outcome=self._outcome, message=self._message)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Tell that this was all."""
        self.pipes.tell("finished", outside=self._used_from_outside())

    def _used_from_outside(self) -> list[str]:
        """Return imported files of the project that are not this side's: then it did not measure its own code."""
        if not self._outside:
            return []
        home = Path(self._config.rootpath).resolve()
        prefixes = {Path(sys.prefix).resolve(), Path(__file__).resolve().parents[1]}
        found = []
        for module in list(sys.modules.values()):
            name = getattr(module, "__file__", None)
            if not isinstance(name, str) or "site-packages" in name:
                continue
            file = Path(name).resolve()
            if any(map(file.is_relative_to, self._outside)) and not any(map(file.is_relative_to, {home, *prefixes})):
                found.append(str(file))
        return sorted(found)[:5]


def _one_line(report: Any) -> str:
    """Return what went wrong, or why it was skipped, in one line: pytest has several forms for it."""
    where = report.longrepr
    crash = getattr(where, "reprcrash", None)
    if crash is not None:
        lines = str(crash.message).split("\n", 1)
    elif isinstance(where, tuple):  # file, line, reason
        lines = [str(where[-1])]
    else:
        lines = str(where).strip().splitlines()[-1:]
    return lines[0].strip()[:300] if lines else "no message"


def start(config: pytest.Config, backend_key: pytest.StashKey[Callable[..., Any]]) -> None:
    """Make this pytest run a worker, where the environment says so."""
    text = os.environ.pop(PIPES)
    for name, value in _NEUTRAL.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)
    worker = Worker(config, Pipes(text))
    config.stash[backend_key] = worker.backend
    config.pluginmanager.register(worker, "perfcore-ab-worker")
