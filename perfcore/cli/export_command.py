# SPDX-License-Identifier: MIT
"""``perfcore export``: what the history keeps, as CSV or JSON: a row for each benchmark of each run.

Times are seconds. One results file as CSV, JSON, Markdown or a page is what ``perfcore report`` writes.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from perfcore.cli import Parser
from perfcore.cli.options import add_database, add_reading, days
from perfcore.errors import HistoryError
from perfcore.report.text import printable, say

_EXAMPLES = """\
examples:
  perfcore export --output history.csv
  perfcore export --days 30 --benchmark routing --format json

of one results file: perfcore report RESULTS --format csv,json,markdown

exit codes: 0 done; 2 there is no history, nothing in it that was asked for, or the file cannot be written
"""

_RUN = ("datetime", "run", "commit", "branch", "environment", "backend", "python")
_FIGURES = ("median", "median_low", "median_high", "mean", "stddev", "min", "max", "rounds", "iterations", "method")
_METRICS = ("cpu_s", "allocations", "allocated_bytes", "peak_bytes", "growth_bytes", "instructions")
COLUMNS = (*_RUN, "fullname", *_FIGURES, *_METRICS)


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore export",
        description="Write what the history keeps: a row for each benchmark of each run, the oldest first.",
        epilog=_EXAMPLES,
    )
    made.add_argument("--days", type=days, metavar="N", help="only the runs of the last N days")
    made.add_argument(
        "--benchmark", metavar="PATTERN", help="only names that hold this text or match it, like '*copy*'"
    )
    made.add_argument("--format", choices=("csv", "json"), help="default: csv, or json with --json")
    made.add_argument("--output", "-o", metavar="FILE", type=Path, help="write there, not to stdout")
    add_database(made)
    add_reading(made)
    return made


def _row(kept: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the history by the names of ``COLUMNS``; None where it does not tell."""
    from datetime import UTC, datetime

    metrics = json.loads(kept["metrics_json"] or "{}")
    made = {name: kept[name] for name in (*_RUN[2:], "fullname", *_FIGURES)}
    moment = datetime.fromtimestamp(kept["at"], UTC).isoformat()
    return {"datetime": moment, "run": kept["key"]} | made | {name: metrics.get(name) for name in _METRICS}


def _csv(rows: Iterable[dict[str, Any]]) -> str:
    from perfcore.report.table import safe

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([safe(row[name]) for name in COLUMNS] for row in rows)
    return text.getvalue().rstrip("\n")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.cli.history_command import open_history
    from perfcore.record.atomic import write_atomic

    history = open_history(args)
    since = None if args.days is None else time.time() - args.days * 86400
    rows = [_row(kept) for kept in history.rows(args.benchmark, since=since)]
    if not rows:
        raise HistoryError(f"{history.name}: has nothing that was asked for; see: perfcore history list")
    if (args.format or ("json" if args.json else "csv")) == "json":
        text = json.dumps({"schema": 1, "command": "export", "rows": rows}, indent=1, ensure_ascii=False)
    else:
        text = _csv(rows)
    if args.output is None:
        say(text)
    else:
        write_atomic(args.output, (text + "\n").encode())
        say(f"{printable(str(args.output))}: {len(rows)} rows")
    return 0
