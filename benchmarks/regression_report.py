# SPDX-License-Identifier: MIT
"""Print the verdicts of a run against its baseline, worst first: ``perfcore report --output -``."""

from __future__ import annotations

import argparse
import sys

from newest import BASELINE, DEFAULT, newest

from perfcore.cli import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results-file", metavar="FILE", help=DEFAULT)
    parser.add_argument("--baseline", default=BASELINE, metavar="FILE")
    parser.add_argument(
        "--format", default="github", help="markdown (as a comment), csv, json, junit, ... (default: %(default)s)"
    )
    options, more = parser.parse_known_args()
    kind = "github" if options.format == "markdown" else options.format
    files = [options.results_file or str(newest()), "--baseline", str(options.baseline)]
    sys.exit(main(["report", *files, "--format", kind, "--output", "-", *more]))
