# SPDX-License-Identifier: MIT
"""The battery's own logic: intervals, counts, the log that it goes on from. One real comparison is in tests/e2e."""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# At the end: an installed perfcore must win over the source tree.
sys.path.append(str(ROOT))

from benchmarks.noise import battery, cli, counts  # noqa: E402
from benchmarks.noise.battery import Condition, Log, LogError, PairSettings  # noqa: E402
from benchmarks.noise.counts import Judging  # noqa: E402
from benchmarks.noise.decisions import decide, replay  # noqa: E402
from perfcore.judge.pairs import PairRule  # noqa: E402

SAME = Condition(0.0, "quiet")
SLOWER = Condition(0.05, "busy")


RULE = PairRule(0.03, max_pairs=8)
# Effects of eight pairs that the rule ends with this verdict.
EFFECTS = {
    "ok": (0.001, -0.001) * 4,
    "regression": (0.05, 0.052) * 4,
    "improvement": (-0.05, -0.052) * 4,
    "undecided": (0.3, -0.3) * 4,
}


def record(condition: Condition, *statuses: str) -> dict[str, Any]:
    return {
        "condition": {"slowdown": condition.slowdown, "load": condition.load},
        "seconds": 1.0,
        "benchmarks": [
            {
                "name": f"test_{n}",
                "kind": ("cpu", "text")[n % 2],
                "seconds": 0.8,
                "effects": EFFECTS[status],
                "base_s": 1e-3,
            }
            for n, status in enumerate(statuses)
        ],
    }


@pytest.mark.parametrize(
    ("successes", "count", "expected"),
    [  # from scipy.stats.binomtest(k, n).proportion_ci(0.95, "exact")
        (0, 100, (0.0, 0.036216693)),
        (100, 100, (0.963783307, 1.0)),
        (5, 10, (0.187086028, 0.812913972)),
        (1, 1000, (2.5317487e-05, 0.005558924)),
        (0, 1, (0.0, 0.975)),
        (2, 3000, (8.0746626e-05, 0.0024061331)),
    ],
)
def test_intervals(successes: int, count: int, expected: tuple[float, float]) -> None:
    assert counts.clopper_pearson(successes, count) == pytest.approx(expected, rel=1e-5, abs=1e-12)


def test_tally() -> None:
    records = [
        record(SLOWER, "regression", "undecided", "regression", "regression"),
        record(SAME, "ok", "ok", "ok", "improvement"),
        record(SAME, "ok", "regression", "ok", "ok"),
    ]
    found = counts.tally(records, Judging(RULE))
    rows = {(row["slowdown"], row["load"], row["kind"]): row for row in found["rows"]}
    assert list(rows) == [
        *((0.0, "quiet", kind) for kind in ("cpu", "text", "all")),
        *((0.05, "busy", kind) for kind in ("cpu", "text", "all")),
    ]
    everything = rows[0.0, "quiet", "all"]
    assert everything["benchmarks"] == 8
    assert {status: everything[status]["count"] for status in counts.STATUSES} == {
        "regression": 1,
        "improvement": 1,
        "undecided": 0,
        "ok": 6,
    }
    # Those that are the same are known to be after four pairs; each pair took 0.1 s.
    assert everything["mean_pairs"] == 4.0
    assert everything["mean_seconds"] == pytest.approx(0.4)
    assert rows[0.05, "busy", "cpu"]["regression"]["share"] == 1.0
    (suites,) = found["suites_with_false_alarms"]
    assert (suites["count"], suites["suites"], suites["size"], suites["load"]) == (1, 2, 4, "quiet")
    assert suites["bias"]["pairs"] == 16
    assert suites["bias"]["mean"] == pytest.approx(0.0, abs=1e-12)
    assert found["replays"] == []
    text = [" ".join(line.split()) for line in counts.lines(found)]
    assert text[3].startswith("same quiet all 8 1: 0.32 to 52.65 % 0: 0.00 to 36.94 % 6: ")
    assert text[4].startswith("+5 % busy cpu 2 2: 15.81 to 100.00 % 0: ")
    assert text[-2].startswith("the same code, quiet: of 2 suites of 4 have a regression 1: 1.26 to 98.74 %; mean ")


def test_decisions_are_those_of_a_run() -> None:
    """Pair by pair, each benchmark until it is decided, and by the rule that is asked for."""
    suite = decide(record(SAME, "ok", "regression", "undecided"), RULE)
    assert [(track.status, track.pairs) for track in suite] == [("ok", 4), ("regression", 4), ("undecided", 8)]
    assert suite[2].spent == pytest.approx(0.8)
    (track,) = decide(record(SAME, "regression"), PairRule(0.2, max_pairs=8))
    assert track.status == "ok"
    assert [track.status for track in decide(record(SAME, "ok"), RULE, slowdown=0.05)] == ["regression"]
    assert [track.status for track in decide(record(SAME, "regression"), RULE, signs=[-1] * 8)] == ["improvement"]


def test_what_a_rule_has_ended_stands() -> None:
    """Verdicts as they were told, each after its own number of pairs, whatever rule is asked about."""
    ended = record(SAME, "ok", "regression", "ok", "undecided")
    for one, (status, pairs) in zip(
        ended["benchmarks"], [("ok", 4), ("regression", 6), ("improvement", 5), ("undecided", 8)], strict=True
    ):
        one.update(status=status, effects=one["effects"][:pairs], seconds=pairs / 10)
    suite = decide(ended, PairRule(0.2, max_pairs=8))
    assert [track.status for track in suite] == ["ok", "regression", "improvement", "undecided"]
    assert [track.pairs for track in suite] == [4, 6, 5, 8]
    found = counts.tally([ended], Judging(RULE))
    assert found["rows"][-1]["mean_seconds"] == pytest.approx(0.575)
    # Of the four pairs that all have: those of the regression are 5 and 5.2 % off.
    assert found["suites_with_false_alarms"][0]["bias"]["pairs"] == 4
    assert found["suites_with_false_alarms"][0]["bias"]["mean"] == pytest.approx(0.051 / 4)


def test_replays_swap_the_sides_of_the_whole_suite() -> None:
    """Two benchmarks of the same pairs stay alike, whatever chance does to the pairs."""
    chance = random.Random(1)
    signs = set()
    for _ in range(100):
        one, other = replay(record(SAME, "regression", "regression"), PairRule(0.03, max_pairs=8), 0.0, chance)
        assert one.effects == other.effects
        signs.update(effect > 0 for effect in one.effects)
    assert signs == {True, False}


def test_replays_are_counted() -> None:
    """Always 5 % up or down: of 16 ways that four pairs may be swapped, one gives a regression at once."""
    judging = Judging(PairRule(0.03, max_pairs=4), replays=800, replayed=(0.0, 0.05))
    found = counts.tally([record(SAME, "regression", "regression"), record(SAME, "ok", "ok")], judging)
    rows = {(row["slowdown"], row["kind"]): row for row in found["replays"]}
    assert list(rows) == [(slowdown, kind) for slowdown in (0.0, 0.05) for kind in ("cpu", "text", "all")]
    same = rows[0.0, "all"]
    assert (same["comparisons"], same["suites"], same["verdicts"]) == (2, 1600, 3200)
    # Binomial of 800 and 1/16 in the first comparison, none in the second: within 5 standard deviations of 34.2 / 800.
    assert same["regression"] == pytest.approx(1 / 32, abs=0.022)
    assert same["suites_with_regression"] == same["regression"]  # the two benchmarks of a suite alarm together
    assert same["most_regressions_of_a_comparison"] == 2 * same["regression"]
    assert rows[0.05, "all"]["regression"] > 0.5
    assert counts.lines(found)[-1].startswith("replayed: ")
    assert found == counts.tally([record(SAME, "regression", "regression"), record(SAME, "ok", "ok")], judging)


def test_log_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log.jsonl"
    log = Log(path, PairSettings())
    log.add(record(SAME, "ok"))
    log.add(record(SLOWER, "ok"))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"condition": {"slow')  # killed in the middle
    again = Log(path, PairSettings())
    assert (again.count(SAME), again.count(SLOWER), again.count(Condition(0.0, "busy"))) == (1, 1, 0)
    again.add(record(SAME, "ok"))
    assert Log(path, PairSettings()).count(SAME) == 2
    with pytest.raises(LogError, match=r"log.jsonl:1: measured with other settings \(small, pairs\); name another"):
        Log(path, PairSettings(pairs=4, small=True))


def made(monkeypatch: pytest.MonkeyPatch, interrupt_at: int | None = None) -> list[Condition]:
    """Put made-up comparisons in the place of real ones; return the conditions as they are asked for."""
    asked: list[Condition] = []

    def compare_once(condition: Condition, _settings: PairSettings) -> dict[str, Any] | None:
        asked.append(condition)
        return None if len(asked) == interrupt_at else record(condition, "ok", "ok")

    monkeypatch.setattr(cli, "compare_once", compare_once)
    return asked


def test_conditions_take_turns_and_are_made_up_for(tmp_path: Path) -> None:
    asked: list[Condition] = []

    def measure(condition: Condition) -> dict[str, Any]:
        asked.append(condition)
        return record(condition, "ok")

    log = Log(tmp_path / "log.jsonl", PairSettings())
    log.add(record(SLOWER, "ok"))
    done = [condition for condition, _ in battery.run(log, [SAME, SLOWER], 3, measure)]
    assert done == asked == [SAME, SAME, SLOWER, SAME, SLOWER]
    assert list(battery.run(log, [SAME, SLOWER], 3, measure)) == []


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    log, output = tmp_path / "log.jsonl", tmp_path / "counts.json"
    arguments = ["--log", str(log), "--runs", "2", "--slowdown", "0", "--slowdown", "5%", "--json", str(output)]
    asked = made(monkeypatch, interrupt_at=3)
    assert cli.main(arguments) == 130
    done = capsys.readouterr()
    assert done.err.splitlines()[-1] == "noise: interrupted; 2 are in the log"
    assert "all" in done.out
    assert asked == [SAME, Condition(0.05, "quiet"), SAME]

    asked = made(monkeypatch)
    assert cli.main(arguments) == 0
    assert asked == [SAME, Condition(0.05, "quiet")]
    assert json.loads(output.read_text())["rows"][-1]["benchmarks"] == 4
    capsys.readouterr()

    assert cli.main([*arguments, "--show"]) == 0
    assert len(asked) == 2
    assert cli.main([*arguments, "--show", "--mode", "exceeds", "--threshold", "10%", "--replay", "5"]) == 0
    found = json.loads(output.read_text())
    assert (found["mode"], found["threshold"]) == ("exceeds", 0.1)
    assert [row["verdicts"] for row in found["replays"] if row["kind"] == "all"] == [20, 20]
    assert cli.main([*arguments, "--pairs", "7"]) == 2
    assert "measured with other settings (pairs)" in capsys.readouterr().err
    assert cli.main([*arguments, "--as-used"]) == 2
    assert "measured with other settings (as_used)" in capsys.readouterr().err
    for wrong in (["--as-used", "--replay", "5"], ["check", "--as-used"]):
        with pytest.raises(SystemExit, match="2"):
            cli.main([*arguments, *wrong])
        assert "--as-used is for ab, and goes without --replay" in capsys.readouterr().err
    assert cli.main(["--show", "--log", str(tmp_path / "none")]) == 0
    assert "the log is empty" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["5", "[]", "{}", '{"settings": 1}'])
def test_what_is_no_log(tmp_path: Path, line: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(LogError, match=r"log\.jsonl:1: no comparison of the battery; name another log"):
        Log(path, PairSettings())


def test_busy_processes_end_with_a_battery_that_is_killed() -> None:
    program = (
        f"import sys; sys.path.append({str(ROOT)!r})\n"
        "from benchmarks.noise import battery\n"
        "with battery.load('busy') as processes:\n"
        "    print(*(process.pid for process in processes), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    words = [sys.executable, "-P", "-c", program]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as made:
        assert made.stdout is not None
        handles = [os.pidfd_open(int(pid)) for pid in made.stdout.readline().split()]
        made.kill()
    assert len(handles) == len(os.sched_getaffinity(0))
    for handle in handles:
        assert select.select([handle], [], [], 60)[0]  # readable once the process has ended
        os.close(handle)


def test_busy_processes_end() -> None:
    with battery.load("quiet") as processes:
        assert processes == []
    with battery.load("busy") as processes:
        assert len(processes) == len(os.sched_getaffinity(0))
        assert all(process.poll() is None for process in processes)
    assert not any(process.poll() is None for process in processes)
