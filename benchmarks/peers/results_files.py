# SPDX-License-Identifier: MIT
"""Rows about results files with millions of samples: reading one, what that takes of memory, and writing one."""

from __future__ import annotations

import functools
import importlib.util
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.peers.checking import results_document
from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.judging import milliseconds
from benchmarks.peers.processes import run_python
from benchmarks.peers.spread import TimesLess

BENCHMARKS, SAMPLES = 100, 25_000
STOCK = "pytest-benchmark"
MEBIBYTE = 1 << 20

Read = Callable[[Path], object]


def document(benchmarks: int, samples: int) -> dict[str, Any]:
    """Return what is in a results file with its data."""
    source = random.Random(8)
    made = results_document(benchmarks, 3, metrics=False)
    for one in made["benchmarks"]:
        median = one["stats"]["median"]
        one["stats"] = {"data": [median * source.lognormvariate(0, 0.02) for _ in range(samples)]} | one["stats"]
    return made


def _by_json(path: Path) -> object:
    with path.open(encoding="utf-8") as file:
        return json.load(file)


def readers() -> dict[str, Read]:
    """Return the ways to read a file that are installed."""
    from perfcore.record.results import load_results

    found: dict[str, Read] = {OURS: load_results, "json": _by_json}
    if importlib.util.find_spec("orjson"):
        import orjson

        found["orjson"] = lambda path: orjson.loads(path.read_bytes())
    return found


def check_read(made: dict[str, Any], path: Path) -> None:
    """Refuse figures of readers that read something else.

    Raises:
        RuntimeError: a sample is not what it was.

    """
    wanted = [one["stats"]["data"] for one in made["benchmarks"]]
    for name, read in readers().items():
        found: Any = read(path)
        if name == OURS:
            data = [one.data.tolist() for one in found.benchmarks]
        else:
            data = [one["stats"]["data"] for one in found["benchmarks"]]
        if data != wanted:
            raise RuntimeError(f"{name} does not give the samples back")


def memory(who: str, path: Path) -> tuple[float, float]:
    """Return the MiB that reading takes at its peak, and those that what was read keeps."""
    peak, kept = run_python(["-m", "benchmarks.peers.results_child", who, str(path)])[1].split()
    return int(peak) / MEBIBYTE, int(kept) / MEBIBYTE


@row("results-file", unit="ms", peers=("json", "orjson", STOCK))
def results_file_row(context: Context) -> Iterator[Case]:
    """Read and write a results file of 2.5 million samples."""
    samples = SAMPLES // 10 if context.quick else SAMPLES
    repeats = min(context.repeats, 7)
    made = document(BENCHMARKS, samples)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "results.json")
        path.write_text(json.dumps(made), encoding="utf-8")
        Path(name, "small.json").write_text(json.dumps(document(2, 100)), encoding="utf-8")
        size = f"{path.stat().st_size / 1e6:.0f} MB, {BENCHMARKS * samples:,} samples"
        check_read(made, path)
        chosen = {name: read for name, read in readers().items() if name == OURS or context.has(name)}
        timers = {name: functools.partial(milliseconds, functools.partial(read, path)) for name, read in chosen.items()}
        yield Case("read", context.interleave(timers, repeats), {"json": TimesLess(6), "orjson": TimesLess(1.5)}, size)
        taken = {name: [memory(name, path) for _ in range(min(repeats, 3))] for name in chosen}
        for index, words in enumerate(("memory while it is read", "memory of what was read")):
            figures = {name: [pair[index] for pair in pairs] for name, pairs in taken.items()}
            yield Case(words, figures, {"json": TimesLess(5)} if index else {}, unit="MiB")
        if context.has(STOCK):
            yield write_case(context, made, Path(name), repeats)


def write_case(context: Context, made: dict[str, Any], folder: Path, repeats: int) -> Case:
    """Write the file as pytest-benchmark does, with its function for the text and with ours."""
    from pytest_benchmark.utils import safe_dumps

    from perfcore.record.write import results_dumps

    def write(dumps: Callable[..., str], path: Path) -> None:
        with path.open("wb") as file:
            file.write(dumps(made, ensure_ascii=True, indent=4).encode())

    ways = {OURS: (results_dumps(safe_dumps), folder / "ours.json"), STOCK: (safe_dumps, folder / "stock.json")}
    timers = {name: functools.partial(milliseconds, functools.partial(write, *way)) for name, way in ways.items()}
    figures = context.interleave(timers, repeats)
    if ways[OURS][1].read_bytes() != ways[STOCK][1].read_bytes():
        raise RuntimeError("the two files are not the same")
    note = f"{ways[STOCK][1].stat().st_size / 1e6:.0f} MB, the same to the byte"
    return Case("write", figures, {STOCK: TimesLess(10)}, note)
