# SPDX-License-Identifier: MIT
"""Check a run against the baseline, or make it the baseline: ``perfcore check`` and ``perfcore baseline update``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from newest import BASELINE, DEFAULT, newest

from perfcore.cli import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        usage="%(prog)s [check-regression | update-baseline] [OPTIONS, of the command too]",
        description=__doc__,
        allow_abbrev=False,
    )
    parser.add_argument("--results-file", "--results", metavar="FILE", help=DEFAULT)
    parser.add_argument(
        "--baseline", metavar="FILE", help="default: that of the benchmarks' results, but for a check by the history"
    )
    parser.add_argument("--check-regression", action="store_true", help="as a gate: with --fail-on-regression")
    parser.add_argument("--update-baseline", action="store_true", help="make the run the baseline")
    parser.add_argument("--fail-on-regression", action="store_true", help="exit 1 when a regression is critical")
    # By hand: argparse would take the value of an option that it does not know, the command's, for the action.
    words = sys.argv[1:]
    action = words.pop(0) if words[:1] in (["check-regression"], ["update-baseline"]) else ""
    options, more = parser.parse_known_args(words)
    if options.baseline is None and not {word.partition("=")[0] for word in more} & {"--history", "--database"}:
        options.baseline = BASELINE
    files = [options.results_file or str(newest()), *more]
    if options.baseline is not None:
        files += ["--baseline", str(options.baseline)]
    if options.update_baseline or action == "update-baseline":
        # The first one has none to be checked against.
        first = ["--force"] if options.baseline is not None and not Path(options.baseline).exists() else []
        sys.exit(main(["baseline", "update", *files, *first]))
    gate = options.fail_on_regression or options.check_regression or action == "check-regression"
    sys.exit(main(["check", *files, *(["--fail-on-regression"] if gate else [])]))
