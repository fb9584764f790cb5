# SPDX-License-Identifier: MIT
"""RoundLoop under memory pressure and over many rounds: no leak, no crash, an exception where memory ends."""

from __future__ import annotations

import contextlib
import gc
import sys

from perfcore._core import RoundLoop, Samples
from perfcore.measure.kernel import UNROLL, make_kernel


def target(*args, **kwargs):
    return [args]


def fail(*args, **kwargs):
    raise LookupError


def every_path():
    """Take each way through the type once."""
    kernel, kernel_args = make_kernel(target, (1,), {"k": 2})
    loop = RoundLoop(target, (1,), {"k": 2}, kernel=kernel, kernel_args=kernel_args, unroll=UNROLL)
    samples = Samples()
    loop.run(samples, 10, 1)
    loop.run(samples, 3, UNROLL + 1)
    loop.time(3)
    _ = loop.result, loop.rounds, loop.interrupted
    loop.run_setup(samples, 3, (), {}, lambda: ((1,), {"a": 2}), lambda *a, **k: None, lambda: lambda: None)
    RoundLoop(target, (), {}, timer=iter(range(100)).__next__).run(samples, 3, 1)
    RoundLoop(target, (), {}, keep=False).run(samples, 3, 1)
    paced = RoundLoop(target, (), {}, pace=list)
    paced.run(samples, 1, 1)
    paced.run_setup(samples, 1, (), {}, None, None, None)
    failing = RoundLoop(fail, (1,), {})
    for attempt in (
        lambda: failing.run(samples, 3, 1),
        lambda: RoundLoop(fail, (), {}, keep=False).run(samples, 3, 1),
        lambda: failing.run_setup(samples, 1, (), {}, None, None, lambda: lambda: None),
        lambda: failing.run_setup(samples, 1, (), {}, None, None, lambda: fail),  # two exceptions: the later one comes
        lambda: loop.run_setup(samples, 1, (), {}, None, None, lambda: fail),
        lambda: failing.run_setup(samples, 1, (), {}, lambda: 5, None, None),
        lambda: failing.run_setup(samples, 1, (), {}, lambda: ((), 5), None, None),
        lambda: failing.run_setup(samples, 1, (1,), {}, lambda: ((), {}), None, None),
        lambda: RoundLoop(target, (), {1: 2}),
        lambda: RoundLoop(target, (), {}, timer=lambda: "x").time(1),
        lambda: loop.time(0),
        lambda: RoundLoop(target, (), {}, pace=fail).run(samples, 1, 1),
        lambda: RoundLoop(target, (), {}, pace=fail).run_setup(samples, 1, (), {}, None, None, None),
    ):
        with contextlib.suppress(LookupError, TypeError, ValueError):
            attempt()
    cycle = []
    cycle.append(RoundLoop(target, (cycle,), {"c": cycle}, pace=cycle.clear))


def test_nothing_is_left_behind():
    for _ in range(20):
        every_path()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(100):
        every_path()
    gc.collect()
    after = sys.getallocatedblocks()
    assert after - before < 50, f"{after - before} blocks more after 100 repeats"


def test_references_of_the_arguments_are_given_back():
    argument, value = object(), object()
    before = sys.getrefcount(argument), sys.getrefcount(value)
    loop = RoundLoop(target, (argument,), {"k": value})
    loop.run(Samples(), 100, 1)
    del loop
    gc.collect()
    assert (sys.getrefcount(argument), sys.getrefcount(value)) == before


def test_each_failing_allocation(each_allocation_fails):
    kernel, kernel_args = make_kernel(target, (1,), {"k": 2})

    # Made outside: 3.12.1 itself crashes when it has no memory for a function object or for copying a dict.
    def setup():
        return [1], {"a": 2}

    def operation():
        loop = RoundLoop(target, (1,), {"k": 2}, kernel=kernel, kernel_args=kernel_args, unroll=UNROLL, pace=list)
        samples = Samples()
        loop.run(samples, 3, 1)
        loop.run(samples, 1, 70)
        loop.run_setup(samples, 2, (), {}, setup, None, None)

    assert each_allocation_fails(operation) > 10
