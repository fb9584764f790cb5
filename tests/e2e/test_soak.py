# SPDX-License-Identifier: MIT
"""The soak finds what grows. That nothing does is for a run of minutes: tests/run.sh --soak."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).resolve().parents[1] / "soak.py"


def run_soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", str(SOAK), *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_growth_is_found() -> None:
    done = run_soak("--seconds", "3", "--plant", "1000000")
    assert done.returncode == 1, done.stdout + done.stderr
    report, verdict = done.stdout.splitlines()
    assert " bytes a sample)" in report
    assert verdict.startswith("soak: it grew")


def test_a_run_that_is_too_short_says_so() -> None:
    done = run_soak("--seconds", "0.01")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "too few" in done.stdout
