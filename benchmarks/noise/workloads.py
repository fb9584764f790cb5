# SPDX-License-Identifier: MIT
"""The workloads of the battery, as tests. No part of `perfcore ab` was tuned on them.

Each side gets a copy of this file and a `slowdown.py` whose FACTOR multiplies the work that one call does: the loops
are so long that the time grows by that factor too. A test's name begins with its kind: cpu (the interpreter and the
arithmetic units), alloc (objects made and dropped), memory (loads from all over 16 to 40 MB), text (dicts and strings).
"""

from __future__ import annotations

import functools
from array import array
from typing import Any

import pytest
from slowdown import FACTOR

Benchmark = Any
_BITS = 21
_MASK = 2**_BITS - 1

SIZES = range(400, 4001, 400)
sizes = pytest.mark.parametrize("size", SIZES, ids=[f"{size:04}" for size in SIZES])


def scaled(size: int) -> int:
    """Return how much work a call does on this side."""
    return round(size * FACTOR)


def mix_integers(count: int) -> int:
    """Mix an integer of 64 bits: additions, multiplications and shifts of large ints."""
    state = 1
    for _ in range(count):
        state = (state * 2862933555777941757 + 3037000493) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 29
    return state


def iterate_logistic_map(count: int) -> float:
    """Iterate a map on floats."""
    x = 0.3
    for _ in range(count):
        x = 3.9 * x * (1.0 - x)
    return x


@sizes
def test_cpu_integers(benchmark: Benchmark, size: int) -> None:
    """Arithmetic on large ints."""
    benchmark(mix_integers, scaled(size))


@sizes
def test_cpu_floats(benchmark: Benchmark, size: int) -> None:
    """Arithmetic on floats."""
    benchmark(iterate_logistic_map, scaled(size))


def add_up(left: int, right: int) -> int:
    """Add; for the sake of being called."""
    return left + right


def call_functions(count: int) -> int:
    """Call a function of two arguments, and a method of a built-in type."""
    total = 0
    for number in range(count):
        total = add_up(total, number.bit_length())
    return total


@sizes
def test_cpu_calls(benchmark: Benchmark, size: int) -> None:
    """Calls of Python's and of C's functions."""
    benchmark(call_functions, scaled(size))


class Node:
    """A link of a chain."""

    __slots__ = ("following", "value")

    def __init__(self, value: int, following: Node | None) -> None:
        self.value = value
        self.following = following


def link_nodes(count: int) -> Node | None:
    """Make objects with slots, chained; drop the chain now and then, since dropping a long one recurses."""
    first = None
    for value in range(count):
        first = Node(value, first)
        if value % 100 == 99:
            first = None
    return first


def nest_lists(count: int) -> int:
    """Make tuples of lists and dicts.

    They are dropped by fifties: the cyclic collector, whose work comes in steps, sees too few of them at once to begin.
    With all of them kept, 5 % more took 4 % less time at one size.
    """
    made = 0
    for first in range(0, count, 50):
        made += len([(number, [number], {"n": number}) for number in range(first, min(first + 50, count))])
    return made


@sizes
def test_alloc_nodes(benchmark: Benchmark, size: int) -> None:
    """Small objects made and dropped."""
    benchmark(link_nodes, scaled(size))


@sizes
def test_alloc_nested(benchmark: Benchmark, size: int) -> None:
    """Containers in containers."""
    assert benchmark(nest_lists, scaled(size)) == scaled(size)


@functools.cache
def zeros() -> array[int]:
    """Return 16 MB of zeros, each page of its own."""
    return array("q", [0]) * (_MASK + 1)


@functools.cache
def numbers() -> list[int]:
    """Return a million ints, 40 MB with their list."""
    return list(range((_MASK + 1) // 2))


def chase(table: array[int], count: int) -> int:
    """Each load's address depends on the one before; the addresses are those of a generator of full period."""
    place = 1
    for _ in range(count):
        place = (place * 1103515245 + 12345 + table[place]) & _MASK
    return place


def visit(objects: list[int], count: int) -> int:
    """Add up objects from all over the memory."""
    total, place, mask = 0, 1, len(objects) - 1
    for _ in range(count):
        place = (place * 1103515245 + 12345) & mask
        total += objects[place]
    return total


@sizes
def test_memory_chase(benchmark: Benchmark, size: int) -> None:
    """Loads that wait for each other, from 16 MB."""
    benchmark(chase, zeros(), scaled(size))


@sizes
def test_memory_objects(benchmark: Benchmark, size: int) -> None:
    """Objects from 40 MB."""
    benchmark(visit, numbers(), scaled(size))


def count_words(words: list[str]) -> dict[str, int]:
    """Count words in a dict."""
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts


def render_lines(words: list[str]) -> int:
    """Format, join and split lines."""
    return len("\n".join([f"{number}: {word.upper()}" for number, word in enumerate(words)]).split("\n"))


def some_words(size: int) -> list[str]:
    """Return words of which many are alike."""
    return [f"word{number * 7919 % 97}" for number in range(scaled(size))]


@sizes
def test_text_count(benchmark: Benchmark, size: int) -> None:
    """A dict with string keys."""
    benchmark(count_words, some_words(size))


@sizes
def test_text_render(benchmark: Benchmark, size: int) -> None:
    """Strings made, joined and split."""
    assert benchmark(render_lines, some_words(size)) == scaled(size)


def encode_words(words: list[str]) -> int:
    """Turn each string into bytes and back."""
    return sum(len(word.encode("utf-16").decode("utf-16")) for word in words)


@sizes
def test_text_bytes(benchmark: Benchmark, size: int) -> None:
    """Strings to bytes and back, and a generator."""
    benchmark(encode_words, some_words(size))
