# SPDX-License-Identifier: MIT
"""``perfcore report``: a results file as a page to read, a comment, a table or a document."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore.cli import Parser, UsageError
from perfcore.cli.lane_files import add_config, configured, load_lanes
from perfcore.cli.options import add_database, add_judging, add_reading, days, keep_inputs, write_json
from perfcore.report.text import printable, put, say

if TYPE_CHECKING:
    from perfcore.judge.sla import TargetVerdict
    from perfcore.judge.verdict import Check
    from perfcore.record.history import History
    from perfcore.record.results import Results

FOLDER = "perfcore-report"
# What decides how results are judged, which of a comparison is decided.
_OF_RESULTS = (
    *("baseline", "history", "database", "days", "sla"),
    *("warning", "critical", "allow_backend_mismatch", "strict_environment"),
)

_EXAMPLES = """\
examples:
  perfcore report results.json
  perfcore report results.json --baseline old.json --output public
  perfcore report results.json --baseline old.json --format github,csv
  perfcore report results.json --history --days 90
  perfcore report results.json --use use.json --flamegraph time.json --flamegraph heap.json
  perfcore report --lane standard --format csv --output standard.csv
  perfcore ab main --json > ab.json; perfcore report ab.json --format github

files, in the folder of --output: report.html (opens offline), report.csv, report.md, report.json, comment.md (github:
the body of a comment on a pull request), junit.xml, metrics.txt (openmetrics), action-benchmark.json, bencher.json;
--use and --flamegraph are shown by report.html and report.json

exit codes:
  0  written; verdicts fail nothing here, perfcore check does
  2  a file is missing or wrong, or the reports could not be written
"""


def _formats(text: str) -> list[str]:
    from perfcore.report.write import FORMATS

    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(f"{name!r} is no format; there is: {', '.join(FORMATS)}")
    return names


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore report",
        description="Write a results file, or an A/B comparison, as a dashboard and in other formats.",
        epilog=_EXAMPLES,
    )
    made.add_argument(
        "results",
        metavar="RESULTS",
        nargs="?",
        help="what pytest --benchmark-json or perfcore ab --json wrote (default: the newest run of the lane)",
    )
    made.add_argument("--lane", metavar="NAME", help="the newest run of this lane, instead of RESULTS")
    made.add_argument("--baseline", type=Path, metavar="FILE", help="judge against this results file")
    made.add_argument(
        "--history",
        action="store_true",
        help="show how each benchmark developed in the history, and where its level changed; without --baseline the "
        "verdicts go by the history too",
    )
    add_database(made)
    made.add_argument("--days", type=days, metavar="N", help="of the history, show the N days before the run (365)")
    made.add_argument(
        "--format", type=_formats, default=["html"], metavar="NAMES", help="names below, with commas between (html)"
    )
    made.add_argument(
        "--output",
        type=Path,
        default=Path(FOLDER),
        metavar="DIR",
        help=f"where to write (default: {FOLDER}); for a single format also a file with its ending, like page.html; - "
        "prints the one format that is asked for",
    )
    made.add_argument(
        "--sla", type=Path, metavar="FILE", help="show the targets of this TOML file (default: those of pyproject.toml)"
    )
    made.add_argument(
        "--use",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="show this USE report: what perfcore use --json wrote; can be given again",
    )
    made.add_argument(
        "--flamegraph",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="draw these call stacks: what perfcore flamegraph --output FILE.json (or .txt, folded) or perfcore heap "
        "--flamegraph FILE.json wrote; can be given again",
    )
    add_judging(made)
    add_reading(made)
    add_config(made)
    return made


def _check(args: argparse.Namespace, results: Results, history: History | None) -> Check | None:
    from perfcore.judge.detector import RegressionDetector
    from perfcore.judge.thresholds import Thresholds
    from perfcore.judge.verdict import check_results
    from perfcore.record.baseline import load_baseline

    if args.baseline is None and history is None:
        return None
    config = configured(args)
    limits = Thresholds(args.warning or config.thresholds.warning, args.critical or config.thresholds.critical)
    detector = RegressionDetector(
        limits, config.rules, config.metrics, args.allow_backend_mismatch, args.strict_environment
    )
    if args.baseline is None:
        return None if history is None else detector.check_history(results, history)
    return check_results(
        load_baseline(args.baseline, max_bytes=args.max_size),
        results,
        detector.thresholds,
        allow_backend_mismatch=args.allow_backend_mismatch,
        strict_environment=args.strict_environment,
        rules=detector.rules,
        metrics=detector.metrics,
    )


def _history(args: argparse.Namespace) -> History | None:
    if not args.history and args.database is None:
        if args.days is not None:
            raise UsageError("--days is of the history; ask for it with --history")
        return None
    from perfcore.cli.history_command import open_history

    return open_history(args)


def _document(args: argparse.Namespace) -> dict[str, Any]:
    """Return the document of a results file, with its trends where the history is asked for."""
    from perfcore.report.model import describe

    (results,) = load_lanes(args, configured(args), [] if args.lane is None else [args.lane])
    history = _history(args)
    document = describe(results, _check(args, results, history), _sla(args, results))
    if history is not None:
        from perfcore.report.trends import DAYS, add_trends

        add_trends(document, results, history, args.days or DAYS)
    return document


def _sla(args: argparse.Namespace, results: Results) -> tuple[TargetVerdict, ...]:
    from perfcore.config import read_config
    from perfcore.judge.sla import SLAValidator
    from perfcore.record.lanes import failed_lanes

    targets = (configured(args) if args.sla is None else read_config(args.sla.resolve())).sla
    return SLAValidator(targets).validate(results.benchmarks, failed_lanes([results]), allow_missing=True)


def _add_profiles(args: argparse.Namespace, document: dict[str, Any]) -> None:
    """Add what was found besides the times, from files of its own."""
    if args.use:
        from perfcore.report.use import add_use

        add_use(document, args.use, args.max_size)
    if args.flamegraph:
        from perfcore.report.flames import add_profiles

        add_profiles(document, args.flamegraph, args.max_size)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.report.ab import describe_ab, is_ab
    from perfcore.report.write import FORMATS, files, write_reports

    if (args.results is None) == (args.lane is None):
        raise UsageError("give a results file or --lane NAME")
    if args.lane is None and (args.config is not None or args.folder is not None):
        raise UsageError("--config and --folder are of lanes; name one with --lane")
    if args.results is not None and is_ab(args.results):
        if given := [f"--{name.replace('_', '-')}" for name in _OF_RESULTS if getattr(args, name) not in (None, False)]:
            raise UsageError(f"{args.results} is a comparison, judged already; leave out {', '.join(given)}")
        document = describe_ab(args.results)
    else:
        document = _document(args)
    _add_profiles(args, document)
    if str(args.output) == "-":
        if len(args.format) != 1:
            raise UsageError("--output - prints one format; name one with --format")
        put(FORMATS[args.format[0]][1](document).replace("\r\n", "\n").rstrip("\n"))
        return 0
    inputs = (args.results, args.baseline, args.sla, *args.use, *args.flamegraph)
    keep_inputs(files(args.format, args.output), inputs)
    written = write_reports(document, args.format, args.output)
    if args.json:
        write_json({"schema": 1, "command": "report", "files": [str(path) for path in written], "exit_code": 0})
    else:
        for path in written:
            say(printable(f"report: {path}"))
    return 0
