# SPDX-License-Identifier: MIT
"""``perfcore validate-sla``: judge results by the service levels that they are to keep."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from perfcore.cli import Parser, complain
from perfcore.cli.lane_files import add_config, called, configured, load_lanes
from perfcore.cli.options import add_reading, write_json
from perfcore.errors import ConfigError, ResultsError
from perfcore.report.text import painted, printable, say, table

if TYPE_CHECKING:
    from perfcore.judge.sla import TargetVerdict

_EXAMPLES = """\
in pyproject.toml, or in the file of --sla:
  [tool.perfcore.sla."standard"]            # a name, or a pattern like "*test_spawn*"
  mean = "900 s"                            # also median, p95, p99: s, ms, us, ns
  p95 = "1200 s"
  memory_max = "1024 MB"                    # the greatest that any iteration took; of a benchmark, its peak
  cpu_average = "50 %"                      # 100 % is one processor; or "1.5 cores"
  throughput_min = "1000/s"                 # calls, or what items_per_call of a benchmark counts

examples:
  perfcore validate-sla --lane standard
  perfcore validate-sla results.json --sla benchmarks/sla.toml
  perfcore validate-sla results.json --fail-on critical --json

verdicts: met; violated (the 95 % interval lies past the target); possibly (the figure does, its interval does not);
no data (never compliant). Severity by how far past: warning, error from 10 %, critical from 50 %.

exit codes:
  0  nothing is violated
  1  a target is violated
  2  a target has no data, a file is missing or wrong, or there are no targets
"""


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore validate-sla",
        description="Judge results by the targets of [tool.perfcore.sla].",
        epilog=_EXAMPLES,
    )
    made.add_argument(
        "results", metavar="RESULTS", nargs="?", help="a results file (default: the newest run of the lane)"
    )
    made.add_argument("--lane", metavar="NAME", help="only this lane or benchmark (default: all that there are)")
    made.add_argument("--sla", type=Path, metavar="FILE", help="read the targets from this TOML file")
    made.add_argument(
        "--fail-on",
        choices=("warning", "error", "critical"),
        default="warning",
        help="the least severity that fails (default: warning)",
    )
    made.add_argument("--fail-on-possible", action="store_true", help="let possible violations fail too")
    made.add_argument(
        "--allow-missing", action="store_true", help="leave out targets that match nothing in the results"
    )
    add_reading(made)
    add_config(made)
    return made


def _row(verdict: TargetVerdict) -> tuple[str, ...]:
    from perfcore.judge.targets import show
    from perfcore.report.lanes import interval_text, verdict_words

    key = verdict.target.key
    return (
        printable(verdict.subject),
        key,
        show(key, verdict.target.limit),
        show(key, verdict.value),
        interval_text(verdict),
        verdict_words(verdict) + (f": {printable(verdict.reason)}" if verdict.reason else ""),
    )


def _colour(verdict: TargetVerdict) -> str:
    if verdict.status == "violated":
        return "warning" if verdict.severity == "warning" else "critical"
    return {"possibly": "warning", "no data": "undecided", "met": "ok"}[verdict.status]


def _print(verdicts: tuple[TargetVerdict, ...], code: int, *, compliant: bool) -> None:
    from perfcore.judge.sla import EVIDENCE, STATUSES

    lines = table(("benchmark", "target", "limit", "value", "95 % interval", "verdict"), map(_row, verdicts))
    say(lines[0])
    for verdict, line in zip(verdicts, lines[1:], strict=True):
        say(painted(line, _colour(verdict)))
    say(f"evidence: {EVIDENCE}")
    found = Counter(verdict.status for verdict in verdicts)
    counts = ", ".join(
        f"{found[status]} {'possibly violated' if status == 'possibly' else status}"
        for status in STATUSES
        if found[status]
    )
    ending = "compliant" if compliant else "NOT COMPLIANT" if code == 1 else "not shown to be compliant"
    say(f"{len(verdicts)} targets: {counts}: {ending}")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.config import read_config
    from perfcore.judge.sla import EVIDENCE, SLAValidator, as_document, compliance
    from perfcore.record.lanes import failed_lanes

    config = configured(args)
    targets = config.sla if args.sla is None else read_config(args.sla.resolve()).sla
    if not targets:
        where = args.sla or args.config or config.path or "pyproject.toml"
        raise ConfigError(f"{where}: there are no targets in [tool.perfcore.sla]")
    names = list(config.lanes) if args.lane is None else [args.lane]
    results = load_lanes(args, config, names)
    benchmarks = [one for file in results for one in file.benchmarks if args.lane is None or called(one, args.lane)]
    failed = [one for one in failed_lanes(results) if args.lane in (None, one.name, f"lane::{one.name}")]
    if args.lane is not None:
        if not benchmarks and not failed:
            raise ResultsError(f"{results[0].path}: there is no lane or benchmark {args.lane!r} in it")
        targets = tuple(
            target
            for target in targets
            if any(target.matches(one) for one in benchmarks)
            or any(target.names(one.name) or target.names(f"lane::{one.name}") for one in failed)
        )
        if not targets:
            raise ConfigError(f"no target matches {args.lane!r}; the patterns are those of [tool.perfcore.sla]")
    verdicts = SLAValidator(targets).validate(benchmarks, failed, allow_missing=args.allow_missing)
    if not verdicts:
        raise ConfigError("no target matches anything in the results; without --allow-missing each is shown")
    compliant, code = compliance(verdicts, fail_on=args.fail_on, fail_on_possible=args.fail_on_possible)
    if args.json:
        write_json(
            {
                "schema": 1,
                "command": "validate-sla",
                "results": [str(file.path) for file in results],
                "evidence": EVIDENCE,
                "compliant": compliant,
                "verdicts": [as_document(verdict) for verdict in verdicts],
                "exit_code": code,
            }
        )
    else:
        _print(verdicts, code, compliant=compliant)
    if code == 2:
        lacking = [one for one in verdicts if one.status == "no data"]
        first = f"{lacking[0].subject} ({lacking[0].target.key}): {lacking[0].reason}"
        more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        complain(f"error: could not judge: no data for {first}{more}")
    return code
