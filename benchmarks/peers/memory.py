# SPDX-License-Identifier: MIT
"""Rows about the memory of samples, and about whether a results file gives them back exactly."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.processes import run_pytest, run_python
from benchmarks.peers.spread import AtMost

STOCK = "pytest-benchmark"
SMALL, LARGE = 1_000_000, 3_000_000
MEBIBYTE = 1 << 20

ROUND_TRIP = """
def test_many(benchmark):
    benchmark.pedantic(len, args=("",), rounds={rounds})
    data = benchmark.stats.stats.data
    with open({side!r}, "w", encoding="ascii") as file:
        file.writelines(float(value).hex() + "\\n" for value in data)
"""


def growth(who: str, phase: str, rounds: int) -> int:
    """Return by how many bytes a fresh process grew at its peak."""
    return int(run_python(["-m", "benchmarks.peers.memory_child", who, phase, str(rounds)])[1])


def bytes_per_sample(who: str, phase: str) -> float:
    """Return the marginal peak memory of one more sample; the constant part cancels in the difference."""
    return (growth(who, phase, LARGE) - growth(who, phase, SMALL)) / (LARGE - SMALL)


@row("memory", unit="bytes/sample", peers=(STOCK,))
def memory(context: Context) -> Iterator[Case]:
    """Measure the peak memory of a million rounds, per sample."""
    repeats = 2 if context.quick else max(3, context.repeats // 4)
    for phase, label in (("rounds", "the rounds"), ("as_dict", "the rounds and their statistics")):
        makers: dict[str, Callable[[], float]] = {OURS: lambda phase=phase: bytes_per_sample("perfcore", phase)}  # type: ignore[misc]
        if context.has(STOCK):
            makers[STOCK] = lambda phase=phase: bytes_per_sample("stock", phase)  # type: ignore[misc]
        # The kernel counts whole pages: 0.01 bytes a sample are 5 of them over the 2 million samples between.
        target = {OURS: AtMost(8.01)} if phase == "rounds" else {}
        note = f"slope between {SMALL:,} and {LARGE:,} rounds of the peak RSS"
        yield Case(label, context.interleave(makers, repeats), target, note=note)
    constant = [(growth("perfcore", "rounds", SMALL) - 8 * SMALL) / MEBIBYTE for _ in range(repeats)]
    yield Case("constant part, 1e6 rounds", {OURS: constant}, {}, unit="MiB")


@row("exact-file", unit="samples", peers=(), target={OURS: AtMost(0)})
def exact_file(context: Context) -> Iterator[Case]:
    """Count the samples that a results file gives back with other bits than were measured."""
    rounds = 10_000 if context.quick else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        side, test, results = folder / "samples.txt", folder / "test_many.py", folder / "results.json"
        test.write_text(ROUND_TRIP.format(rounds=rounds, side=str(side)), encoding="utf-8")
        _, report = run_pytest(test, [], results)
        measured = [float.fromhex(line) for line in side.read_text(encoding="ascii").split()]
        read = report["benchmarks"][0]["stats"]["data"]
    if len(measured) != rounds or len(read) != rounds:
        raise RuntimeError(f"{rounds} rounds, {len(measured)} samples, {len(read)} in the file")
    different = sum(a.hex() != float(b).hex() for a, b in zip(measured, read, strict=True))
    yield Case(f"{rounds:,} rounds, read by json", {OURS: [float(different)]})
