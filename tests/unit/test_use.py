# SPDX-License-Identifier: MIT
"""USE reports: of this process, of another one, of what ends at once; figures that are unknown; the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import perfcore
from perfcore import MeasureError, UseMeter, UseReport
from perfcore._core import read_net
from perfcore.cli import main
from perfcore.measure.use import Figure

SPIN = "import time; b = bytearray(30 << 20); end = time.monotonic() + 0.4\nwhile time.monotonic() < end: pass"


def figure(report: UseReport, resource: str, kind: str, name: str, scope: str = "processes") -> Figure:
    figures: tuple[Figure, ...] = getattr(report[resource], kind)
    return next(one for one in figures if (one.name, one.scope) == (name, scope))


def test_this_process() -> None:
    meter = UseMeter(interval=0.002)
    with meter:
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
    report = meter.report
    assert report.samples >= 2
    used = figure(report, "cpu", "utilisation", "processors used, mean")
    assert used.value is not None
    assert 0.15 / report.seconds < used.value < len(os.sched_getaffinity(0)) + 1
    assert used.limit is not None
    assert used.share == used.value / used.limit
    resident = figure(report, "memory", "utilisation", "resident, sampled peak").value
    assert resident is not None
    assert resident > 1 << 20
    wait = figure(report, "cpu", "saturation", "run-queue wait").value
    assert wait is None or wait >= 0
    for resource in report.resources:
        for kind in ("utilisation", "saturation", "errors"):
            assert all(one.value is None or one.value >= 0 for one in getattr(resource, kind))
    assert str(report).startswith("this process: ")
    assert json.loads(json.dumps(report.as_dict(), allow_nan=False))["resources"]["cpu"]["errors"] == []
    with pytest.raises(KeyError):
        report["gpu"]


def test_unknown_figures_are_not_zero() -> None:
    assert str(Figure("x", None, "bytes")) == "unknown"
    assert Figure("x", None, "count", limit=3).share is None
    assert str(Figure("x", 0, "seconds")) == "0 s"
    assert str(Figure("x", 1.5, "processors", limit=2)) == "1.50 of 2.00 (75 %)"
    assert str(Figure("x", 2_000_000, "bytes/s")) == "2.00 MB/s"


def test_wrong_use() -> None:
    meter = UseMeter()
    with pytest.raises(MeasureError, match="no report yet"):
        meter.report  # noqa: B018
    with pytest.raises(MeasureError, match="does not run"):
        meter.stop()
    gone = subprocess.Popen([sys.executable, "-S", "-P", "-c", ""])
    gone.wait()
    with pytest.raises(MeasureError, match=f"no process {gone.pid}"):
        UseMeter(gone.pid).start()
    report = UseMeter(gone.pid).start(missing_ok=True).stop()
    assert report.samples == 0
    assert figure(report, "memory", "utilisation", "resident, mean").value is None


def test_a_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "use.json"
    command = [sys.executable, "-S", "-P", "-c", SPIN]
    assert main(["use", "--json", "--interval", "0.002", "-o", str(out), "--", *command]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert (found["command"], found["exit_code"]) == ("use", 0)
    assert found["samples"] > 3
    peak = found["resources"]["memory"]["utilisation"][1]
    assert peak["value"] > 30 << 20
    assert found["resources"]["cpu"]["utilisation"][2]["name"] == "CPU time"
    assert 0 < found["resources"]["cpu"]["utilisation"][2]["value"] < 60
    assert main(["use", "--", sys.executable, "-S", "-P", "-c", "print('mine'); raise SystemExit(3)"]) == 1
    captured = capfd.readouterr()
    assert captured.out == "mine\n"
    assert "the command ended with exit code 3" in captured.err
    assert "resource " in captured.err


def test_a_running_process(tmp_path: Path) -> None:
    out = tmp_path / "use.txt"
    with subprocess.Popen([sys.executable, "-S", "-P", "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert main(["use", "--pid", str(process.pid), "--seconds", "0.1", "-o", str(out)]) == 0
        process.communicate(b"\n")
    assert out.read_text(encoding="utf-8").startswith(f"process {process.pid}: ")


def received(pid: int, process: subprocess.Popen[str]) -> float | None:
    """What is told of the network when a process ends while it is watched."""
    meter = UseMeter(pid).start()
    process.communicate("\n")
    return figure(meter.stop(), "network", "utilisation", "received", "system").value


def test_the_network_of_a_process_that_has_ended() -> None:
    """Ours is its own where both are in one namespace; else nothing is known, and ours is no answer."""
    command = [sys.executable, "-S", "-P", "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        assert (received(process.pid, process) is None) is (read_net() is None)
    apart = ["unshare", "-rn", "sh", "-c", "echo apart; read line"]
    with subprocess.Popen(
        apart, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "apart\n":
            pytest.skip("no network namespace can be made here")
        assert received(process.pid, process) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give a command"),
        (["--seconds", "1", "--", "true"], "give a command"),
        (["--pid", "1"], "--pid takes"),
        (["--pid", "0", "--seconds", "1"], "--pid takes"),
        (["--seconds", "no", "--", "true"], "is no time"),
        (["--seconds", "86401", "--", "true"], "is no time; give seconds above 0, at most 86400"),
        (["--interval", "0", "--", "true"], "is no interval"),
        (["--", "/nonexistent/program"], "cannot be run: No such file"),
        (["-o", "/nonexistent/use.txt", "--", "echo", "measured for nothing"], "/nonexistent: no such folder"),
        *((["--pid", pid, "--seconds", "1"], f"no process {pid}") for pid in (str(2**22 + 1), str(2**31), "9" * 20)),
    ],
)
def test_what_cannot_be_watched(arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["use", *arguments]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("perfcore: error: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err


def test_public_names_are_lazy() -> None:
    assert perfcore.UseMeter is UseMeter
