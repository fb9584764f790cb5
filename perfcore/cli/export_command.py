# SPDX-License-Identifier: MIT
"""``perfcore export``: the figures of a results file as CSV, JSON or Markdown. Times are seconds."""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore.cli import Parser
from perfcore.cli.options import add_reading
from perfcore.report.text import printable, say, seconds

if TYPE_CHECKING:
    from perfcore.record.results import Results

_EXAMPLES = """\
examples:
  perfcore export results.json --format markdown
  perfcore export results.json --format csv --output results.csv

exit codes: 0 done; 2 a file is missing or wrong, or cannot be written
"""

_TIMES = ("median", "mean", "stddev", "min", "max")
_COLUMNS = ("fullname", "group", *_TIMES, "rounds", "iterations", "kernel", "backend")


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore export",
        description="Write a results file's figures, one row for each benchmark.",
        epilog=_EXAMPLES,
    )
    made.add_argument("results", metavar="RESULTS", type=Path, help="what pytest --benchmark-json wrote")
    made.add_argument("--format", choices=("csv", "json", "markdown"), help="default: csv, or json with --json")
    made.add_argument("--output", "-o", metavar="FILE", type=Path, help="write there, not to stdout")
    add_reading(made)
    return made


def rows(results: Results) -> list[dict[str, Any]]:
    """Return a row for each benchmark, by the names of the columns; None where the file does not tell."""
    made = []
    for one in results.benchmarks:
        figures = {name: one.stats.get(name) for name in (*_TIMES, "rounds")}
        usable = {key: value if value is None or math.isfinite(value) else None for key, value in figures.items()}
        own = {"iterations": one.iterations, "kernel": (one.perfcore or {}).get("kernel"), "backend": results.backend}
        made.append({"fullname": one.fullname, "group": one.group} | usable | own)
    return made


def _csv(found: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue().rstrip("\n")


def _markdown(found: list[dict[str, Any]]) -> str:
    def cell(name: str, value: Any) -> str:
        if value is None:
            return "-"
        text = seconds(value) if name in _TIMES else printable(str(value))
        return (
            text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`").replace("*", "\\*")
        )

    lines = ["| " + " | ".join(_COLUMNS) + " |"]
    lines.append(
        "|" + "|".join("---:" if name in (*_TIMES, "rounds", "iterations") else "---" for name in _COLUMNS) + "|"
    )
    lines += ["| " + " | ".join(cell(name, row[name]) for name in _COLUMNS) + " |" for row in found]
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.record.atomic import write_atomic
    from perfcore.record.results import load_results

    found = rows(load_results(args.results, max_bytes=args.max_size))
    kind = args.format or ("json" if args.json else "csv")
    if kind == "json":
        text = json.dumps({"schema": 1, "command": "export", "benchmarks": found}, indent=2, ensure_ascii=False)
    else:
        text = _csv(found) if kind == "csv" else _markdown(found)
    if args.output is None:
        say(text)
    else:
        write_atomic(args.output, (text + "\n").encode())
        say(f"{printable(str(args.output))}: {len(found)} benchmarks")
    return 0
