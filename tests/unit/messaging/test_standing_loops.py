# SPDX-License-Identifier: MIT
"""Threads and event loops that wait for one ring, where a loop that was woken stands still."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
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


async def wait_for(work: Callable[[], Any]) -> None:
    await work()


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
