# SPDX-License-Identifier: MIT
"""``perfcore history``: add, list, show or prune the runs that are remembered."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore.cli import Parser, UsageError
from perfcore.cli.history_export import add_options, export
from perfcore.cli.lane_files import add_config, configured
from perfcore.cli.options import add_database, add_reading, days, write_json
from perfcore.report.text import printable, say, seconds, table

if TYPE_CHECKING:
    from perfcore.record.history import History, Run

MOST_LISTED = 1_000_000

_EXAMPLES = """\
examples:
  perfcore history add results.json
  perfcore history list --days 7
  perfcore history show 2f85b4d2
  perfcore history export --days 30 --output history.csv
  perfcore history prune --days 90 --dry-run
  perfcore history prune --lanes

exit codes: 0 done; 2 a file or the database is missing or wrong, and nothing was changed
"""

_HELP = (
    ("add", "add results files; a run that is there already stays there once"),
    ("list", "list the runs, the newest first"),
    ("show", "show one run"),
    ("export", "write a row for each benchmark of each run, the oldest first, as CSV or JSON"),
    ("prune", "remove old runs: of the history, or with --lanes of the lanes that perfcore run ran"),
)


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text) <= MOST_LISTED:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give a whole number from 0 to {MOST_LISTED}")
    return int(text)


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore history",
        description="The history keeps the figures of runs, to judge later ones by and to show trends.",
        epilog=_EXAMPLES,
    )
    actions = made.add_subparsers(dest="action", metavar="ACTION", required=True)
    add, listing, show, exporting, prune = (
        actions.add_parser(name, help=words, description=words) for name, words in _HELP
    )
    add.add_argument("results", metavar="RESULTS", nargs="+", type=Path, help="what pytest --benchmark-json wrote")
    listing.add_argument("--days", type=days, metavar="N", help="only the runs of the last N days")
    listing.add_argument("--limit", type=_limit, default=50, metavar="N", help="at most so many (50; 0 for all)")
    show.add_argument("key", metavar="KEY", help="the beginning of a run's key, as list shows it")
    prune.add_argument(
        "--days",
        type=days,
        metavar="N",
        help="keep the last N days (default: [tool.perfcore.history] days, of lanes [tool.perfcore.retention] lanes, "
        "else 90)",
    )
    prune.add_argument("--dry-run", action="store_true", help="only say how many runs that would remove")
    prune.add_argument(
        "--lanes",
        action="store_true",
        help="remove old runs of lanes; each lane's newest run and newest results stay, whatever their age",
    )
    add_config(prune)
    add_options(exporting)
    for action in (add, listing, show, exporting, prune):
        add_database(action)
        add_reading(action)
    return made


def open_history(args: argparse.Namespace, *, create: bool = False) -> History:
    """Open the history that the options or the configuration name."""
    from perfcore.config import load_config
    from perfcore.record.history import History

    config = configured(args) if "config" in args else load_config()
    return History(args.database or config.history, create=create)


def when(at: float) -> str:
    """Return a moment as people write it, in UTC."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f}"


def add_files(args: argparse.Namespace, command: str, paths: Iterable[Path], skipped: list[str]) -> int:
    """Add files to the history, all or none, and say how many runs were new."""
    from perfcore.record.history import make_run
    from perfcore.record.results import load_results

    made = [make_run(load_results(path, max_bytes=args.max_size)) for path in paths]
    history = open_history(args, create=True)
    new = history.add(made)
    if args.json:
        write_json(
            {
                "schema": 1,
                "command": command,
                "history": history.name,
                "files": len(made),
                "added": new,
                "known": len(made) - new,
                "skipped": skipped,
                "exit_code": 0,
            }
        )
        return 0
    for line in skipped:
        say(f"skipped: {printable(line)}")
    known = f", {len(made) - new} were there already" if new < len(made) else ""
    say(f"history {printable(history.name)}: {new} {'run' if new == 1 else 'runs'} added{known}")
    return 0


def _add(args: argparse.Namespace) -> int:
    return add_files(args, "history add", args.results, [])


def _summary(run: Run) -> dict[str, Any]:
    return {
        "key": run.key,
        "datetime": when(run.at),
        "at": run.at,
        "commit": run.commit,
        "branch": run.branch,
        "environment": run.environment,
        "described": dict(run.described),
        "backend": run.backend,
        "python": run.python,
        "file": run.file,
        "benchmarks": run.count,
    }


def _list(args: argparse.Namespace) -> int:
    import time

    history = open_history(args)
    since = None if args.days is None else time.time() - args.days * 86400
    runs = history.runs(since=since, limit=args.limit or None)
    if args.json:
        entries = [_summary(run) for run in runs]
        write_json({"schema": 1, "command": "history list", "history": history.name, "runs": entries, "exit_code": 0})
        return 0
    header = ("run", "measured (UTC)", "commit", "branch", "environment", "backend", "python", "benchmarks", "file")
    rows = (
        (
            run.key[:8],
            when(run.at),
            printable((run.commit or "-")[:10]),
            printable(run.branch or "-"),
            run.environment[:8],
            printable(run.backend),
            printable(run.python or "-"),
            str(run.count),
            printable(run.file),
        )
        for run in runs
    )
    for line in table(header, rows):
        say(line)
    return 0


def _show(args: argparse.Namespace) -> int:
    run = open_history(args).find(args.key)
    if args.json:
        hidden = ("benchmark_id", "run_id")
        figures = [{key: value for key, value in row.items() if key not in hidden} for row in run.figures]
        write_json({"schema": 1, "command": "history show", **_summary(run), "benchmarks": figures, "exit_code": 0})
        return 0
    shown = _summary(run)
    for key in ("key", "datetime", "commit", "branch", "backend", "file"):
        if shown[key]:
            say(f"{key}: {printable(str(shown[key]))}")
    for key, value in run.described.items():
        if value is not None:
            say(f"{key.replace('_', ' ')}: {printable(str(value))}")
    say("")
    rows = (
        (
            printable(row["fullname"]),
            *("-" if row[name] is None else seconds(row[name]) for name in ("median", "mean", "stddev", "min", "max")),
            *("-" if row[name] is None else str(row[name]) for name in ("rounds", "iterations")),
            printable(row["method"]),
        )
        for row in run.figures
    )
    header = ("benchmark", "median", "mean", "stddev", "min", "max", "rounds", "iterations", "measured with")
    for line in table(header, rows):
        say(line)
    return 0


def _prune_lanes(args: argparse.Namespace) -> int:
    import time

    from perfcore.suite.retention import prune_lanes

    config = configured(args)
    folder, kept = args.folder or config.lanes_folder, args.days or config.lanes_days
    found = prune_lanes(folder, kept, now=time.time(), dry_run=args.dry_run)
    if args.json:
        document = {"schema": 1, "command": "history prune", "lanes": str(folder), "days": kept}
        document |= {"removed": [] if args.dry_run else list(map(str, found)), "older": len(found), "exit_code": 0}
        write_json(document)
        return 0
    for path in found if args.dry_run else ():
        say(printable(str(path)))
    what = "would be removed" if args.dry_run else "removed"
    runs = f"{len(found)} {'run' if len(found) == 1 else 'runs'}"
    say(f"lanes {printable(str(folder))}: {runs} older than {kept:g} days {what}")
    return 0


def _prune(args: argparse.Namespace) -> int:
    if args.lanes:
        return _prune_lanes(args)
    if args.folder is not None or args.config is not None:
        raise UsageError("--folder and --config are of lanes; add --lanes")
    from perfcore.config import load_config

    kept = args.days or load_config().history_days
    history = open_history(args)
    count = history.prune(kept, dry_run=args.dry_run)
    if args.json:
        write_json(
            {
                "schema": 1,
                "command": "history prune",
                "history": history.name,
                "days": kept,
                "removed": 0 if args.dry_run else count,
                "older": count,
                "exit_code": 0,
            }
        )
        return 0
    what = "would be removed" if args.dry_run else "removed"
    runs = f"{count} {'run' if count == 1 else 'runs'}"
    say(f"history {printable(history.name)}: {runs} older than {kept:g} days {what}")
    return 0


def _export(args: argparse.Namespace) -> int:
    return export(args, open_history(args))


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "add": _add,
    "list": _list,
    "show": _show,
    "export": _export,
    "prune": _prune,
}


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    return ACTIONS[args.action](args)
