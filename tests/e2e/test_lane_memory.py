# SPDX-License-Identifier: MIT
"""The memory of a lane whose iterations are shorter than the distance of its samples."""

from __future__ import annotations

import sys
from pathlib import Path

import perfcore
from perfcore.suite.lane import Lane

PROGRAM = "import time; time.sleep(0.4); kept = bytearray(b'x') * 4_500_000; time.sleep(0.1)"


def test_a_short_iteration(tmp_path: Path) -> None:
    """It takes less than perfcore itself, so that the kernel's peak of an ended process does not tell."""
    command = (sys.executable, "-I", "-S", "-c", PROGRAM)
    lane = Lane("short", command=command, iterations=3, cwd=tmp_path, interval=10.0)
    run = perfcore.BenchmarkSuite({"short": lane}, folder=tmp_path / "runs").run("short")
    assert run.status == "completed"
    for iteration in run.iterations:
        assert iteration["resources"]["memory_max_bytes"] > 11_500_000
