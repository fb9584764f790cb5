# SPDX-License-Identifier: MIT
"""Verdicts by the runs of a history, trends, and what limits and patterns mean."""

from __future__ import annotations

import json
import math
import random

import pytest
from results_files import benchmark, document

from perfcore.cli.compare_command import agreement
from perfcore.errors import ConfigError
from perfcore.judge.history import find_changes, judge_history, sparkline, trend
from perfcore.judge.targets import Target
from perfcore.judge.thresholds import Rule, Thresholds, limits_for, parse_duration
from perfcore.judge.verdict import Check, check_results
from perfcore.names import is_chosen
from perfcore.record.results import parse_results

DAY = 86400.0
FLAT = [1e-6] * 12
NOISY = [1e-6 * math.exp(0.02 * (-1) ** i) for i in range(12)]  # MAD 0.02


def status(ratio: float, history: list[float]) -> str:
    return judge_history("a", ratio * 1e-6, history, Thresholds()).status


@pytest.mark.parametrize(
    ("ratio", "history", "expected"),
    [
        (1.0, FLAT, "ok"),
        (1.049, FLAT, "ok"),
        (1.051, FLAT, "warning"),
        (1.101, FLAT, "critical"),
        (0.94, FLAT, "improvement"),
        (0.96, FLAT, "ok"),
        (1.04, NOISY, "ok"),
        (1.08, NOISY, "undecided"),
        (1.098, NOISY, "undecided"),
        (1.15, NOISY, "undecided"),
        (1.16, NOISY, "critical"),
        (0.87, NOISY, "ok"),
        (0.86, NOISY, "improvement"),
        (1.12, [1e-3, *FLAT, 1e-9], "critical"),  # outliers of a thousand times decide nothing
    ],
)
def test_the_rule(ratio: float, history: list[float], expected: str) -> None:
    assert status(ratio, history) == expected


def test_the_allowance_is_the_formula() -> None:
    found = judge_history("a", 1.2e-6, NOISY, Thresholds())
    expected = 4.54880 * 1.4826 * 0.02 * math.sqrt(1 + math.pi / 24)  # t(4.07) at 0.995
    assert found.allowance == pytest.approx(expected, rel=1e-3)
    assert found.ratio == pytest.approx(1.2)
    assert found.low == pytest.approx(1.2 * math.exp(-found.allowance))


@pytest.mark.parametrize("count", [10, 20, 50])
def test_the_interval_holds_as_often_as_it_says(count: int) -> None:
    """Of 3000 further runs 30 are expected outside; over 55 has a chance of 1 in 100 000."""
    source = random.Random(count)
    outside = 0
    for _ in range(3000):
        *earlier, new = (math.exp(source.gauss(0, 0.01)) for _ in range(count + 1))
        found = judge_history("a", new, earlier, Thresholds())
        outside += not found.low <= 1 <= found.high
    assert 3 < outside <= 55


@pytest.mark.parametrize(
    ("value", "history", "reason"),
    [
        (1e-6, FLAT[:9], "9 runs of this environment measured this way in the history; 1 more is needed"),
        (1e-6, FLAT[:1], "1 run of this environment measured this way in the history; 9 more are needed"),
        (1e-6, [], "0 runs of this environment measured this way in the history; 10 more are needed"),
        (1e-6, [*FLAT[:8], 0.0, math.inf, -1.0], "8 runs of this environment"),
        (0.0, FLAT, "the median is not above zero"),
        (math.nan, FLAT, "the median is not above zero"),
    ],
)
def test_what_cannot_be_told(value: float, history: list[float], reason: str) -> None:
    found = judge_history("a", value, history, Thresholds())
    assert (found.status, found.comparable) == ("undecided", False)
    assert found.reason.startswith(reason)
    assert math.isnan(found.ratio)


@pytest.mark.parametrize(
    ("ratio", "history", "expected"),
    [
        (1.13, FLAT, "critical"),
        (1.11, FLAT, "warning"),  # the clock may be 2 % of it
        (1.06, FLAT, "undecided"),
        (0.94, FLAT, "ok"),
        (0.92, FLAT, "improvement"),
    ],
)
def test_what_the_clock_may_have_added_is_taken_off(ratio: float, history: list[float], expected: str) -> None:
    found = judge_history("a", ratio * 1e-6, history, Thresholds(), clock=0.02)
    assert (found.status, found.ratio, found.allowance) == (
        expected,
        pytest.approx(ratio),
        pytest.approx(math.log(1.02)),
    )
    assert (found.low, found.high) == (pytest.approx(ratio / 1.02), pytest.approx(ratio * 1.02))
    said = "past 5%, but runs of the history differ by 0.0%, and the clock may add 2.0% to rounds of one call"
    assert found.reason == (said if expected == "undecided" else "")


def test_figures_hundreds_of_orders_apart_have_a_verdict() -> None:
    apart = [1e-300, 1e290] * 6
    assert judge_history("a", 1e300, apart, Thresholds()).status == "undecided"
    assert judge_history("a", 1e299, [1e-300] * 12, Thresholds()).status == "critical"
    assert agreement(check_of(1e290, 5e-324), 0.05)[:2] == (1, 0)


def check_of(before: float, after: float) -> Check:
    text = (json.dumps(document(benchmark("a", one, stats={"iqr": 0.0}))) for one in (before, after))
    return check_results(*(parse_results("x", one.encode()) for one in text))


def test_only_the_last_runs_count() -> None:
    found = judge_history("a", 1.2e-6, [2e-6] * 60 + [1e-6] * 50, Thresholds())
    assert (found.status, found.baseline_median) == ("critical", pytest.approx(1e-6))


def test_a_trend() -> None:
    weeks = [index * 7 * DAY for index in range(300)]
    found = trend(weeks, [1e-6 * 1.02**index for index in range(300)])
    assert found is not None
    assert (found.count, found.first) == (300, 1e-6)
    assert found.weekly == pytest.approx(1.02)
    assert found.sparkline[0] == "▁"
    assert found.sparkline[-1] == "█"
    assert len(found.sparkline) == 20
    assert trend([], []) is None
    assert trend([0.0], [0.0]) is None
    alone = trend([0.0, 0.0], [1.0, 2.0])
    assert alone is not None
    assert math.isnan(alone.weekly)
    backwards = trend([7 * DAY, 0.0], [1.0, 2.0])
    assert backwards is not None
    assert math.isnan(backwards.weekly)
    assert [math.isnan(trend([0.0, 9.0, last], [3.0, 2.0, 1.0]).weekly) for last in (0.99 * DAY, DAY)] == [True, False]  # type: ignore[union-attr]
    assert sparkline([1.0, 1.0, 1.001]) == "▁▁▁"


def test_where_the_level_changes() -> None:
    stepped = [1.0 + 0.001 * (i % 3) + (0.2 if i >= 20 else 0.0) for i in range(40)]
    (change,) = find_changes(stepped)
    assert (change.position, change.before, change.after) == (20, 1.001, pytest.approx(1.201))
    assert change.pvalue < 1e-6
    assert find_changes(stepped[:20]) == ()
    assert find_changes(stepped[16:25]) == ()  # too short to tell


@pytest.mark.parametrize(
    ("text", "meant"), [("50 ms", 0.05), ("1s", 1.0), (" 2.5e1 µs ", 25e-6), ("3us", 3e-6), ("7 ns", 7e-9)]
)
def test_durations(text: str, meant: float) -> None:
    assert parse_duration(text) == pytest.approx(meant)


@pytest.mark.parametrize("wrong", ["50", "-1 s", "0 ms", "1e s", "s", 5, None, "1 min", "1e999 s"])
def test_no_durations(wrong: object) -> None:
    with pytest.raises(ConfigError, match="is no time"):
        parse_duration(wrong)


def test_rules_that_make_no_sense_together() -> None:
    with pytest.raises(ConfigError, match=r"^a: thresholds: warning is 50% and critical 10%"):
        limits_for("a", Thresholds(), [Rule("*", warning=0.5)])
    assert limits_for("b", Thresholds(), [Rule("a", warning=0.5)]) == (Thresholds(), None)
    rules = [Rule("*", 0.01, 0.02, 1.0), Rule("b", critical=0.5)]
    assert limits_for("b", Thresholds(), rules) == (Thresholds(0.01, 0.5), 1.0)


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("t.py::r[direct]", "t.py::r[direct]"),
        ("*::r[direct]", "t.py::r[direct]"),
        ("t.py::r[*]", "t.py::r[direct] t.py::r[d]"),
        ("t.py::[qr][[]d]", "t.py::r[d]"),
        ("t.py::[qr]?d?", "t.py::r[d]"),
        ("t.py::r[direct", ""),
    ],
)
def test_brackets_in_a_pattern_are_a_set_or_those_of_parameters(pattern: str, meant: str) -> None:
    names = ["t.py::r[direct]", "t.py::r[d]", "t.py::R[d]"]
    assert [name for name in names if Rule(pattern).matches(name)] == meant.split()
    assert [name for name in names if Target(pattern, "mean", 1.0).names(name)] == meant.split()
    assert all(is_chosen(name, pattern) for name in meant.split())
