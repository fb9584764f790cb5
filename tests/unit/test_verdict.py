# SPDX-License-Identifier: MIT
"""The foundation's verdict: the rule itself, its edges, and what is never compared."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from results_files import MACHINE, benchmark, write

from perfcore._core import judge_medians
from perfcore.errors import ConfigError
from perfcore.judge.thresholds import Thresholds, parse_fraction
from perfcore.judge.verdict import STATUSES, check_results, judge_benchmark, unfit, with_limit
from perfcore.record.results import Benchmark, load_results, parse_results

NAN = math.nan
MAD_SCALE, IQR_SCALE = 1.482602218505602, 1.3489795003921634


def status(ratio: float, spread: float) -> str:
    """Judge with a total allowance of ``spread``, all of it on the baseline's side."""
    return judge_medians((1.0, NAN, spread * IQR_SCALE), (ratio, NAN, 0.0), 0.05, 0.10)[0]


@pytest.mark.parametrize(
    ("ratio", "spread", "expected"),
    [
        (1.0, 0.0, "ok"),
        (1.049, 0.0, "ok"),
        (1.051, 0.0, "warning"),
        (1.099, 0.0, "warning"),
        (1.101, 0.0, "critical"),
        (1.2, 0.05, "critical"),
        (1.2, 0.10, "warning"),
        (1.2, 0.15, "undecided"),
        (1.06, 0.02, "undecided"),
        (1.04, 0.5, "ok"),
        (0.94, 0.0, "improvement"),
        (0.96, 0.0, "ok"),
        (0.90, 0.04, "improvement"),
        (0.90, 0.08, "ok"),
        (1e6, 0.1, "critical"),
        (1e-6, 0.1, "improvement"),
    ],
)
def test_the_rule(ratio: float, spread: float, expected: str) -> None:
    assert status(ratio, spread) == expected


positive = st.floats(min_value=1e-9, max_value=1e3)
relative = st.floats(min_value=0, max_value=2)


@given(positive, positive, relative, relative, st.booleans())
def test_the_rule_in_python(base: float, head: float, one: float, other: float, by_mad: bool) -> None:
    def side(median: float, spread: float) -> tuple[float, float, float]:
        if by_mad:
            return (median, spread * median / MAD_SCALE, NAN)
        return (median, NAN, spread * median * IQR_SCALE)

    found, reason, ratio, low, high, allowance, pace = judge_medians(side(base, one), side(head, other), 0.05, 0.10)
    d, a = math.log(head / base), math.hypot(one, other)
    assert math.isclose(ratio, head / base)
    assert math.isclose(allowance, a, rel_tol=1e-9, abs_tol=1e-300)
    assert math.isclose(low, math.exp(d - a), rel_tol=1e-9)
    assert math.isclose(high, math.exp(d + a), rel_tol=1e-9)
    assert math.isnan(pace)
    edges = (math.log(1.10), math.log(1.05), -math.log(1.05))
    if min(abs(x - edge) for x in (d - a, d + a, d) for edge in edges) < 1e-9:
        return  # on an edge the last bit decides
    if d - a > edges[0]:
        expected = "critical"
    elif d - a > edges[1]:
        expected = "warning"
    elif d > edges[1]:
        expected = "undecided"
    else:
        expected = "improvement" if d + a < edges[2] else "ok"
    assert (found, reason) == (expected, "noise" if expected == "undecided" else "")


@pytest.mark.parametrize("bad", [0.0, -1.0, NAN, math.inf, -math.inf])
def test_a_median_that_is_none(bad: float) -> None:
    good = (1.0, 0.1, 0.1)
    assert judge_medians((bad, 0.1, 0.1), good, 0.05, 0.1)[:2] == ("undecided", "baseline median")
    found = judge_medians(good, (bad, 0.1, 0.1), 0.05, 0.1)
    assert found[:2] == ("undecided", "median")
    assert all(map(math.isnan, found[2:]))


@pytest.mark.parametrize("unknown", [(NAN, NAN), (-1.0, NAN), (NAN, -1.0), (math.inf, NAN)])
def test_a_spread_that_is_unknown(unknown: tuple[float, float]) -> None:
    known = (1.0, 0.1, 0.1)
    for sides in (((1.0, *unknown), known), (known, (1.0, *unknown))):
        found = judge_medians(*sides, 0.05, 0.1)
        assert found[:3] == ("undecided", "no spread", 1.0)
        assert all(map(math.isnan, found[3:]))


def test_extremes_do_not_overflow_into_a_verdict() -> None:
    assert judge_medians((5e-324, 0.0, 0.0), (1.7e308, 0.0, 0.0), 0.05, 0.1)[0] == "critical"
    assert judge_medians((5e-324, 1e308, NAN), (1.0, 0.0, 0.0), 0.05, 0.1)[:2] == ("undecided", "no spread")


def test_the_larger_estimate_of_the_spread_counts() -> None:
    """Where the machine was slow for half of the rounds the MAD may be that of one half, or zero."""
    assert judge_medians((1.0, 0.01, 0.4), (1.3, 0.01, 0.02), 0.05, 0.1)[0] == "undecided"
    assert judge_medians((1.0, 0.01, 0.02), (1.3, 0.01, 0.02), 0.05, 0.1)[0] == "critical"
    assert judge_medians((1.0, 0.0, 0.2), (1.08, 0.0, 0.2), 0.05, 0.1)[0] == "undecided"
    assert judge_medians((1.0, 0.0, NAN), (1.08, 0.0, NAN), 0.05, 0.1)[0] == "warning"


@pytest.mark.parametrize("limits", [(0.0, 0.1), (-1.0, 0.1), (0.2, 0.1), (NAN, 0.1), (0.1, NAN), (0.1, math.inf)])
def test_thresholds_must_make_sense(limits: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="thresholds"):
        judge_medians((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), *limits)
    with pytest.raises(ConfigError, match="0 < warning <= critical"):
        Thresholds(*limits)


@pytest.mark.parametrize(
    ("written", "meant"), [("5%", 0.05), (" 7.5 % ", 0.075), ("0.05", 0.05), (0.05, 0.05), ("150%", 1.5)]
)
def test_fractions(written: object, meant: float) -> None:
    assert parse_fraction(written) == pytest.approx(meant)


@pytest.mark.parametrize("wrong", ["5", 5, 1, "x%", "", "%", "-5%", 0, "0%", "nan", "inf%", True, None, [], 10**400])
def test_no_fractions(wrong: object) -> None:
    with pytest.raises(ConfigError):
        parse_fraction(wrong)


def one(**changes: Any) -> Benchmark:
    import json

    from results_files import document

    return parse_results("x", json.dumps(document(benchmark(**changes))).encode()).benchmarks[0]


def test_the_spread_is_the_samples_before_the_quartiles() -> None:
    """MAD of 0.9, 1, 1.1 (times a microsecond) is 0.1; the file's iqr says otherwise and is not asked."""
    data = [0.9e-6, 1e-6, 1.1e-6]
    verdict = judge_benchmark(one(stats={"data": data}), one(median=1.3e-6, stats={"data": data}), Thresholds())
    expected = MAD_SCALE * math.hypot(0.1, 0.1 / 1.3)
    assert verdict.allowance == pytest.approx(expected, rel=1e-9)
    by_iqr = judge_benchmark(one(), one(median=1.3e-6), Thresholds())
    assert by_iqr.allowance == pytest.approx(math.hypot(0.01, 0.01 / 1.3) / IQR_SCALE, rel=1e-9)
    by_mad = judge_benchmark(one(perfcore={"mad": 1e-7}), one(perfcore={"mad": 1e-7}), Thresholds())
    assert by_mad.allowance == pytest.approx(MAD_SCALE * math.hypot(0.1, 0.1), rel=1e-9)


def test_samples_of_a_noisy_run_leave_it_undecided() -> None:
    random.seed(5)
    base = [random.gauss(1e-6, 1e-7) for _ in range(500)]
    head = [value * 1.08 for value in base]
    found = judge_benchmark(one(stats={"data": base}), one(median=1.08e-6, stats={"data": head}), Thresholds())
    assert found.status == "undecided"
    assert "past 5%, but the rounds spread by" in found.reason
    assert found.comparable


def test_what_was_measured_differently_is_not_compared() -> None:
    slow = one(median=2e-6)
    found = judge_benchmark(one(), slow, Thresholds(), backends=("stock", "perfcore"))
    assert (found.status, found.comparable) == ("undecided", False)
    assert found.reason == "measured by perfcore, the baseline by stock"
    assert math.isnan(found.ratio)
    kernels = one(perfcore={"kernel": "unrolled"}), one(median=2e-6, perfcore={"kernel": "coroutine"})
    assert "kernel coroutine, the baseline with unrolled" in judge_benchmark(*kernels, Thresholds()).reason
    other = one(median=2e-6, options={"timer": "process_time"})
    assert "timer process_time, the baseline with perf_counter" in judge_benchmark(one(), other, Thresholds()).reason
    allowed = judge_benchmark(one(), slow, Thresholds(), backends=("stock", "perfcore"), allow_backend_mismatch=True)
    assert allowed.status == "critical"


@pytest.mark.parametrize(
    ("median", "status"), [(7e-6, "critical"), (3e-6, "ok"), (3.18e-6, "undecided"), (2e-6, "improvement")]
)
@pytest.mark.parametrize("spread", [{"iqr": 0.0}, {"iqr": 0.0, "data": True}])
def test_a_function_that_outgrows_rounds_of_many_calls(median: float, status: str, spread: dict[str, Any]) -> None:
    """One call a round measures the clock too: that is allowed for, and no reason to say nothing."""
    stats = {**spread, **({"data": [median] * 9} if "data" in spread else {})}
    base = one(median=3e-6, stats={"iqr": 0.0}, perfcore={"kernel": "unrolled"})
    head = one(median=median, stats=stats, perfcore={"kernel": "vectorcall"})
    found = judge_benchmark(base, head, Thresholds())
    assert (found.status, found.comparable) == (status, True)
    assert found.allowance == pytest.approx(50e-9 / median)
    back = judge_benchmark(head, base, Thresholds())
    assert back.allowance == pytest.approx(50e-9 / median)
    same = judge_benchmark(base, one(median=median, stats={"iqr": 0.0}, perfcore={"kernel": "unrolled"}), Thresholds())
    assert same.allowance == 0


@pytest.mark.parametrize("at", [0, 1])
def test_a_coarse_clock_where_one_side_has_rounds_of_one_call(at: int) -> None:
    """More than half of the rounds are equal: the quartiles tell the spread, and the clock of one call comes on top."""
    kernels, medians = ["unrolled", "unrolled"], [6e-6, 6.5e-6]
    kernels[at] = "vectorcall"
    sides = (
        one(median=median, stats={"iqr": 0.4e-6}, perfcore={"kernel": kernel, "mad": 0.0})
        for median, kernel in zip(medians, kernels, strict=True)
    )
    found = judge_benchmark(*sides, Thresholds())
    spreads = [0.4e-6 / IQR_SCALE / median for median in medians]
    spreads[at] += 50e-9 / medians[at]
    assert found.allowance == pytest.approx(math.hypot(*spreads))
    assert found.status == "undecided"


def test_a_limit_may_be_reached_and_not_passed() -> None:
    found = judge_benchmark(one(), one(), Thresholds())
    assert with_limit(found, found.median) is found
    over = with_limit(found, math.nextafter(found.median, 0))
    assert (over.status, over.over_limit) == ("critical", True)


def test_unfit_says_why() -> None:
    assert unfit(one()) == ""
    assert unfit(one(median=0)) == "the median is not above zero"
    assert "neither samples nor iqr" in unfit(one(stats={"iqr": None}))


def test_a_check_of_two_files(tmp_path: Path) -> None:
    base = load_results(write(tmp_path / "a.json", benchmark("a"), benchmark("b"), benchmark("gone")))
    head = load_results(write(tmp_path / "b.json", benchmark("new"), benchmark("b", 2e-6), benchmark("a", 0.5e-6)))
    check = check_results(base, head)
    assert [(one.fullname[-1], one.status) for one in check.verdicts] == [("b", "critical"), ("a", "improvement")]
    assert check.new == ("tests/test_x.py::new",)
    assert check.gone == ("tests/test_x.py::gone",)
    assert check.counts == dict.fromkeys(STATUSES, 0) | {"critical": 1, "improvement": 1}
    assert (check.passed, check.advisory, check.compared) == (False, False, 2)


def test_other_machines_make_it_advisory(tmp_path: Path) -> None:
    base = load_results(write(tmp_path / "a.json", benchmark("a")))
    machine = MACHINE | {"python_version": "3.11.7"}
    head = load_results(write(tmp_path / "b.json", benchmark("a", 2e-6), machine_info=machine))
    check = check_results(base, head)
    assert check.differences == ("Python version: 3.12.1 -> 3.11.7",)
    assert (check.advisory, check.passed, check.counts["critical"]) == (True, True, 1)
    strict = check_results(base, head, strict_environment=True)
    assert (strict.advisory, strict.passed) == (False, False)
