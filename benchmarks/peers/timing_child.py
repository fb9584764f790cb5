# SPDX-License-Identifier: MIT
"""One fresh process of the rows ``call-overhead``, ``sample-bias`` and ``calibrated-bias``: prints its figures as JSON.

``python -m benchmarks.peers.timing_child overhead|bias|calibrated REPEATS [PEER ...]``. Memory layout and hash seed,
which move a call by a nanosecond or two, are those of the process; so the process is the unit of repetition, and what
is measured inside one only makes its figure precise.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence

from benchmarks.peers import contenders
from benchmarks.peers.harness import OURS
from benchmarks.peers.truth import C_WORK, LONGER, ROOT, SUBJECTS, WORK, Subject, Truth

STOCK = "pytest-benchmark"
CORRECTED = "perfcore, corrected"
# timeit and pyperf choose loops of 0.1 to 0.2 s, where the clock costs nothing per call; this is enough for the same.
PEER_LOOPS = 1000
TURNS = 20
SINGLE_ROUNDS = 200
ROUNDS = 20

Sampler = Callable[[], float]  # seconds per call of one round


class Gauge:
    """Measures G and every contender for one subject, repeat by repeat."""

    def __init__(self, subject: Subject) -> None:
        self.truth = Truth(subject)
        self.samplers: dict[str, Sampler] = {}
        self.turns = TURNS
        self.iterations = 1
        self.true: list[float] = []
        self.figures: dict[str, list[float]] = {}

    def repeat(self) -> None:
        """Take one repeat, some milliseconds: G and every contender in turn, several times over."""
        pairs: list[tuple[float, float]] = []
        inner: dict[str, list[float]] = {name: [] for name in self.samplers}
        for turn in range(self.turns):
            pairs.append(self.truth.pair())
            for name in self.samplers if turn % 2 == 0 else reversed(self.samplers):
                inner[name].append(self.samplers[name]())
        self.true.append(self.truth.slope([short for short, _ in pairs], [long for _, long in pairs]))
        for name, values in inner.items():
            self.figures.setdefault(name, []).append(statistics.median(values))

    def report(self) -> dict[str, object]:
        """Return G and the figures of every repeat, in seconds per call."""
        return {"iterations": self.iterations, "true": self.true, "figures": self.figures}


def round_of(run: contenders.RoundTimer, count: int) -> Sampler:
    """Return a sampler of rounds of ``count`` calls."""
    return lambda: run(count) / count


def overhead(subject: Subject, peers: Sequence[str]) -> Gauge:
    """Return the gauge for rounds of many iterations, each contender with the count that it chooses itself."""
    gauge = Gauge(subject)
    ours, gauge.iterations = contenders.ours_round(subject)
    corrected, _ = contenders.ours_round(subject, correct=True)
    gauge.samplers[OURS] = round_of(ours, gauge.iterations)
    gauge.samplers[CORRECTED] = round_of(corrected, gauge.iterations)
    if STOCK in peers:
        gauge.samplers[STOCK] = round_of(*contenders.stock_round(subject))
    if "timeit" in peers:
        gauge.samplers["timeit"] = round_of(contenders.timeit_round(subject), PEER_LOOPS)
    if "pyperf" in peers:
        gauge.samplers["pyperf"] = round_of(contenders.pyperf_round(subject), PEER_LOOPS)
    return gauge


def bias(subject: Subject, peers: Sequence[str]) -> Gauge:
    """Return the gauge for rounds of one iteration; a sample of it is the median of many rounds in a row."""
    gauge = Gauge(subject)
    gauge.turns = 6
    for name, correct in ((OURS, False), (CORRECTED, True)):
        gauge.samplers[name] = contenders.ours_single(subject, SINGLE_ROUNDS, correct=correct)
    if STOCK in peers:
        run, _ = contenders.stock_round(subject)
        gauge.samplers[STOCK] = lambda: statistics.median(run(1) for _ in range(SINGLE_ROUNDS))
    return gauge


def calibrated(subject: Subject, peers: Sequence[str]) -> Gauge:
    """Return the gauge for rounds as a benchmark has them: of as many calls as its calibration chooses, in a row."""
    gauge = Gauge(subject)
    gauge.turns = 6
    run, iterations = contenders.ours_round(subject)
    gauge.iterations = iterations
    gauge.samplers[OURS] = lambda: statistics.median(run(iterations) for _ in range(ROUNDS)) / iterations
    if STOCK in peers:
        stock, count = contenders.stock_round(subject)
        gauge.samplers[STOCK] = lambda: statistics.median(stock(count) for _ in range(ROUNDS)) / count
    return gauge


OVERHEAD_SUBJECTS = SUBJECTS
BIAS_SUBJECTS = (ROOT, SUBJECTS[4], C_WORK, SUBJECTS[0], WORK)
CALIBRATED_SUBJECTS = LONGER


def main(mode: str, repeats: int, peers: Sequence[str]) -> int:
    """Measure and print."""
    make, subjects = {
        "overhead": (overhead, OVERHEAD_SUBJECTS),
        "bias": (bias, BIAS_SUBJECTS),
        "calibrated": (calibrated, CALIBRATED_SUBJECTS),
    }[mode]
    gauges = {subject.name: make(subject, peers) for subject in subjects}
    # Subjects in the inner loop: a slow phase of the processor costs each of them a few repeats, not one of them all.
    for _ in range(repeats):
        for gauge in gauges.values():
            gauge.repeat()
    print(json.dumps({name: gauge.report() for name, gauge in gauges.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
