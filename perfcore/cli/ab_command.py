# SPDX-License-Identifier: MIT
"""``perfcore ab``: measure two revisions in turns and judge head against base."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore.cli import Parser, UsageError, complain
from perfcore.cli.options import fraction, write_json
from perfcore.report.text import change, painted, printable, say, seconds, table
from perfcore.units import duration

if TYPE_CHECKING:
    from perfcore.judge.pairs import Track
    from perfcore.suite.ab import Report
    from perfcore.suite.process import Side

_EXAMPLES = """\
examples:
  perfcore ab main                             # the working tree against main
  perfcore ab v1.2 v1.3 -- benchmarks -k parse
  perfcore ab main --threshold 3% --mode exceeds
  perfcore ab --base-python old/bin/python --head-python new/bin/python -- benchmarks

Without an install command ([tool.perfcore.ab] install = "pip install ." in pyproject.toml) both sides run under this
interpreter, each with the top of its own tree, the folder of this pyproject.toml in it, and their src on the path.
The command is run in that folder.

exit codes:
  0  no regression (undecided benchmarks are named, and pass)
  1  a regression
  2  could not judge: a revision or a build is wrong, nothing in common, or a benchmark or a test
     module fails on head but not on base
"""


class _AbParser(Parser):
    """Takes what follows ``--`` as pytest's arguments."""

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        words = list(sys.argv[1:] if args is None else args)
        cut = words.index("--") if "--" in words else len(words)
        parsed: argparse.Namespace = super().parse_args(words[:cut], namespace)
        parsed.pytest_arguments = words[cut + 1 :]
        return parsed


def _pairs(text: str) -> int:
    from perfcore.judge.pairs import LEAST_PAIRS, MOST_PAIRS

    if not text.isascii() or not text.isdigit() or not LEAST_PAIRS <= int(text) <= MOST_PAIRS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of pairs; give {LEAST_PAIRS} to {MOST_PAIRS}")
    return int(text)


def parser() -> Parser:
    """Return the parser of this command."""
    made = _AbParser(
        prog="perfcore ab",
        usage="perfcore ab [OPTIONS] BASE [HEAD] [-- PYTEST-ARGUMENT ...]",
        description="Measure two revisions in turns, in pairs of fresh pytest processes, and judge head against base.",
        epilog=_EXAMPLES,
    )
    made.add_argument("base", nargs="?", metavar="BASE", help="a git revision, or a folder")
    made.add_argument("head", nargs="?", metavar="HEAD", help="the same (default: the working tree)")
    made.add_argument("--base-python", metavar="PYTHON", help="an interpreter in whose environment base is installed")
    made.add_argument("--head-python", metavar="PYTHON", help="the same for head")
    made.add_argument("--threshold", type=fraction, default=0.05, metavar="P", help="slow-down that matters (5%%)")
    made.add_argument(
        "--mode",
        choices=("detect", "exceeds"),
        default="detect",
        help="detect (default): a regression is proven slower, and by about half the threshold or more; "
        "exceeds: it is proven to be slower by more than the threshold",
    )
    made.add_argument("-k", "--filter", metavar="EXPRESSION", help="only these benchmarks, as pytest -k")
    made.add_argument(
        "--max-time",
        type=duration,
        default=10.0,
        metavar="SECONDS",
        help="for one benchmark on both sides together (10); four pairs are measured however long they take",
    )
    made.add_argument("--max-pairs", type=_pairs, default=48, metavar="N", help="pairs of processes at most (48)")
    made.add_argument(
        "--timeout",
        type=duration,
        default=120.0,
        metavar="SECONDS",
        help="a test that does not answer for so long hangs (120)",
    )
    made.add_argument("--no-pin", action="store_true", help="do not keep both sides on one processor")
    made.add_argument("--json", action="store_true", help="write JSON instead of a table")
    return made


def exit_code(report: Report) -> int:
    """Return the exit code that goes with the suite's verdict; 130 where Ctrl-C ended it."""
    if report.interrupted:
        return 130
    return {"regression": 1, "failed": 2}.get(report.verdict, 0)


def _track_json(track: Track) -> dict[str, Any]:
    return {
        "fullname": track.name,
        "status": track.status,
        "ratio": track.ratio,
        "low": track.low if math.isfinite(track.high) else None,
        "high": track.high,
        "p_value": track.p_value,
        "pairs": track.pairs,
        "base_s": track.base,
        "head_s": track.head,
        "effects": track.effects,
        "seconds": track.spent,
        "failed": track.failed,
        "reason": track.reason,
    }


def report_json(report: Report) -> dict[str, Any]:
    """Return the outcome as a JSON document; figures that are not known are null."""
    from perfcore.judge.pairs import EVIDENCE

    code = exit_code(report)
    return {
        "schema": 1,
        "command": "ab",
        "base": report.base,
        "head": report.head,
        "threshold": report.rule.threshold,
        "mode": report.rule.mode,
        "verdict": report.verdict,
        "evidence": EVIDENCE,
        "benchmarks": [_track_json(track) for track in report.tracks],
        "new": report.new,
        "gone": report.gone,
        "broken": report.broken,
        "notes": report.notes,
        "common_shift": None
        if report.shift is None
        else dict(zip(("ratio", "low", "high"), report.shift, strict=True)),
        "pairs": report.pairs,
        "seconds": report.seconds,
        "interrupted": report.interrupted,
        "passed": code == 0,
        "exit_code": code,
    }


def _row(track: Track) -> tuple[str, ...]:
    known = math.isfinite(track.high)
    return (
        printable(track.name),
        seconds(track.base),
        seconds(track.head),
        change(track.ratio),
        f"{change(track.low)} to {change(track.high)}" if known else "-",
        str(track.pairs),
        track.status + (f": {printable(track.reason)}" if track.reason else ""),
    )


def print_report(report: Report) -> None:
    """Print the outcome: the table, the worst first, and what stands beside it."""
    from perfcore.judge.pairs import EVIDENCE, STATUSES

    say(f"base: {printable(report.base)}")
    say(f"head: {printable(report.head)}")
    say("")
    tracks = sorted(report.tracks, key=lambda track: STATUSES.index(track.status))
    header = ("benchmark", "base", "head", "change", "interval", "pairs", "verdict")
    lines = table(header, map(_row, tracks))
    say(lines[0])
    for track, line in zip(tracks, lines[1:], strict=True):
        say(painted(line, track.status))
    say("")
    for title, names in (("new, only in head", report.new), ("gone, only in base", report.gone)):
        if names:
            say(f"{title} ({len(names)}):")
            for name in names:
                say(f"  {printable(name)}")
    if report.shift is not None:
        ratio, low, high = report.shift
        say(
            f"common shift: the suite as a whole moved by {change(ratio)} ({change(low)} to {change(high)}); "
            "look for a cause that all benchmarks share"
        )
    for note in report.notes:
        say(f"note: {printable(note)}")
    say(f"evidence: {EVIDENCE}")
    counts = [(status, sum(track.status == status for track in tracks)) for status in STATUSES]
    words = ", ".join(f"{count} {status}" for status, count in counts if count)
    ending = {
        0: "passed",
        1: "FAILED",
        2: f"could not judge: head cannot collect {printable(', '.join(report.broken))}"
        if report.broken
        else "could not judge: benchmarks fail",
        130: "interrupted",
    }[exit_code(report)]
    say(f"{len(tracks)} benchmarks in {report.pairs} pairs and {report.seconds:.1f} s: {words}: {ending}")


def _reason(report: Report) -> str:
    """Say in one line why the suite cannot be judged: the first cause, and how many there are besides."""
    broken = tuple(f"head: cannot collect {place}: " for place in report.broken)
    causes = (
        [f"{track.name}: {track.reason}" for track in report.tracks if track.failed == ("head",)]
        or [note for note in report.notes if note.startswith(broken)]
        or [f"no benchmark could be measured: {track.name}: {track.reason}" for track in report.tracks]
    )
    return causes[0] + (f" (and {len(causes) - 1} more)" if len(causes) > 1 else "")


def _tell_progress(line: str) -> None:
    if sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)


def _run_sides(args: argparse.Namespace, sides: Sequence[Side]) -> Report:
    from perfcore.judge.pairs import PairRule
    from perfcore.suite.ab import Plan, compare_sides

    arguments = [*args.pytest_arguments, *(["-k", args.filter] if args.filter else [])]
    rule = PairRule(threshold=args.threshold, mode=args.mode, max_time=args.max_time, max_pairs=args.max_pairs)
    plan = Plan(rule=rule, arguments=tuple(arguments), timeout=args.timeout, pin=not args.no_pin)
    return compare_sides(sides, plan, _tell_progress)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.config import load_config
    from perfcore.suite.interrupts import orderly_end
    from perfcore.suite.sides import Workspace

    if args.base is None and not (args.base_python or args.head_python):
        raise UsageError("name a base: a revision, a folder, or --base-python; see: perfcore ab --help")
    start = Path.cwd()
    with orderly_end(), Workspace(start, load_config(start).ab_install) as workspace:
        sides = workspace.sides(args.base, args.head, args.base_python, args.head_python)
        report = _run_sides(args, sides)
    if args.json:
        write_json(report_json(report))
    else:
        print_report(report)
    code = exit_code(report)
    if code == 2:
        complain(f"error: could not judge: {_reason(report)}")
    return code
