# SPDX-License-Identifier: MIT
"""The bindings of the A/B decision: what they refuse, that nothing leaks, that every failing allocation is survived."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable

import pytest

from perfcore import _core

SLOWER = array("d", [0.1, 0.101, 0.099, 0.1])
TWO = array("d", [1.0, 2.0])


def judge(
    effects: object = SLOWER, threshold: float = 0.05, alpha: float = 0.001, exceeds: bool = False, looks: int = 1
) -> tuple[str, float, float, float, float]:
    return _core.judge_pairs(effects, threshold, alpha, exceeds, looks)


REFUSALS: dict[str, tuple[type[Exception], str, Callable[[], object]]] = {
    "no buffer": (TypeError, "effects", lambda: judge([0.1, 0.2])),
    "of integers": (TypeError, "effects", lambda: judge(array("q", [1, 2]))),
    "none": (ValueError, "effects", lambda: judge(array("d"))),
    "NaN": (ValueError, "effects", lambda: judge(array("d", [math.nan]))),
    "threshold": (ValueError, "threshold above 0", lambda: judge(threshold=-0.05)),
    "endless threshold": (ValueError, "threshold above 0", lambda: judge(threshold=math.inf)),
    "alpha": (ValueError, "alpha between", lambda: judge(alpha=0.6)),
    "looks": (ValueError, "looks from 1", lambda: judge(looks=0)),
    "looks below": (ValueError, "looks from 1", lambda: judge(looks=-3)),
    "unequal": (ValueError, "base has 2 blocks and head 1", lambda: _core.pair_effect(TWO, TWO[:1])),
    "no blocks": (ValueError, "base", lambda: _core.pair_effect(array("d"), array("d"))),
    "zero": (ValueError, "above 0", lambda: _core.pair_effect(TWO, array("d", [1.0, 0.0]))),
    "second bad": (TypeError, "head", lambda: _core.pair_effect(TWO, None)),
}

CALLS: dict[str, Callable[[], object]] = {
    "judge": judge,
    "judge exceeds": lambda: judge(exceeds=True),
    "effect": lambda: _core.pair_effect(TWO, TWO),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(name: str, assert_flat: Callable[..., None]) -> None:
    error, text, call = REFUSALS[name]

    def refused() -> None:
        with pytest.raises(error, match=text):
            call()

    refused()
    assert_flat(refused, repeat=60)


@pytest.mark.parametrize("name", CALLS)
def test_flat(name: str, assert_flat: Callable[..., None]) -> None:
    assert_flat(CALLS[name])


# Not of pair_effect: a float from the free list and the core's own block, which tests/c makes fail.
@pytest.mark.parametrize("name", ["judge", "judge exceeds"])
def test_out_of_memory(name: str, each_allocation_fails: Callable[..., int]) -> None:
    assert each_allocation_fails(CALLS[name]) >= 1


def test_figures() -> None:
    status, estimate, low, high, p_value = judge()
    assert status == "regression"
    assert estimate == pytest.approx(0.1)
    assert 0.09 < low < estimate < high < 0.11
    assert 0 < p_value < 1e-5
    _, _, later_low, later_high, later_p = judge(looks=5)
    assert later_low < low < high < later_high
    assert later_p == pytest.approx((1 + 6.5 * math.log(2)) * p_value)
    assert judge(array("d", [0.3, 0.1]))[1:] == (pytest.approx(0.2), -math.inf, math.inf, 1.0)
    assert _core.pair_effect(array("d", [1, 1, 1]), array("d", [2, 2, 9])) == pytest.approx(math.log(2))
