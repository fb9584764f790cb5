# SPDX-License-Identifier: MIT
"""Command line of the battery."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.noise import checks, counts
from benchmarks.noise.battery import (
    KINDS,
    LOADS,
    Condition,
    Log,
    LogError,
    PairSettings,
    Record,
    Settings,
    compare_once,
    rule_for,
    run,
)
from benchmarks.noise.checks import RunSettings, run_once
from benchmarks.noise.counts import Judging
from benchmarks.noise.decisions import decide
from perfcore.cli.options import fraction
from perfcore.errors import SuiteError
from perfcore.judge.pairs import PairRule
from perfcore.judge.thresholds import Thresholds

RESULTS = Path(__file__).resolve().parent.parent / "results"
SLOWDOWNS = {"ab": (0.0, 0.03, 0.05), "check": (0.0, 0.1)}
RUNS = 60
QUICK_RUNS = 1
PAIRS = 48
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
        description="Compare a suite with itself (A/A) and with itself slowed down, many times, by perfcore ab, or run "
        "it many times and judge each run as perfcore check does; count the verdicts. What is done is in the log: run "
        "it again, and it goes on.",
    )
    options.add_argument(
        "judge", nargs="?", choices=tuple(SLOWDOWNS), default="ab", help="what is put to the test (ab)"
    )
    options.add_argument("--runs", metavar="N", type=_count, help=f"under each condition ({RUNS})")
    options.add_argument(
        "--slowdown",
        metavar="P",
        type=_slowdown,
        action="append",
        help="0 is A/A; again for more (ab: 0, 3%%, 5%%; check: 0, 10%%)",
    )
    options.add_argument(
        "--load", choices=LOADS, action="append", help="given: as other programs keep it; again for more (quiet)"
    )
    options.add_argument("--kind", choices=KINDS, action="append", help="of workloads; again for more (all)")
    options.add_argument("--pairs", metavar="N", type=_count, help=f"ab: of processes in a comparison ({PAIRS})")
    options.add_argument(
        "--as-used",
        action="store_true",
        help="ab: end each comparison where perfcore ab would; sooner, but the log answers no other rule",
    )
    options.add_argument("--quick", action="store_true", help="one run of a tenth of the suite, few pairs: no evidence")
    options.add_argument(
        "--log",
        metavar="FILE",
        type=Path,
        help="default: benchmarks/results/noise-ab.jsonl or noise-check.jsonl (--as-used: noise-ab-as-used.jsonl, "
        "--quick: noise-ab-quick.jsonl, ...)",
    )
    options.add_argument("--mode", choices=("detect", "exceeds"), default="detect", help="ab: to judge by (detect)")
    options.add_argument("--threshold", metavar="P", type=fraction, default=0.03, help="ab: to judge by (3%%)")
    options.add_argument(
        "--replay",
        metavar="N",
        type=_count,
        default=0,
        help="ab: judge each A/A comparison N times more, the sides of its pairs swapped by chance",
    )
    options.add_argument("--json", metavar="FILE", type=Path, help="write the counts there too")
    options.add_argument("--show", action="store_true", help="measure nothing, show what the log holds")
    return options


class Engine(NamedTuple):
    """One of the two that are put to the test."""

    settings: Settings
    measure: Callable[[Condition], Record | None]
    found: Callable[[Condition, Record], str]
    """What to say of a record as it comes."""
    tally: Callable[[Sequence[Record]], dict[str, Any]]
    lines: Callable[[dict[str, Any]], list[str]]


def _ab(options: argparse.Namespace, kinds: tuple[str, ...], slowdowns: tuple[float, ...]) -> Engine:
    pairs = options.pairs or (QUICK_PAIRS if options.quick else PAIRS)
    rule = PairRule(options.threshold, options.mode, max_pairs=pairs)
    settings = PairSettings(kinds=kinds, small=options.quick, pairs=pairs, as_used=rule if options.as_used else None)
    judging = Judging(rule, options.replay, slowdowns)

    def found(condition: Condition, record: Record) -> str:
        statuses = [track.status for track in decide(record, rule_for(rule, condition.slowdown))]
        return ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(sorted(statuses)))

    return Engine(
        settings,
        lambda condition: compare_once(condition, settings),
        found,
        lambda records: counts.tally(records, judging),
        counts.lines,
    )


def _check(options: argparse.Namespace, kinds: tuple[str, ...]) -> Engine:
    settings = RunSettings(kinds=kinds, small=options.quick)
    return Engine(
        settings,
        lambda condition: run_once(condition, settings),
        lambda _, record: f"{len(record['results']['benchmarks'])} benchmarks",
        lambda records: checks.tally(records, Thresholds()),
        checks.lines,
    )


def _show(log: Log, engine: Engine, path: Path | None) -> None:
    if not log.records:
        print("the log is empty")
        return
    found = engine.tally(log.records)
    print("\n".join(engine.lines(found)))
    if path is not None:
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the battery; 0 when it is through (whatever it found), 2 when it cannot run, 130 when interrupted."""
    command = parser()
    options = command.parse_args(arguments)
    if options.as_used and (options.replay or options.judge != "ab"):
        command.error("--as-used is for ab, and goes without --replay: not all pairs are there")
    kinds = tuple(kind for kind in KINDS if kind in (options.kind or KINDS))
    slowdowns = tuple(options.slowdown or SLOWDOWNS[options.judge])
    engine = _ab(options, kinds, slowdowns) if options.judge == "ab" else _check(options, kinds)
    conditions = [Condition(slowdown, load) for load in options.load or ["quiet"] for slowdown in slowdowns]
    default = RESULTS / f"noise-{options.judge}{'-as-used' * options.as_used}{'-quick' * options.quick}.jsonl"
    code = 0
    try:
        log = Log(options.log or default, engine.settings)
        if not options.show:
            runs = options.runs or (QUICK_RUNS if options.quick else RUNS)
            for condition, record in run(log, conditions, runs, engine.measure):
                said = f"{condition.slowdown:+.1%} {condition.load}: {engine.found(condition, record)}"
                print(f"{len(log.records)}: {said}; {record['seconds']:.0f} s", file=sys.stderr)
    except (LogError, SuiteError, OSError) as error:
        print(f"noise: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"noise: interrupted; {len(log.records)} are in the log", file=sys.stderr)
        code = 130
    _show(log, engine, options.json)
    return code
