# SPDX-License-Identifier: MIT
"""Threads and processes for real, with agents of the user's; agents that raise, die, and are interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from perfcore.errors import SuiteError
from perfcore.suite.placement import PLACES, Place, Placement
from perfcore.suite.placements import compare_places, measure

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "threading_vs_multiprocessing_benchmark.py"
LONG = 60.0

AGENTS = """
import os, pathlib, signal, time

class Agent:
    def __init__(self, number):
        self.number, self.steps, self.heard = number, 0, []
        self.name = f"agent-{number}"
    def step(self):
        # Wrong messages, or one too many or too few, would be seen at the next step.
        assert len(self.heard) in (0, self.steps), (self.heard, self.steps)
        self.steps += 1
    def send(self):
        return {"sender": self.number, "step": self.steps}
    def receive(self, message):
        assert message["step"] == self.steps, message
        self.heard.append(message["sender"])
        assert len(set(self.heard)) == 1
    def memory(self):
        return 1

def agents(number):
    return Agent(number)

def raising(number):
    return lambda: 1 / (3 - number)

def dying(number):
    return lambda: os.kill(os.getpid(), signal.SIGKILL) if number == 1 else None

def slow(number):
    pathlib.Path(os.environ["PIDS"], str(os.getpid())).touch()
    return lambda: time.sleep(60)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "placed.py").write_text(AGENTS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def placed(place: Place, function: str = "agents", *, agents: int = 5) -> Placement:
    return Placement(place, agents, 2, 4, 2, ("exploration", "coordination"), factory=f"placed:{function}")


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize("place", PLACES)
def test_the_same_work_in_every_place(place: Place) -> None:
    outcome = measure(placed(place))
    assert outcome.startup > 0
    # Beside the workers: this interpreter, multiprocessing's resource tracker, the fork server.
    assert outcome.processes == {"threads": 1, "spawn": 4, "forkserver": 5}[place]
    assert [steady.workload for steady in outcome.steady] == ["exploration", "coordination"]
    for steady in outcome.steady:
        assert steady.slowest <= steady.throughput <= steady.fastest
        assert steady.throughput == pytest.approx(20 / steady.seconds)
        assert steady.rounds == 2
        assert steady.seconds == pytest.approx((20 / steady.slowest + 20 / steady.fastest) / 2)
        assert 0 <= steady.p50 <= steady.p95 <= steady.p99
        assert steady.pss_bytes > 5_000_000
    assert [steady.messages for steady in outcome.steady] == [0, 20]


@pytest.mark.usefixtures("module")
def test_one_agent_talks_to_itself() -> None:
    (outcome,) = compare_places([1], steps=3, places=["threads"], factory="placed:agents", progress=None)
    assert (outcome.placement.workers, outcome.steady[1].messages) == (1, 3)


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize("place", ["threads", "spawn"])
def test_an_agent_that_raises_ends_the_run_with_its_traceback(place: Place) -> None:
    with pytest.raises(SuiteError, match=r"an agent of worker 1 failed: (?s:.*)ZeroDivisionError"):
        measure(placed(place, "raising"))


@pytest.mark.usefixtures("module")
def test_a_process_that_dies_is_named() -> None:
    with pytest.raises(SuiteError, match=r"worker 1 ended by itself \(exit code -9\) before it was done"):
        measure(placed("spawn", "dying", agents=2))
    with pytest.raises(SuiteError, match="its own message says why"):
        measure(placed("threads", "dying", agents=2))


@pytest.mark.usefixtures("module")
def test_a_factory_that_is_not_there() -> None:
    with pytest.raises(SuiteError, match="write module:function"):
        measure(placed("threads", "nothing"))


def script(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", str(SCRIPT), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_script_prints_a_table_and_a_conclusion(module: Path) -> None:
    output = module / "all.json"
    size = ["--counts", "1", "3", "--steps", "2", "--workers", "2", "--places", "threads", "spawn"]
    with script(*size, "--agents", "placed:agents", "--output", str(output)) as process:
        out, progress = process.communicate(timeout=LONG)
    assert process.returncode == 0, progress
    assert progress.count("rounds of 2 steps") == 4
    assert "exploration, 3 agents: " in out
    assert "threads take less memory (3 times or more is expected): " in out
    document = json.loads(output.read_text(encoding="utf-8"))
    assert [(one["placement"]["place"], one["placement"]["agents"]) for one in document] == [
        ("threads", 1),
        ("spawn", 1),
        ("threads", 3),
        ("spawn", 3),
    ]


@pytest.mark.usefixtures("module")
def test_the_script_fails_with_one_message() -> None:
    with script("--counts", "2", "--places", "threads", "--agents", "nowhere:agents") as process:
        out, problem = process.communicate(timeout=LONG)
    assert process.returncode == 2
    assert out == ""
    assert "error: threads, 2 agents: an agent of worker" in problem
    assert "Traceback" not in problem


def test_an_output_without_a_folder_is_told_before_it_measures(module: Path) -> None:
    with script("--counts", "1", "--places", "threads", "--output", str(module / "none" / "all.json")) as process:
        out, problem = process.communicate(timeout=LONG)
    assert (process.returncode, out) == (2, "")
    assert problem.endswith(f"error: --output: {module / 'none'}: no such folder\n")


def alive(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())  # a zombie has none
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_an_interrupt_ends_the_workers(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = module / "pids"
    pids.mkdir()
    monkeypatch.setenv("PIDS", str(pids))
    with script("--counts", "2", "--workers", "2", "--places", "spawn", "--agents", "placed:slow") as process:
        end = monotonic() + LONG
        while len(list(pids.iterdir())) < 2:
            assert monotonic() < end
            sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, problem = process.communicate(timeout=LONG)
    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in problem
    end = monotonic() + LONG
    while any(alive(int(path.name)) for path in pids.iterdir()):
        assert monotonic() < end
        sleep(0.02)
