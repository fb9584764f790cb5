# SPDX-License-Identifier: MIT
"""What the measuring itself adds to a round, so that it can be reported and, when asked, subtracted.

The truth that a corrected sample aims at is the marginal cost of one more call in straight-line bytecode. A round has
on top of it: one reading of the clock; for many calls, entering the kernel; for one call, coming from C instead of from
bytecode (more for a Python function, which needs the evaluation loop entered, less for a C function, which skips the
bytecode's dispatch). Each is measured on this machine with a function of the same kind that does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import FunctionType, MethodType
from typing import Any

from perfcore import _core
from perfcore.measure.kernel import UNROLL, make_kernel

_ROUNDS = 2000
_BATCH_TURNS = 8


def _nothing() -> None:
    pass


def _loop(function: Callable[..., Any], args: tuple[Any, ...], clock: int) -> _core.RoundLoop:
    kernel, kernel_args = make_kernel(function, args, {})
    return _core.RoundLoop(function, args, {}, kernel=kernel, kernel_args=kernel_args, unroll=UNROLL, clock=clock)


def _typical(loop: _core.RoundLoop, rounds: int, iterations: int) -> float:
    """Return the mean of the lower half of the samples: of undisturbed rounds, and finer than the clock's step."""
    samples = _core.Samples()
    loop.run(samples, rounds, iterations)
    lower = sorted(samples.tolist())[: max(1, rounds // 2)]
    return sum(lower) / len(lower)


def _marginal(function: Callable[..., Any], clock: int) -> float:
    """Return the marginal cost of a call in unrolled bytecode: the slope between rounds of n and of 2n calls."""
    loop = _loop(function, (), clock)
    small, large = _BATCH_TURNS * UNROLL, 2 * _BATCH_TURNS * UNROLL
    slopes = []
    for _ in range(8):  # interleaved: the processor's speed drifts
        below = _typical(loop, 25, small) * small
        above = _typical(loop, 25, large) * large
        slopes.append((above - below) / (large - small))
    return sorted(slopes)[len(slopes) // 2]


@cache
def _of_many(clock: int) -> float:
    """Return the cost of a round of the kernel with no call in it."""
    kernel, kernel_args = make_kernel(_nothing, (), {})
    return _typical(_core.RoundLoop(kernel, (0, 0, *kernel_args), {}, clock=clock), _ROUNDS, 1)


@cache
def _of_one(python: bool, clock: int) -> float:
    """Return what a round of one call takes beyond the call's marginal cost in bytecode."""
    function = _nothing if python else _core.nothing
    return _typical(_loop(function, (), clock), _ROUNDS, 1) - _marginal(function, clock)


def of_round(function: Callable[..., Any], iterations: int, clock: int) -> float:
    """Return the seconds that a round of `iterations` calls of `function` takes beyond the calls themselves."""
    if iterations > 1:
        return _of_many(clock)
    return _of_one(isinstance(function, FunctionType | MethodType), clock)
