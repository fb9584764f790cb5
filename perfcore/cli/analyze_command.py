# SPDX-License-Identifier: MIT
"""``perfcore analyze``: statistics and percentiles, standings in groups, whole files against the first, trends."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore.cli import Parser, UsageError
from perfcore.cli.lane_files import add_config, configured, newest_runs
from perfcore.cli.options import add_database, add_reading, days, write_json
from perfcore.errors import ConfigError, HistoryError
from perfcore.report.text import change, printable, say, seconds, table
from perfcore.units import format_metric

if TYPE_CHECKING:
    from perfcore.judge.analysis import FileComparison, PerformanceAnalyzer, Standing, Statistics, WindowTrend

_EXAMPLES = """\
examples:
  perfcore analyze results.json
  perfcore analyze old.json new.json --benchmark 'test_routing*'
  perfcore analyze --lane docs --lane standard
  perfcore analyze --window 7 --metric peak_bytes --json

without RESULTS and lanes the history is analysed: the last runs against as many before them

exit codes: 0 done, whatever came out (a gate is: perfcore check); 2 a file or the history is missing or wrong
"""


def _window(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 2 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no window; give a number of runs from 2 to 10000")
    return int(text)


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore analyze",
        description="Analyse results files: figures of every benchmark, standings in each group, and each further file "
        "as a whole against the first one. Without files: the history, by windows of runs.",
        epilog=_EXAMPLES,
    )
    made.add_argument("results", metavar="RESULTS", nargs="*", type=Path, help="what pytest --benchmark-json wrote")
    made.add_argument(
        "--lane",
        action="append",
        default=[],
        metavar="NAME",
        help="the newest run of this lane, instead of RESULTS; several are put side by side",
    )
    made.add_argument("--all", action="store_true", help="the newest runs of all lanes")
    made.add_argument(
        "--benchmark", metavar="PATTERN", help="only names that hold this text or match it, like '*copy*'"
    )
    made.add_argument(
        "--by", choices=("group", "all"), default="group", help="put side by side: each group (default), or all"
    )
    made.add_argument("--window", type=_window, default=10, metavar="N", help="runs in a window of the history (10)")
    made.add_argument("--days", type=days, default=90.0, metavar="N", help="how far back in the history (90)")
    made.add_argument(
        "--metric", default="median", metavar="NAME", help="of the history: median, mean, min, peak_bytes, …"
    )
    add_database(made)
    add_reading(made)
    add_config(made)
    return made


def _print_statistics(found: Sequence[Statistics], files: int) -> None:
    header = ("benchmark", "median", "95 % interval", "mean", "stddev", "p95", "p99", "p99.9", "max", "rounds", "")
    rows = (
        (
            printable(one.fullname),
            seconds(one.median),
            f"{seconds(one.low)} to {seconds(one.high)}" if one.low == one.low else "-",
            *map(seconds, (one.mean, one.stddev, one.p95, one.p99, one.p999, one.max)),
            str(one.rounds),
            printable(one.file) if files > 1 else "",
        )
        for one in found
    )
    for line in table(header, rows):
        say(line)


def _print_standings(standings: dict[str, list[Standing]], files: int) -> None:
    for name, members in standings.items():
        say("")
        say(f"group {printable(name)}:" if name else "all together:")
        rows = (
            (
                printable(one.fullname),
                seconds(one.median),
                "the fastest" if not place else change(one.ratio),
                "perhaps as fast" if place and one.tied else "",
                printable(one.file) if files > 1 else "",
            )
            for place, one in enumerate(members)
        )
        for line in table(("benchmark", "median", "change", "", ""), rows):
            say(line)


def _print_files(found: Sequence[FileComparison]) -> None:
    for one in found:
        say("")
        said = f"{one.compared} of {one.common} common benchmarks compared"
        if one.compared:
            said += f": {change(one.ratio)} as a whole"
            known = one.low == one.low
            said += (
                f" (95 % interval {change(one.low)} to {change(one.high)})" if known else " (too few for an interval)"
            )
            said += f", {one.slower} slower, {one.faster} faster"
        say(f"{printable(one.file)} against {printable(one.against)}: {said}")
        for difference in one.differences:
            say(f"  another environment: {printable(difference)}")


def _print_trends(found: Sequence[WindowTrend], window: int) -> None:
    from perfcore.cli.history_command import when

    header = (
        "benchmark",
        "runs",
        f"{window} before",
        f"last {window}",
        "change",
        "95 % interval",
        "a week",
        "",
        "runs",
    )
    rows = (
        (
            printable(one.benchmark),
            str(one.count),
            format_metric(one.metric, one.before),
            format_metric(one.metric, one.recent),
            change(one.ratio),
            f"{change(one.low)} to {change(one.high)}" if one.low == one.low else "-",
            change(one.weekly),
            one.direction,
            one.sparkline + "".join(f"  {when(at)} {printable((commit or '-')[:10])}" for at, commit in one.changes),
        )
        for one in found
    )
    for line in table(header, rows):
        say(line)


def _analyze_history(args: argparse.Namespace, analyzer: PerformanceAnalyzer) -> int:
    found = analyzer.trends(args.benchmark, metric=args.metric, window=args.window, days=args.days)
    if not found:
        which = f" of benchmarks like {args.benchmark!r}" if args.benchmark else ""
        raise HistoryError(
            f"the history has no {args.metric}{which} in the last {args.days:g} days; ask for more with --days, or "
            "see what there is with: perfcore history show"
        )
    if args.json:
        document = {"schema": 1, "command": "analyze", "metric": args.metric, "window": args.window, "days": args.days}
        write_json(document | {"trends": [asdict(one) for one in found], "exit_code": 0})
    else:
        _print_trends(found, args.window)
    return 0


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.judge.analysis import PerformanceAnalyzer
    from perfcore.record.lanes import failed_lanes
    from perfcore.record.results import load_results

    if sum(map(bool, (args.results, args.lane, args.all))) > 1:
        raise UsageError("give results files, --lane NAME or --all, not two of them")
    lanes = bool(args.lane) or args.all
    if not lanes and (args.config is not None or args.folder is not None):
        raise UsageError("--config and --folder are of lanes; name one with --lane")
    if not args.results and not lanes:
        from perfcore.cli.history_command import open_history

        return _analyze_history(args, PerformanceAnalyzer(history=open_history(args)))
    if lanes:
        config = configured(args)
        names = list(config.lanes) if args.all else list(dict.fromkeys(args.lane))
        if not names:
            raise ConfigError(f"{config.path or 'pyproject.toml'}: there are no lanes in [tool.perfcore.lanes]")
        results = newest_runs(args, config, names)
    else:
        results = [load_results(path, max_bytes=args.max_size) for path in args.results]
    analyzer = PerformanceAnalyzer(*results)
    statistics = analyzer.statistics(args.benchmark)
    standings = analyzer.rank(args.by, args.benchmark)
    files = [] if lanes else analyzer.compare()  # lanes are works of different kinds
    if args.json:
        document: dict[str, Any] = {"schema": 1, "command": "analyze", "files": [str(one.path) for one in results]}
        document |= {
            "benchmarks": [asdict(one) for one in statistics],
            "standings": {name: [asdict(one) for one in members] for name, members in standings.items()},
            "comparisons": [asdict(one) for one in files],
        }
        write_json(document | {"exit_code": 0})
        return 0
    _print_statistics(statistics, len(args.results))
    for one in failed_lanes(results) if lanes else ():
        say(f"lane {printable(one.name)}: no iteration was completed")
    _print_standings(standings, len(args.results))
    _print_files(files)
    return 0
