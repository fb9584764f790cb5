# SPDX-License-Identifier: MIT
"""The machine's pace: when it is looked at, what is kept of it, and what it does to a verdict."""

from __future__ import annotations

import html
import itertools
import json
import math
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from results_files import document, paced, told, write

from perfcore._core import RoundLoop, Samples, judge_medians, pace_effect
from perfcore.cli import main
from perfcore.judge.history import judge_history
from perfcore.judge.metrics import MetricRules, judge_metrics
from perfcore.judge.pace import pace_of_runs
from perfcore.judge.thresholds import MetricRule, Thresholds
from perfcore.measure import pace
from perfcore.measure.pace import Pace
from perfcore.measure.runner import make_runner
from perfcore.record.pace import UNKNOWN, pace_of
from perfcore.record.results import parse_results

NAN = math.nan
MOST = 1.3


class TestLoop:
    def test_it_is_asked_before_the_first_round_and_between_long_ones(self) -> None:
        order: list[str] = []
        loop = RoundLoop(lambda: (order.append("round"), time.sleep(0.003)), (), {}, pace=lambda: order.append("pace"))
        loop.run(Samples(), 3, 1)
        assert order == ["pace", *["round", "pace"] * 3]

    def test_short_rounds_are_not_parted(self) -> None:
        order: list[str] = []
        began = time.perf_counter()
        RoundLoop(lambda: order.append("round"), (), {}, pace=lambda: order.append("pace")).run(Samples(), 2000, 1)
        spent = time.perf_counter() - began
        assert order[0] == "pace"
        assert order.count("pace") <= 1 + spent / 0.002

    def test_rounds_that_are_not_stored_go_without(self) -> None:
        asked: list[int] = []
        loop = RoundLoop(time.sleep, (0.003,), {}, pace=lambda: asked.append(1))
        loop.time(1)
        loop.run_setup(None, 2, (), {}, lambda: ((0.003,), {}), None, None)
        assert not asked
        loop.run_setup(Samples(), 2, (), {}, lambda: ((0.003,), {}), None, None)
        assert len(asked) == 3

    @pytest.mark.parametrize("clock", [{}, {"tsc": False}, {"clock": 2}, {"timer": time.perf_counter}])
    def test_with_every_clock(self, clock: dict[str, Any]) -> None:
        asked: list[int] = []
        coarse = 6  # CLOCK_MONOTONIC_COARSE, which some loops are watched with: it may stand still for long

        def spin() -> None:
            end = time.clock_gettime(coarse) + 0.01
            while time.clock_gettime(coarse) < end:
                pass

        RoundLoop(spin, (), {}, pace=lambda: asked.append(1), **clock).run(Samples(), 4, 1)
        assert len(asked) == 5

    def test_what_it_raises_ends_the_run_and_keeps_the_samples(self) -> None:
        answers = iter([None])
        samples = Samples()
        with pytest.raises(StopIteration):
            RoundLoop(time.sleep, (0.003,), {}, pace=answers.__next__).run(samples, 3, 1)
        assert len(samples) == 1


class TestLooks:
    @pytest.mark.parametrize("hooks", [False, True])
    @pytest.mark.parametrize("awaited", [False, True])
    def test_runners_look_while_they_run(self, hooks: bool, awaited: bool) -> None:
        def work() -> None:
            time.sleep(0.005)

        async def work_awaited() -> None:
            work()

        seen = Pace()
        runner = make_runner(work_awaited if awaited else work, pace=seen)
        try:
            if hooks:
                runner.run_with_setup(Samples(), 4, lambda: None, None)
            else:
                runner.run(Samples(), 4, 1)
        finally:
            runner.close()
        figures = seen.figures
        assert figures is not None
        assert figures["looks"] >= 4
        assert 1e-7 < figures["low_s"] <= figures["median_s"] <= figures["high_s"] < 1

    def test_not_while_a_tracer_slows_it_down(self) -> None:
        seen = Pace()
        before = sys.gettrace()
        sys.settrace(lambda *_: None)
        try:
            seen.look()
        finally:
            sys.settrace(before)
        assert seen.figures is None

    def test_not_sooner_than_its_period(self) -> None:
        seen = Pace()
        for _ in range(5):
            seen.look()
        assert seen.figures is not None
        assert seen.figures["looks"] <= 4  # of five within a few hundred microseconds: one, unless the machine stood

    def test_not_where_other_threads_of_the_process_compute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It would not be the machine that is slow; and nothing is lost by a thread that sleeps."""
        thread = threading.Thread(target=time.sleep, args=(0.2,))
        thread.start()
        quiet = Pace()
        quiet.look()
        thread.join()
        assert quiet.figures is not None
        spent = itertools.count(0, 10**9)
        monkeypatch.setattr(pace, "process_time_ns", lambda: next(spent))
        busy = Pace()
        busy.look()
        assert busy.figures is None

    def test_each_look_counts_as_the_rounds_that_were_run_at_its_pace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """At half the speed for 60 of 100 ms, 30 of 70 rounds are slow: the median of the rounds is a fast one."""
        found = looked(monkeypatch, [20_000] * 60 + [10_000] * 40)
        assert found["median_s"] == 10e-6
        assert (found["low_s"], found["high_s"], found["looks"]) == (10e-6, 20e-6, 100)
        assert looked(monkeypatch, [20_000] * 70 + [10_000] * 30)["median_s"] == 20e-6

    def test_of_many_looks_every_second_one_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = looked(monkeypatch, [10_000] * 20_000)
        assert 2000 < found["looks"] <= 4097
        assert found["median_s"] == 10e-6

    def test_after_a_long_round_the_median_of_some_runs_is_one_look(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = Pace()
        now = 10**12
        seen._last_ns = now - 5 * pace.PERIOD_NS
        durations = [12_000, 10_000, 90_000, 11_000, 13_000]
        readings = iter([now, *(at for one in durations for at in (now, now + one)), now])
        monkeypatch.setattr(pace, "perf_counter_ns", lambda: next(readings))
        seen.look()
        assert seen.figures == {"median_s": 12e-6, "low_s": 12e-6, "high_s": 12e-6, "looks": 1}

    def test_few_looks_say_little(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = looked(monkeypatch, [10_000, 11_000, 20_000, 10_500, 10_200])
        assert (found["low_s"], found["high_s"]) == (10e-6, 20e-6)


def looked(monkeypatch: pytest.MonkeyPatch, times: list[int]) -> dict[str, float]:
    """Return what a Pace keeps that is asked every period, the piece taking these times, in nanoseconds."""
    now = 10**12
    takes = 0

    def piece() -> None:
        nonlocal now
        now += takes

    monkeypatch.setattr(pace, "_piece", piece)
    monkeypatch.setattr(pace, "perf_counter_ns", lambda: now)
    seen = Pace()
    for takes in times:  # noqa: B007 - the piece takes it
        now += pace.PERIOD_NS
        seen.look()
    figures = seen.figures
    assert figures is not None
    return dict(figures)


class TestRule:
    @pytest.mark.parametrize(
        ("ratio", "before", "now", "expected"),
        [
            (1.2, 1.0, 1.0, ("critical", "")),
            (1.2, 1.0, 1.02, ("critical", "")),
            (1.2, 1.0, 1.1, ("warning", "")),
            (1.2, 1.0, 1.12, ("undecided", "slower")),
            (1.5, 1.0, 1.1, ("critical", "")),
            (1.08, 1.0, 1.01, ("warning", "")),
            (1.08, 1.0, 1.05, ("undecided", "slower")),
            (1.04, 1.0, 1.5, ("ok", "")),
            (0.8, 1.0, 1.5, ("improvement", "")),  # in spite of the slower machine
            (0.8, 1.5, 1.0, ("undecided", "faster")),  # at the same pace it might be slower
            (0.8, 1.3, 1.0, ("ok", "")),  # all of it may be the machine
            (0.5, 1.2, 1.0, ("improvement", "")),
            (1.0, 1.08, 1.0, ("ok", "")),  # too little to hide a critical change
            (1.0, 1.5, 1.0, ("undecided", "faster")),
            (1.2, 1.5, 1.0, ("critical", "")),  # slower, although the machine was faster
        ],
    )
    def test_verdicts(self, ratio: float, before: float, now: float, expected: tuple[str, str]) -> None:
        found = judge_medians((1.0, 0.0, 0.0), (ratio, 0.0, 0.0), 0.05, 0.10, (before, before, before), (now, now, now))
        assert found[:2] == expected
        assert found[6] == pytest.approx(now / before)

    def test_an_interval_that_reaches_a_slower_machine_counts_as_one(self) -> None:
        head = (1.2, 0.0, 0.0)
        steady = judge_medians((1.0, 0.0, 0.0), head, 0.05, 0.10, (1.0, 0.99, 1.01), (1.0, 0.99, 1.01))
        swinging = judge_medians((1.0, 0.0, 0.0), head, 0.05, 0.10, (1.0, 0.99, 1.01), (1.0, 0.9, 1.2))
        assert (steady[0], swinging[:2]) == ("critical", ("undecided", "slower"))

    @pytest.mark.parametrize("bad", [NAN, 0.0, -1.0, math.inf])
    def test_without_a_pace_of_both_it_makes_no_difference(self, bad: float) -> None:
        known, lacks = (2.0, 1.9, 2.1), (bad, 1.0, 1.0)
        sides = (1.0, 0.0, 0.0), (1.2, 0.0, 0.0), 0.05, 0.10
        for paces in ((known, lacks), (lacks, known)):
            found = judge_medians(*sides, *paces)
            assert found[:6] == judge_medians(*sides)[:6]
            assert math.isnan(found[6])
        ends = judge_medians(*sides, (1.0, bad, bad), (1.05, bad, bad))
        assert ends == judge_medians(*sides, (1.0, 1.0, 1.0), (1.05, 1.05, 1.05))

    paces = st.floats(1e-6, 1e-3)
    shares = st.floats(0.5, 1.0)

    @given(paces, shares, shares, paces, shares, shares)
    def test_the_effect_in_python(
        self, base: float, base_low: float, base_high: float, head: float, head_low: float, head_high: float
    ) -> None:
        then, now = (base, base * base_low, base / base_high), (head, head * head_low, head / head_high)
        ratio, slower, faster, hidden = pace_effect(then, now)
        change = math.log(head / base)
        most = change + math.hypot(-math.log(head_high), -math.log(base_low))
        least = change - math.hypot(-math.log(head_low), -math.log(base_high))
        assert ratio == pytest.approx(head / base)
        assert slower == pytest.approx(MOST * max(most, 0), abs=1e-9)
        assert faster == pytest.approx(MOST * max(-least, 0), abs=1e-9)
        assert hidden == pytest.approx(max(-change, 0), abs=1e-9)

    def test_of_several_runs_most_must_know_theirs(self) -> None:
        assert pace_of_runs([1.0, 3.0, 2.0, NAN])[0] == 2.0
        assert pace_of_runs([1.0, NAN]) == UNKNOWN
        assert pace_of_runs([]) == UNKNOWN

    @pytest.mark.parametrize(
        ("ratio", "pace_now", "status"),
        [
            (1.2, 1.0, "critical"),
            (1.2, 1.3, "undecided"),
            (1.07, 1.0, "warning"),
            (1.07, 1.2, "undecided"),
            (1.0, 1.2, "ok"),
            (1.0, 0.6, "undecided"),
            (0.8, 1.0, "improvement"),
            (0.8, 0.75, "ok"),
            (0.8, 0.6, "undecided"),
            (2.0, 1.1, "critical"),
        ],
    )
    def test_by_a_history(self, ratio: float, pace_now: float, status: str) -> None:
        paces = (1.0, NAN, NAN), (pace_now, pace_now, pace_now)
        found = judge_history("a", ratio * 1e-6, [1e-6] * 12, Thresholds(), paces=paces)
        assert found.status == status
        assert found.pace == pytest.approx(pace_now)
        assert bool(found.reason) == (status == "undecided")
        assert ("the machine itself was" in found.reason) == (status == "undecided")


def parsed(item: dict[str, Any]) -> Any:
    return parse_results("r.json", json.dumps(document(item)).encode()).benchmarks[0]


@pytest.mark.parametrize("wrong", [None, 3, "x", [], {}, {"median_s": "x"}, {"median_s": 0.0}, {"median_s": True}])
def test_what_is_no_pace_is_unknown(wrong: Any) -> None:
    assert all(map(math.isnan, pace_of(parsed(paced("a", 1e-6, wrong)))))


def test_rates_and_times_that_are_named_go_with_the_machine_and_counts_do_not() -> None:
    def item(factor: float, pace: float) -> Any:
        own = {"metrics": {"allocations": round(100 * factor), "peak_bytes": round(1000 * factor)}}
        extra = {"items_per_second": 1000.0 / factor, "wait_s": 0.01 * factor}
        return parsed(paced("a", 1e-6, told(pace), **own) | {"extra_info": extra})

    rules = MetricRules({"items_per_second": MetricRule(), "wait_s": MetricRule()})
    found = judge_metrics(item(1.0, 17e-6), item(1.4, 25e-6), Thresholds(), rules)
    statuses = {one.metric: one.status for one in found}
    assert statuses == {
        "allocations": "critical",
        "peak_bytes": "critical",
        "items_per_second": "undecided",
        "wait_s": "undecided",
    }
    assert all("1.47 times slower" in one.reason for one in found if one.status == "undecided")


def test_check_tells_what_the_machine_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = write(tmp_path / "old.json", *(paced(name, 1e-6, told()) for name in "abcd"))
    new = write(
        tmp_path / "new.json",
        paced("a", 1.6e-6, told(25.5e-6)),
        paced("b", 1.6e-6, told()),
        paced("c", 1.0e-6, told(10e-6)),
        paced("d", 1.6e-6, None),
    )
    assert main(["check", str(new), "--baseline", str(old), "--fail-on-regression"]) == 1
    out = capsys.readouterr().out
    assert "past 5%, but the machine itself was 1.50 times slower, which may be all of it" in out
    assert "undecided: the machine itself was 1.70 times faster, which may hide a change past 10%" in out
    assert "meanwhile: 1.00 times slower than for the baseline (1.70 times faster to 1.50 times slower)" in out
    assert "and from the machine's pace" in out
    assert main(["check", str(new), "--baseline", str(old), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    found = {one["fullname"][-1]: (one["status"], one["pace"]) for one in report["verdicts"]}
    assert [found[name][0] for name in "abcd"] == ["undecided", "critical", "undecided", "critical"]
    assert found["a"][1] == pytest.approx(1.5)
    assert found["d"][1] is None


def test_reports_tell_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = write(tmp_path / "old.json", paced("a", 1e-6, told()))
    new = write(tmp_path / "new.json", paced("a", 1.6e-6, told(25.5e-6)))
    line = "the machine itself, meanwhile: 1.50 times slower than for {}; passes, or perfcore ab, decide more"
    assert main(["compare", str(old), str(new)]) == 0
    assert f"{new}: {line.format(old)}" in capsys.readouterr().out
    comment = tmp_path / "comment.md"
    command = ["report", str(new), "--baseline", str(old), "--format", "github", "--output", str(comment)]
    assert main(command) == 0
    text = html.unescape(comment.read_text(encoding="utf-8"))
    assert line.format("the baseline") in text
    assert "1.50 times slower, which may be all of it" in text


@pytest.mark.parametrize(("before", "now"), [(1e300, 1e-300), (1e-300, 1e300), (1e-6, 1e250)])
def test_paces_of_no_machine_are_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: float, now: float
) -> None:
    old = write(tmp_path / "old.json", paced("a", 1e-6, told(before)))
    new = write(tmp_path / "new.json", paced("a", 1.2e-6, told(now)), paced("b", 1e-6, told(now)))
    assert main(["check", str(new), "--baseline", str(old), "--fail-on-regression"]) in {0, 1}
    out = capsys.readouterr().out
    assert "the machine itself, meanwhile: beyond comparison" in out
    assert max(map(len, out.splitlines())) < 250
    assert main(["check", str(new), "--baseline", str(old), "--json"]) == 0
    json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


def test_a_steady_machine_is_not_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = write(tmp_path / "old.json", paced("a", 1e-6, told()))
    new = write(tmp_path / "new.json", paced("a", 1.01e-6, told(17.2e-6)))
    assert main(["check", str(new), "--baseline", str(old)]) == 0
    assert "the machine itself" not in capsys.readouterr().out
