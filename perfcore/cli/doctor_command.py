# SPDX-License-Identifier: MIT
"""``perfcore doctor``: what makes figures noisy here, and how small a change can be seen."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from typing import TYPE_CHECKING

from perfcore.cli import Parser
from perfcore.cli.options import write_json
from perfcore.report.text import painted, printable, say, table

if TYPE_CHECKING:
    from perfcore.measure.machine import Finding
    from perfcore.measure.noise import Noise

_EXAMPLES = """\
examples:
  perfcore doctor              # about five seconds
  perfcore doctor --no-noise   # what can be read, at once
  perfcore doctor --json

exit codes: 0 done, whatever was found; 2 the noise could not be measured
"""

_COLOURS = {"good": "ok", "noisy": "warning", "unknown": "undecided"}


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore doctor",
        description="Look for what makes figures noisy on this machine, and measure how noisy they are.",
        epilog=_EXAMPLES,
    )
    made.add_argument("--no-noise", action="store_true", help="do not measure the noise")
    made.add_argument("--json", action="store_true", help="write JSON instead of a table")
    return made


def _show_findings(findings: list[Finding]) -> None:
    rows = [(one.item, one.status, printable(one.found)) for one in findings]
    lines = table(("what", "", "found"), rows)
    say(lines[0])
    for one, line in zip(findings, lines[1:], strict=True):
        say(painted(line, _COLOURS[one.status]))
    noisy = [one for one in findings if one.status == "noisy"]
    if noisy:
        say("")
        say("what could be done, and why:")
        for one in noisy:
            say(f"  {one.item}: {one.advice}")
            say(f"    ({one.why})")


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def _show_noise(found: list[Noise]) -> None:
    from perfcore.measure.noise import CONFIDENCE, PAIRS, PROCESSES

    say("")
    say(f"noise, from the same work in {PROCESSES} fresh processes:")
    in_turns = tuple(f"ab, {pairs} pairs" for pairs in PAIRS)
    header = ("work", "within a process", "between processes", "two runs tell", *in_turns, "")
    rows = [
        (
            one.work,
            _percent(one.within),
            _percent(one.between),
            _percent(one.run),
            *(_percent(one.pairs[pairs]) for pairs in PAIRS),
            "",
        )
        for one in found
    ]
    for line in table(header, rows):
        say(line)
    say(f"estimates; at {CONFIDENCE:.0%}, a change smaller than the last three columns cannot be told from chance here")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.measure.machine import examine
    from perfcore.measure.noise import PROCESSES, measure_noise

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            ending = "\r\x1b[K" if done == PROCESSES else ""
            print(
                f"\rmeasuring the noise: {done} of {PROCESSES} processes{ending}", end="", file=sys.stderr, flush=True
            )

    findings = examine()
    if args.json:
        noise = [] if args.no_noise else measure_noise(progress=progress)
        write_json(
            {
                "schema": 1,
                "command": "doctor",
                "findings": [dataclasses.asdict(one) for one in findings],
                "noise": [dataclasses.asdict(one) for one in noise],
                "exit_code": 0,
            }
        )
        return 0
    _show_findings(findings)
    if not args.no_noise:
        _show_noise(measure_noise(progress=progress))
    return 0
