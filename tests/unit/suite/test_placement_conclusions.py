# SPDX-License-Identifier: MIT
"""What is concluded from threads and processes that were measured."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from perfcore.errors import SuiteError
from perfcore.suite import placements
from perfcore.suite.placement import Outcome, Place, Placement, Steady, Workload, measure_here
from perfcore.suite.placements import compare_places, conclusions, expectations, scaling_efficiency, table


def steady(workload: Workload, rate: float, *, spread: float = 0.0, steps: int = 100, pss: int = 10**8) -> Steady:
    messages = steps if workload == "coordination" else 0
    low, high = rate * (1 - spread), rate * (1 + spread)
    return Steady(workload, steps / rate, rate, low, high, 0.001, 0.002, 0.003, messages, pss)


def outcome(place: Place, agents: int, startup: float, *states: Steady, workers: int = 2) -> Outcome:
    placement = Placement(place, agents, min(agents, workers), 10)
    return Outcome(placement, startup, 1 if place == "threads" else 1 + placement.workers, list(states))


def test_the_faster_place_is_named_with_what_it_has_to_win_back() -> None:
    threads = outcome("threads", 10, 1.0, steady("exploration", 1000))
    spawn = outcome("spawn", 10, 3.0, steady("exploration", 2000))
    lines = list(conclusions([threads, spawn]))
    # A step of 10 agents takes 10 ms in threads and 5 ms in processes: 2 s are 400 such steps.
    assert lines[0] == (
        "exploration, 10 agents: spawn is fastest, 2.00 times threads; "
        "it starts 2.00 s later, won back after 400 steps of each agent"
    )
    assert "exploration: threads are faster (2 times or more is expected): no, the opposite, 2.00 times here" in lines
    early = outcome("spawn", 10, 0.5, steady("exploration", 2000))
    assert next(conclusions([threads, early])).endswith("2.00 times threads")


def test_rounds_that_overlap_decide_nothing() -> None:
    threads = outcome("threads", 10, 1.0, steady("exploration", 1000, spread=0.1))
    spawn = outcome("spawn", 10, 1.0, steady("exploration", 1150, spread=0.1))
    assert "cannot be told apart: their rounds overlap (medians 1.15 times)" in next(conclusions([threads, spawn]))
    spawn.steady = [steady("exploration", 1300, spread=0.1)]
    assert "spawn is fastest, 1.30 times threads" in next(conclusions([threads, spawn]))


def test_expectations_are_held_against_the_better_processes() -> None:
    threads = outcome("threads", 8, 1.0, steady("exploration", 400), steady("coordination", 200, pss=2 * 10**8))
    spawn = outcome("spawn", 8, 4.0, steady("exploration", 100), steady("coordination", 10, pss=9 * 10**8))
    fork = outcome("forkserver", 8, 3.0, steady("exploration", 125), steady("coordination", 5, pss=8 * 10**8))
    smaller = outcome("threads", 2, 9.0, steady("exploration", 1))
    found = {one.what: (one.value, one.holds) for one in expectations([smaller, threads, spawn, fork])}
    assert found == {
        "exploration: threads are faster": (3.2, True),
        "coordination: threads are faster": (20.0, True),
        "threads take less memory": (4.0, True),
        "threads start faster": (3.0, True),
        # 100 messages: 0.25 s in threads, and in spawn 9 s, on 2 workers each.
        "messages between threads are cheaper": (pytest.approx(36.0), True),
    }
    told = list(conclusions([smaller, threads, spawn, fork]))
    assert "a message adds to a step, 8 agents: threads 5.00 ms, spawn 180 ms, forkserver 384 ms" in told
    assert not any(line.startswith("a message") for line in conclusions([smaller]))
    assert expectations([spawn, fork]) == []
    threads.steady[1] = steady("coordination", 500)  # nothing is added by its messages, so they have no price
    assert "messages between threads are cheaper" not in {one.what for one in expectations([threads, spawn, fork])}
    assert any("8 agents: threads not to be told, spawn 180 ms" in line for line in conclusions([threads, spawn, fork]))


def test_efficiency_is_told_against_one_agent_alone() -> None:
    alone = outcome("spawn", 1, 1.0, steady("learning", 100))
    many = outcome("spawn", 8, 1.0, steady("learning", 150))
    elsewhere = outcome("threads", 1, 1.0, steady("learning", 75))
    assert scaling_efficiency([elsewhere, alone, many], many, "learning") == 0.75
    assert scaling_efficiency([elsewhere, many], many, "learning") is None
    assert scaling_efficiency([many], many, "learning") is None
    assert scaling_efficiency([alone, many], many, "exploration") is None


def test_the_table_has_a_line_for_each_workload_of_each_place() -> None:
    rows = list(table([outcome("threads", 4, 1.0, steady("exploration", 400), steady("learning", 300))]))
    assert len(rows) == 3
    expected = "exploration 4 threads 2 1.00 s 400 1.00 ms 2.00 ms 3.00 ms - 100 MB 25.0 MB"
    assert " ".join(rows[1].split()) == expected


@pytest.mark.parametrize(
    ("agents", "workers", "steps", "rounds"), [(0, 0, 1, 1), (1, 2, 1, 1), (2, 1, 0, 1), (2, 1, 1, 0)]
)
def test_a_placement_that_makes_no_sense(agents: int, workers: int, steps: int, rounds: int) -> None:
    with pytest.raises(SuiteError, match="at least one of each"):
        measure_here(Placement("threads", agents, workers, steps, rounds))


def test_nothing_is_measured_for_no_agents() -> None:
    assert compare_places([]) == []


class Clock:
    """A clock that stands still but where a placement is measured."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: Callable[[Placement], float]) -> None:
        self.now = 100.0
        self.measured: list[Placement] = []

        def measure(placement: Placement) -> Outcome:
            self.now += seconds(placement)
            self.measured.append(placement)
            return Outcome(placement, 1.0, 1)

        monkeypatch.setattr(placements, "perf_counter", lambda: self.now)
        monkeypatch.setattr(placements, "measure", measure)


def test_a_slow_machine_measures_less_and_not_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lines = Clock(monkeypatch, lambda placement: 10.0 + placement.agents), list[str]()
    found = compare_places([1, 4, 12], places=["threads", "spawn"], max_time=70, progress=lines.append)
    # 44 s for the 12 agents are more than is left for any other number.
    assert [one.agents for one in clock.measured] == [12, 12]
    assert lines[2:] == [
        "1 agents: left out, as what is left of 70 s would not do",
        "4 agents: left out, as what is left of 70 s would not do",
    ]
    assert [one.placement.agents for one in found] == [12, 12]
    # 3 numbers in 2 places, and half of each one's time.
    assert [one.seconds for one in clock.measured] == [pytest.approx(70 / 12)] * 2
    clock.measured.clear()
    found = compare_places([1, 4, 12], places=["threads", "spawn"], max_time=110)
    assert [one.agents for one in clock.measured] == [12, 12, 1, 1, 4, 4]
    assert [one.placement.agents for one in found] == [1, 1, 4, 4, 12, 12], "shown in the order that was asked for"
    assert clock.measured[-1].seconds == pytest.approx((110 - 44 - 22) / 4)


def test_without_a_limit_all_is_measured_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, lambda _: 1e9)
    compare_places([4, 1, 12], places=["threads"])
    assert [(one.agents, one.seconds) for one in clock.measured] == [(4, None), (1, None), (12, None)]


def idle(_number: int) -> Callable[[], None]:
    return lambda: None


@pytest.mark.parametrize(("seconds", "rounds", "made"), [(1e-9, 50, 2), (1e-9, 1, 1), (None, 5, 5), (1e9, 5, 5)])
def test_rounds_are_left_out_when_their_time_is_over(seconds: float | None, rounds: int, made: int) -> None:
    found = measure_here(
        Placement("threads", 1, 1, 1, rounds, ("exploration", "coordination"), 5, f"{__name__}:idle", seconds)
    )
    assert [steady.rounds for steady in found.steady] == [made, made]
