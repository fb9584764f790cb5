# SPDX-License-Identifier: MIT
"""Which results the scripts of this folder take when none are named."""

from __future__ import annotations

import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
BASELINE = RESULTS / "baseline/baseline_results.json"
HERE = Path("benchmark_results.json")
DEFAULT = f"default: {RESULTS}/latest.json, or ./{HERE} where that is later"


def newest() -> Path:
    """Return the run script's latest.json, or the current folder's benchmark_results.json where that is later.

    Which of them it is stands on stderr.
    """
    latest = RESULTS / "latest.json"
    found = [path for path in (latest, HERE) if path.is_file()]
    if not found:
        return latest
    path = max(found, key=lambda path: path.stat().st_mtime)
    print(f"results: {path}", file=sys.stderr)
    return path
