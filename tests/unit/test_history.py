# SPDX-License-Identifier: MIT
"""The history: what it keeps, that adding is whole and once, many writers, kills, and PostgreSQL by the same code."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from results_files import MACHINE, benchmark, document, write

from perfcore.cli import main
from perfcore.errors import HistoryError, ResultsError, ServiceError
from perfcore.record.database import runs, sa
from perfcore.record.history import History, Run, make_run
from perfcore.record.results import load_results, parse_results
from perfcore.record.series import read_kept, read_series
from perfcore.suite.postgres import Cluster

TESTS = Path(__file__).parent.parent
DAY = 86400.0
START = 1704067200.0  # 2024-01-01 UTC


def day(number: int) -> str:
    return f"2024-{1 + number // 28:02}-{1 + number % 28:02}T00:00:00+00:00"


def made(number: int = 0, *benchmarks: dict[str, Any], **changes: Any) -> Run:
    items = benchmarks or (benchmark("a"), benchmark("b", 2e-6))
    text = json.dumps(document(*items, **({"datetime": day(number)} | changes)))
    return make_run(parse_results(f"{number}.json", text.encode()))


def test_reading_changes_nothing_in_a_database_of_another_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "app.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    before = file.read_bytes()
    for command in ("trends", "history list", "history prune --days 1"):
        assert main([*command.split(), "--database", str(file)]) == 2
        assert capsys.readouterr().err.startswith(f"perfcore: error: {file}: no history yet")
    assert file.read_bytes() == before  # its header says the journal's mode
    assert os.listdir(tmp_path) == ["app.db"]
    History(file, create=True)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """Start a server of our own; nothing of it is synced to the disk."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    try:
        with Cluster(durable=False) as cluster:
            yield cluster.url
    except ServiceError as error:
        pytest.skip(str(error))


def exercise(where: str) -> None:
    """What must hold in any database."""
    history = History(where, create=True)
    assert history.add([made(number) for number in range(5)]) == 5
    assert history.add([made(2), made(5), made(5)]) == 1
    assert [run.at for run in history.runs()] == [START + DAY * number for number in (5, 4, 3, 2, 1, 0)]
    assert len(history.runs(since=START + 4 * DAY)) == 2
    assert len(history.runs(limit=1)) == 1
    assert history.runs(environment="other") == []
    newest = history.runs()[0]
    assert (newest.commit, newest.backend, newest.python, newest.count, newest.file) == (
        "0123abc",
        "stock",
        "3.12.1",
        2,
        "5.json",
    )
    shown = history.find(newest.key[:12])
    assert [row["fullname"] for row in shown.figures] == ["tests/test_x.py::a", "tests/test_x.py::b"]
    assert {row["median"] for row in shown.figures} == {1e-6, 2e-6}
    assert shown.figures[0]["rounds"] == 100
    assert shown.described["processor"] == "Processor 9000"
    assert history.names("*::b") == ["tests/test_x.py::b"]
    series = history.series(history.names(), before=START + 3 * DAY)
    assert [point.at for point in series["tests/test_x.py::a"]] == [START, START + DAY, START + 2 * DAY]
    odd = made(6, benchmark("quote' % é", stats={"rounds": 2**63, "mean": 2**63}))
    assert history.add([odd, odd]) == 1
    row = history.find(odd.key).figures[0]
    assert (row["fullname"], row["rounds"], row["mean"]) == ("tests/test_x.py::quote' % é", None, 2.0**63)
    now = START + 100 * DAY
    assert history.prune(95, now=now, dry_run=True) == 5
    assert len(history.runs()) == 7
    assert history.prune(95, now=now) == 5
    assert len(history.runs()) == 2
    assert history.prune(94.5, now=now) == 1
    assert len(history.names()) == 1
    for key in ("0000000000", odd.key[1:]):
        with pytest.raises(HistoryError, match=f"no run has a key that begins with {key}"):
            history.find(key)
    with pytest.raises(HistoryError, match="is no run's key"):
        history.find("%")
    history.prune(1e-9, now=START + 1000 * DAY)
    measured = made(1, benchmark("a"), benchmark("m") | {"perfcore": {"metrics": {"allocations": 7}}})
    assert history.add([made(0), measured]) == 2
    name, other = history.names("::m") + history.names("::b")
    assert [point.median for point in history.series([other], metric="max")[other]] == [4e-6]
    assert [point.median for point in history.series([name, other], metric="allocations")[name]] == [7.0]
    found = read_kept(history, [name, other], before=START + 2 * DAY, environment=measured.environment, limit=5)
    (kept,) = found[name]
    assert (kept.backend, kept.method, kept.figures["allocations"]) == ("stock", measured.figures[1]["method"], 7)
    assert kept.figures["stats"]["max"] == history.series([name], metric="max")[name][0].median
    (plain,) = found[other]  # what has nothing but its statistics is there too
    assert (list(plain.figures), plain.figures["stats"]["max"]) == (["stats"], 4e-6)
    assert read_kept(history, [name], before=START, environment=measured.environment, limit=5) == {name: []}
    (group,), series = read_series(history, [name, other, "none"])
    assert (group.environment, group.moments) == (measured.environment, [START, START + DAY])
    assert [(one.fullname, one.runs, one.values) for one in series] == [(other, [0], [2e-6]), (name, [1], [1e-6])]
    assert read_series(history, [name], environment="other") == ([], [])
    assert [(row["fullname"], row["at"]) for row in history.rows("::a")] == [
        ("tests/test_x.py::a", START),
        ("tests/test_x.py::a", START + DAY),
    ]
    assert len(list(history.rows(since=START + DAY))) == 2
    with history.database.reading() as connection:
        count = sa.select(sa.func.count()).select_from(runs)
        assert connection.scalar(count) == 2
        assert History(where).add([made(9)]) == 1
        assert connection.scalar(count) == 2  # one state of the database, whatever comes meanwhile
    history.prune(1e-9, now=START + 1000 * DAY)


def test_sqlite(tmp_path: Path) -> None:
    exercise(str(tmp_path / "made" / "h.db"))
    exercise(f"sqlite:///{tmp_path}/other.db")


def test_postgresql(postgres: str) -> None:
    exercise(postgres)
    with pytest.raises(HistoryError, match=r"nothing was changed") as caught:
        History(postgres.replace("perf@", "perf:secret@").replace("/postgres?", "/missing?"), create=True)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def add_in_process(where: str, first: int, count: int) -> subprocess.Popen[str]:
    code = f"""
import sys
sys.path.insert(0, {str(TESTS / "unit")!r}); sys.path.insert(0, {str(TESTS)!r})
from test_history import History, benchmark, made
history = History({where!r}, create=True)
print("ready", flush=True)
for number in range({first}, {first + count}):
    history.add([made(number, *(benchmark(f"t{{i}}", 1e-6 * (number + 1)) for i in range(40)))])
"""
    return subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, text=True)


def two_writers(where: str) -> None:
    writers = [add_in_process(where, first, 20) for first in (0, 10)]  # half of it the same runs
    assert [(writer.communicate(timeout=120), writer.returncode)[1] for writer in writers] == [0, 0]
    runs = History(where).runs()
    assert len(runs) == 30
    assert {run.count for run in runs} == {40}


def test_two_writers(tmp_path: Path) -> None:
    two_writers(str(tmp_path / "h.db"))


def test_two_writers_of_postgresql(postgres: str) -> None:
    done = History(postgres, create=True)
    done.prune(1e-9, now=time.time() + DAY)
    two_writers(postgres)


def test_tables_of_version_1_in_postgresql(postgres: str) -> None:
    done = History(postgres, create=True)
    done.prune(1e-9, now=time.time() + DAY)
    done.add([made(1)])
    with done.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE perfcore_figures DROP COLUMN pace")
        connection.exec_driver_sql("UPDATE perfcore_schema SET version = 1")
    found = History(postgres)
    assert [run.key for run in found.runs()] == [made(1).key]
    assert found.find(made(1).key).figures[0]["pace"] is None
    assert found.add([made(2)]) == 1


def test_killed_in_the_middle(tmp_path: Path) -> None:
    """Some tens of adds are cut by SIGKILL: what is there is whole, and the next one finds a sound database."""
    where = str(tmp_path / "h.db")
    History(where, create=True)
    code = f"""
import sys
sys.path.insert(0, {str(TESTS / "unit")!r}); sys.path.insert(0, {str(TESTS)!r})
import os, time
from test_history import History, benchmark, made
history = History({where!r})
for child in range(30):
    if (pid := os.fork()) == 0:
        run = made(child, *(benchmark(f"{{child}}-{{i}}") for i in range(300)))
        os.write(1, b"go\\n")
        history.add([run])
        time.sleep(60)
    os.waitpid(pid, 0)
"""
    random.seed(11)
    with subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        for _ in range(30):
            assert parent.stdout.readline() == b"go\n"
            time.sleep(random.uniform(0, 0.04))
            children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGKILL)
    assert parent.returncode == 0
    history = History(where)
    assert {run.count for run in history.runs()} <= {300}
    with sqlite3.connect(where) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = connection.execute("SELECT count(*) FROM perfcore_benchmarks").fetchone()[0]
    assert names == 300 * len(history.runs())
    assert history.add([made(40)]) == 1


def test_all_or_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db", create=True)

    def runs() -> Iterator[Run]:
        yield made(1)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        history.add(runs())
    assert history.runs() == []
    assert history.names() == []


def test_what_is_no_history(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no history yet; begin one with: perfcore history add"):
        History(tmp_path / "none.db")
    assert not list(tmp_path.iterdir())
    (tmp_path / "text.db").write_text("no database " * 1000)
    with pytest.raises(HistoryError, match=r"text.db: file is not a database"):
        History(tmp_path / "text.db", create=True)
    with pytest.raises(HistoryError, match="cannot be kept in 'mysql'"):
        History("mysql://host/x")
    with pytest.raises(HistoryError, match="URL cannot be read"):
        History("://")
    with pytest.raises(HistoryError, match="cannot make its folder"):
        History(tmp_path / "text.db" / "h.db", create=True)
    History(tmp_path / "new.db", create=True)
    with sqlite3.connect(tmp_path / "new.db") as connection:
        connection.execute("UPDATE perfcore_schema SET version = 99")
    with pytest.raises(HistoryError, match="version 99, and this perfcore reads 2"):
        History(tmp_path / "new.db")


def test_what_has_no_place_in_a_history() -> None:
    with pytest.raises(HistoryError, match="datetime: the key is missing"):
        made(datetime="")
    with pytest.raises(HistoryError, match="datetime: is 'yesterday'"):
        made(datetime="yesterday")
    for beyond in ("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.999999"):
        with pytest.raises(HistoryError, match=f"datetime: is '{beyond}'".replace("+", r"\+")):
            made(datetime=beyond)
    with pytest.raises(HistoryError, match="has no benchmarks"):
        make_run(parse_results("x", json.dumps(document()).encode()))
    naive, aware = made(datetime="2024-01-01T00:00:00"), made(datetime="2024-01-01T02:00:00+02:00")
    assert naive.key == aware.key
    assert naive.key != made(machine_info=MACHINE | {"python_version": "3.11.7"}).key


def test_a_moment_without_a_zone_is_utc_wherever_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "JST-9")
            time.tzset()
            assert made(datetime="2024-01-01T00:00:00").at == START
    finally:
        time.tzset()


def test_without_sqlalchemy() -> None:
    code = "import sys; sys.modules['sqlalchemy'] = None\n"
    code += "from perfcore.cli import main\nsys.exit(main(['history', 'list']))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "perfcore: error: the history needs SQLAlchemy; install it with: pip install 'perfcore[history]'\n"
    )


# --- the commands ---


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("[tool.perfcore.history]\nurl = 'h.db'\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project / "one.json", benchmark("a"))
    saved = project / ".benchmarks" / "Linux-CPython-3.12-64bit"
    saved.mkdir(parents=True)
    for number in range(3):
        write(saved / f"000{number}_x.json", benchmark("a"), datetime=day(number + 1))
    assert main(["history", "add", "one.json"]) == 0
    assert capsys.readouterr().out.endswith("h.db: 1 run added\n")
    assert main(["history", "add", "one.json"]) == 0
    assert capsys.readouterr().out.endswith("h.db: 0 runs added, 1 were there already\n")
    assert main(["import"]) == 0
    assert capsys.readouterr().out.endswith("h.db: 3 runs added\n")
    assert main(["history", "list", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [run["datetime"] for run in runs] == [f"2024-01-0{n} 00:00" for n in (4, 3, 2, 1)]
    assert main(["history", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[1].startswith(f"{runs[0]['key'][:8]}  2024-01-04 00:00  0123abc")
    assert main(["history", "show", runs[0]["key"][:8]]) == 0
    assert "tests/test_x.py::a    1 µs  1.05 µs" in capsys.readouterr().out
    assert main(["history", "show", runs[0]["key"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["benchmarks"][0]["median"] == 1e-6
    assert main(["history", "prune", "--dry-run"]) == 0
    assert "4 runs older than 90 days would be removed" in capsys.readouterr().out
    assert main(["history", "prune", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["removed"] == 4
    assert main(["history", "list", "--days", "7", "--limit", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == []


def test_an_import_reads_every_folder(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read every folder, so one is closed by hand."""
    (project / "saved" / "closed").mkdir(parents=True)
    write(project / "saved" / "1.json", benchmark("a"))
    scandir = os.scandir

    def closed(path: str | Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert main(["import", "saved"]) == 2
    assert "saved/closed: Permission denied; make the folder readable, or" in capsys.readouterr().err
    assert not (project / "h.db").exists()
    assert main(["import", "saved", "--skip-broken"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("skipped: saved/closed: Permission denied\n")
    assert out.endswith("1 run added\n")
    (project / "saved" / "1.json").unlink()
    assert main(["import", "saved", "--skip-broken"]) == 2
    assert "nothing could be read, of 1 in all; the first: saved/closed: Perm" in capsys.readouterr().err


def test_an_import_is_whole(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "saved").mkdir()
    write(project / "saved" / "1.json", benchmark("a"))
    (project / "saved" / "2.json").write_text("{")
    assert main(["import", "saved"]) == 2
    assert "2.json: line 1" in capsys.readouterr().err
    assert not (project / "h.db").exists()
    assert main(["import", "saved", "--skip-broken"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("skipped: saved/2.json: line 1")
    assert out.endswith("1 run added\n")
    (project / "saved" / "1.json").unlink()
    assert main(["import", "saved", "--skip-broken"]) == 2
    (project / "saved" / "2.json").unlink()
    assert main(["import", "saved"]) == 2
    assert "has no files *.json" in capsys.readouterr().err
    with pytest.raises(ResultsError):
        load_results("saved/1.json")
    assert main(["history", "prune", "--days", "0"]) == 2
    assert "is no number of days" in capsys.readouterr().err
