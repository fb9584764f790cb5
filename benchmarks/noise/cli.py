# SPDX-License-Identifier: MIT
"""Command line of the battery."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.noise.battery import KINDS, LOADS, Condition, Log, LogError, Record, Settings, run
from benchmarks.noise.counts import Judging, lines, tally
from benchmarks.noise.decisions import decide
from perfcore.cli.options import fraction
from perfcore.errors import SuiteError
from perfcore.judge.pairs import PairRule

RESULTS = Path(__file__).resolve().parent.parent / "results"
SLOWDOWNS = (0.0, 0.03, 0.05)
RUNS = 60
QUICK_RUNS = 1
PAIRS = 24
QUICK_PAIRS = 6


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _slowdown(text: str) -> float:
    return 0.0 if text in {"0", "0%"} else fraction(text)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.noise",
        description="Compare a suite with itself (A/A) and with itself slowed down, many times, by perfcore ab; count "
        "the verdicts. What is done is in the log: run it again, and it goes on.",
    )
    options.add_argument("--runs", metavar="N", type=_count, help=f"comparisons under each condition ({RUNS})")
    options.add_argument(
        "--slowdown", metavar="P", type=_slowdown, action="append", help="0 is A/A; again for more (0, 3%%, 5%%)"
    )
    options.add_argument(
        "--load", choices=LOADS, action="append", help="given: as other programs keep it; again for more (quiet)"
    )
    options.add_argument("--kind", choices=KINDS, action="append", help="of workloads; again for more (all)")
    options.add_argument("--pairs", metavar="N", type=_count, help=f"of processes in a comparison ({PAIRS})")
    options.add_argument("--quick", action="store_true", help="one run of a tenth of the suite, few pairs: no evidence")
    options.add_argument("--log", metavar="FILE", type=Path, help="default: benchmarks/results/noise.jsonl")
    options.add_argument("--mode", choices=("detect", "exceeds"), default="detect", help="to judge by (detect)")
    options.add_argument("--threshold", metavar="P", type=fraction, default=0.03, help="to judge by (3%%)")
    options.add_argument(
        "--replay",
        metavar="N",
        type=_count,
        default=0,
        help="judge each A/A comparison N times more, the sides of its pairs swapped by chance",
    )
    options.add_argument("--json", metavar="FILE", type=Path, help="write the counts there too")
    options.add_argument("--show", action="store_true", help="measure nothing, show what the log holds")
    return options


def _progress(condition: Condition, record: Record, judging: Judging, made: int) -> None:
    found = [track.status for track in decide(record, judging.rule_for(condition.slowdown))]
    words = ", ".join(f"{found.count(status)} {status}" for status in dict.fromkeys(sorted(found)))
    print(f"{made}: {condition.slowdown:+.1%} {condition.load}: {words}; {record['seconds']:.0f} s", file=sys.stderr)


def _show(log: Log, judging: Judging, path: Path | None) -> None:
    if not log.records:
        print("the log is empty")
        return
    found = tally(log.records, judging)
    print("\n".join(lines(found)))
    if path is not None:
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the battery; 0 when it is through (whatever it found), 2 when it cannot run, 130 when interrupted."""
    options = parser().parse_args(arguments)
    settings = Settings(
        pairs=options.pairs or (QUICK_PAIRS if options.quick else PAIRS),
        kinds=tuple(kind for kind in KINDS if kind in (options.kind or KINDS)),
        small=options.quick,
    )
    slowdowns = tuple(options.slowdown or SLOWDOWNS)
    judging = Judging(PairRule(options.threshold, options.mode, max_pairs=settings.pairs), options.replay, slowdowns)
    conditions = [Condition(slowdown, load) for load in options.load or ["quiet"] for slowdown in slowdowns]
    default = RESULTS / ("noise-quick.jsonl" if options.quick else "noise.jsonl")
    code = 0
    try:
        log = Log(options.log or default, settings)
        if not options.show:
            runs = options.runs or (QUICK_RUNS if options.quick else RUNS)
            for condition, record in run(log, conditions, runs, settings):
                _progress(condition, record, judging, len(log.records))
    except (LogError, SuiteError, OSError) as error:
        print(f"noise: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"noise: interrupted; {len(log.records)} comparisons are in the log", file=sys.stderr)
        code = 130
    _show(log, judging, options.json)
    return code
