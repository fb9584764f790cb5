# SPDX-License-Identifier: MIT
"""``perfcore run``: run lanes and measure what they take."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore.cli import Parser
from perfcore.cli.lane_files import add_config, configured
from perfcore.cli.options import write_json
from perfcore.errors import ConfigError
from perfcore.report.text import painted, printable, say, seconds, table

if TYPE_CHECKING:
    from perfcore.suite.benchmark_suite import LaneRun

_EXAMPLES = """\
in pyproject.toml:
  [tool.perfcore.lanes.standard]
  command = "python -m pytest tests -q"     # or a list of words; with shell = true, text for /bin/sh
  iterations = 10                           # 5
  timeout = "20 min"                        # each iteration; 1200 s
  warmup = 1                                # 0
  env = { PYTHONHASHSEED = "0" }
  cwd = "."                                 # that of the file
  [tool.perfcore.lanes.import]
  callable = "mypackage.work:main"          # called in a Python of its own; the call alone is timed

examples:
  perfcore run --lane standard --iterations 10 --timeout 1200
  perfcore run --all --config benchmarks/lanes.toml
  perfcore run --lane standard --resume

Every iteration is on disk as it ends, with its output, below --folder. The results file of a run is read by perfcore
check, compare, report, history and validate-sla.

exit codes:
  0  every iteration of every lane was completed
  1  a lane failed: an iteration ended with an error or took too long, or there is no such program
  2  there is no such lane, the configuration is wrong, or the results cannot be written
"""


def _count(text: str, least: int) -> int:
    from perfcore.suite.lane import MOST_ITERATIONS

    if not text.isascii() or not text.isdigit() or not least <= int(text) <= MOST_ITERATIONS:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give a whole number from {least} to {MOST_ITERATIONS}")
    return int(text)


def _iterations(text: str) -> int:
    return _count(text, 1)


def _warmup(text: str) -> int:
    return _count(text, 0)


def _timeout(text: str) -> float:
    from perfcore.suite.lane import LONGEST, parse_time

    try:
        return parse_time(float(text) if text.replace(".", "", 1).isdigit() else text, LONGEST)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore run",
        description="Run lanes (whole workloads: commands or Python callables) and measure what they use.",
        epilog=_EXAMPLES,
    )
    which = made.add_mutually_exclusive_group(required=True)
    which.add_argument("--lane", action="append", metavar="NAME", help="run this lane; may be given several times")
    which.add_argument("--all", action="store_true", help="run all lanes")
    made.add_argument("--iterations", type=_iterations, metavar="N", help="how often each is measured")
    made.add_argument(
        "--timeout", type=_timeout, metavar="S", help="seconds that an iteration may take, or like '5 min'"
    )
    made.add_argument("--warmup", type=_warmup, metavar="N", help="how often each is run before that")
    made.add_argument(
        "--resume", action="store_true", help="go on with a lane's last run if that was cut off; else begin a new one"
    )
    made.add_argument("--json", action="store_true", help="write JSON instead of a table")
    add_config(made)
    return made


def _row(run: LaneRun) -> tuple[str, ...]:
    summary = run.summary
    done = [one for one in run.iterations if one["status"] == "completed"]

    def greatest(key: str) -> float:
        return max((one["resources"][key] for one in done if one["resources"].get(key) is not None), default=math.nan)

    def average(key: str) -> float:
        known = [one["resources"][key] for one in done if one["resources"].get(key) is not None]
        return math.fsum(known) / len(known) if known else math.nan

    from perfcore.judge.targets import show

    interval = summary.median_ci if summary is not None else None
    return (
        run.lane.name,
        f"{len(done)}/{run.lane.iterations}",
        *(
            (seconds(summary.median), f"{seconds(interval.low)} to {seconds(interval.high)}" if interval else "-")
            if summary is not None
            else ("-", "-")
        ),
        seconds(summary.p95) if summary is not None else "-",
        show("cpu_average", average("cpu_percent")),
        show("memory_max", greatest("memory_max_bytes")),
        run.status + (f": {printable(run.reason)}" if run.reason else ""),
    )


def _print(runs: list[LaneRun]) -> None:
    header = ("lane", "done", "median", "95 % interval", "p95", "CPU", "memory", "status")
    lines = table(header, map(_row, runs))
    say(lines[0])
    for run, line in zip(runs, lines[1:], strict=True):
        say(painted(line, "ok" if run.status == "completed" else "critical"))
    for run in runs:
        say(printable(f"results: {run.results}"))


def _document(runs: list[LaneRun], code: int) -> dict[str, Any]:
    return {
        "schema": 1,
        "command": "run",
        "lanes": [
            {
                "name": run.lane.name,
                "status": run.status,
                "reason": run.reason,
                "results": str(run.results),
                "times": run.times,
                "median": None if run.summary is None else run.summary.median,
                "iterations": [
                    {key: one.get(key) for key in ("index", "status", "reason", "seconds", "exit", "left_behind")}
                    for one in run.iterations
                ],
            }
            for run in runs
        ],
        "exit_code": code,
    }


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.cli.progress import progress
    from perfcore.suite.benchmark_suite import BenchmarkSuite

    config = configured(args)
    folder: Path = args.folder or config.lanes_folder
    runs: list[LaneRun] = []
    with progress() as shown:
        suite = BenchmarkSuite(config.lanes, folder=folder, listener=shown)
        names = list(suite.lanes) if args.all else list(dict.fromkeys(args.lane))
        for name in names:
            suite.lane(name)  # all of them are known before the first one runs
        if not names:
            raise ConfigError(f"{config.path or 'pyproject.toml'}: there are no lanes in [tool.perfcore.lanes]")
        try:
            for name in names:
                runs.append(
                    suite.run(
                        name, iterations=args.iterations, timeout=args.timeout, warmup=args.warmup, resume=args.resume
                    )
                )
        except KeyboardInterrupt:
            shown.show(printable(f"interrupted; what had ended is below {folder}: go on with --resume"))
            raise
    code = 0 if all(one.status == "completed" for one in runs) else 1
    if args.json:
        write_json(_document(runs, code))
    else:
        _print(runs)
    return code
