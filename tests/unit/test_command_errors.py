# SPDX-License-Identifier: MIT
"""Wrong usage and what is missing, of every command: exit code 2, nothing on stdout, one line that says what to do."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import shlex
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from results_files import benchmark, write

from perfcore.cli import COMMANDS, check_command, main
from perfcore.codecs import Timestamp
from perfcore.measure import clock, profile
from perfcore.measure.noise import Noise

LANES = """
[tool.perfcore.lanes.quick]
command = ["true"]
[tool.perfcore.sla."*never*"]
median = "1 s"
"""

CASES = {
    "frobnicate": "unknown command 'frobnicate'",
    "chek": "did you mean 'check'?",
    "": "no command; there is: ab, check",
    "baseline shwo": "unknown action 'shwo'; did you mean 'show'?",
    "check": "the following arguments are required: RESULTS",
    "check good.json": "no baseline yet; make one with: perfcore baseline save RESULTS",
    "check no.json --baseline good.json": "no.json: no such file; make it with pytest --benchmark-json=no.json",
    "check good.json --baseline good.json --warning 5": "may mean 5% or 500%",
    "check good.json --baseline good.json --warning x": "'x' is no threshold; write it like 5% or 0.05",
    "check good.json --baseline good.json --max-size 0": "'0' is no size; give MiB",
    "check good.json --history --database no.db": "no history yet; begin one with: perfcore history add RESULTS",
    "check good.json --database no.db": "no history yet; begin one with: perfcore history add RESULTS",
    "check good.json --baseline good.json --database no.db": "leave out --baseline, or --history and --database",
    "check good.json --baseline good.json --history": "leave out --baseline, or --history and --database",
    "baseline save good.json --baseline good.json": "a baseline exists; overwrite it with --force",
    "compare good.json no.json": "no.json: no such file",
    "analyze no.json": "no.json: no such file",
    "merge good.json --output no/such/folder/x.json": "cannot write: No such file or directory",
    "export good.json --format xml": "invalid choice: 'xml'",
    "history list --days 0 --database no.db": "'0' is no number of days; give one above 0",
    "history list --days x --database no.db": "'x' is no number of days",
    "history list --limit -3 --database no.db": "'-3' is no count; give a whole number from 0 to 1000000",
    "history list --limit 99999999999999999999 --database no.db": "'99999999999999999999' is no count",
    "history list --database mysql://x/y": "the history cannot be kept in 'mysql'; give a file or a postgresql:// URL",
    "history list --database ://": "the history's URL cannot be read; write sqlite:///FILE",
    "history list --database good.json": "good.json: file is not a database; nothing was changed",
    "history add good.json --database good.json/h.db": "good.json/h.db: cannot make its folder: ",
    "history show abc --database no.db": "no.db: no history yet",
    "import": ".benchmarks: no such file or folder; pytest --benchmark-autosave saves each run in the folder .benchm",
    "import no-such-folder": "no-such-folder: no such file or folder; pytest --benchmark-autosave",
    "import no-such.json": "no-such.json: no such file; make it with pytest --benchmark-json=no-such.json",
    "trends --database no.db": "no.db: no history yet",
    "run --lane quik": "no lane 'quik'; did you mean 'quick'?",
    "run --lane quick --iterations 0": "'0' is no count; give a whole number from 1 to 100000",
    "run --lane quick --timeout never": "must be seconds or text like 500 ms or 20 min",
    "run": "one of the arguments --lane --all is required",
    "run --all --config no.toml": "no.toml: cannot read: No such file or directory",
    "validate-sla": "lane 'quick' was never run there; run it: perfcore run --lane quick",
    "validate-sla good.json --lane other": "good.json: there is no lane or benchmark 'other' in it",
    "validate-sla good.json --lane test_a": "no target matches 'test_a'; the patterns are those of",
    "validate-sla good.json --allow-missing": "no target matches anything in the results",
    "optimize": "no results: give a results file or --lane NAME",
    "report good.json --format html,xml": "'xml' is no format; there is: html, csv",
    "report good.json --format html,csv --output -": "--output - prints one format; name one with --format",
    "report good.json --output good.json": "cannot write: File exists; choose another folder with --output",
    "flamegraph": "name a script, -m MODULE, --pid PID or --stats FILE",
    "flamegraph --seconds 5 good.json": "--seconds goes with --pid, and is above 0",
    "flamegraph --rate 0 good.json": "'0' is no number from 1 on",
    "flamegraph no-such-script.py": "no-such-script.py: no such script",
    "flamegraph --stats good.json": "good.json",
    "heap no-such-script.py": "there is no script no-such-script.py",
    "heap --top 0 x.py": "'0'",
    "use": "give a command behind --, or --pid with --seconds",
    "use --interval 0 -- true": "'0' is no interval; give 0.001 to 10 seconds",
    "use -- no-such-program-at-all": "no-such-program-at-all cannot be run: No such file or directory",
    "use --pid 4194303 --seconds 1": "4194303",
    "ab": "name a base: a revision, a folder, or --base-python",
    "ab main --max-time 0": "'0' is no time; give seconds above 0, at most 86400",
    "doctor --what": "unrecognized arguments: --what",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(LANES)
    write(tmp_path / "good.json", benchmark())
    return tmp_path


@pytest.mark.parametrize("command", CASES)
def test_wrong_usage(here: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    if {"history", "trends", "import", "--database"} & {*command.split()}:
        pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    code = main(shlex.split(command))
    said = capsys.readouterr()
    assert (code, said.out) == (2, ""), said
    assert said.err.startswith("perfcore: error: ")
    assert said.err.count("\n") == 1
    assert CASES[command] in said.err
    assert sorted(os.listdir(here)) == ["good.json", "pyproject.toml"]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_target_without_data(here: Path, capsys: pytest.CaptureFixture[str], more: list[str]) -> None:
    """The table or the document says of each target what it found; the line on stderr why that is no verdict."""
    assert main(["validate-sla", "good.json", *more]) == 2
    said = capsys.readouterr()
    assert "no data" in said.out
    assert said.err == (
        "perfcore: error: could not judge: no data for *never* (median): nothing in the results matches the pattern\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--help"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith(f"usage: perfcore {command}")
    assert "exit codes:" in said.out


def test_the_doctor_tells_the_noise(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Noise("arithmetic", 0.001, 0.012, 0.034, {4: 0.02, 48: 0.0081})]
    monkeypatch.setattr("perfcore.measure.noise.measure_noise", lambda **_: found)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "arithmetic" in said
    for figure in ("ab, 4 pairs", "ab, 48 pairs", "0.1 %", "1.2 %", "3.4 %", "2.0 %", "0.8 %"):
        assert figure in said


def test_py_spy_that_is_missing_or_sees_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "find_py_spy", lambda: None)
    assert main(["flamegraph", "--pid", "4194303"]) == 2
    assert "py-spy is not installed (pip install py-spy)" in capsys.readouterr().err
    monkeypatch.setattr(profile, "find_py_spy", lambda: "false")
    assert main(["flamegraph", "--pid", "4194303", "--seconds", "1"]) == 2
    assert "py-spy saw nothing: exit code 1" in capsys.readouterr().err


def test_clocks_are_those_of_the_standard_library() -> None:
    for ask in (clock.precision, clock.source, clock.overhead):
        with pytest.raises(ValueError, match="is not a timer of the standard library"):
            ask(lambda: 0.0)
    assert clock.clock_id([]) is None  # type: ignore[arg-type]


def test_timestamps_and_datetimes() -> None:
    zone = timezone(timedelta(hours=2))
    for moment in (
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(2024, 2, 29, 1, 2, 3, 456_789, zone),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
    ):
        assert Timestamp.from_datetime(moment).to_datetime() == moment
    assert Timestamp.from_datetime(datetime(1970, 1, 1, tzinfo=zone)) == Timestamp(-7200)
    with pytest.raises(ValueError, match="has no time zone; give it one"):
        Timestamp.from_datetime(datetime(2024, 1, 1))
    with pytest.raises(ValueError, match="no whole number of microseconds"):
        Timestamp(0, 1).to_datetime()
    with pytest.raises(ValueError, match="outside the years 1 to 9999"):
        Timestamp(2**62).to_datetime()


def test_what_a_driver_logs_of_a_lost_connection_stays_off_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    importlib.import_module("perfcore.record.database")
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []  # pytest's own, which would hide it
    try:
        for name in ("psycopg", "psycopg.pipeline", "sqlalchemy.pool.impl.NullPool"):
            logging.getLogger(name).error("the connection is lost")
    finally:
        root.handlers = handlers
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("columns", [None, "40", "133", "0", "-3", "wide"])
def test_help_is_as_wide_as_argparse_would_have_it(monkeypatch: pytest.MonkeyPatch, columns: str | None) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    usual = argparse.RawDescriptionHelpFormatter("perfcore check")
    made = check_command.parser()._get_formatter()
    assert isinstance(made, argparse.RawDescriptionHelpFormatter)
    assert made._width == usual._width
