# SPDX-License-Identifier: MIT
"""Print the verdicts of a run against its baseline, worst first: ``perfcore report --output -``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from perfcore.cli import main

RESULTS = Path(__file__).parent / "results"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results-file", default=RESULTS / "latest.json", metavar="FILE", help="default: %(default)s")
    parser.add_argument("--baseline", default=RESULTS / "baseline/baseline_results.json", metavar="FILE")
    parser.add_argument(
        "--format", default="github", help="markdown (as a comment), csv, json, junit, ... (default: %(default)s)"
    )
    options, more = parser.parse_known_args()
    kind = "github" if options.format == "markdown" else options.format
    files = [str(options.results_file), "--baseline", str(options.baseline)]
    sys.exit(main(["report", *files, "--format", kind, "--output", "-", *more]))
