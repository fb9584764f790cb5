# SPDX-License-Identifier: MIT
"""The battery's counts of what `perfcore check` says: runs of the same code, and slowed down ones beside them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from results_files import benchmark, document

ROOT = Path(__file__).resolve().parent.parent.parent
# At the end: an installed perfcore must win over the source tree.
sys.path.append(str(ROOT))

from benchmarks.noise import checks, cli  # noqa: E402
from benchmarks.noise.battery import Condition, Log  # noqa: E402
from benchmarks.noise.checks import RunSettings  # noqa: E402
from perfcore.judge.thresholds import Thresholds  # noqa: E402

SAME = Condition(0.0, "quiet")
SLOWER = Condition(0.2, "quiet")


def record(condition: Condition, *medians: float) -> dict[str, Any]:
    made = [benchmark(f"test_{n}", median, iqr=median / 1000) for n, median in enumerate(medians)]
    return {
        "condition": {"slowdown": condition.slowdown, "load": condition.load},
        "seconds": 1.0,
        "results": document(*made),
    }


def test_who_is_judged_by_whom() -> None:
    """By the run before, and from the eleventh on by all; a slow one by those of the same code, of which it is none."""
    records = [record(SAME, 1e-3), record(SLOWER, 1.2e-3)] + [record(SAME, 1e-3)] * 9 + [record(SLOWER, 1.2e-3)]
    records += [record(SAME, 1e-3), record(Condition(0.0, "busy"), 5e-3)]
    found = [
        (condition, by, [one.status for one in suite]) for condition, by, suite in checks.judged(records, Thresholds())
    ]
    assert found == [
        (SLOWER, "baseline", ["critical"]),
        *[(SAME, "baseline", ["ok"])] * 9,
        (SLOWER, "baseline", ["critical"]),
        (SLOWER, "history", ["critical"]),
        (SAME, "baseline", ["ok"]),
        (SAME, "history", ["ok"]),
    ]


def test_counts() -> None:
    records = [record(SAME, 1e-3, 1e-3), record(SAME, 1.06e-3, 1e-3), record(SAME, 1.06e-3, 0.9e-3)]
    found = checks.tally([*records, record(SLOWER, 1.3e-3, 1.3e-3)], Thresholds())
    same, slower = found["rows"]
    assert (same["slowdown"], same["against"], same["runs"], same["verdicts"]) == (0.0, "baseline", 2, 4)
    assert {name: same[name]["count"] for name in ("ok", "warning", "critical", "improvement", "undecided")} == {
        "ok": 2,
        "warning": 1,
        "critical": 0,
        "improvement": 1,
        "undecided": 0,
    }
    assert same["runs_with_alarm"]["count"] == 1
    assert slower["critical"]["count"] == slower["verdicts"] == 2
    text = [" ".join(line.split()) for line in checks.lines(found)]
    assert text[1].startswith("same quiet baseline 4 0: 0.00 to 60.24 % 1: ")
    assert text[1].endswith("1 of 2")
    assert text[-1].startswith("a warning from 5% on, critical from 10% on; ")


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Condition] = []

    def run_once(condition: Condition, _settings: RunSettings) -> dict[str, Any]:
        asked.append(condition)
        return record(condition, 1e-3 * (1 + condition.slowdown))

    monkeypatch.setattr(cli, "run_once", run_once)
    log, output = tmp_path / "log.jsonl", tmp_path / "counts.json"
    arguments = [
        "check",
        "--runs",
        "3",
        "--slowdown",
        "0",
        "--slowdown",
        "20%",
        "--log",
        str(log),
        "--json",
        str(output),
    ]
    assert cli.main(arguments) == 0
    assert asked == [SAME, SLOWER] * 3
    assert [row["verdicts"] for row in json.loads(output.read_text())["rows"]] == [2, 3]
    assert cli.main([*arguments, "--show"]) == 0
    assert len(asked) == 6
    assert len(Log(log, RunSettings()).records) == 6
    assert cli.main(["ab", "--show", "--log", str(log)]) == 2  # the other's log
    assert "measured with other settings (pairs); name another log" in capsys.readouterr().err
