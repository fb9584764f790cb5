# SPDX-License-Identifier: MIT
"""MetricsSampler as a C type: leaks of memory, descriptors and threads, failing allocations."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from perfcore._core import SAMPLED_METRICS, MetricsSampler

Flat = Callable[[Callable[[], object]], None]
Failing = Callable[[Callable[[], object]], int]


def count(folder: str) -> int:
    return len(os.listdir(f"/proc/self/{folder}"))


def operation() -> None:
    sampler = MetricsSampler(interval=0.001, slots=4)
    sampler.start()
    sampler.look()
    sampler.aggregates()
    for name in SAMPLED_METRICS[:2]:
        memoryview(sampler.series(name)[0]).release()
    sampler.stop()
    with pytest.raises(KeyError):
        sampler.series("none")
    with pytest.raises(TypeError):
        sampler.series(1)  # type: ignore[arg-type]
    MetricsSampler(slots=2).start()  # stopped by its end


def test_sampling_is_flat(assert_flat: Flat) -> None:
    files, threads = count("fd"), count("task")
    assert_flat(operation)
    assert count("fd") == files
    assert count("task") <= threads  # less where a thread of an earlier test was still ending


def test_making_one_for_descendants_alone_is_flat(assert_flat: Flat) -> None:
    # Not started: libproc2 keeps memory for each thread that has listed processes.
    def descendants() -> None:
        MetricsSampler(slots=4, tree=True, root=False)
        with pytest.raises(ValueError, match="give tree=True"):
            MetricsSampler(root=False)

    assert_flat(descendants)


def test_each_failing_allocation(each_allocation_fails: Failing) -> None:
    files, threads = count("fd"), count("task")
    sampler = MetricsSampler(interval=0.001, slots=4)
    sampler.start()

    def reading() -> None:
        sampler.look()
        sampler.aggregates()
        sampler.series("rss_bytes")

    assert each_allocation_fails(reading) > 0
    assert each_allocation_fails(lambda: MetricsSampler(slots=2).start()) > 0
    sampler.stop()
    assert count("fd") == files
    assert count("task") <= threads  # as above


def test_types_are_closed() -> None:
    with pytest.raises(TypeError):
        type("Sub", (MetricsSampler,), {})
