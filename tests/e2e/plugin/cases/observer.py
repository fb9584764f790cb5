# SPDX-License-Identifier: MIT
"""The conftest of every scratch suite: writes down what each test did, for the comparison of stock with perfcore."""

import json
import os

import pytest


class Observer:
    def __init__(self):
        self.tests = {}
        self.warnings = []

    def pytest_runtest_logreport(self, report):
        phases = self.tests.setdefault(report.nodeid, {"phases": {}, "facts": {}, "strict": {}})["phases"]
        crash = getattr(report.longrepr, "reprcrash", None)
        phases[report.when] = [report.outcome, crash.message.splitlines()[0] if crash else None]

    def pytest_warning_recorded(self, warning_message):
        self.warnings.append([warning_message.category.__name__, str(warning_message.message)])

    def pytest_unconfigure(self):
        with open(os.environ["OBSERVED"], "w", encoding="utf-8") as file:
            json.dump({"tests": self.tests, "warnings": self.warnings}, file)


def pytest_configure(config):
    config.observer = Observer()
    config.pluginmanager.register(config.observer)


@pytest.fixture
def note(request):
    """``note(calls=3)``: must be the same with stock and perfcore; ``note.strict(calls=3)``: only under strict."""
    entry = request.config.observer.tests.setdefault(request.node.nodeid, {"phases": {}, "facts": {}, "strict": {}})

    def note(**facts):
        entry["facts"].update(facts)

    note.strict = entry["strict"].update
    return note
