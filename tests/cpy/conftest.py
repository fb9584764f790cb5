# SPDX-License-Identifier: MIT
"""Fixtures for tests of the extension as a piece of C: nothing leaks, every failing allocation is survived."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable

import pytest

ROUNDS = 6


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def _malloc_bytes() -> int:
    """Bytes that malloc has handed out: what the core allocates is invisible to Python. 0 where glibc is too old."""
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return 0
    mallinfo2.restype = _Mallinfo2
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


def _references() -> int:
    """Count all references to all objects; 0 where Python is no debug build."""
    return getattr(sys, "gettotalrefcount", int)()


@pytest.fixture
def assert_flat() -> Callable[[Callable[[], object]], None]:
    """Call an operation many times and fail if Python's blocks or malloc's bytes grow with the calls.

    One block per call shows as 200, a clean operation as a handful. A leak grows in every round, so one round that is
    flat is proof, and a cache that fills in the first ones is no leak. A debug build of Python also counts references,
    and these may not grow either. Under PYTHONMALLOC=malloc and ASan the counters of memory stand still; LSan is the
    judge there.
    """

    def check(operation: Callable[[], object], repeat: int = 200) -> None:
        for _ in range(20):
            operation()
        blocks, malloced, references = [], [], []
        for _ in range(ROUNDS):
            gc.collect()
            blocks_before, bytes_before, references_before = sys.getallocatedblocks(), _malloc_bytes(), _references()
            for _ in range(repeat):
                operation()
            gc.collect()
            references.append(_references() - references_before)
            blocks.append(sys.getallocatedblocks() - blocks_before)
            malloced.append(_malloc_bytes() - bytes_before)
            if blocks[-1] < repeat // 4 and malloced[-1] < repeat * 8 and references[-1] < repeat // 4:
                return
        raise AssertionError(
            f"{blocks} blocks more, {malloced} bytes more from malloc, {references} references more, "
            f"after rounds of {repeat} calls"
        )

    return check


@pytest.fixture
def each_allocation_fails() -> Callable[[Callable[[], object]], int]:
    """Call an operation with its first Python allocation failing, then its second, … until it no longer notices.

    Each call must succeed or raise MemoryError. Returns how many calls raised it.
    """
    testcapi = pytest.importorskip("_testcapi")

    def check(operation: Callable[[], object]) -> int:
        refused = quiet = start = 0
        operation()
        gc.freeze()
        try:
            while quiet < 10:
                assert start < 5000, "the operation never gets by without the failing allocation"
                failed = False
                gc.collect()  # with it goes what lists, dicts and tuples would be made of without an allocation
                testcapi.set_nomemory(start, start + 1)
                try:
                    operation()
                except MemoryError:
                    failed = True
                finally:
                    testcapi.remove_mem_hooks()
                start += 1
                refused += failed
                quiet = 0 if failed else quiet + 1
        finally:
            gc.unfreeze()
        operation()
        return refused

    return check
