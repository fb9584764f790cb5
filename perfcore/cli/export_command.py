# SPDX-License-Identifier: MIT
"""``perfcore export``: a results file in one format, on stdout or in one file (``perfcore report`` writes several)."""

from __future__ import annotations

import argparse
from pathlib import Path

from perfcore.cli import Parser
from perfcore.cli.options import add_reading, keep_inputs, say_written
from perfcore.report.text import put

# Of perfcore.report.write; named here so that --help loads no renderer.
FORMATS = ("csv", "json", "markdown", "junit", "openmetrics", "action-benchmark", "bencher")

_EXAMPLES = """\
examples:
  perfcore export results.json > results.csv
  perfcore export results.json --format markdown
  perfcore export results.json --format openmetrics --output metrics.txt
  perfcore export results.json --format bencher | bencher run --adapter json

formats: csv, json and markdown hold all figures, times in seconds; junit is for CI servers (without verdicts, which are
perfcore report --format junit), openmetrics for Prometheus,
action-benchmark for github-action-benchmark (tool: customSmallerIsBetter), bencher is the Bencher Metric Format

exit codes: 0 done; 2 a file is missing or wrong, or cannot be written
"""


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore export",
        description="Write a results file's figures for a program or a person.",
        epilog=_EXAMPLES,
    )
    made.add_argument("results", metavar="RESULTS", type=Path, help="what pytest --benchmark-json wrote")
    made.add_argument("--format", choices=FORMATS, help="default: csv, or json with --json")
    made.add_argument("--output", "-o", metavar="FILE", type=Path, help="write there, not to stdout")
    add_reading(made)
    return made


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.record.atomic import write_atomic
    from perfcore.record.results import load_results
    from perfcore.report.model import describe
    from perfcore.report.write import FORMATS as RENDERERS

    document = describe(load_results(args.results, max_bytes=args.max_size))
    _, render = RENDERERS[args.format or ("json" if args.json else "csv")]
    text = render(document)
    if args.output is None:
        put(text.replace("\r\n", "\n").rstrip("\n"))
    else:
        keep_inputs([args.output], [args.results])
        write_atomic(args.output, text.encode())
        count = len(document["benchmarks"])
        say_written(args.output, f"{count} benchmark{'' if count == 1 else 's'}")
    return 0
