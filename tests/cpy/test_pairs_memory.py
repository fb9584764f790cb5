# SPDX-License-Identifier: MIT
"""The bindings of the A/B decision: what they refuse, that nothing leaks, that every failing allocation is survived."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from perfcore import _core

SLOWER = [0.1, 0.101, 0.099, 0.1]


class Meddler:
    """A number whose conversion empties the list that it stands in."""

    def __init__(self, home: list[object]) -> None:
        self.home = home

    def __float__(self) -> float:
        self.home.clear()
        return 1.0


class Refusing:
    def __float__(self) -> float:
        raise KeyError("no number")


def meddled() -> list[object]:
    values: list[object] = []
    values.extend([Meddler(values), 2.0, 3.0])
    return values


REFUSALS: dict[str, tuple[type[Exception], Callable[[], object]]] = {
    "not a sequence": (TypeError, lambda: _core.judge_pairs(3, 0.05, 0.001, False)),
    "not a number": (TypeError, lambda: _core.judge_pairs(["x"], 0.05, 0.001, False)),
    "none": (ValueError, lambda: _core.judge_pairs([], 0.05, 0.001, False)),
    "too many": (ValueError, lambda: _core.judge_pairs([0.1] * 65, 0.05, 0.001, False)),
    "NaN": (ValueError, lambda: _core.judge_pairs([math.nan], 0.05, 0.001, False)),
    "threshold": (ValueError, lambda: _core.judge_pairs(SLOWER, -0.05, 0.001, False)),
    "alpha": (ValueError, lambda: _core.judge_pairs(SLOWER, 0.05, 0.6, False)),
    "float raises": (KeyError, lambda: _core.judge_pairs([0.1, Refusing()], 0.05, 0.001, False)),
    "list changes": (RuntimeError, lambda: _core.judge_pairs(meddled(), 0.05, 0.001, False)),
    "unequal": (ValueError, lambda: _core.pair_effect([1.0, 2.0], [1.0])),
    "no blocks": (ValueError, lambda: _core.pair_effect([], [])),
    "zero": (ValueError, lambda: _core.pair_effect([1.0], [0.0])),
    "second bad": (TypeError, lambda: _core.pair_effect([1.0], None)),
    "p-value": (ValueError, lambda: _core.significance_cutoff([2.0], 0.01)),
    "rate": (ValueError, lambda: _core.significance_cutoff([0.5], 0.0)),
}

CALLS: dict[str, Callable[[], object]] = {
    "judge": lambda: _core.judge_pairs(SLOWER, 0.05, 0.001, False),
    "judge a tuple": lambda: _core.judge_pairs(tuple(SLOWER), 0.05, 0.001, True),
    "judge a generator": lambda: _core.judge_pairs((x for x in SLOWER), 0.05, 0.001, False),
    "effect": lambda: _core.pair_effect([1.0, 2.0, 3.0], [1.1, 2.2, 3.3]),
    "cutoff": lambda: _core.significance_cutoff([0.001, 0.5], 0.01),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(name: str, assert_flat: Callable[..., None]) -> None:
    error, call = REFUSALS[name]

    def refused() -> None:
        with pytest.raises(error):
            call()

    refused()
    assert_flat(refused, repeat=60)


@pytest.mark.parametrize("name", CALLS)
def test_flat(name: str, assert_flat: Callable[..., None]) -> None:
    assert_flat(CALLS[name])


@pytest.mark.parametrize("name", CALLS)
def test_out_of_memory(name: str, each_allocation_fails: Callable[..., int]) -> None:
    assert each_allocation_fails(CALLS[name]) >= 1


def test_figures() -> None:
    status, estimate, low, high, p_value = _core.judge_pairs(SLOWER, 0.05, 0.001, False)
    assert status == "regression"
    assert estimate == pytest.approx(0.1)
    assert 0.09 < low < estimate < high < 0.11
    assert 0 < p_value < 1e-5
    assert _core.pair_effect([1.0, 1.0, 1.0], [2.0, 2.0, 9.0]) == pytest.approx(math.log(2))
    assert _core.significance_cutoff([0.009, 0.008, 0.6], 0.015) == 0.009
    assert _core.significance_cutoff([], 0.01) == -1.0
