# SPDX-License-Identifier: MIT
"""A few kills of whole programs that store something; tests/outside/faults.py has hundreds, and of every writer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "outside" / "faults.py"


@pytest.mark.parametrize("what", ["lane", "plugin"])
def test_nothing_acknowledged_is_lost(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", str(PROGRAM), "--kills", "9", "--only", what],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| 3 | all well" in done.stdout
