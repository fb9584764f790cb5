# SPDX-License-Identifier: MIT
"""``perfcore compare``: the medians of several results files side by side."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from perfcore.cli import Parser
from perfcore.cli.options import add_reading, fraction, write_json
from perfcore.report.text import change, painted, printable, say, seconds, table

if TYPE_CHECKING:
    from perfcore.judge.verdict import Check, Verdict
    from perfcore.record.results import Results

_EXAMPLES = """\
examples:
  perfcore compare before.json after.json
  perfcore compare 3.11.json 3.12.json 3.13.json --json
  perfcore compare run1.json run2.json --within 5%

exit codes: 0 compared, whatever came out (a gate is: perfcore check); 2 a file is missing or wrong
"""


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore compare",
        description="Compare files with the first one: medians, and the change of each.",
        epilog=_EXAMPLES,
    )
    made.add_argument("first", metavar="FIRST", type=Path, help="the file that the others are compared with")
    made.add_argument("others", metavar="OTHER", type=Path, nargs="+", help="the others")
    made.add_argument(
        "--allow-backend-mismatch",
        action="store_true",
        help="compare figures of different backends, kernels or timers; without it they stand without a change",
    )
    made.add_argument(
        "--within",
        type=fraction,
        metavar="P",
        help="count the medians that agree: neither is longer than the other by more than this, like 5%%; name the "
        "others",
    )
    add_reading(made)
    return made


class Agreement(NamedTuple):
    """How many medians of two files agree, and those that do not, the furthest apart first."""

    compared: int
    agree: int
    others: list[Verdict]


def agreement(check: Check, within: float) -> Agreement:
    """Count the medians of which neither is longer than the other by more than a fraction."""
    from perfcore.judge.stats import inverse

    compared = [verdict for verdict in check.verdicts if verdict.comparable]
    far = {verdict.fullname: max(verdict.ratio, inverse(verdict.ratio)) for verdict in compared}
    apart = [verdict for verdict in compared if not far[verdict.fullname] <= 1 + within]
    apart.sort(key=lambda verdict: -far[verdict.fullname])
    return Agreement(len(compared), len(compared) - len(apart), apart)


def _agreements(checks: Iterable[Check], within: float | None) -> dict[str, Any]:
    """Return what the JSON tells of that, by file."""
    if within is None:
        return {}
    found = [agreement(check, within) for check in checks]
    others = [
        {"compared": one.compared, "agree": one.agree, "apart": [verdict.fullname for verdict in one.others]}
        for one in found
    ]
    return {"within": {"fraction": within, "others": others}}


def _say_agreement(first: Results, check: Check, within: float) -> None:
    from perfcore.judge.thresholds import percent

    found = agreement(check, within)
    names = printable(str(check.results.path)), printable(str(first.path))
    share = f" ({found.agree / found.compared:.0%})" if found.compared else ""
    say(f"{names[0]}: {found.agree} of {found.compared} medians{share} are within {percent(within)} of {names[1]}'s")
    for verdict in found.others:
        say(f"  {change(verdict.ratio):>9}  {printable(verdict.fullname)}")


def _cell(verdict: Verdict | None, median: float | None) -> str:
    if median is None:
        return "-"
    if verdict is None or not verdict.comparable:
        return seconds(median)
    return f"{seconds(median)} ({change(verdict.ratio)})"


def _notes(first: Results, check: Check) -> list[str]:
    """Say what stands between two files: other environments, another pace, and figures that do not mean the same."""
    from perfcore.report.pace import pace_line

    name = check.results.path
    notes = [f"{name}: another environment than {first.path}: {what}" for what in check.differences]
    reasons: dict[str, int] = {}
    for verdict in check.verdicts:
        if not verdict.comparable:
            reasons[verdict.reason] = reasons.get(verdict.reason, 0) + 1
    if line := pace_line(check, str(first.path)):
        notes.append(f"{name}: {line}")
    return notes + [f"{name}: {count} not compared: {reason}" for reason, count in reasons.items()]


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.judge.verdict import check_results
    from perfcore.record.results import load_results

    first = load_results(args.first, max_bytes=args.max_size)
    files = [load_results(path, max_bytes=args.max_size) for path in args.others]
    checks = [check_results(first, other, allow_backend_mismatch=args.allow_backend_mismatch) for other in files]
    medians = [{one.fullname: one.median for one in results.benchmarks} for results in (first, *files)]
    verdicts = [{verdict.fullname: verdict for verdict in check.verdicts} for check in checks]
    names = list(dict.fromkeys(name for found in medians for name in found))
    evidence = "; ".join(dict.fromkeys(check.evidence for check in checks))
    notes = [note for check in checks for note in _notes(first, check)]
    if args.json:
        entries: list[dict[str, Any]] = []
        for name in names:
            cells = []
            for found, other in zip(verdicts, medians[1:], strict=True):
                verdict = found.get(name)
                cells.append(
                    {
                        "median": other.get(name),
                        "ratio": None if verdict is None else verdict.ratio,
                        "low": None if verdict is None else verdict.low,
                        "high": None if verdict is None else verdict.high,
                        "comparable": verdict is not None and verdict.comparable,
                    }
                )
            entries.append({"fullname": name, "median": medians[0].get(name), "others": cells})
        write_json(
            {
                "schema": 1,
                "command": "compare",
                "files": [str(results.path) for results in (first, *files)],
                "evidence": evidence,
                "notes": notes,
                "benchmarks": entries,
                **_agreements(checks, args.within),
                "exit_code": 0,
            }
        )
        return 0
    header = ("benchmark", *(printable(str(results.path)) for results in (first, *files)), "")
    lines = table(
        header,
        (
            (
                printable(name),
                _cell(None, medians[0].get(name)),
                *(_cell(found.get(name), other.get(name)) for found, other in zip(verdicts, medians[1:], strict=True)),
                "",
            )
            for name in names
        ),
    )
    say(lines[0])
    for name, line in zip(names, lines[1:], strict=True):
        statuses = {found[name].status for found in verdicts if name in found and found[name].comparable}
        say(painted(line, "critical" if "critical" in statuses else "ok"))
    say("")
    for note in notes:
        say(printable(note))
    for check in checks if args.within is not None else ():
        _say_agreement(first, check, args.within)
    say(f"evidence: {evidence}")
    return 0
