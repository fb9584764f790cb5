# SPDX-License-Identifier: MIT
"""Threads and event loops that wait for one ring, where a loop that was woken stands still."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perfcore.messaging import Empty, Ring


class Standing:
    """An event loop in which a coroutine waits, and that does not run."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.loop = asyncio.new_event_loop()
        self.task = self.loop.create_task(work())
        self.loop.run_until_complete(asyncio.sleep(0))

    def end(self) -> None:
        self.task.cancel()
        self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
        self.loop.close()


def test_a_thread_gets_what_a_standing_loop_leaves() -> None:
    ring: Ring[str] = Ring()
    standing = Standing(lambda: wait_for(ring.aget))
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.append(ring.get()), daemon=True)
    thread.start()
    ring.put("item")
    thread.join(60)
    assert got == ["item"]
    assert ring.unfinished_tasks == 1
    standing.end()


def test_a_thread_puts_where_a_standing_loop_does_not() -> None:
    ring: Ring[str] = Ring(1)
    ring.put("first")
    standing = Standing(lambda: wait_for(lambda: ring.aput("second")))
    thread = threading.Thread(target=lambda: ring.put("third"), daemon=True)
    thread.start()
    assert ring.get() == "first"
    thread.join(60)
    assert not thread.is_alive()
    assert ring.get(timeout=60) == "third"
    standing.end()


def wait_in_turn(works: list[Callable[[], Any]], pause: float = 0.1) -> list[threading.Thread]:
    """Start a thread for each, one after the other; each has had so many seconds to wait."""
    threads = []
    for work in works:
        threads.append(threading.Thread(target=work, daemon=True))
        threads[-1].start()
        time.sleep(pause)
    return threads


def test_threads_behind_a_loop_keep_their_places() -> None:
    ring: Ring[int] = Ring()
    got: list[str] = []

    def get(name: str) -> None:
        ring.get()
        got.append(name)

    loop = lambda: asyncio.run(wait_for(ring.aget))  # noqa: E731
    threads = wait_in_turn([loop, lambda: get("first"), lambda: get("second")])
    time.sleep(0.15)  # both have looked
    for number in range(3):
        ring.put(number)
        time.sleep(0.02)
    for thread in threads:
        thread.join(60)
    assert got == ["first", "second"]


def test_a_loop_has_its_turn_before_a_thread_that_came_later() -> None:
    ring: Ring[int] = Ring()
    got: list[str] = []

    def get_all() -> None:
        for _ in range(3):
            ring.get()
            got.append("thread")

    async def get_one() -> None:
        await ring.aget()
        got.append("loop")

    threads = wait_in_turn([lambda: asyncio.run(get_one()), get_all])
    for number in range(3):
        time.sleep(0.15)  # the thread has looked
        ring.put(number)
    while len(got) < 3:
        time.sleep(0.01)
    assert "loop" in got
    ring.put(3)
    for thread in threads:
        thread.join(60)


# Threads behind a loop look every 0.1 s; these start to wait one and a half of that apart, so that after one of the two
# times the second looks before the first.
@pytest.mark.parametrize("later", [0.025, 0.075])
def test_threads_behind_a_standing_loop_get_in_their_order(later: float) -> None:
    ring: Ring[int] = Ring()
    standing = Standing(lambda: wait_for(ring.aget))
    got: list[tuple[str, int]] = []
    works = [lambda: got.append(("first", ring.get())), lambda: got.append(("second", ring.get()))]
    threads = wait_in_turn(works, 0.15)
    time.sleep(later)
    ring.put(1)
    threads[0].join(60)
    ring.put(2)
    threads[1].join(60)
    assert got == [("first", 1), ("second", 2)]
    standing.end()


@pytest.mark.parametrize("later", [0.025, 0.075])
def test_threads_behind_a_standing_loop_put_in_their_order(later: float) -> None:
    ring: Ring[str] = Ring(1)
    ring.put("zeroth")
    standing = Standing(lambda: wait_for(lambda: ring.aput("of the loop")))
    threads = wait_in_turn([lambda: ring.put("first"), lambda: ring.put("second")], 0.15)
    time.sleep(later)
    assert ring.get() == "zeroth"
    threads[0].join(60)
    assert [ring.get(timeout=60), ring.get(timeout=60)] == ["first", "second"]
    threads[1].join(60)
    standing.end()


def switches(threads: list[threading.Thread]) -> list[int]:
    """Return how often each has gone to sleep."""
    texts = [Path(f"/proc/self/task/{one.native_id}/status").read_text(encoding="ascii") for one in threads]
    return [int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in texts]


def test_threads_wake_for_loops_on_their_own_side_alone() -> None:
    ring: Ring[int] = Ring(1)
    ring.put(1)
    standing = Standing(lambda: wait_for(lambda: ring.aput(2)))
    standing.end()
    assert ring.get() == 1
    threads = wait_in_turn([ring.get, ring.get])

    def is_quiet() -> bool:
        before = switches(threads)
        time.sleep(0.35)
        return switches(threads) == before

    assert any(is_quiet() for _ in range(20))  # not at once, perhaps, where the machine is busy
    ring.put(3)
    ring.put(4)
    for thread in threads:
        thread.join(60)


def test_behind_a_loop_a_timeout_is_still_one() -> None:
    ring: Ring[str] = Ring()
    standing = Standing(lambda: wait_for(ring.aget))
    for timeout in (0.0, 0.01, 0.15):
        with pytest.raises(Empty):
            ring.get(timeout=timeout)
    ring.close()
    with pytest.raises(Exception, match="closed"):
        ring.get()
    standing.end()


async def wait_for(work: Callable[[], Any]) -> Any:
    return await work()


def test_get_many_waits_although_a_finalizer_took_all() -> None:
    """On 3.11 making the list may collect garbage; what is left then is nothing, which is waited for."""
    ring: Ring[int] = Ring()

    class Takes:
        def __del__(self) -> None:
            while len(ring):
                ring.get()

    before = gc.get_threshold()
    gc.collect()
    gc.disable()
    try:
        ring.put_many(range(30))
        end: Any = Takes()
        end.itself = end
        del end
        hold: list[Any] = []
        gc.set_threshold(1, 1000, 1000)
        hold.extend([] for _ in range(100))
        gc.enable()
        thread = threading.Timer(0.1, lambda: ring.put(31))
        thread.start()
        found = ring.get_many()
        thread.join()
    finally:
        gc.set_threshold(*before)
        gc.enable()
    assert found in ([31], list(range(30)))


def test_aget_many_waits_although_a_finalizer_took_all() -> None:
    ring: Ring[int] = Ring()

    class Takes:
        def __del__(self) -> None:
            while len(ring):
                ring.get()

    async def take() -> list[int]:
        ring.put_many(range(30))
        many = ring.aget_many()
        asyncio.get_running_loop().call_later(0.05, ring.put, 31)
        hold: list[Any] = [[] for _ in range(100)]  # none is left in the free list
        end: Any = Takes()
        end.itself = end
        del end
        gc.set_threshold(1, 1000, 1000)
        gc.enable()
        found = await many
        gc.disable()
        assert len(hold) == 100
        return found

    before = gc.get_threshold()
    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(take()) in ([31], list(range(30)))
    finally:
        gc.set_threshold(*before)
        gc.enable()
