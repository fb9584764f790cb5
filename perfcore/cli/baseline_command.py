# SPDX-License-Identifier: MIT
"""``perfcore baseline``: save, update, show or validate the baseline."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore.cli import Parser
from perfcore.cli.options import add_baseline, add_judging, add_reading, write_json
from perfcore.report.text import printable, say, seconds, table

if TYPE_CHECKING:
    from perfcore.record.results import Benchmark, Results

_EXAMPLES = """\
examples:
  perfcore baseline save results.json
  perfcore baseline save results.json --baseline old/release-1.json
  perfcore baseline update results.json
  perfcore baseline show
  perfcore baseline validate --json

exit codes: 0 done; 1 update: the check failed, validate: not fit for a baseline; 2 a file is missing or wrong
"""

_HELP = (
    ("save", "make a results file the baseline"),
    ("update", "replace the baseline by newer results that pass the check; the old one is kept as .previous"),
    ("show", "list what is in the baseline"),
    ("validate", "check that the baseline can be compared with"),
)


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore baseline",
        description="The baseline is a results file, kept byte for byte, that later results are judged against.",
        epilog=_EXAMPLES,
    )
    actions = made.add_subparsers(dest="action", metavar="ACTION", required=True)
    save, update, show, validate = (actions.add_parser(name, help=words, description=words) for name, words in _HELP)
    save.add_argument("--force", action="store_true", help="overwrite a baseline that exists")
    update.add_argument("--force", action="store_true", help="replace it although the check fails or cannot be made")
    add_judging(update)
    for action in (save, update):
        action.add_argument("results", metavar="RESULTS", help="what pytest --benchmark-json wrote")
    for action in (save, update, show, validate):
        add_baseline(action)
        add_reading(action)
    return made


def _path(args: argparse.Namespace) -> Path:
    if args.baseline is not None:
        return Path(args.baseline)
    from perfcore.config import load_config

    return load_config().baseline


def _done(args: argparse.Namespace, baseline: Path, results: Results, previous: Path | None = None) -> int:
    if args.json:
        write_json(
            {
                "schema": 1,
                "command": f"baseline {args.action}",
                "results": str(results.path),
                "baseline": str(baseline),
                "previous": None if previous is None else str(previous),
                "benchmarks": len(results.benchmarks),
                "passed": True,
                "exit_code": 0,
            }
        )
    else:
        say(f"baseline {printable(str(baseline))}: {len(results.benchmarks)} benchmarks")
        if previous is not None:
            say(f"the one before is {printable(str(previous))}")
    return 0


def _save(args: argparse.Namespace) -> int:
    from perfcore.record.baseline import write_baseline

    path = _path(args)
    results = write_baseline(args.results, path, replace=args.force, max_bytes=args.max_size)
    return _done(args, path, results)


def _update(args: argparse.Namespace) -> int:
    from perfcore.cli.check_command import judge, print_check, report_json
    from perfcore.record.baseline import previous_path, write_baseline
    from perfcore.record.results import load_results

    path = _path(args)
    if not args.force:
        check = judge(args, load_results(args.results, max_bytes=args.max_size))
        if not check.passed:
            if args.json:
                write_json(report_json(check, command="baseline update", exit_code=1))
            else:
                print_check(check)
                say("the check FAILED, so the baseline stays as it is; replace it all the same with --force")
            return 1
    existed = path.exists()
    results = write_baseline(args.results, path, replace=True, keep_previous=True, max_bytes=args.max_size)
    return _done(args, path, results, previous_path(path) if existed else None)


def _describe(results: Results) -> dict[str, Any]:
    from perfcore.record.environment import describe

    return {
        "baseline": str(results.path),
        "datetime": results.datetime,
        "pytest_benchmark": results.version,
        "backend": results.backend,
        "commit": results.commit_info.get("id"),
        "environment": describe(results),
    }


def _entry(benchmark: Benchmark) -> dict[str, Any]:
    return {
        "fullname": benchmark.fullname,
        "group": benchmark.group,
        "median": benchmark.median,
        "iqr": benchmark.stats.get("iqr"),
        "rounds": benchmark.stats.get("rounds"),
        "iterations": benchmark.iterations,
        "samples": None if benchmark.data is None else len(benchmark.data),
        "kernel": (benchmark.perfcore or {}).get("kernel"),
    }


def _show(args: argparse.Namespace) -> int:
    from perfcore.record.baseline import load_baseline

    results = load_baseline(_path(args), max_bytes=args.max_size)
    described = _describe(results)
    entries = [_entry(benchmark) for benchmark in results.benchmarks]
    if args.json:
        write_json({"schema": 1, "command": "baseline show", **described, "benchmarks": entries, "exit_code": 0})
        return 0
    for key in ("baseline", "datetime", "pytest_benchmark", "backend", "commit"):
        if described[key]:
            say(f"{key.replace('_', '-')}: {printable(str(described[key]))}")
    for key, value in described["environment"].items():
        if value is not None:
            say(f"{key.replace('_', ' ')}: {printable(str(value))}")
    say("")
    header = ("benchmark", "median", "iqr", "rounds", "iterations", "kernel")
    rows = (
        (
            printable(entry["fullname"]),
            seconds(entry["median"]),
            "-" if entry["iqr"] is None else seconds(entry["iqr"]),
            "-" if entry["rounds"] is None else str(entry["rounds"]),
            str(entry["iterations"]),
            printable(str(entry["kernel"] or "-")),
        )
        for entry in entries
    )
    for line in table(header, rows):
        say(line)
    return 0


def _validate(args: argparse.Namespace) -> int:
    from perfcore.judge.verdict import unfit
    from perfcore.record.baseline import load_baseline

    results = load_baseline(_path(args), max_bytes=args.max_size)
    problems = [] if results.benchmarks else ["it has no benchmarks"]
    problems += [f"{one.fullname}: {reason}" for one in results.benchmarks if (reason := unfit(one))]
    code = 1 if problems else 0
    if args.json:
        write_json(
            {
                "schema": 1,
                "command": "baseline validate",
                **_describe(results),
                "benchmarks": len(results.benchmarks),
                "problems": problems,
                "passed": not problems,
                "exit_code": code,
            }
        )
    else:
        for problem in problems:
            say(f"  {printable(problem)}")
        ending = f"{len(problems)} problems" if problems else "fit to compare with"
        say(f"{printable(str(results.path))}: {len(results.benchmarks)} benchmarks, {ending}")
    return code


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "save": _save,
    "update": _update,
    "show": _show,
    "validate": _validate,
}


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    return ACTIONS[args.action](args)
