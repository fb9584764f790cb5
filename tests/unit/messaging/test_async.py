# SPDX-License-Identifier: MIT
"""Rings and event loops: awaiting, iterating, delivery from threads, cancelling, closed loops."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from perfcore.messaging import Closed, PriorityRing, Ring


def run(coroutine: Any) -> Any:
    async def limited() -> Any:
        return await asyncio.wait_for(coroutine, 30)

    return asyncio.run(limited())


@pytest.mark.parametrize("kind", [Ring, PriorityRing])
def test_producers_and_consumers_on_one_loop(kind: Any) -> None:
    async def main() -> None:
        ring, got = kind(3), []

        async def produce(first: int) -> None:
            for item in range(first, first + 100):
                await ring.aput(item)

        async def consume() -> None:
            async for item in ring:
                got.append(item)

        consumers = [asyncio.create_task(consume()) for _ in range(3)]
        await asyncio.gather(*(produce(first) for first in (0, 100, 200)))
        ring.close()
        await asyncio.gather(*consumers)
        assert sorted(got) == list(range(300))
        with pytest.raises(Closed):
            await ring.aget()
        with pytest.raises(Closed):
            await ring.aput(1)

    run(main())


def test_from_threads_in_batches_and_back() -> None:
    there, back, count = Ring[int](), Ring[int](5), 3000

    def produce() -> None:
        for item in range(count):
            there.put(item)

    got: list[int] = []

    def consume() -> None:
        try:
            while True:
                got.append(back.get())
        except Closed:
            pass

    async def main() -> None:
        seen = 0
        while seen < 2 * count:
            for item in await there.aget_many(64):
                seen += 1
                await back.aput(item)
        back.close()

    threads = [threading.Thread(target=target, daemon=True) for target in (produce, produce, consume)]
    for thread in threads:
        thread.start()
    run(main())
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert sorted(got) == sorted([*range(count), *range(count)])


def test_one_wake_up_for_a_batch() -> None:
    wakes: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stock = loop.call_soon_threadsafe

        def counting(*args: Any, **kwargs: Any) -> Any:
            wakes.append(args)
            return stock(*args, **kwargs)

        ring: Ring[int] = Ring()
        getter = asyncio.create_task(ring.aget_many())
        await asyncio.sleep(0)
        loop.call_soon_threadsafe = counting  # type: ignore[method-assign]
        thread = threading.Thread(target=lambda: [ring.put(item) for item in range(500)])
        thread.start()
        thread.join()  # the loop does not run meanwhile
        assert await getter == list(range(500))

    run(main())
    assert len(wakes) == 1


@pytest.mark.parametrize("woken", [False, True])
def test_a_cancelled_getter_passes_its_turn_on(woken: bool) -> None:
    async def main() -> None:
        ring: Ring[int] = Ring()
        first, second = asyncio.create_task(ring.aget()), asyncio.create_task(ring.aget())
        await asyncio.sleep(0)
        if woken:
            ring.put(1)
            first.cancel()
        else:
            first.cancel()
            await asyncio.sleep(0)
            ring.put(1)
        assert await second == 1
        assert first.cancelled()

    run(main())


def test_a_cancelled_putter_passes_its_turn_on() -> None:
    async def main() -> None:
        ring: Ring[int] = Ring(1)
        ring.put(0)
        first, second = asyncio.create_task(ring.aput(1)), asyncio.create_task(ring.aput(2))
        await asyncio.sleep(0)
        assert ring.get() == 0  # the first has its turn
        first.cancel()
        await second
        assert ring.get_many() == [2]

    run(main())


def test_a_loop_that_was_closed_is_passed_over() -> None:
    ring: Ring[int] = Ring()
    loop = asyncio.new_event_loop()
    task = loop.create_task(ring.aget())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    ring.put(1)
    assert ring.get(timeout=30) == 1
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_close_ends_iterations_of_threads_and_loops() -> None:
    ring: Ring[int] = Ring()

    async def main() -> list[int]:
        threading.Timer(0.05, ring.close).start()
        return [item async for item in ring]

    assert run(main()) == []


def test_fixtures(message_queue: Any, message_router: Any) -> None:
    assert type(message_queue) is Ring
    message_router.add("a")
    assert message_router.broadcast(1) == 1
