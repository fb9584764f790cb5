# SPDX-License-Identifier: MIT
"""perfcore run with real processes: what it measures, and that nothing outlives an iteration, whatever it does."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perfcore.cli import main
from perfcore.record.lanes import lane_figures
from perfcore.record.results import Results, load_results
from perfcore.suite.store import latest_results


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pids_in(path: Path) -> list[int]:
    return [int(word) for word in path.read_text().split()] if path.exists() else []


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(folder: Path, **lanes: dict[str, Any]) -> None:
    lines = []
    for name, table in lanes.items():
        lines.append(f"[tool.perfcore.lanes.{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    (folder / "pyproject.toml").write_text("\n".join(lines), encoding="utf-8")


def program(folder: Path, name: str, code: str) -> list[str]:
    (folder / name).write_text(code, encoding="utf-8")
    return [sys.executable, "-S", "-P", str(folder / name)]


def newest(folder: Path, lane: str) -> Results:
    path = latest_results(folder / "benchmarks/results/lanes", lane)
    assert path is not None
    return load_results(path)


def iteration(folder: Path, lane: str, index: int = 1) -> dict[str, Any]:
    path = newest(folder, lane).path.parent / f"iteration-{index:04}.json"
    return dict(json.loads(path.read_text()))


def start(folder: Path, *args: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "perfcore", "run", *args],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
    )


# --- what it measures ---


def test_a_lane_that_computes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "b = bytearray(b'x') * (60 << 20)\nfor _ in range(3_000_000): pass\n"
    configure(project, work={"command": program(project, "work.py", code), "interval": "10 ms", "warmup": 1})
    assert main(["run", "--lane", "work", "--iterations", "2"]) == 0
    shown = capsys.readouterr()
    assert "work   2/2" in shown.out
    assert "warm-up 1/1: " in shown.err
    assert "\x1b" not in shown.out + shown.err
    results = newest(project, "work")
    (one,) = results.benchmarks
    assert one.data is not None
    assert len(one.data) == 2
    figures = lane_figures(one)
    assert figures is not None
    assert (figures.status, figures.warmup) == ("completed", 1)
    assert all(60e6 < value < 200e6 for value in figures.resources["memory_max_bytes"])  # and not perfcore's own
    assert all(0 < cpu <= wall * 1.2 for cpu, wall in zip(figures.resources["cpu_s"], one.data.tolist(), strict=True))
    assert max(figures.timeline["rss_bytes"]) >= 60e6
    assert results.machine_info["python_version"]
    for command in (["check", str(results.path), "--baseline", str(results.path)], ["optimize", "--lane", "work"]):
        assert main(command) == 0
    assert main(["history", "add", str(results.path)]) == 0


def test_callables(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "jobs.py").write_text(
        "import asyncio, sys, time\n"
        "time.sleep(0.3)  # importing is not in the time\n"
        "def quick(): print('hello')\n"
        "async def later(): await asyncio.sleep(0.05)\n"
        "def wrong(): raise ValueError('no such thing')\n"
        "def leaves(): sys.exit(0)\n"
    )
    names = ("quick", "later", "wrong", "leaves")
    configure(project, **{name: {"callable": f"jobs:{name}", "iterations": 1} for name in names})
    assert main(["run", "--all", "--json"]) == 1
    lanes = {one["name"]: one for one in json.loads(capsys.readouterr().out)["lanes"]}
    assert [lanes[name]["status"] for name in names] == ["completed", "completed", "failed", "failed"]
    assert lanes["quick"]["median"] < 0.3
    assert 0.05 <= lanes["later"]["median"] < 0.35
    assert lanes["wrong"]["reason"] == "iteration 1 failed: exit code 1: ValueError: no such thing"
    assert "before the call returned" in lanes["leaves"]["reason"]
    assert newest(project, "quick").path.with_name("iteration-0001.log").read_text() == "hello\n"


def test_environment_folder_and_shell(project: Path) -> None:
    (project / "sub").mkdir()
    command = 'echo "$A $PWD" | tr a b; exit 0'
    configure(project, here={"command": command, "shell": True, "cwd": "sub", "iterations": 1})
    with (project / "pyproject.toml").open("a") as file:
        file.write("\nenv = { A = 'a-value' }\n")
    assert main(["run", "--lane", "here"]) == 0
    log = newest(project, "here").path.with_name("iteration-0001.log").read_text()
    assert log.startswith("b-vblue ")
    assert log.rstrip().endswith("/sub")


def test_the_sla_of_a_lane(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(project, nap={"command": "sleep 0.05", "iterations": 6}, never={"command": "false", "iterations": 1})
    assert main(["validate-sla", "--lane", "nap"]) == 2
    assert "there are no targets in [tool.perfcore.sla]" in capsys.readouterr().err
    sla = project / "sla.toml"
    sla.write_text('[tool.perfcore.sla.nap]\nmean = "20 s"\nmemory_max = "1 GB"\nthroughput_min = "1/h"\n')
    assert main(["validate-sla", "--lane", "nap", "--sla", str(sla)]) == 2
    assert "was never run there; run it: perfcore run --lane nap" in capsys.readouterr().err
    assert main(["run", "--lane", "nap", "--lane", "never"]) == 1
    assert main(["validate-sla", "--lane", "nap", "--sla", str(sla)]) == 0
    assert "3 targets: 3 met: compliant" in capsys.readouterr().out
    sla.write_text('[tool.perfcore.sla."n*"]\nmean = "1 ms"\n')
    assert main(["validate-sla", "--lane", "nap", "--sla", str(sla), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["compliant"], document["exit_code"]) == (False, 1)
    assert (document["verdicts"][0]["status"], document["verdicts"][0]["severity"]) == ("violated", "critical")
    assert main(["validate-sla", "--lane", "never", "--sla", str(sla)]) == 2
    assert "no data: no iteration was completed" in capsys.readouterr().out
    assert main(["optimize", "--lane", "never"]) == 2
    assert "lane 'never' has no iteration that was completed" in capsys.readouterr().err
    assert main(["optimize", "--lane", "nap", "--json"]) == 0
    advice = json.loads(capsys.readouterr().out)["recommendations"]["lane::nap"]
    assert any(one["rule"] in ("waiting", "crowded") for one in advice)


# --- what goes wrong ---


def test_a_daemon_that_left_everything_is_measured_and_ended(project: Path) -> None:
    code = f"""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open({str(project / "pid")!r}, "a") as file:
            print(os.getpid(), file=file, flush=True)
        memory = bytearray(b"x") * (40 << 20)
        time.sleep(1000)
    os._exit(0)
os.wait()
while not os.path.exists({str(project / "pid")!r}):
    time.sleep(0.01)
time.sleep(0.5)
"""
    command = program(project, "forks.py", code)
    configure(project, forks={"command": command, "iterations": 1, "interval": "20 ms", "grace": "10 s"})
    assert main(["run", "--lane", "forks"]) == 0
    (pid,) = pids_in(project / "pid")
    assert not alive(pid)
    report = iteration(project, "forks")
    assert len(report["left_behind"]) == 1
    assert report["resources"]["memory_max_bytes"] > 40e6
    assert report["resources"]["sampled"]["processes"]["max"] >= 2
    assert report["not_ended"] == []


def test_output_without_end_is_bounded(project: Path) -> None:
    code = "import os\nfor n in range(800): os.write(1, b'%06d' % n + b'x' * 65530)\nos.write(2, b'the end')\n"
    command = program(project, "loud.py", code)
    configure(project, loud={"command": command, "iterations": 1, "output_limit": "1 MB"})
    assert main(["run", "--lane", "loud"]) == 0
    log = newest(project, "loud").path.with_name("iteration-0001.log").read_bytes()
    assert len(log) < 1_000_200
    assert log.startswith(b"000000xxx")
    assert log.endswith(b"the end")
    assert b"\n[perfcore: 51428" in log  # 800 x 65536 bytes came, and one million is kept
    assert iteration(project, "loud")["output_bytes"] == 800 * 65536 + 7


def test_what_ignores_sigterm_is_killed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
os.fork()
with open({str(project / "pid")!r}, "a") as file:
    print(os.getpid(), file=file, flush=True)
time.sleep(1000)
"""
    command = program(project, "stubborn.py", code)
    configure(project, stubborn={"command": command, "iterations": 1, "timeout": 2.0, "grace": "100 ms"})
    assert main(["run", "--lane", "stubborn", "--json"]) == 1
    (lane,) = json.loads(capsys.readouterr().out)["lanes"]
    assert (lane["status"], lane["times"]) == ("failed", [])
    assert [one["status"] for one in lane["iterations"]] == ["timed_out"]
    assert lane["reason"] == "iteration 1 timed out: it took longer than 2 s"
    pids = pids_in(project / "pid")
    assert len(pids) == 4
    assert not any(map(alive, pids))
    assert newest(project, "stubborn").benchmarks == ()


def test_failures_and_missing_programs_are_failed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(
        project,
        fails={"command": "sh -c 'echo reading; echo no such table >&2; exit 3'", "iterations": 2},
        dies={"command": "sh -c 'kill -SEGV $$'", "iterations": 1},
        missing={"command": "no-such-program --now", "iterations": 5},
        nowhere={"command": "true", "cwd": "none"},
        denied={"command": str(project / "pyproject.toml")},
        cold={"command": "false", "warmup": 1},
    )
    assert main(["run", "--all", "--json"]) == 1
    lanes = {one["name"]: one for one in json.loads(capsys.readouterr().out)["lanes"]}
    assert {one["status"] for one in lanes.values()} == {"failed"}
    assert [len(one["iterations"]) for one in lanes.values()] == [2, 1, 1, 1, 1, 0]
    assert [one["reason"] for one in lanes.values()] == [
        "iteration 1 failed: exit code 3: no such table",
        "iteration 1 failed: ended by SIGSEGV",
        "iteration 1 missing: cannot run 'no-such-program': No such file or directory",
        f"iteration 1 missing: cannot run {str(project / 'none')!r}: No such file or directory",
        f"iteration 1 missing: cannot run {str(project / 'pyproject.toml')!r}: Permission denied",
        "warm-up 1 failed: exit code 1",
    ]


def test_a_terminal_shows_a_bar_but_gives_the_lane_none(project: Path) -> None:
    pytest.importorskip("rich")
    command = "sh -c 'cat; echo before; read answer < /dev/tty || exit 7'"
    configure(project, asks={"command": command, "iterations": 1, "timeout": "60 s"})
    master, slave = pty.openpty()
    process = start(project, "--lane", "asks", stderr=slave, stdout=slave, env=os.environ | {"TERM": "xterm"})
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    assert process.wait(60) == 1
    assert "━".encode() in shown
    assert b"asks" in shown
    assert iteration(project, "asks")["exit"] == 7


def test_killed_in_the_middle_and_resumed(project: Path) -> None:
    pids, go = project / "pid", project / "go"
    code = f"""
import os, time
with open({str(pids)!r}, "a") as file:
    print(os.getpid(), file=file, flush=True)
count = len(open({str(pids)!r}).read().split())
while count == 3 and not os.path.exists({str(go)!r}):
    time.sleep(0.01)
"""
    configure(project, long={"command": program(project, "long.py", code), "iterations": 4})
    killed = start(project, "--lane", "long")
    until(lambda: len(pids_in(pids)) == 3)
    killed.kill()
    killed.communicate()
    until(lambda: not any(map(alive, pids_in(pids))))  # nobody is left to end them but their supervisor
    run = newest(project, "long").path.parent
    assert sorted(path.name for path in run.glob("iteration-*.json")) == ["iteration-0001.json", "iteration-0002.json"]
    assert json.loads((run / "run.json").read_text())["status"] == "running"
    before = [(run / f"iteration-000{n}.json").read_bytes() for n in (1, 2)]
    go.touch()
    assert main(["run", "--lane", "long", "--resume"]) == 0
    assert len(pids_in(pids)) == 5  # two of the four were there already
    assert newest(project, "long").path.parent == run
    assert newest(project, "long").benchmarks[0].stats["rounds"] == 4
    assert [(run / f"iteration-000{n}.json").read_bytes() for n in (1, 2)] == before
    assert main(["run", "--lane", "long", "--iterations", "1", "--resume"]) == 0  # a new run: that one was complete
    assert newest(project, "long").path.parent != run


def test_interrupted(project: Path) -> None:
    code = f"""
import os, time
with open({str(project / "pid")!r}, "a") as file:
    print(os.getpid(), file=file, flush=True)
time.sleep(1000)
"""
    configure(project, long={"command": program(project, "long.py", code)})
    process = start(project, "--lane", "long")
    until(lambda: pids_in(project / "pid"))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with --resume" in errors
    assert errors.endswith("perfcore: interrupted\n")
    assert "Traceback" not in errors
    assert not any(map(alive, pids_in(project / "pid")))


def test_a_supervisor_that_is_killed_takes_its_lane_along(project: Path) -> None:
    code = f"""
import os, signal, time
with open({str(project / "pid")!r}, "a") as file:
    print(os.getpid(), file=file, flush=True)
os.kill(os.getppid(), signal.SIGKILL)
time.sleep(1000)
"""
    configure(project, kills={"command": program(project, "kills.py", code)})
    process = start(project, "--lane", "kills")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert errors.splitlines()[-1].startswith("perfcore: error: the supervisor of ")
    until(lambda: not any(map(alive, pids_in(project / "pid"))))


@pytest.mark.parametrize(("limit", "code"), [(200, 2), (200_000, 0)])
def test_a_disk_that_is_full(project: Path, limit: int, code: int) -> None:
    command = program(project, "loud.py", "print('x' * 500_000)\n")
    configure(project, loud={"command": command, "iterations": 2})
    process = start(
        project, "--lane", "loud", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors
    if code:
        assert errors.startswith("perfcore: error: ")
        assert "cannot write: File too large" in errors
        assert errors.count("\n") == 1
        assert [path.name for path in project.glob("benchmarks/results/lanes/loud/*/*")] == []
    else:
        assert "its output could not be kept: File too large" in errors
        assert newest(project, "loud").benchmarks[0].stats["rounds"] == 2


@pytest.mark.parametrize(
    ("text", "args", "words"),
    [
        ("[tool.perfcore.lanes.docs]\ncommand = 'true'", ["--lane", "dcs"], "no lane 'dcs'; did you mean 'docs'?"),
        ("", ["--lane", "docs"], "no lane 'docs'; there are none in [tool.perfcore.lanes]"),
        ("", ["--all"], "there are no lanes in [tool.perfcore.lanes]"),
        (
            "[tool.perfcore.lanes.docs]\ncommand = 'true'\ntimeout = 'x'",
            ["--all"],
            "lanes.docs.timeout: must be seconds",
        ),
        ("[tool.perfcore", ["--all"], "pyproject.toml: not TOML: "),
        ("", [], "one of the arguments --lane --all is required"),
        ("", ["--all", "--lane", "x"], "not allowed with argument"),
        ("", ["--all", "--iterations", "0"], "'0' is no count; give a whole number from 1"),
        ("", ["--all", "--timeout", "-5"], "--timeout"),
        ("", ["--all", "--config", "none.toml"], "none.toml: cannot read: No such file or directory"),
    ],
)
def test_what_cannot_be_run(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, args: list[str], words: str
) -> None:
    (project / "pyproject.toml").write_text(text)
    assert main(["run", *args]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("perfcore: error: ")
    assert words in shown.err
    assert shown.err.count("\n") == 1
    assert not (project / "benchmarks").exists()
