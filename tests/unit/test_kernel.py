# SPDX-License-Identifier: MIT
"""The generated kernels: the same call, whatever the arguments look like."""

from __future__ import annotations

import asyncio
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.measure.kernel import UNROLL, _compile, make_kernel


def record():
    calls = []

    def target(*args, **kwargs):
        calls.append((args, kwargs))

    return calls, target


names = st.one_of(
    st.sampled_from(
        ["class", "None", "__debug__", "function", "turns", "rest", "kernel", "range", "_", "a0", "k0", "args"]
    ),
    st.sampled_from(["ﬁ", "a b", "a-b", "", "1a", "µ", "self", "a=1, b", "x):\n  boom(", "await", "print"]),
    st.text(max_size=8),
)


@given(st.lists(st.integers(), max_size=40), st.dictionaries(names, st.integers(), max_size=5), st.integers(0, 200))
def test_calls_with_the_same_arguments_and_as_often_as_asked(args, kwargs, count):
    calls, target = record()
    kernel, kernel_args = make_kernel(target, tuple(args), kwargs)
    kernel(count // UNROLL, count % UNROLL, *kernel_args)
    assert calls == [(tuple(args), kwargs)] * count


def test_plain_keywords_are_passed_as_written_not_with_stars():
    _, arguments = make_kernel(int, (1,), {"base": 2})
    assert arguments == (int, 1, 2)
    _, arguments = make_kernel(int, (1,), {"ﬁ": 2})
    assert arguments == (int, (1,), {"ﬁ": 2}), "the compiler would turn the ligature into two letters"


def test_each_kernel_has_code_of_its_own_and_each_shape_is_compiled_once():
    _compile.cache_clear()
    one, _ = make_kernel(int, (1,), {})
    two, _ = make_kernel(float, (2,), {})
    assert one.__code__ is not two.__code__
    assert _compile.cache_info().misses == 1


def test_the_kernel_s_range_is_its_own(monkeypatch):
    calls, target = record()
    kernel, kernel_args = make_kernel(target, (), {})
    with monkeypatch.context() as patch:  # for as short a time as can be: all of Python needs it
        patch.setattr("builtins.range", None)
        kernel(1, 9, *kernel_args)
    assert len(calls) == UNROLL + 9


@pytest.mark.parametrize("function", [eval, exec])
def test_what_looks_at_its_caller_finds_the_builtins(function):
    kernel, kernel_args = make_kernel(function, ("len(str(abs(-1))) + __import__('math').floor(0.5)",), {})
    kernel(1, 9, *kernel_args)


def test_what_looks_at_its_caller_finds_a_module():
    """As with stock's loop, which stands in one: helpers ask for the file or the package of whoever calls them."""
    seen = []

    def target():
        seen.append(sys._getframe(1).f_globals)

    kernel, kernel_args = make_kernel(target, (), {})
    kernel(0, 1, *kernel_args)
    assert {"__file__", "__loader__", "__name__", "__package__", "__spec__"} <= seen[0].keys()


def test_coroutine_kernel_awaits_each_call():
    calls = []

    async def target(value, *, key):
        await asyncio.sleep(0)
        calls.append((value, key))

    kernel, kernel_args = make_kernel(target, (1,), {"key": 2}, coroutine=True)
    asyncio.run(kernel(1, 10, *kernel_args))
    assert calls == [(1, 2)] * (UNROLL + 10)


def test_an_exception_comes_through():
    def fail():
        raise LookupError("inside")

    kernel, kernel_args = make_kernel(fail, (), {})
    with pytest.raises(LookupError, match="inside"):
        kernel(1, 0, *kernel_args)
