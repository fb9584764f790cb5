# SPDX-License-Identifier: MIT
"""Command line of the league."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers import harness, render

RESULTS = Path(__file__).resolve().parent.parent / "results"
REPEATS = 21
QUICK_REPEATS = 5


# One module per topic; its rows register themselves when it is imported. Their order is the table's.
TOPICS = (
    "timing",
    "rounds",
    "statistics",
    "memory",
    "imports",
    "calibration",
    "messaging",
    "shared_memory",
    "shared_memory_asyncio",
    "suite",
    "judging",
    "checking",
    "results_files",
    "codecs",
    "lanes",
    "reports",
    "process_metrics",
    "allocations",
)


def load_rows() -> None:
    """Import the topics."""
    for topic in TOPICS:
        importlib.import_module(f"benchmarks.peers.{topic}")


def positive(text: str) -> int:
    """Return a count given on the command line."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    stem = RESULTS / render.default_stem()
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description="Measure perfcore against its peers on the same work, interleaved.",
    )
    options.add_argument(
        "--only", metavar="ROW", action="append", default=[], help="a row's name or pattern; again for more"
    )
    options.add_argument("--list", action="store_true", help="list the rows and end")
    options.add_argument("--repeats", metavar="N", type=positive, help=f"interleaved repeats (default {REPEATS})")
    options.add_argument(
        "--quick", action="store_true", help=f"{QUICK_REPEATS} repeats of smaller work: a smoke test, no evidence"
    )
    options.add_argument(
        "--json", metavar="PATH", type=Path, default=stem.with_suffix(".json"), help="default: %(default)s"
    )
    options.add_argument(
        "--markdown", metavar="PATH", type=Path, default=stem.with_suffix(".md"), help="default: %(default)s"
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the league; 0 when it measured (whatever the verdicts), 2 on wrong usage, 130 when interrupted."""
    options = parser().parse_args(arguments)
    load_rows()
    try:
        rows = harness.registry.select(options.only)
    except LookupError as error:
        print(f"benchmarks.peers: {error.args[0]}", file=sys.stderr)
        return 2
    if options.list:
        for row in rows:
            print(f"{row.name:24} {row.summary}")
        return 0
    about = render.environment(peer for row in rows for peer in row.peers)
    run = harness.Run()
    try:
        harness.measure_rows(
            rows,
            repeats=options.repeats or (QUICK_REPEATS if options.quick else REPEATS),
            quick=options.quick,
            run=run,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
    finally:
        write(options.json, render.as_json(run, about))
        write(options.markdown, render.markdown(run, about))
    print(render.markdown(run, about))
    print(f"written: {options.markdown} and {options.json}", file=sys.stderr)
    return 130 if run.interrupted else 0


def write(path: Path, text: str) -> None:
    """Write a report whole or not at all."""
    from perfcore.record.atomic import write_atomic

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text.encode())
