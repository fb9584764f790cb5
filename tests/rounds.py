# SPDX-License-Identifier: MIT
"""Loops over a callable, and one that remembers its calls."""

from __future__ import annotations

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
