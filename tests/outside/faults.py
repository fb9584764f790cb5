# SPDX-License-Identifier: MIT
"""Break perfcore while it stores things, many times over, and say what came of it.

    python -P tests/outside/faults.py [--kills 300] [--stops 40] [--seed 1] [--only WORD]

Kills every writer at random moments (``fault_kills.py``, ``fault_programs.py``), interrupts who waits for rings, makes
every single write of every command fail (``fault_calls.py``), and has two processes write at once. Prints a Markdown
table; the exit code is 1 if anything was lost, half written, left behind or told wrong. Takes some minutes; needs a C
compiler for failing writes and a PostgreSQL server for its rows, and says what it left out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import fault_kills as kills  # noqa: E402 - found by the path above
import fault_programs as programs  # noqa: E402

from perfcore.cli import main as command  # noqa: E402
from perfcore.errors import ServiceError  # noqa: E402
from perfcore.record.history import History  # noqa: E402
from perfcore.suite.postgres import Cluster  # noqa: E402

SHM_KILLS = HERE.parent / "unit/messaging/shm_kills.py"
INTERRUPTS = HERE.parent / "unit/messaging/interrupts.py"
TWO = 60  # steps of each of two processes


def both(row: kills.Row, work: Callable[[int, kills.Say], None]) -> None:
    """Have two processes work at once."""
    children = [kills.fork(lambda say, index=index: work(index, say)) for index in range(2)]  # type: ignore[misc]
    for child in children:
        words, status = kills.ended(*child)
        row.must(status == 0, f"a writer failed: {words[-1:]}")
        row.tried += len(words)


def two_updates(folder: Path) -> kills.Row:
    """Two processes update one baseline."""
    row = kills.Row("two at once", "baseline update")
    files = [kills.results(folder, index, 200) for index in range(2)]
    base = folder / "base.json"

    def work(index: int, say: kills.Say) -> None:
        for _ in range(TWO):
            if command(["baseline", "update", str(files[index]), "--baseline", str(base), "--force"]) == 0:
                say(index)

    both(row, work)
    row.must(row.tried == 2 * TWO, "an update was refused")
    whole = [path.read_bytes() for path in files]
    row.must(base.read_bytes() in whole, "the baseline is not whole")
    row.must(kills.previous_path(base).read_bytes() in whole, "the previous one is not whole")
    row.must(not list(folder.rglob("*.perfcore.tmp")), "a temporary file was left")
    return row


def two_adding(where: Path | str, place: str) -> kills.Row:
    """Two processes add to one history, every third run both of them, while they prune."""
    row = kills.Row("two at once", place)

    def work(index: int, say: kills.Say) -> None:
        history = History(where, create=True)
        for number in range(TWO):
            history.add([kills.made(30_000 + 3 * number + (index if number % 3 else 2))])
            history.prune(36500)
            say(number)

    both(row, work)
    found = [run.file for run in History(where).runs() if int(run.file.removesuffix(".json")) >= 30_000]
    expected = {
        f"{30_000 + 3 * number + (index if number % 3 else 2)}.json" for number in range(TWO) for index in (0, 1)
    }
    row.must(set(found) == expected and len(found) == len(expected), "runs are lost or doubled")
    return row


def told_by(program: Path, row: kills.Row, what: str, seed: int) -> dict[str, Any]:
    """Run a program for a row; return what it counted, nothing where it failed."""
    words = [sys.executable, "-P", str(program), str(row.tried), what, str(seed)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    row.must((done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr)
    told: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return told


def shared_memory(number: int, whom: str, seed: int) -> kills.Row:
    """Kill users of a ShmRing."""
    row = kills.Row("SIGKILL", f"ShmRing, {whom}", number)
    if told := told_by(SHM_KILLS, row, whom, seed):
        row.outcomes |= {"messages": told["put"], "lost in dead hands": told["got"] - told["noted"]}
        row.outcomes["repairs"] = told["recoveries"]
        for key in ("doubled_or_made_up", "torn_or_out_of_order", "failed"):
            row.must(told[key] == 0, f"{key}: {told[key]}")
        row.must(told["done"] <= told["put"] == told["got"], "messages are lost")
        row.must(0 <= told["got"] - told["noted"] <= told["may_be_lost"], "more is lost than the dead held")
    return row


def interrupts(number: int, what: str, seed: int) -> kills.Row:
    """Send SIGINT to what uses a ring."""
    row = kills.Row("SIGINT", f"rings, {what}", number)
    if told := told_by(INTERRUPTS, row, what, seed):
        row.outcomes |= {"messages": told["got"], "interrupts that came through": told["caught"]}
        row.must(told["caught"] == number, "an interrupt was swallowed")
        for key in ("lost", "doubled_or_made_up"):
            row.must(told[key] == 0, f"{key}: {told[key]}")
    return row


def failing_calls(folder: Path, limits: int, seed: int) -> Iterator[kills.Row]:
    """Run ``fault_calls.py`` with the library that makes calls fail."""
    library = folder / "fail_nth.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(HERE / "fail_nth.c"), "-ldl"], check=True)
    environment = os.environ | {"LD_PRELOAD": str(library)}
    words = [sys.executable, "-P", str(HERE / "fault_calls.py"), str(library), str(limits), str(seed)]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            told = json.loads(line)
            row = kills.Row(told["fault"], told["place"], told["tried"], problems=told["problems"])
            row.outcomes["refused"] = told["refused"]
            row.outcomes["done all the same"] = told["tried"] - told["refused"]
            yield row
    if worker.returncode:
        yield kills.Row("nth call fails", "all", problems=[f"the worker ended with {worker.returncode}"])


def rows(options: argparse.Namespace, folder: Path, left_out: list[str]) -> Iterator[kills.Row]:
    """Give the rows whose names have the word that was asked for."""
    number, stops, seed = options.kills, options.stops, options.seed
    source = random.Random(seed)
    slow = max(1, number // 3)  # of what takes a second each time

    def place(name: str) -> Path:
        (made := folder / name).mkdir()
        return made

    series: dict[str, Callable[[], kills.Row]] = {
        "baseline": lambda: kills.baseline_update(place("baseline"), number, source),
        "sqlite": lambda: kills.history_write(place("sqlite"), number, source),
        "report": lambda: kills.dashboard(place("report"), number, source),
        "lane": lambda: programs.lane_run(place("lane"), slow, source),
        "plugin": lambda: programs.plugin_results(place("plugin"), slow, source),
        "two-baseline": lambda: two_updates(place("two")),
        "two-sqlite": lambda: two_adding(place("two-history") / "h.db", "history add and prune, SQLite"),
    }
    for whom in ("producers", "consumers", "both"):
        series[f"shm-{whom}"] = lambda whom=whom: shared_memory(number, whom, seed)  # type: ignore[misc]
    for what in ("aget", "aput", "shm-aget", "shm-aput", "put"):
        series[f"interrupt-{what}"] = lambda what=what: interrupts(number, what, seed)  # type: ignore[misc]
    for name, one in series.items():
        if options.only in name:
            yield one()
    with ExitStack() as stack:
        if options.only in "postgresql":
            try:
                cluster = stack.enter_context(Cluster())
            except ServiceError as error:
                left_out.append(f"PostgreSQL: {error}")
            else:
                yield kills.history_write(place("postgresql"), number, source, cluster.url)
                yield kills.server_stopped(place("stops"), stops, source, cluster)
                yield two_adding(cluster.url, "history add and prune, PostgreSQL")
    if options.only in "calls":
        try:
            yield from failing_calls(place("calls"), number // 10, seed)
        except (OSError, subprocess.CalledProcessError) as error:
            left_out.append(f"failing calls: {error}")


def main() -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--kills", type=int, default=300, help="of each writer (300); a third of it where one takes seconds"
    )
    parser.add_argument("--stops", type=int, default=40, help="of the PostgreSQL server (40)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="WORD", help="only what has this in its name")
    options = parser.parse_args()
    began, total, left_out, problems = time.monotonic(), 0, list[str](), list[str]()
    print("| fault | where | tried | outcome |\n|:--|:--|--:|:--|", flush=True)
    with tempfile.TemporaryDirectory(prefix="perfcore-faults-", ignore_cleanup_errors=True) as folder:
        for row in rows(options, Path(folder), left_out):
            told = "; ".join(f"{number} {words}" for words, number in row.outcomes.items())
            what = f"**{len(row.problems)} problems**" if row.problems else "all well"
            print(f"| {row.fault} | {row.place} | {row.tried} | {what}{'; ' if told else ''}{told} |", flush=True)
            problems += [f"{row.fault}, {row.place}: {text}" for text in row.problems]
            total += row.tried
    print(f"\n{total} tries in {time.monotonic() - began:.0f} s, {len(problems)} problems")
    for text in left_out:
        print(f"left out: {text}")
    for text in problems[:50]:
        print(text, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
