# SPDX-License-Identifier: MIT
"""``perfcore history export``: what the history keeps, as CSV or JSON: a row for each benchmark of each run.

Times are seconds. The figures of one results file are what ``perfcore export`` writes.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore.cli.options import days, say_written
from perfcore.errors import HistoryError
from perfcore.report.text import put

if TYPE_CHECKING:
    from perfcore.record.history import History

_RUN = ("datetime", "run", "commit", "branch", "environment", "backend", "python")
_FIGURES = (
    *("median", "median_low", "median_high", "mean", "stddev", "min", "max", "rounds", "iterations", "method", "pace"),
)
_METRICS = ("cpu_s", "allocations", "allocated_bytes", "peak_bytes", "growth_bytes", "instructions")
COLUMNS = (*_RUN, "fullname", *_FIGURES, *_METRICS)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the action takes besides the database."""
    parser.add_argument("--days", type=days, metavar="N", help="only the runs of the last N days")
    parser.add_argument(
        "--benchmark", metavar="PATTERN", help="only names that hold this text or match it, like '*copy*'"
    )
    parser.add_argument("--format", choices=("csv", "json"), help="default: csv, or json with --json")
    parser.add_argument("--output", "-o", metavar="FILE", type=Path, help="write there, not to stdout")


def _row(kept: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the history by the names of ``COLUMNS``; None where it does not tell."""
    from datetime import UTC, datetime

    from perfcore.record.database import read_object

    metrics = read_object(kept["metrics_json"])
    made = {name: kept[name] for name in (*_RUN[2:], "fullname", *_FIGURES)}
    moment = datetime.fromtimestamp(kept["at"], UTC).isoformat()
    return {"datetime": moment, "run": kept["key"]} | made | {name: metrics.get(name) for name in _METRICS}


def _csv(rows: Iterable[dict[str, Any]]) -> str:
    from perfcore.report.table import safe

    text = io.StringIO()
    writer = csv.writer(text)  # with its own line end, for which a lone CR is quoted too
    writer.writerow(COLUMNS)
    writer.writerows([safe(row[name]) for name in COLUMNS] for row in rows)
    return text.getvalue().replace("\r\n", "\n").rstrip("\n")


def export(args: argparse.Namespace, history: History) -> int:
    """Write the history and return the exit code."""
    from perfcore.record.atomic import write_atomic

    since = None if args.days is None else time.time() - args.days * 86400
    rows = [_row(kept) for kept in history.rows(args.benchmark, since=since)]
    if not rows:
        raise HistoryError(f"{history.name}: has nothing that was asked for; see: perfcore history list")
    if (args.format or ("json" if args.json else "csv")) == "json":
        text = json.dumps({"schema": 1, "command": "history export", "rows": rows}, indent=1, ensure_ascii=False)
    else:
        text = _csv(rows)
    if args.output is None:
        put(text)
    else:
        write_atomic(args.output, (text + "\n").encode())
        say_written(args.output, f"{len(rows)} rows")
    return 0
