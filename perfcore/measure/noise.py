# SPDX-License-Identifier: MIT
"""How noisy this machine is: the same work again and again, in fresh processes (A/A).

In each process blocks of three kinds of work take turns: arithmetic in the interpreter, building of strings and dicts,
copying of memory. The figure of a process is the lower quartile of its blocks' times, as in ``perfcore ab``; the noise
is the standard deviation of its logarithm between processes. From it follow, with Student's t for so few processes:

- two runs, one against the other (``check``): a change below t * sqrt(2) * noise cannot be told from chance;
- n pairs in turns (``ab``): below t * sd / sqrt(n), with sd that of neighbouring processes against each other.

Both at 99 %, and both estimates: of eight processes' noise, right within some 30 %.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from perfcore import _core
from perfcore.errors import PerfcoreError

PROCESSES = 8
SECONDS = 0.4  # of each process, for its blocks
CONFIDENCE = 0.99
PAIRS = (4, 48)  # the least that ``perfcore ab`` decides by, and the most that it takes by default
_TIMEOUT = 60.0


class NoiseError(PerfcoreError):
    """The noise could not be measured."""


@dataclass(frozen=True)
class Noise:
    """The noise of one kind of work.

    Attributes:
        work: which.
        within: relative spread of the blocks of one process (median absolute deviation, as a standard deviation).
        between: relative standard deviation between processes.
        run: the smallest change that two runs can tell, as a share.
        pairs: the same for pairs in turns, by their number.

    """

    work: str
    within: float
    between: float
    run: float
    pairs: dict[int, float]


def _arithmetic() -> int:
    total = 0
    for number in range(2000):
        total += number * number & 7
    return total


def _building() -> int:
    return len({f"key {number}": [number] for number in range(300)})


_BLOCK = bytes(1 << 21)


def _copying() -> int:
    return len(bytearray(_BLOCK))


WORKS: dict[str, Callable[[], int]] = {"arithmetic": _arithmetic, "strings and dicts": _building, "memory": _copying}


def _blocks() -> dict[str, list[float]]:
    """Run the works in turns until the time is over; return each one's times of a block, in seconds."""
    clock = time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in WORKS}
    for work in WORKS.values():
        work()
    end = clock() + SECONDS
    while clock() < end:
        for name, work in WORKS.items():
            begun = clock()
            for _ in range(8):
                work()
            times[name].append(clock() - begun)
    return times


def child() -> None:
    """Print the lower quartile and the spread of each work as JSON: what each process does."""
    figures = {}
    for name, times in _blocks().items():
        times.sort()
        middle = times[len(times) // 2]
        spread = statistics.median(abs(one - middle) for one in times) * 1.4826 / middle
        figures[name] = (times[len(times) // 4], spread)
    print(json.dumps(figures))


def _processes(count: int) -> Iterator[dict[str, tuple[float, float]]]:
    code = "from perfcore.measure.noise import child; child()"
    for _ in range(count):
        command = [sys.executable, "-P", "-c", code]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoiseError(f"{sys.executable}: cannot run a process to measure in: {error}") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise NoiseError(f"{sys.executable}: a process to measure in ended with {done.returncode}: {last}")
        yield json.loads(done.stdout)


def noise_of(work: str, figures: list[tuple[float, float]]) -> Noise:
    """Return the noise that the figures of processes show, in their order: (lower quartile in s, spread of blocks)."""
    logs = [math.log(quartile) for quartile, _ in figures]
    steps = [second - first for first, second in zip(logs[::2], logs[1::2], strict=False)]
    between = statistics.stdev(logs)
    apart = math.sqrt(sum(step * step for step in steps) / len(steps))
    quantile = 1 - (1 - CONFIDENCE) / 2
    run = _core.student_quantile(quantile, len(logs) - 1) * math.sqrt(2) * between
    pairs = {n: _core.student_quantile(quantile, n - 1) * apart / math.sqrt(n) for n in PAIRS}
    return Noise(
        work,
        within=statistics.median(spread for _, spread in figures),
        between=between,
        run=math.expm1(run),
        pairs={n: math.expm1(value) for n, value in pairs.items()},
    )


def measure_noise(processes: int = PROCESSES, progress: Callable[[int], None] = lambda done: None) -> list[Noise]:
    """Measure the noise of each kind of work; takes about half a second for each process.

    Args:
        processes: how many, at least 4.
        progress: called with the number of processes that have ended.

    Raises:
        NoiseError: no process can be run.

    """
    if processes < 4:
        raise ValueError(f"{processes} processes are too few to tell a spread; take 4 or more")
    seen = []
    for figures in _processes(processes):
        seen.append(figures)
        progress(len(seen))
    return [noise_of(work, [figures[work] for figures in seen]) for work in WORKS]
