# SPDX-License-Identifier: MIT
"""ObjectPool: lending, waiting, counters, and what raises."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from perfcore.messaging import Empty, ObjectPool


def counters(pool: ObjectPool[Any]) -> tuple[int, int, int, int]:
    return pool.created, pool.reused, pool.discarded, pool.in_use


def test_objects_are_made_late_and_lent_again() -> None:
    pool: ObjectPool[list[int]] = ObjectPool(2, list, list.clear)
    first = pool.acquire()
    first.append(1)
    pool.release(first)
    assert pool.acquire() is first
    assert first == []
    second = pool.acquire()
    assert counters(pool) == (2, 1, 0, 2)
    with pytest.raises(Empty):
        pool.acquire(block=False)
    with pytest.raises(Empty):
        pool.acquire(timeout=0.001)
    pool.release(second)
    with pool.lend() as again:
        assert again is second
    assert counters(pool) == (2, 2, 0, 1)


def test_what_is_not_lent_is_refused() -> None:
    pool: ObjectPool[list[int]] = ObjectPool(1, list)
    item = pool.acquire()
    with pytest.raises(ValueError, match=r"\[\] is not lent by this pool"):
        pool.release([])
    pool.release(item)
    with pytest.raises(ValueError, match="has come back already"):
        pool.release(item)
    with pytest.raises(ValueError, match=r"ObjectPool object .* is not lent by this pool"):
        pool.release(pool)  # type: ignore[arg-type]
    assert counters(pool) == (1, 0, 0, 0)
    with pytest.raises(ValueError, match="size is 0"):
        ObjectPool(0, list)


def test_a_factory_and_a_reset_that_raise_lose_no_place() -> None:
    fails = [True]

    def factory() -> list[int]:
        if fails:
            raise OSError(fails.pop())
        return []

    def reset(item: list[int]) -> None:
        if item:
            raise RuntimeError(item)

    pool = ObjectPool(1, factory, reset)
    with pytest.raises(OSError, match="True"):
        pool.acquire()
    with pytest.raises(RuntimeError, match="7"), pool.lend() as item:
        item.append(7)
    assert pool.acquire(block=False) is not item
    assert counters(pool) == (2, 0, 1, 1)


def test_threads_share_what_there_is() -> None:
    pool: ObjectPool[set[int]] = ObjectPool(3, set)
    clashes: list[set[int]] = []

    def work(number: int) -> None:
        for _ in range(300):
            with pool.lend() as item:
                if item:
                    clashes.append(item)
                item.add(number)
                item.remove(number)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert not clashes
    assert pool.in_use == 0
    assert pool.created <= 3
