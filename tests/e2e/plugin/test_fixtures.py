# SPDX-License-Identifier: MIT
"""The fixtures memory_tracker and metrics_collector, and that they cost nothing where they are not asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

USES = """
def test_memory(memory_tracker):
    bytearray(b"x") * (50 << 20)
    assert memory_tracker.running and memory_tracker.name == "test_memory"
    assert memory_tracker.usage.peak_growth_bytes > 49 << 20

def test_metrics(metrics_collector):
    assert metrics_collector.info.samples >= 1
    assert metrics_collector.aggregate()["rss_bytes"].max > 0

def test_threads_are_gone():
    import os, threading
    assert len(os.listdir("/proc/self/task")) == threading.active_count()
"""
DOES_NOT = """
import sys

def test_nothing():
    loaded = {"perfcore.measure.memory", "perfcore.measure.metrics", "perfcore.measure.process"} & set(sys.modules)
    assert not loaded
"""


@pytest.mark.parametrize(("source", "passed"), [(USES, 3), (DOES_NOT, 1)])
def test_fixtures(tmp_path: Path, source: str, passed: int) -> None:
    (tmp_path / "test_it.py").write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{passed} passed" in done.stdout
