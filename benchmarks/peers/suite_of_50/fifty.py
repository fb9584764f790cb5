# SPDX-License-Identifier: MIT
"""Fifty benchmarks of real work, ten kinds in five sizes each, from some 200 ns to some 5 ms.

Measured by the league's row ``suite-of-50``; its name keeps it out of what pytest collects by itself.
"""

from __future__ import annotations

import bisect
import collections
import hashlib
import heapq
import itertools
import json
import random
import re
import string
from collections.abc import Callable
from typing import Any

import pytest

RANDOM = random.Random(50)
LETTERS = "".join(RANDOM.choices(string.ascii_lowercase + "     ", k=3_000_000))


def sort_numbers(size: int) -> Callable[[], object]:
    """Sort random integers."""
    numbers = [RANDOM.randrange(10**6) for _ in range(size)]
    return lambda: sorted(numbers)


def words_counted(size: int) -> Callable[[], object]:
    """Split a text and count its words."""
    text = LETTERS[:size]
    return lambda: collections.Counter(text.split())


def text_replaced(size: int) -> Callable[[], object]:
    """Normalise a text: three replacements and upper case."""
    text = LETTERS[:size]
    return lambda: text.replace("ab", "b").replace("  ", " ").replace("e", "E").upper()


def json_written(size: int) -> Callable[[], object]:
    """Write records as JSON."""
    records = [{"id": index, "name": LETTERS[index : index + 12], "score": index * 0.37} for index in range(size)]
    return lambda: json.dumps(records)


def json_read(size: int) -> Callable[[], object]:
    """Read records from JSON."""
    text = json.dumps(
        [{"id": index, "name": LETTERS[index : index + 12], "on": index % 2 == 0} for index in range(size)]
    )
    return lambda: json.loads(text)


def pattern_found(size: int) -> Callable[[], object]:
    """Find all matches of a pattern."""
    pattern, text = re.compile(r"\b[a-m]\w{2,5}\b"), LETTERS[:size]
    return lambda: pattern.findall(text)


def data_hashed(size: int) -> Callable[[], object]:
    """Hash a buffer."""
    data = LETTERS.encode()[:size]
    return lambda: hashlib.sha256(data).digest()


def dict_built(size: int) -> Callable[[], object]:
    """Build an index from keys to positions, in bytecode."""
    keys = [LETTERS[index : index + 6] for index in range(size)]
    return lambda: {key: position for position, key in enumerate(keys)}


def heap_merged(size: int) -> Callable[[], object]:
    """Take the least of several sorted sequences until all are empty."""
    parts = [sorted(RANDOM.random() for _ in range(size)) for _ in range(3)]
    return lambda: list(heapq.merge(*parts))


def searched(size: int) -> Callable[[], object]:
    """Look numbers up in a sorted list, in a Python loop."""
    places = [RANDOM.random() for _ in range(1000)]
    ordered = sorted(places)

    def search() -> int:
        total = 0
        for value in itertools.islice(itertools.cycle(places), size):
            total += bisect.bisect_left(ordered, value)
        return total

    return search


# Sizes that take about 200 ns (or the least the work can take), 3 µs, 30 µs, 400 µs and 5 ms.
SIZES: dict[Callable[[int], Callable[[], object]], tuple[int, int, int, int, int]] = {
    sort_numbers: (4, 100, 800, 7_000, 45_000),
    words_counted: (4, 120, 2_500, 30_000, 350_000),
    text_replaced: (25, 800, 9_000, 80_000, 700_000),
    json_written: (1, 3, 40, 600, 8_000),
    json_read: (1, 4, 60, 700, 8_000),
    pattern_found: (2, 160, 1_500, 25_000, 300_000),
    data_hashed: (8, 4_000, 40_000, 600_000, 3_000_000),
    dict_built: (3, 60, 700, 6_000, 60_000),
    heap_merged: (1, 6, 70, 1_000, 12_000),
    searched: (1, 20, 200, 2_200, 28_000),
}


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("make", SIZES, ids=lambda make: make.__name__)
def test_work(benchmark: Any, make: Callable[[int], Callable[[], object]], step: int) -> None:
    """Benchmark one kind of work in one size."""
    # The same inputs whatever was collected or run before it.
    RANDOM.seed(f"{make.__name__}-{step}")
    benchmark(make(SIZES[make][step]))
