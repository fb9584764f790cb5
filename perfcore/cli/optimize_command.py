# SPDX-License-Identifier: MIT
"""``perfcore optimize``: what the figures of a lane suggest to improve."""

from __future__ import annotations

import argparse
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

from perfcore.cli import Parser
from perfcore.cli.lane_files import add_config, called, configured, load_lanes
from perfcore.cli.options import add_reading, write_json
from perfcore.errors import ResultsError
from perfcore.report.text import painted, printable, say

if TYPE_CHECKING:
    from perfcore.judge.recommend import Recommendation

_EXAMPLES = """\
examples:
  perfcore optimize --lane standard
  perfcore optimize results.json
  perfcore optimize results.json --lane standard --json

Each recommendation says what it rests on. Estimates are bounds: what cannot be exceeded, not what will be reached.

exit codes: 0 done, whether there are recommendations or none; 2 there are no figures to look at
"""


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore optimize",
        description="Say what the figures of a lane suggest to improve, the most important first.",
        epilog=_EXAMPLES,
    )
    made.add_argument(
        "results", metavar="RESULTS", nargs="?", help="a results file (default: the newest run of the lane)"
    )
    made.add_argument("--lane", metavar="NAME", help="only this lane or benchmark (default: all in RESULTS)")
    add_reading(made)
    add_config(made)
    return made


def _print(name: str, found: tuple[Recommendation, ...]) -> None:
    say(f"{printable(name)}:" + ("" if found else " nothing stands out in its figures"))
    for number, advice in enumerate(found, 1):
        status = "warning" if advice.priority >= 4 else "ok"
        say(painted(f"  {number}. {advice.title} (priority {advice.priority} of 5, effort {advice.effort})", status))
        wrapped = [f"found: {advice.finding}", *(f"- {step}" for step in advice.steps), f"may bring: {advice.estimate}"]
        for line in wrapped:
            indent = "       " if line.startswith("- ") else "     "
            for part in textwrap.wrap(printable(line), 110, initial_indent="     ", subsequent_indent=indent):
                say(part)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.judge.recommend import OptimizationRecommender
    from perfcore.record.lanes import failed_lanes

    config = configured(args)
    results = load_lanes(args, config, [] if args.lane is None else [args.lane])
    benchmarks = [one for file in results for one in file.benchmarks if args.lane is None or called(one, args.lane)]
    if not benchmarks:
        failed = [one.name for one in failed_lanes(results) if args.lane in (None, one.name)]
        what = (
            f"lane {failed[0]!r} has no iteration that was completed" if failed else "there is no such benchmark in it"
        )
        raise ResultsError(f"{results[0].path}: {what}; there are no figures to look at")
    recommender = OptimizationRecommender()
    found = {one.fullname: recommender.recommend(one) for one in benchmarks}
    if args.json:
        write_json(
            {
                "schema": 1,
                "command": "optimize",
                "results": [str(file.path) for file in results],
                "recommendations": {name: [asdict(one) for one in advice] for name, advice in found.items()},
                "exit_code": 0,
            }
        )
    else:
        for name, advice in found.items():
            _print(name, advice)
    return 0
