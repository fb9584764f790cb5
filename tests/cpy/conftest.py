# SPDX-License-Identifier: MIT
"""Fixtures for tests of the extension as a piece of C: nothing leaks, every failing allocation is survived."""

from __future__ import annotations

import ctypes
import gc
import sys
from array import array
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

    Each call must succeed or raise MemoryError, and one that raises may keep nothing. Returns how many raised it.
    """
    testcapi = pytest.importorskip("_testcapi")
    blocks = array("q", (0, 0))  # an int of Python's would be a block, too

    def raises(operation: Callable[[], object], start: int) -> bool:
        testcapi.set_nomemory(start, start + 1)
        try:
            operation()
        except MemoryError:
            return True
        finally:
            testcapi.remove_mem_hooks()
        return False

    def attempts(operation: Callable[[], object], start: int, times: int) -> tuple[bool, int]:
        """Fail allocation `start`; return whether that was noticed, and how many blocks there are more after it."""
        gc.collect()
        blocks[0] = sys.getallocatedblocks()
        for _ in range(times):
            gc.collect()  # with it goes what lists, dicts and tuples would be made of without an allocation
            failed = raises(operation, start)  # whose frame, which the traceback makes a block, is gone then
        gc.collect()
        blocks[1] = sys.getallocatedblocks()
        return failed, blocks[1] - blocks[0]

    def check(operation: Callable[[], object]) -> int:
        refused = quiet = start = 0
        for _ in range(25):  # what is kept up to a limit is full then
            operation()
        gc.freeze()
        try:
            while quiet < 10:
                assert start < 5000, "the operation never gets by without the failing allocation"
                failed, left = attempts(operation, start, 1)
                if failed and left > 0:  # or did CPython fill a cache?
                    flat = any(attempts(operation, start, 50)[1] < 25 for _ in range(ROUNDS))
                    assert flat, f"where allocation {start} fails, blocks are left"
                start += 1
                refused += failed
                quiet = 0 if failed else quiet + 1
        finally:
            gc.unfreeze()
        operation()
        return refused

    return check
