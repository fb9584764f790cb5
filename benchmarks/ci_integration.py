# SPDX-License-Identifier: MIT
"""Check a run against the baseline, or make it the baseline: ``perfcore check`` and ``perfcore baseline update``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from perfcore.cli import main

RESULTS = Path(__file__).parent / "results"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "action", nargs="?", choices=["check-regression", "update-baseline"], default="check-regression"
    )
    parser.add_argument(
        "--results-file", "--results", default=RESULTS / "latest.json", metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--baseline", default=RESULTS / "baseline/baseline_results.json", metavar="FILE")
    parser.add_argument("--check-regression", action="store_true", help="what it does anyway")
    parser.add_argument("--update-baseline", action="store_true", help="make the run the baseline")
    parser.add_argument("--fail-on-regression", action="store_true", help="exit 1 when a regression is critical")
    options, more = parser.parse_known_args()
    files = [str(options.results_file), "--baseline", str(options.baseline), *more]
    if options.update_baseline or options.action == "update-baseline":
        sys.exit(main(["baseline", "update", *files]))
    sys.exit(main(["check", *files, *(["--fail-on-regression"] if options.fail_on_regression else [])]))
