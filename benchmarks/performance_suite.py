# SPDX-License-Identifier: MIT
"""All of it, one after another: the pytest benchmarks, the agents' two benchmarks, threads against processes.

    python benchmarks/performance_suite.py --quick       # some three minutes
    python benchmarks/performance_suite.py               # everything at its full size
    python benchmarks/performance_suite.py --only parallel,performance

What was measured is in the folder, also when a part fails or the run is interrupted: ``results.json`` (for perfcore
check, report and compare), ``performance.json``, ``parallel.json``, ``placements.json``.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pytest

from perfcore import ParallelBenchmark, PerfcoreError, PerformanceBenchmark
from perfcore.suite.passes import run_passes

HERE = Path(__file__).parent
INTERRUPTED = 130
# What run_passes returns when someone asked for an end: by pytest, which was told itself, and by what listens for it.
ENDED = {pytest.ExitCode.INTERRUPTED, *(128 + number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))}


def run_pytest(folder: Path, quick: bool) -> int:
    """Run the benchmarks of this folder: in passes, of which the fastest counts for each."""
    options = ["--benchmark-only", "--benchmark-disable-gc", "--benchmark-max-time=0.2", f"--rootdir={HERE.parent}"]
    more = ["--perfcore-precision=1%"] if quick else ["--benchmark-quiet"]  # ten tables, and none of the results
    code = run_passes(1 if quick else 10, folder / "results.json", [str(HERE), *options, *more])
    if code in ENDED:
        raise KeyboardInterrupt
    return code


def run_performance(folder: Path, quick: bool) -> int:
    """Run PerformanceBenchmark."""
    with PerformanceBenchmark() as benchmark:
        try:
            benchmark.benchmark_sequential_vs_parallel(
                (1, 5, 10) if quick else (1, 5, 10, 20), steps=5 if quick else 10
            )
            benchmark.benchmark_memory_usage(5 if quick else 10, 100 if quick else 1000)
            benchmark.benchmark_llm_call_patterns(5 if quick else 10, 2 if quick else 5)
            benchmark.benchmark_scalability((1, 5, 20) if quick else (1, 2, 5, 10, 20, 50), steps=3 if quick else 5)
        finally:
            benchmark.export_results(folder / "performance.json")
        benchmark.print_summary()
    return 0


def run_parallel(folder: Path, quick: bool) -> int:
    """Run ParallelBenchmark; 1 when what agents said to each other, or failed at, was not accounted for."""
    with ParallelBenchmark() as benchmark:
        try:
            benchmark.benchmark_thread_pool_sizes(10, (1, 2, 4, 8, None), steps=5 if quick else 20)
            timeouts, straggler = ((0.5, 2.0), 1.0) if quick else ((1.0, 5.0, 10.0, 60.0), 3.0)
            benchmark.benchmark_timeout_behavior(timeouts, straggler=straggler)
            benchmark.benchmark_concurrent_interactions(10, 1000)
            benchmark.benchmark_memory_consolidation_parallel(10, 50 if quick else 200)
            benchmark.benchmark_error_recovery(10, 0.1, 20 if quick else 100)
        finally:
            benchmark.export_results(folder / "parallel.json")
        benchmark.print_summary()
    metrics = [result.parallel_metrics for result in benchmark.results]
    return int(any(one.get("consistent") is False or one.get("accounted") is False for one in metrics))


def run_placements(folder: Path, quick: bool) -> int:
    """Run threads against processes."""
    script = [sys.executable, str(HERE / "threading_vs_multiprocessing_benchmark.py")]
    options = ["--output", str(folder / "placements.json"), *(["--quick"] if quick else [])]
    return subprocess.run([*script, *options], check=False).returncode


PARTS: dict[str, Callable[[Path, bool], int]] = {
    "pytest": run_pytest,
    "performance": run_performance,
    "parallel": run_parallel,
    "placements": run_placements,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts; 0 when all passed, 1 when one failed, 2 for wrong usage, 130 when interrupted."""
    parser = argparse.ArgumentParser(description="Runs everything that this folder measures.")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--only", metavar="PART,...", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "suite", metavar="FOLDER")
    options = parser.parse_args(arguments)
    chosen = options.only.split(",") if options.only else list(PARTS)
    if unknown := [name for name in chosen if name not in PARTS]:
        parser.error(f"--only {unknown[0]}: the parts are {', '.join(PARTS)}")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--output {options.output}: {error.strerror}")
    codes: dict[str, int] = {}
    for name in chosen:
        print(f"\n== {name}", flush=True)
        began = perf_counter()
        try:
            codes[name] = PARTS[name](options.output.resolve(), options.quick)
        except PerfcoreError as error:
            print(f"error: {error}", file=sys.stderr)
            codes[name] = 1
        except KeyboardInterrupt:
            print(f"interrupted; what was measured is in {options.output}", file=sys.stderr)
            return INTERRUPTED
        print(f"-- {name}: {'ok' if codes[name] == 0 else 'FAILED'} ({perf_counter() - began:.0f} s)", flush=True)
    print(f"\nresults: {options.output}")
    return int(any(codes.values()))


if __name__ == "__main__":
    sys.exit(main())
