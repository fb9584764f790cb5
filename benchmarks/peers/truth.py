# SPDX-License-Identifier: MIT
"""Ground truth: what one more call really costs, and the callables that the timing rows measure.

G is the marginal cost of one more call in straight-line bytecode with the arguments in locals: the slope between two
generated functions that differ only in how many calls they hold. The cost of entering the function, of reading the
clock and of every loop cancels in the difference. No benchmark runner can be closer to the code a user writes.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

SHORT, LONG = 100, 300


@dataclass(frozen=True, slots=True)
class Subject:
    """A call that is measured."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> list[str]:
        """The names of a generated function's parameters: the callable, then its arguments."""
        return [
            "function",
            *(f"a{index}" for index in range(len(self.args))),
            *(f"k{index}" for index in range(len(self.kwargs))),
        ]

    @property
    def values(self) -> tuple[Any, ...]:
        """The arguments for a generated function."""
        return (self.function, *self.args, *self.kwargs.values())

    @property
    def call(self) -> str:
        """The source of the call, its arguments being locals."""
        positional = [f"a{index}" for index in range(len(self.args))]
        keywords = [f"{name}=k{index}" for index, name in enumerate(self.kwargs)]
        return f"function({', '.join(positional + keywords)})"

    def bound(self) -> Callable[[], Any]:
        """Return a callable without arguments, for peers that take none."""
        if not self.args and not self.kwargs:
            return self.function
        return functools.partial(self.function, *self.args, **self.kwargs)


def empty() -> None:
    """Do nothing."""


def four(a: int, b: int, c: int, d: int) -> None:
    """Take four arguments and do nothing."""


class Holder:
    """Has a method."""

    def method(self) -> None:
        """Do nothing."""


def loop_of_work() -> int:
    """Spend some hundred nanoseconds in bytecode."""
    total = 0
    for value in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4):
        total += value * value
    return total


def sum_of_squares(count: int) -> int:
    """Spend some ten nanoseconds per value in bytecode."""
    total = 0
    for value in range(count):
        total += value * value
    return total


SUBJECTS = (
    Subject("def f(): pass", empty),
    Subject("lambda", lambda: None),
    Subject("f(1, 2, c=3, d=4)", four, (1, 2), {"c": 3, "d": 4}),
    Subject("bound method", Holder().method),
    Subject("len", len, ([1],)),
)

# For the bias alone: `len` has an instruction of its own since 3.11, so that its G is not the cost of a call; `sqrt` is
# called wherever it stands.
ROOT = Subject("math.sqrt", math.sqrt, (2.0,))
WORK = Subject("Python function of about 0.4 µs", loop_of_work)
LONGER = (
    WORK,
    Subject("Python function of about 1 µs", sum_of_squares, (25,)),
    Subject("Python function of about 4 µs", sum_of_squares, (100,)),
)
TEXT = "the quick brown fox jumps over the lazy dog " * 20
C_WORK = Subject("str.count, about 0.5 µs", TEXT.count, ("lazy",))


def straight_line(subject: Subject, calls: int) -> Callable[..., None]:
    """Return a new function that makes ``calls`` calls one after the other."""
    source = f"def straight({', '.join(subject.parameters)}):\n" + f"    {subject.call}\n" * calls
    namespace: dict[str, Any] = {}
    exec(compile(source, "<straight line>", "exec"), namespace)  # noqa: S102
    made: Callable[..., None] = namespace["straight"]
    return made


class Truth:
    """Measures G for one subject."""

    def __init__(self, subject: Subject) -> None:
        self.values = subject.values
        self.short = straight_line(subject, SHORT)
        self.long = straight_line(subject, LONG)
        for _ in range(30):  # past the specialisation of every call site
            self.short(*self.values)
            self.long(*self.values)

    def seconds(self, function: Callable[..., None]) -> float:
        """Time one run of a straight line."""
        values = self.values
        start = perf_counter_ns()
        function(*values)
        return (perf_counter_ns() - start) * 1e-9

    def pair(self) -> tuple[float, float]:
        """Time the short and the long line once, next to each other."""
        return self.seconds(self.short), self.seconds(self.long)

    @staticmethod
    def slope(short: list[float], long: list[float]) -> float:
        """Return G in seconds per call from timed pairs."""
        return (statistics.median(long) - statistics.median(short)) / (LONG - SHORT)
