# SPDX-License-Identifier: MIT
"""The same suites on stock's loops and on ours: same outcomes, same errors, same calls, same results."""

from __future__ import annotations

import pytest
from harness import QUICK, Run, case, run_modes

CASE_FILES = ("errors", "timers", "uses")


@pytest.fixture(scope="module", params=CASE_FILES)
def runs(request, tmp_path_factory) -> dict[str, Run]:
    base = tmp_path_factory.mktemp(request.param)
    return run_modes(base, {f"test_{request.param}": case(request.param)}, ("off", "on", "strict"), *QUICK, "-q")


@pytest.mark.parametrize("mode", ["on", "strict"])
def test_outcomes(runs, mode):
    assert len(runs["off"].tests) > 30, runs["off"].out
    assert differences(runs["off"].outcomes(), runs[mode].outcomes()) == {}
    assert runs[mode].code == runs["off"].code


@pytest.mark.parametrize("mode", ["on", "strict"])
def test_facts(runs, mode):
    assert differences(runs["off"].facts(), runs[mode].facts()) == {}


@pytest.mark.parametrize("runs", ["errors", "timers"], indirect=True)  # all that `uses` notes holds without strict
def test_counts_under_strict(runs):
    assert runs["off"].facts("strict")
    assert differences(runs["off"].facts("strict"), runs["strict"].facts("strict")) == {}


@pytest.mark.parametrize("mode", ["on", "strict"])
def test_warnings(runs, mode):
    assert sorted(runs[mode].warnings) == sorted(runs["off"].warnings)


def test_every_test_ran(runs):
    for observed in runs.values():
        assert "INTERNALERROR" not in observed.out, observed.out
        assert observed.tests.keys() == runs["off"].tests.keys()


def differences(before: dict, after: dict) -> dict:
    """Return what differs, by test: a readable assertion."""
    return {
        name: (before.get(name), after.get(name))
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }
