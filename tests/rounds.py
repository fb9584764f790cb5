# SPDX-License-Identifier: MIT
"""Loops over a callable, and one that remembers its calls."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from perfcore._core import RoundLoop
from perfcore.measure.kernel import UNROLL, make_kernel


class Recorder:
    def __init__(self, fail_at=None):
        self.calls = []
        self.fail_at = fail_at

    def __call__(self, *args, **kwargs):
        self.calls.append((args, kwargs))
        if len(self.calls) == self.fail_at:
            raise LookupError(f"call {self.fail_at}")
        return len(self.calls)


def loop_over(function, args=(), kwargs=None, **options):
    kernel, kernel_args = make_kernel(function, args, kwargs or {})
    return RoundLoop(function, args, kwargs or {}, kernel=kernel, kernel_args=kernel_args, unroll=UNROLL, **options)


@contextmanager
def beside_a_busy_process() -> Iterator[None]:
    """Share one processor with a process that never gives it away: the scheduler must take it from both."""
    allowed = os.sched_getaffinity(0)
    processor = min(allowed)
    child = os.fork()
    if child == 0:
        os.sched_setaffinity(0, {processor})
        end = time.monotonic() + 20
        while time.monotonic() < end and os.getppid() != 1:
            pass
        os._exit(0)
    try:
        os.sched_setaffinity(0, {processor})
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
