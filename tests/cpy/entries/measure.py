# SPDX-License-Identifier: MIT
"""Uses of the entries that measure: samples, rounds, clocks, processes, samplers, the heap, allocations."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from perfcore import _core
from perfcore.measure.kernel import UNROLL, make_kernel

from .table import Use, _memtrace, case, look


@case
def samples() -> Use:
    shared = _core.Samples([1.0, 2.0])

    def use() -> None:
        one = _core.Samples()
        one.append(1.5)
        one.extend(shared)
        one.extend(iter([1, 2.5]))
        assert tuple(one.tolist()) == (1.5, 1.0, 2.0, 1.0, 2.5)
        assert one[-1] == 2.5
        memoryview(one).release()
        with contextlib.suppress(TypeError):
            one.append("x")  # type: ignore[arg-type]
        look(one)
        look(shared)

    return use


def work(*args: Any, **kwargs: Any) -> list[Any]:
    return [args, kwargs]


@case
def round_loop() -> Use:
    shared = _core.RoundLoop(work, (1,), {"k": 2})
    kernel, kernel_args = make_kernel(work, (1,), {"k": 2})
    kernelled = _core.RoundLoop(work, (1,), {"k": 2}, kernel=kernel, kernel_args=kernel_args, unroll=UNROLL)
    loops = (
        lambda: _core.RoundLoop(work, (), {}, timer=iter(range(1000)).__next__, disable_gc=True),
        lambda: _core.RoundLoop(work, (), {}, tsc=False, clock=2, keep=False),
        lambda: _core.RoundLoop(work, (), {}, pace=list),
    )

    def pause() -> Any:
        return int

    def setup() -> Any:
        return (1,), {"a": 2}

    def use() -> None:
        found = _core.Samples()
        shared.run(found, 5, 1)
        assert kernelled.time(3) > 0
        kernelled.run(found, 3, 7)
        for make in loops:
            make().run(found, 3, 1)
        shared.run_setup(found, 3, (), {}, setup, work, pause)
        assert len(found) == 20
        look(shared)

    return use


@case
def clocks() -> Use:
    def use() -> None:
        _core.clock_source(1)
        _core.clock_step(1)
        _core.clock_pair(1)
        _core.clock_pair(4)  # no clock that the cycle counter stands for
        with contextlib.suppress(ValueError):
            _core.clock_pair(100)
        _core.nothing()
        _core.involuntary_switches()
        _core.steal_time()

    return use


@case
def process() -> Use:
    shared = _core.Process()

    def use() -> None:
        one = _core.Process(os.getpid())
        assert (one.rss() or 0) > 0
        with contextlib.suppress(OSError):
            one.reset_peak()
        one.peak()
        one.read()
        one.close()
        shared.read(quick=True)
        shared.read(full=True)
        with contextlib.suppress(ValueError):
            one.read()
        for pid in (-1, 2**22 + 1):
            with contextlib.suppress(ValueError, OSError):
                _core.Process(pid)
        look(shared)
        _core.process_tree(None)
        _core.read_cgroup()
        _core.read_net()
        _core.read_pressure()
        _core.read_pressure("/nowhere")
        _core.set_child_subreaper(False)

    return use


@case
def event_counter() -> Use:
    def use() -> None:
        with contextlib.suppress(OSError):  # counters may be forbidden
            counter = _core.EventCounter("task-clock")
            counter.start()
            counter.stop()
            look(counter)
            counter.close()
        with contextlib.suppress(ValueError):
            _core.EventCounter("no such event")

    return use


@case
def metrics_sampler() -> Use:
    def ask(sampler: Any) -> None:
        sampler.look()
        sampler.aggregates()
        for metric in _core.SAMPLED_METRICS[:2]:
            sampler.series(metric)

    shared = _core.MetricsSampler(interval=0.001, slots=4, tree=True)
    shared.start()

    def use() -> None:
        with contextlib.suppress(OSError):  # it is running; but not in a forked child
            shared.start()
        with contextlib.suppress(ChildProcessError):
            ask(shared)
        one = _core.MetricsSampler(interval=0.001, slots=4)
        one.start()
        ask(one)
        one.stop()
        look(one)

    return use


@case
def heap() -> Use:
    def use() -> None:
        assert _core.heap_types([[1, 2.5], {"a": "b"}])
        with contextlib.suppress(TypeError):
            _core.heap_types(1)  # type: ignore[arg-type]

    return use


@case
def tracker() -> Use:
    if _memtrace is None:
        return int
    shared = _memtrace.Tracker(sites=True)
    shared.run(work, (1,), {"k": 2}, calls=3)
    assert shared.allocations > 0

    def use() -> None:
        one = _memtrace.Tracker()
        with one:
            work(1)
        one.__enter__().__exit__(None, None, None)
        one.start()
        one.stop()
        one.reset()
        one.run(work)
        sited = _memtrace.Tracker(sites=True)
        sited.run(work, (2,))
        for each in (one, sited, shared):
            each.counts()
            each.threads()
            look(each)
        shared.sites()

    return use
