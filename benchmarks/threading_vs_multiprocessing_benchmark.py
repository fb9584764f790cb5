# SPDX-License-Identifier: MIT
"""Threads against processes for agents that explore, coordinate and learn; the conclusion is computed from the figures.

    python benchmarks/threading_vs_multiprocessing_benchmark.py --quick         # under two minutes
    python benchmarks/threading_vs_multiprocessing_benchmark.py --production    # up to 50 agents, long runs

The functions are those of perfcore.suite.placements, and can be imported from there.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

from perfcore.errors import PerfcoreError
from perfcore.record.atomic import write_atomic
from perfcore.suite.placement import PLACES
from perfcore.suite.placements import compare_places, conclusions, table
from perfcore.units import duration

QUICK_SECONDS = 110.0  # a quiet machine needs a third of it
SIZES = {"quick": ([1, 4, 12], 30), "normal": ([1, 5, 10, 20, 30], 100), "production": ([1, 5, 10, 20, 30, 50], 500)}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table and the conclusion; 2 when it could not be measured."""
    parser = argparse.ArgumentParser(description="Threads against processes, by measurement.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", dest="size", const="quick", help="1 to 12 agents, 30 steps")
    size.add_argument("--production", action="store_const", dest="size", const="production", help="1 to 50, 500 steps")
    parser.add_argument("--counts", type=int, nargs="+", metavar="N", help="numbers of agents")
    parser.add_argument("--steps", type=int, metavar="N", help="steps of each agent in each round")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each workload, at most (default: 3)")
    parser.add_argument(
        "--max-time",
        type=duration,
        metavar="SECONDS",
        help="measure fewer rounds, and the largest number of agents first and not all of the others, where it would "
        f"take longer (--quick: {QUICK_SECONDS:.0f})",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="threads or processes at most (default: processors)")
    parser.add_argument("--places", nargs="+", choices=PLACES, default=PLACES)
    parser.add_argument("--agents", metavar="MODULE:FUNCTION", help="a factory of your own agents")
    parser.add_argument("--output", metavar="FILE", help="all figures as JSON")
    parser.set_defaults(size="normal")
    options = parser.parse_args(arguments)
    if options.output and not (folder := Path(options.output).absolute().parent).is_dir():
        parser.error(f"--output: {folder}: no such folder")  # now, not when all has been measured
    counts, steps = SIZES[options.size]
    began = perf_counter()
    try:
        outcomes = compare_places(
            options.counts or counts,
            steps=options.steps or steps,
            rounds=options.rounds,
            places=options.places,
            workers=options.workers,
            factory=options.agents,
            max_time=options.max_time or (QUICK_SECONDS if options.size == "quick" else None),
            progress=lambda line: print(line, file=sys.stderr, flush=True),
        )
        if options.output:
            write_atomic(options.output, (json.dumps([asdict(one) for one in outcomes], indent=2) + "\n").encode())
    except PerfcoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the workers have ended", file=sys.stderr)
        return 130
    print(*table(outcomes), "", *conclusions(outcomes), sep="\n")
    measured = {outcome.placement.agents for outcome in outcomes}
    if missing := [str(count) for count in options.counts or counts if count not in measured]:
        print(f"\nNot measured, as the time was over: {', '.join(missing)} agents; --max-time gives more of it.")
    print(f"\nOne process tree of each, in {perf_counter() - began:.0f} s; PSS counts pages that processes share once.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
