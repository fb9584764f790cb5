# SPDX-License-Identifier: MIT
"""Fresh processes for the rows whose figure is one of a whole process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
# pytest's options that keep the measured file away from this project's own configuration and from other plugins.
NEUTRAL = ("-c", str(HERE / "suite_of_50" / "pytest.ini"), "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-q")
STOCK_OPTIONS = ("-p", "no:perfcore")


def run_python(arguments: Sequence[str], cwd: Path = ROOT) -> tuple[float, str]:
    """Run this Python in a fresh process; return its wall time in seconds and its standard output."""
    start = perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, check=False)
    spent = perf_counter() - start
    if done.returncode:
        tail = (done.stdout + done.stderr).strip()[-300:]
        raise RuntimeError(f"python {' '.join(arguments)} ended with {done.returncode}: {tail}")
    return spent, done.stdout


def run_pytest(file: Path, options: Sequence[str], results: Path) -> tuple[float, dict[str, Any]]:
    """Run a benchmark file in a fresh pytest; return its wall time in seconds and the results file."""
    spent, _ = run_python(
        ["-m", "pytest", str(file), *NEUTRAL, "--benchmark-json", str(results), *options], results.parent
    )
    report: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return spent, report
