# SPDX-License-Identifier: MIT
"""What ``perfcore ab`` says: the table, the JSON, exit codes; and what an interrupted run still tells."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path

import pytest

from perfcore.cli import ab_command
from perfcore.cli.options import write_json
from perfcore.config import load_config
from perfcore.errors import ConfigError
from perfcore.judge.pairs import PairRule, Track, settle
from perfcore.suite.ab import PairedRun, Plan, Report
from perfcore.suite.process import Side


def measured(name: str, *effects: float) -> Track:
    track = Track(name)
    for effect in effects:
        track.add([2e-6], [2e-6 * math.exp(effect)])
    return track


@pytest.fixture
def report() -> Report:
    failed = Track("t.py::test_failed")
    failed.give_up(("base", "head"), "failed on base: boom\n; failed on head: boom")
    tracks = [
        measured("t.py::test_same", 0.001, -0.001, 0.0005, 0.0),
        failed,
        measured("t.py::test_slower[\x1b]", 0.1, 0.101, 0.099, 0.1),
        measured("t.py::test_noisy", 0.1, -0.1, 0.05, -0.05),
        measured("t.py::test_faster", -0.1, -0.101, -0.099, -0.1),
    ]
    rule = PairRule()
    settle(tracks, rule)
    made = Report("main (0123456)", "working tree", rule, tracks, new=["t.py::test_new"], gone=["t.py::test_gone"])
    made.pairs, made.seconds, made.shift = 4, 12.34, (1.031, 1.02, 1.042)
    made.note("one processor only")
    made.note("one processor only")
    return made


def test_table(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    ab_command.print_report(report)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["base: main (0123456)", "head: working tree", ""]
    rows = [line.split()[0].rpartition("::")[2] for line in lines[4:9]]
    assert rows == ["test_slower[\\x1b]", "test_failed", "test_noisy", "test_faster", "test_same"]
    assert lines[4].split()[1:8] == ["2", "µs", "2.21", "µs", "+10.5", "%", "+9.3"]
    assert lines[4].endswith("4  regression")
    assert lines[5].split()[1:4] == ["-", "-", "-"]
    assert "undecided: failed on base: boom\\n; failed on head: boom" in lines[5]
    assert "undecided: known to ±" in lines[6]
    assert lines[10:] == [
        "new, only in head (1):",
        "  t.py::test_new",
        "gone, only in base (1):",
        "  t.py::test_gone",
        "common shift: the suite as a whole moved by +3.1 % (+2.0 % to +4.2 %); "
        "look for a cause that all benchmarks share",
        "note: one processor only",
        lines[-2],
        "5 benchmarks in 4 pairs and 12.3 s: 1 regression, 2 undecided, 1 improvement, 1 ok: FAILED",
    ]
    assert lines[-2].startswith("evidence: pairs of fresh processes")


def test_json(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(ab_command.report_json(report))
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["exit_code"], document["passed"]) == ("regression", 1, False)
    assert document["common_shift"] == {"ratio": 1.031, "low": 1.02, "high": 1.042}
    failed = document["benchmarks"][1]
    assert failed["failed"] == ["base", "head"]
    assert failed["ratio"] is failed["low"] is failed["high"] is failed["base_s"] is None
    assert document["benchmarks"][2]["ratio"] == pytest.approx(math.exp(0.1))


def test_why_it_could_not_judge(report: Report) -> None:
    report.tracks = [Track("t.py::test_none")]
    report.tracks[0].give_up((), "skipped on base")
    assert ab_command._reason(report) == "no benchmark could be measured: t.py::test_none: skipped on base"
    report.note("head: cannot collect base_too.py: boom")
    report.note("head: cannot collect t.py: boom")
    report.broken = ["t.py"]
    assert ab_command._reason(report) == "head: cannot collect t.py: boom"
    for name in ("t.py::test_one", "t.py::test_other"):
        report.tracks.append(Track(name))
        report.tracks[-1].give_up(("head",), f"failed on head: {name}")
    assert ab_command._reason(report) == "t.py::test_one: failed on head: t.py::test_one (and 1 more)"


def test_exit_codes(report: Report) -> None:
    assert ab_command.exit_code(report) == 1
    report.tracks = [track for track in report.tracks if track.status != "regression"]
    assert ab_command.exit_code(report) == 0
    report.tracks[-1].give_up(("head",), "failed")
    assert ab_command.exit_code(report) == 2
    report.interrupted = True
    assert ab_command.exit_code(report) == 130


def test_head_that_cannot_be_collected_does_not_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A module that no longer imports takes its benchmarks out of the comparison; that is no pass."""
    sides = [Side(name, name, tmp_path, tmp_path, "python") for name in ("base", "head")]

    def compared(base: dict[str, str], head: dict[str, str]) -> Report:
        run = PairedRun(sides, Plan())
        run._compare_lists({"ids": ["a.py::x", "b.py::y"], "errors": base}, {"ids": ["a.py::x"], "errors": head})
        for effect in (0.001, -0.001, 0.0005, 0.0):
            run._report.tracks[0].add([2e-6], [2e-6 * math.exp(effect)])
        settle(run._report.tracks, run._report.rule)
        return run._report

    error = {"b.py": "SyntaxError: invalid syntax"}
    report = compared({}, error)
    document = ab_command.report_json(report)
    assert (document["verdict"], document["exit_code"], document["passed"]) == ("failed", 2, False)
    assert document["broken"] == ["b.py"]
    ab_command.print_report(report)
    out = capsys.readouterr().out
    assert "note: head: cannot collect b.py: SyntaxError: invalid syntax\n" in out
    assert out.endswith(": 1 ok: could not judge: head cannot collect b.py\n")
    assert ab_command.exit_code(compared(error, error)) == 0  # nothing that head has broken
    assert ab_command.exit_code(compared(error, {})) == 0
    report.tracks[0].status = "regression"
    assert ab_command.exit_code(report) == 1


class Interrupted(PairedRun):
    """Runs made-up pairs, and is interrupted in one of them."""

    last = 5

    def _run_pair(self, pair: int) -> None:
        if pair == self.last:
            raise KeyboardInterrupt
        if not self._report.tracks:
            self._report.tracks = [Track("t.py::test_slower"), Track("t.py::test_noisy")]
        for track, effect in zip(self._report.tracks, (0.1 + 0.001 * (pair % 2), 0.3 * (-1) ** pair), strict=True):
            if not track.final:
                track.add([2e-6], [2e-6 * math.exp(effect)])


def test_an_interrupted_run_tells_what_it_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = [Side(name, name, tmp_path, tmp_path, "python") for name in ("base", "head")]
    report = Interrupted(sides, Plan()).run()
    assert report.interrupted
    assert report.pairs == 5
    assert [(track.status, track.pairs) for track in report.tracks] == [("regression", 4), ("undecided", 5)]
    ab_command.print_report(report)
    assert capsys.readouterr().out.endswith(": 1 regression, 1 undecided: interrupted\n")


def test_an_interrupt_in_the_first_pair_comes_through(tmp_path: Path) -> None:
    sides = [Side(name, name, tmp_path, tmp_path, "python") for name in ("base", "head")]
    run = Interrupted(sides, Plan())
    run.last = 0
    with pytest.raises(KeyboardInterrupt):
        run.run()


class Unpinnable:
    def pin(self, _cpu: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def test_says_where_it_cannot_keep_to_one_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [Side(name, name, tmp_path, tmp_path, "python") for name in ("base", "head")]
    run = PairedRun(sides, Plan())
    assert run._report.notes == [] or len(os.sched_getaffinity(0)) == 1
    for _ in range(2):
        run._pin(Unpinnable(), 0)
    assert run._report.notes[-1:] == [
        "no permission to pin processes to a processor (Operation not permitted): expect wider intervals"
    ]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3})
    assert PairedRun(sides, Plan())._report.notes == ["one processor only, so all pairs ran on it"]
    assert PairedRun(sides, Plan(pin=False))._report.notes == [
        "not pinned to one processor, as asked: expect wider intervals"
    ]


def test_pytest_arguments_come_after_two_dashes() -> None:
    parsed = ab_command.parser().parse_args(["main", "--threshold", "3%", "--", "-k", "parse", "--", "x"])
    assert (parsed.base, parsed.head, parsed.threshold) == ("main", None, pytest.approx(0.03))
    assert parsed.pytest_arguments == ["-k", "parse", "--", "x"]
    assert ab_command.parser().parse_args(["a", "b"]).pytest_arguments == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("install = ''", "tool.perfcore.ab.install: must be a command, not ''"),
        ("install = 'pip install \"x'", "tool.perfcore.ab.install: No closing quotation in"),
        ("build = 'make'", "unknown key 'build'; known keys: install"),
    ],
)
def test_config_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.perfcore.ab]\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path)


def test_config(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.perfcore.ab]\ninstall = 'pip install .'\n", encoding="utf-8")
    assert load_config(tmp_path).ab_install == "pip install ."
