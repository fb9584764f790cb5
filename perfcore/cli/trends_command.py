# SPDX-License-Identifier: MIT
"""``perfcore trends``: how the benchmarks of the history developed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from perfcore.cli import Parser
from perfcore.cli.options import add_database, add_reading, days, write_json
from perfcore.errors import HistoryError
from perfcore.report.text import change, printable, say, table
from perfcore.units import format_metric

if TYPE_CHECKING:
    from perfcore.judge.history import Trend
    from perfcore.record.history import Point

_EXAMPLES = """\
examples:
  perfcore trends --days 30
  perfcore trends --benchmark routing --json
  perfcore trends --metric peak_bytes

exit codes: 0 done; 2 there is no history, or nothing in it that was asked for
"""


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore trends",
        description="Show how medians, or another metric, developed. Runs of different environments, backends or "
        "methods are shown apart; runs whose figure is not above zero are left out.",
        epilog=_EXAMPLES,
    )
    made.add_argument("--days", type=days, default=30.0, metavar="N", help="the runs of the last N days (30)")
    made.add_argument(
        "--benchmark", metavar="PATTERN", help="only names that hold this text or match it, like '*copy*'"
    )
    made.add_argument("--metric", default="median", metavar="NAME", help="median (default), min, peak_bytes, p99, …")
    add_database(made)
    add_reading(made)
    return made


def changes_of(points: Sequence[Point], found: Trend) -> list[dict[str, Any]]:
    """Return the changes of a trend: when, between which commits, by how much, and how sure that is."""
    return [
        {
            "at": points[change.position].at,
            "commit": points[change.position].commit,
            "previous_commit": points[change.position - 1].commit,
            "ratio": change.after / change.before,
            "magnitude": change.magnitude,
            "pvalue": change.pvalue,
        }
        for change in found.levels
    ]


def shown_change(one: dict[str, Any]) -> str:
    """Return a change as the table shows it."""
    from perfcore.cli.history_command import when

    commits = "..".join(printable((one[key] or "-")[:10]) for key in ("previous_commit", "commit"))
    return f"  {when(one['at'])} {commits} {change(one['ratio'])}"


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.cli.history_command import open_history
    from perfcore.judge.history import trend
    from perfcore.record.series import group_alike

    history = open_history(args)
    names = history.names(args.benchmark)
    since = time.time() - args.days * 86400
    entries: list[dict[str, Any]] = []
    for name, points in history.series(names, since=since, metric=args.metric).items():
        for group in group_alike(points):
            found = trend([point.at for point in group], [point.median for point in group])
            if found is None:
                continue
            described = asdict(found) | {"changes": changes_of(group, found)}
            del described["levels"]
            newest = group[-1]
            where = {"environment": newest.environment, "backend": newest.backend, "method": newest.method}
            entries.append({"benchmark": name} | where | described)
    if not entries:
        which = f" of benchmarks like {args.benchmark!r}" if args.benchmark else ""
        what = "runs" if args.metric == "median" else f"{args.metric} above zero"
        raise HistoryError(f"{history.name}: no {what}{which} in the last {args.days:g} days; ask for more with --days")
    if args.json:
        write_json(
            {"schema": 1, "command": "trends", "history": history.name, "days": args.days, "metric": args.metric}
            | {"trends": entries, "exit_code": 0}
        )
        return 0
    header = ("benchmark", "runs", "first", "last", "change", "a week", "environment", "development")
    rows = (
        (
            printable(entry["benchmark"]),
            str(entry["count"]),
            format_metric(args.metric, entry["first"]),
            format_metric(args.metric, entry["last"]),
            change(entry["last"] / entry["first"]),
            change(entry["weekly"]),
            f"{entry['environment'][:8]} {printable(entry['method'])}",
            entry["sparkline"] + "".join(map(shown_change, entry["changes"])),
        )
        for entry in entries
    )
    for line in table(header, rows, left=(6,)):
        say(line)
    return 0
