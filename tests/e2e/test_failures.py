# SPDX-License-Identifier: MIT
"""When things go wrong while something is stored: kills, full disks, places that cannot be written, a server that goes.

Whatever happens, the command ends with exit code 2 and one line, what was there before is there still, what was
acknowledged stays, and the next command works. PERFCORE_KILLS=60 makes the loops of kills longer.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import assert_error
from results_files import benchmark, document, write

from perfcore.errors import HistoryError, ServiceError
from perfcore.record.baseline import load_baseline, previous_path, write_baseline
from perfcore.record.history import History, Run, make_run
from perfcore.record.results import load_results, parse_results
from perfcore.suite.postgres import Cluster

KILLS = int(os.environ.get("PERFCORE_KILLS", "12"))
DAY = "2024-01-{:02}T00:00:00+00:00"


def perfcore(folder: Path, *args: object, before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "perfcore", *map(str, args)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=before,
    )


def file_limit(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def many(folder: Path, name: str, count: int = 400, day: int = 1) -> Path:
    """Write a results file of some hundred kilobytes."""
    return write(folder / name, *(benchmark(f"{name}-{index}") for index in range(count)), datetime=DAY.format(day))


def made(day: int, count: int = 3) -> Run:
    items = (benchmark(f"t{index}", 1e-6 * (1 + day)) for index in range(count))
    stamp = f"2024-{1 + day // 28:02}-{1 + day % 28:02}T00:00:00+00:00"
    return make_run(parse_results(f"{day}.json", json.dumps(document(*items, datetime=stamp)).encode()))


# --- kills ---


ROUNDS = """
import os, sys
sys.path[:0] = {path!r}
{imports}
for _ in range({rounds}):
    if (pid := os.fork()) == 0:
        def say(text):
            os.write(1, f"{{text}}\\n".encode())
        {start}
        say(f"go {{os.getpid()}}")
        while True:
            {step}
    os.waitpid(pid, 0)
    os.write(1, b"end\\n")
"""


def killed(folder: Path, seed: int, **parts: str) -> Iterator[list[str]]:
    """Repeat a step in a child that says what is done, and kill it at some moment; give what it said until then."""
    here = Path(__file__).parent
    source = random.Random(seed)
    code = ROUNDS.format(path=[str(here), str(here.parent)], rounds=KILLS, **parts)
    with subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, cwd=folder, text=True) as parent:
        assert parent.stdout is not None
        for _ in range(KILLS):
            _, pid = parent.stdout.readline().split()
            said = [parent.stdout.readline() for _ in range(source.randrange(3))]
            time.sleep(source.uniform(0, 0.02))
            os.kill(int(pid), signal.SIGKILL)
            yield said + list(iter(parent.stdout.readline, "end\n"))
    assert parent.returncode == 0


def test_baseline_update_killed(tmp_path: Path) -> None:
    whole = {many(tmp_path, name).read_bytes() for name in ("one.json", "two.json")}
    step = (
        "[write_baseline(n, 'base.json', replace=True, keep_previous=True) for n in ('one.json', 'two.json')]; say(1)"
    )
    imports = "from perfcore.record.baseline import write_baseline"
    for _ in killed(tmp_path, 3, imports=imports, start="", step=step):
        for path in (tmp_path / "base.json", previous_path(tmp_path / "base.json")):
            if path.exists():
                assert path.read_bytes() in whole
    assert len(load_baseline(tmp_path / "base.json").benchmarks) == 400
    assert perfcore(tmp_path, "baseline", "update", "two.json", "--baseline", "base.json", "--force").returncode == 0
    assert (tmp_path / "base.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_history_killed_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    acknowledged: set[int] = set()
    for said in killed(
        tmp_path,
        5,
        imports="from itertools import count\nfrom test_failures import History, made",
        start="history = History('h.db', create=True); days = count(len(history.runs()))",
        step="day = next(days); history.add([made(day, 60)]); say(day)",
    ):
        acknowledged.update(map(int, said))
        history = History(tmp_path / "h.db")
        runs = history.runs()
        assert {run.count for run in runs} <= {60}
        assert {f"{day}.json" for day in acknowledged} <= {run.file for run in runs}
        assert len(runs) <= len(acknowledged) + KILLS  # at most one in each round was stored and not acknowledged
    with sqlite3.connect(tmp_path / "h.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert acknowledged


def test_two_updates_at_once(tmp_path: Path) -> None:
    files = [many(tmp_path, f"{name}.json") for name in ("one", "two")]
    whole = {path.read_bytes() for path in files}
    results: list[subprocess.CompletedProcess[str]] = []

    def update(path: Path) -> None:
        for _ in range(3):
            results.append(perfcore(tmp_path, "baseline", "update", path, "--baseline", "base.json", "--force"))

    threads = [threading.Thread(target=update, args=(path,)) for path in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [done.returncode for done in results] == [0] * 6
    assert (tmp_path / "base.json").read_bytes() in whole
    assert previous_path(tmp_path / "base.json").read_bytes() in whole
    assert not list(tmp_path.glob(".*.perfcore.tmp"))


# --- no room, no permission ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a file system of 512 kB, where this may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "perfcore-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def store(folder: Path, target: Path) -> None:
    """Make a baseline and a history in a folder."""
    write(folder / "old.json", benchmark("a"))
    write_baseline(folder / "old.json", target / "base.json")
    assert History(target / "h.db", create=True).add([make_run(load_results(folder / "old.json"))]) == 1


def assert_unharmed(folder: Path, target: Path) -> None:
    assert (target / "base.json").read_bytes() == (folder / "old.json").read_bytes()
    assert [run.count for run in History(target / "h.db").runs()] == [1]
    assert not list(target.glob(".*.perfcore.tmp"))


def test_a_limit_of_the_file_size(tmp_path: Path) -> None:
    store(tmp_path, tmp_path)
    many(tmp_path, "new.json", day=2)
    limit = file_limit(70_000)
    done = perfcore(tmp_path, "baseline", "update", "new.json", "--baseline", "base.json", "--force", before=limit)
    assert_error(done, "base.json: cannot write: File too large")
    done = perfcore(tmp_path, "history", "add", "new.json", "--database", "h.db", before=limit)
    assert_error(done, "h.db: ", "nothing was changed")
    done = perfcore(tmp_path, "merge", "old.json", "new.json", "-o", "all.json", "--allow-mixed", before=limit)
    assert_error(done, "all.json: cannot write")
    assert not (tmp_path / "all.json").exists()
    assert_unharmed(tmp_path, tmp_path)
    assert perfcore(tmp_path, "history", "add", "new.json", "--database", "h.db").returncode == 0


def test_a_full_disk(tmp_path: Path, small_disk: Path) -> None:
    store(tmp_path, small_disk)
    many(tmp_path, "new.json", 1500, day=2)
    (small_disk / "ballast").write_bytes(b"x" * 300_000)
    done = perfcore(tmp_path, "baseline", "update", "new.json", "--baseline", small_disk / "base.json", "--force")
    assert_error(done, "cannot write: No space left on device")
    done = perfcore(tmp_path, "history", "add", "new.json", "--database", small_disk / "h.db")
    assert_error(done, "nothing was changed")
    assert_unharmed(tmp_path, small_disk)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    target = tmp_path / "place"
    target.mkdir()
    store(tmp_path, target)
    write(tmp_path / "new.json", benchmark("a"), datetime=DAY.format(2))
    if os.getuid() != 0:
        target.chmod(0o555)
        (target / "h.db").chmod(0o444)
    elif any(
        subprocess.run(["mount", *words, str(target)], capture_output=True, check=False).returncode
        for words in (["--bind", str(target)], ["-o", "remount,bind,ro"])
    ):
        pytest.skip("root may write everywhere, and nothing can be mounted here")
    try:
        done = perfcore(tmp_path, "baseline", "update", "new.json", "--baseline", target / "base.json", "--force")
        assert_error(done, "base.previous.json: cannot write")
        done = perfcore(tmp_path, "history", "add", "new.json", "--database", target / "h.db")
        assert_error(done, "h.db: ")
    finally:
        if os.getuid() == 0:
            subprocess.run(["umount", "-l", str(target)], check=True)
        else:
            target.chmod(0o755)
            (target / "h.db").chmod(0o644)
    assert_unharmed(tmp_path, target)


# --- a server that goes away ---


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    try:
        with Cluster(durable=False) as started:
            yield started
    except ServiceError as error:
        pytest.skip(str(error))


def test_postgresql_goes_away_between_two_runs(server: Cluster) -> None:
    history = History(server.url, create=True)
    assert history.add([made(1)]) == 1

    def runs() -> Iterator[Run]:
        yield made(2)
        server.stop()
        yield made(3)

    with pytest.raises(HistoryError, match="nothing was changed") as caught:
        history.add(runs())
    assert "\n" not in str(caught.value)
    server.start()
    assert [run.file for run in history.runs()] == ["1.json"]
    assert history.add([made(2), made(3)]) == 2
    assert len(history.runs()) == 3


def test_postgresql_goes_away_while_a_command_writes(server: Cluster, tmp_path: Path) -> None:
    import psycopg

    from perfcore.record.database import _LOCK

    History(server.url, create=True).prune(1e-9, now=time.time())
    write(tmp_path / "new.json", benchmark("a"))
    command = [sys.executable, "-P", "-m", "perfcore", "history", "add", "new.json", "--database", server.url]
    with psycopg.connect(server.url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as writer:
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while other.execute(waiting).fetchone() == (0,):
                assert writer.poll() is None
                time.sleep(0.01)
            server.stop()
            out, err = writer.communicate(timeout=60)
        other.close()
    assert (writer.returncode, out) == (2, "")
    assert err.startswith("perfcore: error: postgresql://")
    assert err.endswith("; nothing was changed\n")
    assert err.count("\n") == 1
    assert_error(
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60),
        "nothing was changed",
    )
    server.start()
    assert History(server.url).runs() == []
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60).returncode == 0
    assert len(History(server.url).runs()) == 1
    assert load_results(tmp_path / "new.json").benchmarks
