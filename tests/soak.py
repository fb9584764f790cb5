# SPDX-License-Identifier: MIT
"""A soak: sampling, tracking and reading for minutes, in one process, must not make it grow.

    python tests/soak.py [--seconds 120]

All at once: a sampler of this process at 1 ms, one of its tree at 2 ms whose members come and go, samplers that are
started and stopped, memory trackers and allocation trackers that are opened and closed, and every series read. The
resident memory, the descriptors and the threads of the last quarter are compared with those of the second quarter (the
first one warms up). Exit code 0: steady; 1: it grew, with by how much. Runs alone, as ``tests/run.sh --soak``; it is
not part of the everyday tests. Threads: this one, and the samplers' in C.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

import perfcore
from perfcore._core import Process

# What the allocator's own holes move the memory by from minute to minute; a leak of 8 bytes a sample is twice this in
# two minutes.
MOST_GROWTH_BYTES = 512 * 1024


@dataclass(frozen=True)
class State:
    """What the process holds at the end of a round."""

    seconds: float
    rss_bytes: int
    fds: int
    threads: int
    samples: int


def take_state(process: Process, began: float, samples: int) -> State:
    """Read it, with the garbage gone."""
    gc.collect()
    read = process.read(quick=True)
    if read.rss_bytes is None or read.threads is None:
        raise SystemExit("the kernel does not tell this process's memory and threads (/proc)")
    return State(time.monotonic() - began, read.rss_bytes, read.fds or 0, read.threads, samples)


def work_a_round(collectors: list[perfcore.MetricsCollector]) -> None:
    """Do once what a user does many times."""
    with subprocess.Popen([sys.executable, "-S", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE):
        with perfcore.MetricsCollector(interval=0.001, slots=64) as short:
            with perfcore.MemoryTracker() as tracker, tracker.phase("inner"):
                bytearray(1 << 20)
            with perfcore.track_allocations(sites=True):
                _ = [object() for _ in range(2000)]
            time.sleep(0.02)
        short.aggregate()
    for collector in collectors:
        collector.aggregate()
        for metric in collector.metrics:
            collector.series(metric)


def soak(seconds: float, plant: int) -> list[State]:
    """Run, and return the states: 100 at most, whatever the time, so that keeping them is no growth."""
    process, states, planted = Process(), [], []
    began = time.monotonic()
    due = 0.0
    with (
        perfcore.MetricsCollector(interval=0.001) as alone,
        perfcore.MetricsCollector(interval=0.002, tree=True) as tree,
    ):
        while time.monotonic() - began < seconds:
            work_a_round([alone, tree])
            if plant:
                planted.append(b"x" * plant)
            if time.monotonic() - began >= due:
                states.append(take_state(process, began, alone.info.samples + tree.info.samples))
                due += seconds / 100
    return states


def main() -> int:
    """Run the soak and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long (default: 120)")
    parser.add_argument("--plant", type=int, default=0, metavar="BYTES", help="leak so much a round, to see it fail")
    options = parser.parse_args()
    states = soak(options.seconds, options.plant)
    if len(states) < 8:
        print(f"soak: {len(states)} readings in {options.seconds:g} s are too few; give it more --seconds")
        return 1
    quarter = len(states) // 4
    early, late = states[quarter : 2 * quarter], states[-quarter:]
    samples = late[-1].samples - early[-1].samples
    grown = {
        name: statistics.median(getattr(state, name) for state in late)
        - statistics.median(getattr(state, name) for state in early)
        for name in ("rss_bytes", "fds", "threads")
    }
    print(
        f"soak: {states[-1].seconds:.0f} s, {states[-1].samples:,} samples; resident "
        f"{late[-1].rss_bytes / 1e6:.1f} MB; from the second to the last quarter: {grown['rss_bytes'] / 1024:+.0f} KiB "
        f"({grown['rss_bytes'] / max(1, samples):+.2f} bytes a sample), {grown['fds']:+g} descriptors, "
        f"{grown['threads']:+g} threads"
    )
    if grown["rss_bytes"] > MOST_GROWTH_BYTES or grown["fds"] > 0 or grown["threads"] > 0:
        print(f"soak: it grew; at most {MOST_GROWTH_BYTES // 1024} KiB and no descriptor or thread are allowed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
