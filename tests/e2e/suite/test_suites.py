# SPDX-License-Identifier: MIT
"""The suites of benchmarks/ do their work: run once each, without timing, and with pytest-benchmark's own code."""

from __future__ import annotations

import importlib.util
import json
import os
import pstats
import queue
import signal
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
BENCHMARKS = ROOT / "benchmarks"
AGENTS = ["test_agent_spawning.py", "test_memory_usage.py"]
needs_pymdp = pytest.mark.skipif("not __import__('importlib.util').util.find_spec('pymdp')", reason="needs pymdp")


def run(*arguments: object, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python from an empty folder, so that the installed package is the one that is used."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "PERFCORE_LLM"))}
    return subprocess.run(
        [sys.executable, "-P", *map(str, arguments)],
        cwd=folder,
        env=kept | {"NO_COLOR": "1"} | variables,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


def pytest_run(folder: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    options = ["-p", "no:cacheprovider", "-q", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT]
    return run("-m", "pytest", *options, *arguments, folder=folder, **variables)


@pytest.mark.parametrize("options", [[], ["--perfcore=off", "-k", "async"]], ids=["perfcore", "stock"])
def test_the_messages_without_timing(tmp_path: Path, options: list[str]) -> None:
    files = [BENCHMARKS / "test_message_throughput.py", BENCHMARKS / "test_message_concurrency.py"]
    done = pytest_run(tmp_path, "--benchmark-disable", *options, *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


@needs_pymdp
def test_the_agents_without_timing(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "--benchmark-disable", *(BENCHMARKS / name for name in AGENTS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def test_without_pymdp_the_agents_are_skipped_with_advice(tmp_path: Path) -> None:
    missing = "raise ModuleNotFoundError(\"No module named 'pymdp'\", name='pymdp')\n"
    (tmp_path / "pymdp.py").write_text(missing, encoding="utf-8")  # before the one that is installed
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = pytest_run(tmp_path, *(BENCHMARKS / name for name in AGENTS), PYTHONPATH=path)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "pip install 'perfcore[suites]'" in done.stdout


def test_a_file_by_itself_prints_a_summary(tmp_path: Path) -> None:
    # Without -P, as a user runs it: its folder is on sys.path. A profiler sees the benchmarks, too.
    profiled = [sys.executable, "-m", "cProfile", "-o", tmp_path / "profile.stats"]
    command = [*profiled, BENCHMARKS / "test_message_concurrency.py", "--quick", "-k", "latency"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    options = ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    done = subprocess.run(
        [*map(str, command), *options], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "a message to another thread and its answer" in lines
    (line,) = [line for line in lines if line.startswith("  test_latency[Ring]")]
    assert " a call " in line
    assert line.rstrip().endswith("/s")
    assert "test_latency" in {name for _, _, name in pstats.Stats(str(tmp_path / "profile.stats")).stats}  # type: ignore[attr-defined]


def test_the_suite_runs_a_part_and_keeps_its_results(tmp_path: Path) -> None:
    done = run(
        BENCHMARKS / "performance_suite.py",
        "--quick",
        "--only",
        "parallel",
        "--output",
        tmp_path / "out",
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "=== thread pool sizes ===" in done.stdout
    assert "-- parallel: ok" in done.stdout
    document = json.loads((tmp_path / "out" / "parallel.json").read_text(encoding="utf-8"))
    assert {one["benchmark_name"] for one in document} == {
        "thread pool sizes",
        "time-outs",
        "concurrent interactions",
        "memory consolidation",
        "error recovery",
    }
    wrong = run(BENCHMARKS / "performance_suite.py", "--only", "everything", folder=tmp_path)
    assert wrong.returncode == 2
    assert "the parts are pytest, performance, parallel, placements" in wrong.stderr


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a file of benchmarks/ under a name that nobody else has."""
    spec = importlib.util.spec_from_file_location(f"perfcore_benchmarks_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("code", [2, 128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGHUP])
def test_who_ends_a_part_of_the_suite_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    suite = load("performance_suite", monkeypatch)
    monkeypatch.setattr(suite, "run_passes", lambda *_: code)
    assert suite.main(["--only", "pytest,parallel", "--output", str(tmp_path)]) == 130
    captured = capsys.readouterr()
    assert "== parallel" not in captured.out
    assert "interrupted" in captured.err


def test_a_job_in_the_background_ends_with_what_it_was_for(monkeypatch: pytest.MonkeyPatch) -> None:
    team, there = load("conftest", monkeypatch).ThreadTeam(2), queue.SimpleQueue[None]()
    with pytest.raises(KeyboardInterrupt), team.background(there.get, lambda: there.put(None)):
        raise KeyboardInterrupt
    assert sorted(team.run([lambda: 1, lambda: 2])) == [1, 2], "its thread is free again"
    team.close()
    assert not any(thread.is_alive() for thread in team._threads)


def test_every_target_of_the_messages_and_agents_names_a_benchmark() -> None:
    targets = tomllib.loads((BENCHMARKS / "sla.toml").read_text(encoding="utf-8"))["tool"]["perfcore"]["sla"]
    names = [
        f"benchmarks/{path.name}::{line.split('(')[0].removeprefix('def ')}"
        for path in BENCHMARKS.glob("test_*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("def test_")
    ]
    for written, limits in targets.items():
        assert set(limits) <= {"mean", "p95", "p99", "memory_max", "cpu_average", "throughput_min"}
        pattern = written.replace("*rows-1?", "*")  # a parameter
        assert any(fnmatchcase(name, pattern) for name in names), pattern
