# SPDX-License-Identifier: MIT
"""Fast functions whose first call is slow, as real libraries have them: caches, lazy imports, compiled patterns.

Measured by the league's row ``cold-calls``, each run in a fresh process so that the first call really is the first.
"""

from __future__ import annotations

import collections
import datetime
import enum
import fractions
import functools
import re
import struct
import sys
from typing import Any

import pytest


@functools.lru_cache
def collatz_length(start: int) -> int:
    """Compute on the first call, look up ever after."""
    steps = 0
    while start != 1:
        start = 3 * start + 1 if start % 2 else start // 2
        steps += 1
    return steps


def match_number() -> object:
    """Compile the pattern on the first call; re caches it."""
    return re.match(r"(?P<sign>[+-])?(?P<whole>\d+)(\.(?P<part>\d*))?([eE][+-]?\d+)?$", "12.5")


def lazy_colorsys() -> object:
    """Import inside the function, as code does that wants a fast start."""
    import colorsys

    return colorsys.rgb_to_hsv(0.2, 0.4, 0.6)


def lazy_quopri() -> object:
    """Import inside the function."""
    import quopri

    return quopri.encodestring(b"a=b")


def lazy_netrc() -> object:
    """Import inside the function."""
    import netrc

    return netrc.NetrcParseError


def parse_time() -> object:
    """Have no cache at all: the first call is slow only because the code is cold."""
    return datetime.time.fromisoformat("12:30")


def format_number() -> object:
    """Resolve the codec on the first call."""
    return "naïve".encode("cp437")


class Record:
    """Computes a property once."""

    @functools.cached_property
    def table(self) -> dict[int, int]:
        """Squares."""
        return {index: index * index for index in range(200)}


RECORD = Record()


def read_table() -> int:
    """Fill the cached property on the first call."""
    return RECORD.table[7]


@functools.cache
def point_class() -> Any:
    """Create a class on the first call."""
    return collections.namedtuple("Point", "x y z")


def make_point() -> object:
    """Make an instance of a class that the first call creates."""
    return point_class()(1, 2, 3)


@functools.cache
def colours() -> Any:
    """Create an enumeration on the first call."""
    return enum.Enum("Colour", "red green blue black white")


def find_colour() -> object:
    """Look a member up."""
    return colours()["blue"]


def unpack_header() -> object:
    """Compile the format on the first call; struct caches it."""
    return struct.unpack("<" + "hiq" * 40, bytes(40 * 14))[0]


@functools.singledispatch
def describe(value: object) -> str:
    """Dispatch by type; the first call of a type searches the registry."""
    return "object"


@describe.register
def _(value: collections.abc.Mapping) -> str:  # type: ignore[type-arg]
    return "mapping"


@describe.register
def _(value: collections.abc.Sequence) -> str:  # type: ignore[type-arg]
    return "sequence"


def describe_counter() -> str:
    """Search the registry on the first call."""
    return describe(COUNTER)


COUNTER: collections.Counter[str] = collections.Counter("abc")


CACHE: dict[str, Any] = {}


def third() -> object:
    """Parse a fraction on the first call, which compiles its pattern."""
    return CACHE.get("third") or CACHE.setdefault("third", fractions.Fraction("1/3"))


def parse_date() -> object:
    """Import _strptime on the first call."""
    return CACHE.get("day") or CACHE.setdefault("day", datetime.datetime.strptime("2024-05-06", "%Y-%m-%d"))


def intern_words() -> object:
    """Build and intern a text on the first call."""
    return CACHE.get("words") or CACHE.setdefault("words", sys.intern(" ".join(str(index) for index in range(300))))


FUNCTIONS = (
    functools.partial(collatz_length, 97),
    match_number,
    lazy_colorsys,
    lazy_quopri,
    lazy_netrc,
    parse_time,
    format_number,
    read_table,
    make_point,
    find_colour,
    unpack_header,
    describe_counter,
    third,
    parse_date,
    intern_words,
)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: getattr(function, "__name__", "collatz_length"))
def test_cold(benchmark: Any, function: Any) -> None:
    """Benchmark a function whose first call is slow."""
    benchmark(function)
