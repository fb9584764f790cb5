# SPDX-License-Identifier: MIT
"""A few kills of pytest with the plugin; tests/outside/faults.py has hundreds, and of every writer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "outside" / "faults.py"


def test_nothing_that_was_saved_is_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-P", str(PROGRAM), "--kills", "6", "--only", "plugin"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| 2 | all well" in done.stdout
