# SPDX-License-Identifier: MIT
"""SIGKILL at random moments of everything that stores something, and two that store at once.

A child repeats one step and says on a pipe when each is acknowledged; it is killed after a time drawn from the length
of some steps. Afterwards everything must open, whatever was acknowledged must be there, and at most one step more.
Used by ``faults.py``; each function gives a row: place, times tried, what came out, problems.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from results_files import benchmark, document, write

from perfcore.cli import main
from perfcore.errors import HistoryError
from perfcore.record.baseline import load_baseline, previous_path
from perfcore.record.history import History, Run, make_run
from perfcore.record.results import parse_results
from perfcore.report.write import FORMATS
from perfcore.suite.postgres import Cluster

VARIANTS = 7
Say = Callable[[object], None]


@dataclass
class Row:
    """What came of one fault at one place."""

    fault: str
    place: str
    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def must(self, holds: object, text: str) -> None:
        """Note a problem where something does not hold."""
        if not holds:
            self.problems.append(f"try {self.tried}: {text}")


def fork(work: Callable[[Say], None]) -> tuple[int, int]:
    """Start a child; return its pid and where it says what."""
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        status = 1
        try:
            os.close(reader)
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            work(lambda word: os.write(writer, f"{word}\n".encode()) and None)
            status = 0
        except BaseException:  # noqa: BLE001 - the parent reports it
            os.write(writer, f"!{traceback.format_exc()!r}\n".encode())
        finally:
            os._exit(status)
    os.close(writer)
    return pid, reader


def ended(pid: int, reader: int) -> tuple[list[str], int]:
    """Return what a child said, and how it ended."""
    with os.fdopen(reader) as said:
        words = said.read().splitlines()
    return words, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def commanded(*arguments: object) -> int:
    """Run a command in a child, in silence; return its exit code."""

    def work(_: Say) -> None:
        os.dup2(1, 2)
        os._exit(main(list(map(str, arguments))))

    return ended(*fork(work))[1]


def lengths(work: Callable[[Say], None]) -> float:
    """Return how long a child takes from its start to the end of its second step."""
    began = time.monotonic()
    pid, reader = fork(work)
    found = b""
    while found.count(b"\n") < 2 and (piece := os.read(reader, 4096)):
        found += piece
    os.kill(pid, signal.SIGKILL)
    ended(pid, reader)
    return time.monotonic() - began


def killed(row: Row, kills: int, source: random.Random, work: Callable[[Say], None]) -> Iterator[list[str]]:
    """Run a child that does its step for ever, again and again, and kill it each time; give what it acknowledged."""
    longest = lengths(work)
    for _ in range(kills):
        pid, reader = fork(work)
        time.sleep(source.uniform(0, longest))
        os.kill(pid, signal.SIGKILL)
        words, status = ended(pid, reader)
        row.tried += 1
        row.must(status == -signal.SIGKILL, f"the child ended itself ({status}): {words[-1:]}")
        # A machine's load changes: about every third child is to be killed before its first acknowledgement.
        longest *= 1.1 if not words else 0.95
        row.outcomes["steps acknowledged"] += len(words)
        yield words


def aged_out(folder: Path, row: Row) -> None:
    """Check that what was left behind hidden is gone after the next write that comes a minute later."""
    left = list(folder.rglob("*.perfcore.tmp"))
    row.outcomes["temporary files left"] += len(left)
    for path in left:
        os.utime(path, (0, 0))
    places = {path.parent for path in left}
    source = write(folder / "sweep.json", benchmark("a"))
    for place in places:
        row.must(commanded("merge", source, "-o", place / "swept.json") == 0, "the write after the kills fails")
        (place / "swept.json").unlink(missing_ok=True)
    row.outcomes["swept by the next write"] += len(left) - len(list(folder.rglob("*.perfcore.tmp")))
    row.must(not list(folder.rglob("*.perfcore.tmp")), "temporary files stay")


def results(folder: Path, index: int, benchmarks: int) -> Path:
    """Write a results file that no other index has."""
    return write(folder / f"{index}.json", *(benchmark(f"{index}-{one}") for one in range(benchmarks)))


def baseline_update(folder: Path, kills: int, source: random.Random) -> Row:
    """Kill ``baseline update``."""
    row = Row("SIGKILL", "baseline update")
    files = [
        write(folder / f"{index}.json", *(benchmark(f"{index}-{one}") for one in range(300)))
        for index in range(VARIANTS)
    ]
    whole = [path.read_bytes() for path in files]
    base = folder / "base.json"
    shutil.copy(files[0], base)
    at = 0  # which file the baseline is

    def work(say: Say) -> None:
        for index in count(whole.index(base.read_bytes()) + 1):
            if main(["baseline", "update", str(files[index % VARIANTS]), "--baseline", str(base), "--force"]) == 0:
                say(index)

    for words in killed(row, kills, source, work):
        found = base.read_bytes()
        if found not in whole:
            row.must(False, "the baseline is not whole")
            break
        last, at = int(words[-1]) if words else at, whole.index(found)
        if words or row.tried > 1:  # nobody knows how far the child came by whose length the others are killed
            row.must(at in (last % VARIANTS, (last + 1) % VARIANTS), "an acknowledged update is lost")
        if previous_path(base).exists():
            row.must(previous_path(base).read_bytes() in whole, "the previous baseline is not whole")
    row.must(len(load_baseline(base).benchmarks) == 300, "the baseline does not open")
    aged_out(folder, row)
    return row


def made(number: int, benchmarks: int = 40) -> Run:
    """Return the run of a day."""
    stamp = f"{2000 + number // 336}-{1 + number // 28 % 12:02}-{1 + number % 28:02}T00:00:00+00:00"
    text = json.dumps(document(*(benchmark(f"t{index}", 1e-6) for index in range(benchmarks)), datetime=stamp))
    return make_run(parse_results(f"{number}.json", text.encode()))


def intact(row: Row, where: Path | str, acknowledged: set[int], spare: int) -> None:
    """Check that a history has what was acknowledged, whole, and at most some runs more."""
    runs = History(where).runs()
    files = {run.file for run in runs}
    lost = {f"{number}.json" for number in acknowledged} - files
    row.must(not lost, f"acknowledged and gone: {sorted(lost)[:5]}")
    row.must({run.count for run in runs} <= {40}, "a run is half there")
    row.must(len(runs) <= len(acknowledged) + spare, "more runs than were begun")


def history_write(folder: Path, kills: int, source: random.Random, url: str = "") -> Row:
    """Kill what adds to a history."""
    row = Row("SIGKILL", f"history write, {'PostgreSQL' if url else 'SQLite'}")
    where: Path | str = url or folder / "history.db"
    History(where, create=True)
    acknowledged: set[int] = set()
    at = 0

    def work(say: Say) -> None:
        history = History(where)
        for number in count(at):
            if history.add([made(number)]):
                say(number)

    for words in killed(row, kills, source, work):
        acknowledged.update(map(int, words))
        at = max(acknowledged, default=-1) + 2  # the one that was begun may be there
        if row.tried % 10 == 0 or row.tried == kills:
            intact(row, where, acknowledged, row.tried)
    if not url:
        with contextlib.closing(sqlite3.connect(where)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchall()
        row.must(found == [("ok",)], f"integrity_check: {found}")
    return row


def server_stopped(folder: Path, stops: int, source: random.Random, cluster: Cluster) -> Row:
    """End the server while a child writes, and start it again."""
    row = Row("server stopped and back", "history write, PostgreSQL")
    History(cluster.url, create=True)
    acknowledged: set[int] = set()
    before = {int(run.file.removesuffix(".json")) for run in History(cluster.url).runs()}

    def work(say: Say) -> None:
        try:
            history = History(cluster.url)
            say("ready")
            for number in count(max(before | acknowledged, default=-1) + 2):
                history.add([made(number)])
                say(number)
        except HistoryError as error:
            say("refused" if str(error).endswith("nothing was changed") else f"!{error}")

    for _ in range(stops):
        pid, reader = fork(work)
        first = os.read(reader, 6)
        time.sleep(source.uniform(0, 0.3))
        cluster.stop()
        words, status = ended(pid, reader)
        cluster.start()
        row.tried += 1
        row.must(first == b"ready\n", f"the writer does not begin: {words}")
        row.must(status == 0 and words[-1:] == ["refused"], f"the writer ended with {status}: {words[-1:]}")
        acknowledged.update(int(word) for word in words if word.isdigit())
        intact(row, cluster.url, before | acknowledged, row.tried)
    row.outcomes["steps acknowledged"] = len(acknowledged)
    return row


def dashboard(folder: Path, kills: int, source: random.Random) -> Row:
    """Kill ``perfcore report`` in every format."""
    row = Row("SIGKILL", f"report, {len(FORMATS)} formats")
    formats = ["--format", ",".join(FORMATS)]
    files = [results(folder, index, 60) for index in range(2)]
    names = [file for file, _ in FORMATS.values()]
    whole: dict[str, list[bytes]] = {name: [] for name in names}
    for index, path in enumerate(files):
        row.must(commanded("report", path, "--output", folder / f"whole-{index}", *formats) == 0, "report fails")
        for name in names:
            whole[name].append((folder / f"whole-{index}" / name).read_bytes())

    def work(say: Say) -> None:
        for index in count():
            if main(["report", str(files[index % 2]), "--output", str(folder / "out"), *formats]) == 0:
                say(index)

    for _ in killed(row, kills, source, work):
        for name in names:
            path = folder / "out" / name
            row.must(not path.exists() or path.read_bytes() in whole[name], f"{name} is not whole")
    aged_out(folder, row)
    return row
