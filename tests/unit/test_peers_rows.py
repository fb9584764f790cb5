# SPDX-License-Identifier: MIT
"""What the league's rows stand on: ground truth, the contenders' calls, the choice of quiet repeats, intervals."""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# At the end: an installed perfcore must win over the source tree.
sys.path.append(str(ROOT))

from benchmarks.peers import contenders, rounds, suite, timing, truth  # noqa: E402


@pytest.mark.parametrize("subject", truth.SUBJECTS, ids=lambda subject: subject.name)
def test_straight_line_makes_exactly_its_calls(subject: truth.Subject) -> None:
    seen: list[tuple[object, object]] = []

    def spy(*args: object, **kwargs: object) -> None:
        seen.append((args, kwargs))

    spied = truth.Subject(subject.name, spy, subject.args, subject.kwargs)
    truth.straight_line(spied, 7)(*spied.values)
    assert seen == [(subject.args, dict(subject.kwargs))] * 7


def test_slope_is_the_marginal_call() -> None:
    base, per_call = 100e-9, 13e-9
    short = [base + truth.SHORT * per_call] * 3
    long = [base + truth.LONG * per_call] * 3
    assert truth.Truth.slope(short, long) == pytest.approx(per_call)


@pytest.mark.parametrize("peer", ["stock", "timeit", "pyperf", "ours"])
def test_contenders_make_exactly_the_calls_of_a_round(peer: str) -> None:
    if peer == "pyperf":
        pytest.importorskip("pyperf")
    seen: list[tuple[object, object]] = []

    def spy(*args: object, **kwargs: object) -> None:
        seen.append((args, kwargs))

    subject = truth.Subject("spy", spy, (1, 2), {"c": 3})
    made = {
        "stock": lambda: contenders.stock_round(subject)[0],
        "timeit": lambda: contenders.timeit_round(subject),
        "pyperf": lambda: contenders.pyperf_round(subject),
        "ours": lambda: contenders.ours_round(subject)[0],
    }[peer]()
    seen.clear()
    assert made(130) > 0
    assert seen == [((1, 2), {"c": 3})] * 130


@pytest.mark.parametrize("make", [contenders.stock_fixture, contenders.ours_fixture])
@pytest.mark.parametrize("wall", [rounds.wall_of_rounds, rounds.wall_of_pedantic])
def test_fixtures_run_exactly_the_rounds_that_are_divided_by(make: Any, wall: Any) -> None:
    assert wall(make, 37) > 0


def test_rounds_that_were_not_run_are_noticed() -> None:
    fixture = contenders.stock_fixture()
    fixture.pedantic(len, args=("",), rounds=5, iterations=2)
    with pytest.raises(RuntimeError, match="expected 5 rounds of 1 iteration, got 5 of 2"):
        rounds.check_rounds(fixture, 5, 1.0)


def test_only_ours_is_on_our_loops() -> None:
    ours, stock = contenders.ours_fixture(), contenders.stock_fixture()
    assert type(ours) is type(stock)
    assert "_raw" in vars(ours)
    assert "_raw" not in vars(stock)


def gauged(true: list[float], ours: list[float]) -> dict[str, Any]:
    return {"iterations": 64, "true": [t * 1e-9 for t in true], "figures": {"perfcore": [o * 1e-9 for o in ours]}}


def test_overhead_is_taken_in_quiet_repeats_against_the_truth_of_the_same_repeat() -> None:
    quiet = gauged([10, 10, 10.5, 20], [11, 11, 11.5, 29])
    busy = gauged([20, 21, 22, 10], [40, 41, 42, 11])
    figures, g, count = timing.over_truth([quiet, busy])
    assert figures["perfcore"] == [pytest.approx(1.0)]  # the slow repeat of the one is out, and all of the busy process
    assert (g, count) == (pytest.approx(10.0), 3)


def test_overhead_needs_a_quiet_process() -> None:
    with pytest.raises(RuntimeError, match="too busy"):
        timing.over_truth([gauged([10, 20, 30], [11, 21, 31])])


def test_rank_interval_of_known_data() -> None:
    # Of 1 to 100 the 95 % interval runs from the 40th to the 61st value; its half is 10.5, the median 50.5.
    data = [float(value) for value in range(1, 101)]
    assert suite.rank_interval(data) == pytest.approx(100 * 10.5 / 50.5)


def test_batch_interval_sees_a_drift_that_ranks_do_not() -> None:
    source = random.Random(3)
    steady = [100 + source.gauss(0, 1) for _ in range(5000)]
    drifting = [value + (10 if index > 2500 else 0) for index, value in enumerate(steady)]
    assert suite.batch_interval(steady) < 0.2
    assert suite.batch_interval(drifting) > 2
    assert suite.batch_interval(steady[:19]) == suite.rank_interval(steady[:19])


def test_spread_between_runs() -> None:
    assert suite.spread_between_runs([99.0, 101.0]) == pytest.approx(math.sqrt(2))
