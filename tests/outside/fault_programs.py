# SPDX-License-Identifier: MIT
"""SIGKILL at random moments of whole programs: ``perfcore run``, and pytest that measures and saves.

Used by ``faults.py``, as ``fault_kills.py``, whose children and rows these are.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from fault_kills import Row, Say, commanded, ended, fork, killed

from perfcore.cli import main
from perfcore.errors import ResultsError
from perfcore.record.results import load_results
from perfcore.suite.store import latest_results


def lane_run(folder: Path, kills: int, source: random.Random) -> Row:
    """Kill ``perfcore run``, and resume."""
    row = Row("SIGKILL", "lane run, then --resume")
    marker = f"perfcore-faults-{os.getpid()}"
    config = folder / "lanes.toml"
    config.write_text(
        f'[tool.perfcore.lanes.quick]\ncommand = ["sleep", "0.01"]\nenv = {{ PERFCORE_FAULTS = "{marker}" }}\n'
    )
    lanes = folder / "lanes"
    command = ["run", "--lane", "quick", "--iterations", "3", "--config", str(config), "--folder", str(lanes)]

    def work(say: Say) -> None:
        os.dup2(1, 2)
        while True:
            say(main(command))

    for _ in killed(row, kills, source, work):
        kept = {}
        for path in sorted(lanes.rglob("*.json")):
            with contextlib.suppress(FileNotFoundError):
                kept[path] = path.read_bytes()
                try:
                    json.loads(kept[path])
                except ValueError:
                    row.must(False, f"{path.name} is not whole")
        row.must(commanded(*command, "--resume") == 0, "--resume fails")
        ended_ones = [path for path in kept if path.name.startswith("iteration-")]
        row.must(all(path.read_bytes() == kept[path] for path in ended_ones), "an iteration that had ended has changed")
        row.outcomes["iterations kept"] += len(ended_ones)
        found = latest_results(lanes, "quick")
        row.must(found and load_results(found).benchmarks[0].stats["rounds"] == 3, "the results are not whole")
        shutil.rmtree(lanes, ignore_errors=True)
    row.outcomes["processes left"] = len(still_there(marker))
    row.must(not row.outcomes["processes left"], "processes of lanes live on")
    del row.outcomes["steps acknowledged"]
    return row


def still_there(marker: str) -> list[str]:
    """Return the processes that have a word in their environment, once none has it or some time has passed."""
    deadline = time.monotonic() + 20
    while True:
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if marker.encode() in path.read_bytes():
                    found.append(path.parent.name)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


TESTS = """
import pytest
@pytest.mark.parametrize("number", range(30))
def test(benchmark, number):
    benchmark.pedantic(sorted, args=([3, 1, 2],), rounds=2000)
"""


def plugin_results(folder: Path, kills: int, source: random.Random) -> Row:
    """Kill pytest while it measures and while it saves; pytest-benchmark writes its files in place."""
    row = Row("SIGKILL", "pytest --benchmark-json --benchmark-autosave")
    (folder / "test_work.py").write_text(TESTS)
    out, storage = folder / "out.json", folder / "saved"
    kept: dict[Path, bytes] = {}
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        f"--rootdir={folder}",
        "--benchmark-save-data",
        f"--benchmark-json={out}",
        f"--benchmark-storage=file://{storage}",
        "--benchmark-autosave",
    ]

    def saved(acknowledged: bool) -> None:
        """Look at what earlier runs have saved, and this one."""
        for path, data in kept.items():
            row.must(path.read_bytes() == data, f"{path.name}, saved by an earlier run, has changed")
        for path in storage.rglob("*.json"):
            if path in kept:
                continue
            try:
                row.must(len(load_results(path).benchmarks) == 30, f"{path.name} is not whole and was read")
            except ResultsError:
                row.outcomes["autosaves empty or half, refused"] += 1
                path.unlink()
            else:
                kept[path] = path.read_bytes()
                acknowledged = False
        row.must(not acknowledged, "a run that had ended has saved nothing")

    def work(say: Say) -> None:
        class Marks:
            def pytest_runtest_logfinish(self) -> None:
                say("measured")

            @pytest.hookimpl(optionalhook=True)
            def pytest_benchmark_update_json(self) -> None:
                say("saves")

        os.dup2(1, 2)
        os.chdir(folder)
        say(f"ended {int(pytest.main([*options, 'test_work.py'], plugins=[Marks()]))}")

    saving = 0.1
    for number in range(kills + 1):
        out.unlink(missing_ok=True)
        pid, reader = fork(work)
        until = b"saves\n" if source.random() < 0.7 or not number else b"measured\n" * source.randrange(1, 30)
        found = b""
        while until not in found and (piece := os.read(reader, 4096)):
            found += piece
        began = time.monotonic()
        if number == 0:  # once without a kill, to see how long saving takes
            words, status = ended(pid, reader)
            row.must((words[-1:], status) == (["ended 0"], 0), f"pytest fails without a kill: {words}")
            saving = time.monotonic() - began
            saved(True)
            continue
        time.sleep(source.uniform(0, 1.2) * saving)
        os.kill(pid, signal.SIGKILL)
        words, _ = ended(pid, reader)
        row.tried += 1
        saved("ended 0" in words)
        if not out.exists():
            row.must("ended 0" not in words, "a run that had ended has written nothing")
            row.outcomes["no file"] += 1
            continue
        try:
            row.must(len(load_results(out).benchmarks) == 30, "a file that is not whole was read")
            row.outcomes["whole"] += 1
        except ResultsError:
            row.outcomes["empty, refused" if out.stat().st_size == 0 else "half, refused"] += 1
            row.must("ended 0" not in words, "a run that had ended has written half a file")
            row.must(commanded("check", out, "--baseline", out) == 2, "check takes a half file")
    row.outcomes["autosaves whole"] = len(kept)
    return row
