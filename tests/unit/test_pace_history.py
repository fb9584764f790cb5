# SPDX-License-Identifier: MIT
"""The machine's pace in a history: kept with each run, asked for by check, and added to histories that lack it."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from results_files import benchmark, document, paced, told, write

from perfcore.cli import main
from perfcore.record.database import SCHEMA
from perfcore.record.history import History, make_run
from perfcore.record.results import parse_results
from perfcore.record.series import read_paces


def in_history(folder: Path, count: int, pace: Callable[[int], Any]) -> str:
    where = str(folder / "h.db")
    for number in range(count):
        when = datetime.fromtimestamp(time.time() - 86400 * (count - number), UTC).isoformat()
        write(folder / "run.json", paced("a", 1e-6, pace(number)), datetime=when)
        assert main(["history", "add", str(folder / "run.json"), "--database", where]) == 0
    return where


def test_a_history_keeps_it_and_judges_by_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = in_history(tmp_path, 12, lambda number: told() if number else None)
    now = datetime.now(UTC).isoformat()
    new = write(tmp_path / "new.json", paced("a", 1.5e-6, told(24e-6)), datetime=now)
    same = write(tmp_path / "same.json", paced("a", 1.5e-6, told()), datetime=now)
    capsys.readouterr()
    assert main(["check", str(new), "--database", where, "--fail-on-regression"]) == 0
    out = capsys.readouterr().out
    assert "undecided: past 5%, but the machine itself was 1.41 times slower" in out
    assert "prediction interval), and from the machine's pace" in out
    assert main(["check", str(same), "--database", where, "--fail-on-regression"]) == 1
    capsys.readouterr()
    assert main(["history", "export", "--database", where]) == 0
    header, first, *_, last = capsys.readouterr().out.splitlines()
    column = header.split(",").index("pace")
    assert (first.split(",")[column], last.split(",")[column]) == ("", "1.7e-05")


def test_a_history_of_version_1_is_brought_up_to_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = in_history(tmp_path, 12, lambda _: None)
    with closing(sqlite3.connect(where)) as connection:
        connection.execute("ALTER TABLE perfcore_figures DROP COLUMN pace")
        connection.execute("UPDATE perfcore_schema SET version = 1")
        connection.commit()
        kept = connection.execute("SELECT count(*), sum(median) FROM perfcore_figures").fetchone()
    new = write(tmp_path / "new.json", paced("a", 1.5e-6, told()), datetime=datetime.now(UTC).isoformat())
    capsys.readouterr()
    assert main(["check", str(new), "--database", where, "--fail-on-regression"]) == 1
    with closing(sqlite3.connect(where)) as connection:
        assert connection.execute("SELECT count(*), sum(median) FROM perfcore_figures").fetchone() == kept
        assert connection.execute("SELECT version FROM perfcore_schema").fetchone() == (SCHEMA,)
    assert main(["history", "add", str(new), "--database", where]) == 0
    history = History(where)
    name = benchmark("a")["fullname"]
    environment = history.runs()[0].environment
    assert list(read_paces(history, [name], until=math.inf, environment=environment).values()) == [17e-6]


def test_a_run_that_was_added_before_it_was_kept_is_known_again() -> None:
    def run(pace: Any) -> str:
        return make_run(parse_results("r.json", json.dumps(document(paced("a", 1e-6, pace))).encode())).key

    assert run(told()) == run(None)
