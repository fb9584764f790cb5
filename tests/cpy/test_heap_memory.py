# SPDX-License-Identifier: MIT
"""heap_types as a piece of C: leaks, failing allocations."""

from __future__ import annotations

from collections.abc import Callable

from perfcore._core import heap_types

Flat = Callable[[Callable[[], object]], None]
Failing = Callable[[Callable[[], object]], int]


# Nothing that leads to a class and so to a module: the walk must stay small.
HEAP = [{"a": [str(number), (number, b"x")]} for number in range(1000, 1010)]


def operation() -> None:
    heap_types([HEAP])


def test_walking_is_flat(assert_flat: Flat) -> None:
    assert_flat(operation)


def test_each_failing_allocation(each_allocation_fails: Failing) -> None:
    assert each_allocation_fails(operation) > 0
