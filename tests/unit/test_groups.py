# SPDX-License-Identifier: MIT
"""Control groups and pressure: what a made-up hierarchy says, what this machine says, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import perfcore
from perfcore import MeasureError
from perfcore._core import CGROUP_METRICS, read_cgroup, read_pressure
from perfcore.measure.groups import Stall


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_this_process() -> None:
    found = perfcore.cgroup_metrics()
    assert isinstance(found, perfcore.CgroupMetrics)
    assert perfcore.cgroup_metrics(os.getpid()).path == found.path
    if found.path is None:
        assert {getattr(found, name) for name in CGROUP_METRICS} == {None}
    if found.cpu_ns is not None and found.user_ns is not None and found.system_ns is not None:
        assert found.cpu_ns >= found.user_ns


def test_a_group_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "proc/7/cgroup", "0::/a\n")
    write(tmp_path / "mount/a/memory.max", "1048576\n")
    write(tmp_path / "mount/a/memory.current", "5\n")
    write(tmp_path / "mount/a/cpu.max", "50000 100000\n")
    path, figures, stalls = read_cgroup(7, str(tmp_path / "proc"), str(tmp_path / "mount"))
    named = dict(zip(CGROUP_METRICS, figures, strict=True))
    assert path == "/a"
    assert {name: value for name, value in named.items() if value is not None} == {
        "memory_bytes": 5,
        "memory_limit_bytes": 1 << 20,
        "cpu_limit_millicores": 500,
    }
    assert stalls == ((None,) * 4,) * 3


def test_pressure_agrees_with_the_kernel(tmp_path: Path) -> None:
    write(tmp_path / "pressure/memory", "some avg10=1.50 avg60=0.00 avg300=0.00 total=12\n")
    nothing = (None,) * 4
    assert read_pressure(str(tmp_path)) == (nothing, (12000, 1.5, None, None), nothing)
    found = perfcore.pressure()
    if not Path("/proc/pressure/cpu").exists():
        assert found.cpu == Stall()
        return
    assert found.cpu.some_ns is not None
    later = perfcore.pressure().cpu.some_ns
    assert later is not None
    assert later >= found.cpu.some_ns
    assert found.cpu.some_percent is not None
    assert 0 <= found.cpu.some_percent <= 100


def test_wrong_pids() -> None:
    for pid in (0, -1):
        with pytest.raises(ValueError, match="positive integer"):
            perfcore.cgroup_metrics(pid)
    with pytest.raises(ValueError, match="positive"):
        read_cgroup(-1)
    with pytest.raises(MeasureError, match="there is no process"):
        perfcore.cgroup_metrics(2**22 + 1)


def test_full_metrics() -> None:
    found = perfcore.process_metrics(full=True)
    assert perfcore.process_metrics().pss_bytes is None
    if found.pss_bytes is None:
        pytest.skip("this kernel has no smaps_rollup")
    assert found.uss_bytes is not None
    assert 0 < found.uss_bytes <= found.pss_bytes
    if found.run_queue_wait_ns is not None:
        again = perfcore.process_metrics(full=True).run_queue_wait_ns
        assert again is not None
        assert again >= found.run_queue_wait_ns
