# SPDX-License-Identifier: MIT
"""Process as a C type: leaks of memory and of descriptors, failing allocations."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

import pytest

from perfcore._core import (
    EventCounter,
    Process,
    process_tree,
    read_cgroup,
    read_net,
    read_pressure,
    set_child_subreaper,
)

Flat = Callable[[Callable[[], object]], None]
Failing = Callable[[Callable[[], object]], int]


def operation() -> None:
    process = Process()
    process.read()
    process.read(quick=True)
    process.rss()
    process.peak()
    process.reset_peak()
    other = Process(os.getpid())
    other.read()
    other.close()
    for wrong in (-1, 1 << 30):
        with contextlib.suppress(ValueError, ProcessLookupError):
            Process(wrong)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_reading_is_flat(assert_flat: Flat) -> None:
    before = descriptors()
    assert_flat(operation)
    assert descriptors() == before


def full() -> None:
    Process().read(full=True)


def test_full_reading_is_flat(assert_flat: Callable[..., None], each_allocation_fails: Failing) -> None:
    before = descriptors()
    assert_flat(full, repeat=40)  # the kernel walks all pages
    assert each_allocation_fails(full) > 0
    assert descriptors() == before


def test_tree_is_flat(assert_flat: Flat) -> None:
    process_tree(os.getpid())
    before = descriptors()
    assert_flat(lambda: [process_tree(1) for _ in range(2)])
    assert descriptors() == before


def test_subreaping_is_flat(assert_flat: Flat) -> None:
    assert_flat(lambda: [set_child_subreaper(on) for on in (True, False)])
    assert set_child_subreaper(0) is None

    class Odd:
        def __bool__(self) -> bool:
            raise OSError("odd")

    with pytest.raises(OSError, match="odd"):
        set_child_subreaper(Odd())


def test_each_failing_allocation(each_allocation_fails: Failing) -> None:
    before = descriptors()
    assert each_allocation_fails(operation) > 0
    assert each_allocation_fails(lambda: process_tree(os.getpid())) > 0
    assert descriptors() == before


def groups() -> None:
    read_cgroup()
    read_pressure()
    read_net()
    with contextlib.suppress(OSError):
        counter = EventCounter("task-clock")
        counter.start()
        counter.stop()
    for event in ("instructions", "heat"):
        with contextlib.suppress(OSError, ValueError):
            EventCounter(event)
    for wrong in (-1, 1 << 30):
        with contextlib.suppress(ValueError, ProcessLookupError):
            read_cgroup(wrong)


def test_groups(assert_flat: Flat, each_allocation_fails: Failing) -> None:
    before = descriptors()
    assert_flat(groups)
    assert each_allocation_fails(groups) > 0
    assert descriptors() == before


def test_types_are_closed() -> None:
    with pytest.raises(TypeError):
        type("Sub", (Process,), {})
    with pytest.raises(AttributeError):
        Process().anything = 1  # type: ignore[attr-defined]
