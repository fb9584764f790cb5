# SPDX-License-Identifier: MIT
"""perfcore doctor: what it says of machines that are described in a folder, and the arithmetic of the noise."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from perfcore.cli import main
from perfcore.judge.pairs import LEAST_PAIRS, PairRule
from perfcore.measure import noise
from perfcore.measure.machine import Finding, Machine, examine
from perfcore.measure.noise import NoiseError, measure_noise, noise_of

QUIET = {
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "1\n",
    "sys/devices/system/cpu/smt/active": "0\n",
    "sys/fs/cgroup/cpu.max": "max 100000\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    "proc/loadavg": "0.08 0.03 0.01 1/200 4242\n",
    "proc/cpuinfo": "processor : 0\nflags : fpu tsc\n",
    "proc/stat": "cpu  1000 0 100 100000 10 0 5 0 0 0\n",
    "proc/meminfo": "MemTotal: 1000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
}
LOUD = {
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "schedutil\n",
    "sys/devices/system/cpu/cpufreq/boost": "1\n",
    "sys/devices/system/cpu/smt/active": "1\n",
    "sys/fs/cgroup/cpu.max": "150000 100000\n",
    "proc/loadavg": "7.50 3.0 1.0 1/200 4242\n",
    "proc/cpuinfo": "processor : 0\nflags : fpu hypervisor tsc\n",
    "proc/stat": "cpu  1000 0 100 100000 10 0 5 5000 0 0\n",
    "proc/meminfo": "SwapTotal: 1000 kB\nSwapFree: 400 kB\n",
}
OF_THE_KERNEL = [
    *("frequency governor", "turbo", "load", "virtualisation", "steal", "processor quota", "hardware threads", "swap")
]


def machine(root: Path, files: dict[str, str], **environ: str) -> Machine:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Machine(root, environ)


def by_item(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.item: finding for finding in findings}


def test_a_quiet_machine(tmp_path: Path) -> None:
    found = by_item(examine(machine(tmp_path, QUIET, PYTHONHASHSEED="0")))
    assert {found[item].status for item in [*OF_THE_KERNEL, "hash seed"]} == {"good"}
    assert not any(finding.advice for finding in found.values() if finding.status == "good")


def test_a_loud_machine_gets_advice(tmp_path: Path) -> None:
    found = by_item(examine(machine(tmp_path, LOUD, PYTHONMALLOC="debug")))
    assert {found[item].status for item in [*OF_THE_KERNEL, "hash seed", "tracers"]} == {"noisy"}
    assert all(finding.advice and finding.why for finding in found.values() if finding.status == "noisy")
    assert found["frequency governor"].found == "powersave, schedutil"
    assert found["processor quota"].found == "1.50 cores"
    assert found["turbo"].advice == "echo 0 > /sys/devices/system/cpu/cpufreq/boost"
    assert found["steal"].found == "4.71% of the processor time since boot"


@pytest.mark.parametrize("text", [None, "", "\x00 garbage : :\n"])
def test_what_cannot_be_read_is_unknown(tmp_path: Path, text: str | None) -> None:
    files = {} if text is None else dict.fromkeys(["proc/loadavg", "proc/stat", "sys/fs/cgroup/cpu.max"], text)
    found = examine(machine(tmp_path, files))
    states = {finding.item: finding.status for finding in found}
    assert len(found) == len(examine())
    assert states["steal"] == "unknown"
    assert states.get("load", "unknown") == "unknown"
    assert "good" not in {states.get(item) for item in OF_THE_KERNEL}


@pytest.mark.parametrize(("reason", "status"), [(None, "good"), ("not permitted (...)", "noisy"), ("no perf", "noisy")])
def test_hardware_counters(monkeypatch: pytest.MonkeyPatch, reason: str | None, status: str) -> None:
    from perfcore.measure import counters

    monkeypatch.setattr(counters, "why_not", lambda: reason)
    found = by_item(examine())["hardware counters"]
    assert found.status == status
    assert bool(found.advice) == (reason is not None)


def test_the_noise_of_known_figures() -> None:
    chance = random.Random(7)
    figures = [(1e-3 * math.exp(chance.gauss(0, 0.02)), 0.01) for _ in range(400)]
    found = noise_of("work", figures)
    assert found.between == pytest.approx(0.02, rel=0.1)
    assert found.within == 0.01
    # 2.588 is Student's 99.5 % point for 399 degrees of freedom, 5.841 for 3.
    assert found.run == pytest.approx(math.expm1(2.588 * math.sqrt(2) * found.between), rel=1e-3)
    assert found.pairs[4] == pytest.approx(math.expm1(5.841 * 0.02 * math.sqrt(2) / 2), rel=0.1)
    assert found.pairs[4] > found.pairs[48]


def test_the_pairs_told_are_those_of_ab() -> None:
    assert (LEAST_PAIRS, PairRule().max_pairs) == noise.PAIRS


def test_the_noise_is_measured_in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "SECONDS", 0.01)  # of the parent alone: the children keep theirs
    done: list[int] = []
    found = measure_noise(4, done.append)
    assert done == [1, 2, 3, 4]
    assert [one.work for one in found] == list(noise.WORKS)
    assert all(one.between > 0 and one.run > 0 for one in found)
    with pytest.raises(ValueError, match="too few"):
        measure_noise(3)


def test_a_child_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(noise.sys, "executable", "/nowhere/python")
    with pytest.raises(NoiseError, match="cannot run a process"):
        measure_noise()
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err.startswith("perfcore: error: /nowhere/python: cannot run")


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--no-noise", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["command"], found["noise"]) == ("doctor", [])
    assert {one["status"] for one in found["findings"]} <= {"good", "noisy", "unknown"}
    assert main(["doctor", "--no-noise"]) == 0
    assert "hash seed" in capsys.readouterr().out
