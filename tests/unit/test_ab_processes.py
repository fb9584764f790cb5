# SPDX-License-Identifier: MIT
"""What ``perfcore ab`` does with processes: answers that do not come, groups that are killed, signals that are put off.

The workers here are shell scripts in an interpreter's place; real ones run in tests/e2e/test_ab.py.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perfcore.judge.pairs import PairRule
from perfcore.suite import ab
from perfcore.suite.ab import Blocks, Plan, compare_sides
from perfcore.suite.process import Ended, Side, Worker, WorkerLostError, last_lines, run_program

# `say` writes an event, `hear` reads a command into $line.
PROLOGUE = r"""#!/bin/sh
say() { printf '%s\n' "$1" > "/proc/self/fd/${PERFCORE_AB_PIPES#*,}"; }
hear() { read -r line < "/proc/self/fd/${PERFCORE_AB_PIPES%,*}"; }
"""

Start = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    workers = []

    def make(script: str, timeout: float = 0.3) -> Worker:
        python = tmp_path / "python"
        python.write_text(PROLOGUE + script, encoding="utf-8")
        python.chmod(0o755)
        side = Side("head", "the head", tmp_path, tmp_path, str(python))
        workers.append(Worker(side, [], seed=7, timeout=timeout))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close(kill=True)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_answers_one_at_a_time(start: Start, tmp_path: Path) -> None:
    worker = start(
        r"""
        say '{"event": "one"}'; hear; say "{\"event\": \"two\", \"heard\": ${#line}}"
        echo "seed $PYTHONHASHSEED in $PWD with $*"
        """,
        timeout=60,
    )
    assert worker.ask(None) == {"event": "one"}
    assert worker.ask({"do": "go"}) == {"event": "two", "heard": len('{"do": "go"}')}
    with pytest.raises(WorkerLostError, match=r"exit code 0: seed 7 in /.* with -m pytest --rootdir=/"):
        worker.ask({"do": "go"})
    worker.close()
    worker.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(worker._events)


def test_ends_early(start: Start) -> None:
    worker = start("echo one; echo; echo two >&2; exit 3", timeout=60)
    with pytest.raises(WorkerLostError, match=r"^its process ended with exit code 3: one \| two$") as caught:
        worker.ask(None)
    assert caught.value.side.name == "head"


def test_is_killed(start: Start) -> None:
    with pytest.raises(WorkerLostError, match=r"^killed by signal 9: it said nothing$"):
        start("kill -KILL $$", timeout=60).ask(None)


def test_ends_while_its_child_keeps_the_pipe(start: Start, tmp_path: Path) -> None:
    worker = start(f"sleep 600 & echo $! > {tmp_path}/pid; exit 4", timeout=60)
    with pytest.raises(WorkerLostError, match="exit code 4"):
        worker.ask(None)
    child = int((tmp_path / "pid").read_text())
    assert alive(child)
    worker.close(kill=True)
    wait_for(lambda: not alive(child))


def test_hangs_and_is_killed_with_its_group(start: Start, tmp_path: Path) -> None:
    worker = start(
        f"""
        say '{{}}'; sleep 600 & echo $! > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid
        trap '' TERM INT; while :; do sleep 600; done
        """
    )
    assert worker.ask(None) == {}  # the first answer, after pytest's start, has a longer limit
    wait_for((tmp_path / "pid").exists)
    with pytest.raises(WorkerLostError, match=r"^no answer for 0\.3 s$"):
        worker.ask({"do": "go"})
    pids = [int((tmp_path / "pid").read_text()), worker._process.pid]
    worker.close(kill=True)
    wait_for(lambda: not any(map(alive, pids)))


def test_nonsense_on_the_pipe(start: Start) -> None:
    worker = start("say Traceback; sleep 600", timeout=60)
    with pytest.raises(WorkerLostError, match="something else wrote to its pipe: b'Traceback'"):
        worker.ask(None)


def test_no_interpreter_leaves_no_descriptors(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        Worker(Side("base", "b", tmp_path, tmp_path, "/no/python"), [], seed=1, timeout=1)
    assert os.listdir("/proc/self/fd") == before


def test_environment_of_a_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src").mkdir()
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PERFCORE_AB_PIPES", "8,9")
    plain = Side("base", "b", tmp_path, tmp_path, "python")
    assert plain.environment()["PYTHONPATH"] == f"{tmp_path}:{tmp_path}/src:/elsewhere"
    assert "PERFCORE_AB_PIPES" not in plain.environment()
    assert plain.command("-m", "pytest") == ["python", "-m", "pytest"]
    installed = Side("base", "b", tmp_path, tmp_path, "python", installed=True)
    assert installed.environment()["PYTHONPATH"] == "/elsewhere"
    assert installed.command("-c", "") == ["python", "-P", "-c", ""]


def test_run_program(tmp_path: Path) -> None:
    def run(script: str, timeout: float = 60) -> Ended:
        return run_program(["sh", "-c", script], folder=tmp_path, environment={"A": "b"}, timeout=timeout)

    assert run("pwd; echo $A >&2; exit 5") == (5, f"{tmp_path}\n", "b\n")
    assert run("pwd") == (0, f"{tmp_path}\n", f"{tmp_path}\n")
    # What a program leaves running goes with it, and is not waited for.
    left = int(run("sleep 600 & echo $!").output)
    wait_for(lambda: not alive(left))
    with pytest.raises(subprocess.TimeoutExpired):
        run("echo $$ > pid; sleep 600", timeout=0.3)
    wait_for(lambda: not alive(int((tmp_path / "pid").read_text())))
    with pytest.raises(OSError, match="No such file"):
        run_program(["/no/program"], folder=tmp_path, environment={}, timeout=1)


def test_last_lines() -> None:
    assert last_lines(" one \n\n two\nthree\n", 2) == "two | three"
    assert last_lines("\n \n", 2) == "it said nothing"


def ready(duration: float, iterations: int = 1, capacity: int | None = None) -> dict[str, object]:
    return {"duration": duration, "iterations": iterations, "capacity": capacity}


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        # Rounds of 250 µs: twenty of them make 5 ms. The calls are those of the faster side.
        (ready(250e-6, 1000), ready(250e-6, 1000), Blocks(6, 20, (1000, 1000))),
        (ready(250e-6, 1000), ready(250e-6, 500), Blocks(6, 10, (1000, 1000))),
        # A slow one: a round a block, and two blocks.
        (ready(0.2), ready(0.1), Blocks(2, 1, (1, 1))),
        (ready(0.02), ready(0.02), Blocks(6, 1, (1, 1))),
        # benchmark.pedantic: its own calls, and no more rounds than it asked for.
        (ready(1e-3, 3, 59), ready(1e-3, 3, 59), Blocks(6, 5, (3, 3))),
        (ready(1e-3, 3, 12), ready(1e-3, 3, 59), Blocks(6, 2, (3, 3))),
        (ready(1e-3, 1, 1), ready(1e-3, 1, 1), Blocks(1, 1, (1, 1))),
        (ready(1e-6, 2, 40), ready(1e-3, 1000), Blocks(6, 5, (2, 1000))),
        (ready(0.0), ready(0.0), Blocks(6, 1, (1, 1))),
    ],
)
def test_blocks(base: dict[str, object], head: dict[str, object], expected: Blocks) -> None:
    assert Blocks.of(base, head) == expected


def test_sides_take_turns_at_being_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To start, to come to the test, and in each block; and each processor has pairs of either order."""
    starts: list[str] = []
    blocks: list[list[str]] = []
    pins: list[int] = []

    class Scripted:
        """A worker whose one benchmark takes as long on both sides."""

        def __init__(self, side: Side, _: list[str], **__: object) -> None:
            self.side = side
            starts.append(side.name)
            if len(starts) % 2:
                blocks.append([])

        def pin(self, cpu: int) -> None:
            pins.append(cpu)

        def ask(self, command: dict[str, object] | None) -> dict[str, object]:
            match command and command["do"]:
                case None:
                    return {"event": "collected", "ids": ["a"], "errors": {}, "reason": None}
                case "select":
                    blocks[-1].append(f"calibrated {self.side.name}")
                    return {"event": "ready"} | ready(1e-3)
                case "block":
                    blocks[-1].append(self.side.name)
                    return {"event": "block", "quartile": 1e-3}
                case "next":
                    return {"event": "done", "id": "a", "outcome": "passed"}
            return {"event": "finished"}

        def close(self, *, kill: bool = False) -> None: ...

    monkeypatch.setattr(ab, "Worker", Scripted)
    sides = [Side(name, name, tmp_path, tmp_path, "python") for name in ("base", "head")]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5})
    report = compare_sides(sides, Plan(PairRule(max_pairs=6), to_the_end=True))
    assert [track.pairs for track in report.tracks] == [6]
    assert starts == ["base", "head", "head", "base"] * 3
    assert pins == [3, 3, 3, 3, 5, 5, 5, 5, 3, 3, 3, 3]
    # Whoever was calibrated last goes first: then each side has as many blocks right behind one of its own.
    first = ["calibrated base", "calibrated head", *["head", "base", "base", "head"] * 3]
    second = ["calibrated head", "calibrated base", *["base", "head", "head", "base"] * 3]
    assert blocks == [first, second] * 3
