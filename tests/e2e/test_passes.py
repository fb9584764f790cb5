# SPDX-License-Identifier: MIT
"""perfcore.suite.passes: several passes of a suite as one file, and what is left of them when one does not end well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from results_files import benchmark, write

from perfcore.suite import passes
from perfcore.suite.passes import _main

SECONDS = 120.0

# Every pass adds a line to the log: which one it is, and the hash seed it has.
SUITE = """
import os, time
from pathlib import Path
import pytest

LOG = Path("log")
PASS = LOG.read_text().count("\\n") + 1 if LOG.exists() else 1

def test_a(benchmark):
    with LOG.open("a") as log:
        print(PASS, os.environ["PYTHONHASHSEED"], file=log)
    benchmark.pedantic(sum, (range(100),), rounds=10)

def test_b(benchmark):
    assert PASS != int(os.environ.get("FAIL", 0))
    if PASS == int(os.environ.get("HANG", 0)):
        Path("hangs").touch()
        time.sleep(600)
    benchmark.pedantic(sum, (range(100),), rounds=10)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_suite.py").write_text(SUITE)
    return tmp_path


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    options = ["-q", "-p", "no:cacheprovider", "--benchmark-only", "--output", "out.json", *arguments]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "perfcore.suite.passes", "test_suite.py", *options],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> str:
    try:
        return process.communicate(timeout=SECONDS)[0]
    finally:
        process.kill()


def measured(folder: Path) -> dict[str, dict[str, Any]]:
    found = json.loads((folder / "out.json").read_text())["benchmarks"]
    return {one["name"]: one["extra_info"].get("perfcore", {}) for one in found}


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.json")}


def test_passes_become_one_file(folder: Path) -> None:
    process = start(folder, "--passes", "2")
    out = end(process)
    assert process.returncode == 0, out
    assert "pass 1 of 2\n" in out
    assert "pass 2 of 2\n" in out
    assert "passes: of 2, the fastest counts for each benchmark" in out
    assert files(folder) == {"out.json"}
    for extra in measured(folder).values():
        assert extra["passes"] == 2
        assert min(extra["pass_medians"]) == extra["pass_medians"][extra["pass"] - 1]
    assert (folder / "log").read_text().split("\n") == ["1 0", "2 0", ""], "the same hash seed in each"


def test_one_pass_is_as_pytest_made_it(folder: Path) -> None:
    process = start(folder, "--passes", "1")
    out = end(process)
    assert process.returncode == 0, out
    assert "pass 1 of" not in out
    assert measured(folder) == {"test_a": {}, "test_b": {}}
    assert files(folder) == {"out.json"}


def test_an_output_that_is_no_file_stays(folder: Path) -> None:
    """As root, one pass into /dev/stdout or /dev/null would have removed the machine's."""
    (folder / "null").symlink_to("/dev/null")
    assert "passed" in end(start(folder, "--passes", "1", "--output", "null"))
    assert (folder / "null").is_symlink()


def test_passes_for_which_there_is_no_time_are_left_out(folder: Path) -> None:
    process = start(folder, "--passes", "3", "--max-time", "0.001")
    out = end(process)
    assert process.returncode == 0, out
    assert "left out: passes 2 to 3, as what is left of 0.001 s would not do\nof 3 passes, 1 has figures\n" in out
    assert {name: extra["passes"] for name, extra in measured(folder).items()} == {"test_a": 1, "test_b": 1}
    assert files(folder) == {"out.json"}


def test_a_pass_that_would_take_longer_than_what_is_left_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]

    def run(_: object, command: list[str]) -> int:
        now[0] += 4.0
        write(Path(command[-1].removeprefix("--benchmark-json=")), benchmark())
        return 0

    monkeypatch.setattr(passes, "monotonic", lambda: now[0])
    monkeypatch.setattr(passes._Runs, "run", run)
    assert passes.run_passes(5, tmp_path / "out.json", [], max_time=15.0) == 0
    assert "left out: passes 4 to 5, as what is left of 15 s would not do\n" in capsys.readouterr().out
    assert files(tmp_path) == {"out.json"}


def test_a_benchmark_that_fails_in_one_pass_fails_the_run(folder: Path) -> None:
    process = start(folder, "--passes", "3", FAIL="2")
    out = end(process)
    assert process.returncode == 1, out
    assert "pass 3 of 3" not in out
    assert {name: extra["passes"] for name, extra in measured(folder).items()} == {"test_a": 2, "test_b": 1}
    assert files(folder) == {"out.json"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 2), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_what_ends_a_pass_leaves_those_before_it(folder: Path, number: signal.Signals, code: int) -> None:
    process = start(folder, "--passes", "3", HANG="2")
    until = time.monotonic() + SECONDS
    while not (folder / "hangs").exists():
        assert process.poll() is None, end(process)
        assert time.monotonic() < until
        time.sleep(0.01)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    out = end(process)
    assert process.returncode == code, out
    assert "pass 3 of 3" not in out
    # After a Ctrl-C pytest still writes what it has; a SIGTERM ends it at once.
    both = 2 if number == signal.SIGINT else 1
    assert {name: extra["passes"] for name, extra in measured(folder).items()} == {"test_a": both, "test_b": 1}
    assert files(folder) == {"out.json"}
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nothing runs any more


def test_wrong_use(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("0", "two", "101", "-1"):
        with pytest.raises(SystemExit) as ended:
            _main([f"--passes={wrong}", "--output", str(folder / "out.json")])
        assert ended.value.code == 2
        assert f"'{wrong}' is no number of passes; give one from 1 to 100" in capsys.readouterr().err
    for wrong in ("0", "nan", "inf", "soon"):
        with pytest.raises(SystemExit) as ended:
            _main([f"--max-time={wrong}", "--output", str(folder / "out.json")])
        assert ended.value.code == 2
        assert f"'{wrong}' is no time; give seconds above 0, at most 86400" in capsys.readouterr().err
    process = start(folder, "--passes", "2", "-k", "none")
    assert process.wait(SECONDS) == 5, "no test was found: as pytest says it"
    end(process)
    (folder / "out.json").mkdir()
    process = start(folder, "--passes", "2")
    out = end(process)
    assert process.returncode == 2
    assert "out.json: cannot write: Is a directory; the passes are left in out.pass1.json, out.pass2.json" in out
