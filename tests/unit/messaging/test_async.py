# SPDX-License-Identifier: MIT
"""Rings and event loops: awaiting, iterating, delivery from threads, cancelling, closed loops."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextlib import suppress
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


class Hasty(Ring[Any]):
    """Between a look at the ring and the wait something happens, as another thread may make it."""

    __slots__ = ("before",)
    before: Any

    def _arm(self, callback: Any, for_get: bool, front: bool) -> None:
        before, self.before = self.before, None
        if before is not None:
            before(self)
        super()._arm(callback, for_get, front)


@pytest.mark.parametrize("many", [False, True])
def test_what_came_before_the_wait_is_got(many: bool) -> None:
    async def main() -> None:
        ring = Hasty()
        ring.before = lambda ring: ring.put("late")
        assert await asyncio.wait_for(ring.aget_many() if many else ring.aget(), 30) == (["late"] if many else "late")
        ring.before = Ring.close
        with pytest.raises(Closed):
            await asyncio.wait_for(ring.aget_many() if many else ring.aget(), 30)

    run(main())


def test_a_slot_that_came_free_before_the_wait_is_taken() -> None:
    async def main() -> None:
        ring = Hasty(1)
        ring.put(1)
        ring.before = Ring.get
        await asyncio.wait_for(ring.aput(2), 30)
        assert ring.get_nowait() == 2
        ring.put(1)
        ring.before = Ring.close
        with pytest.raises(Closed):
            await asyncio.wait_for(ring.aput(2), 30)

    run(main())


@pytest.mark.parametrize("kind", [Ring, PriorityRing])
def test_the_awaitables_are_coroutines(kind: Any) -> None:
    async def main() -> None:
        ring = kind(2)
        waits = ring.aget()
        assert asyncio.iscoroutine(waits)
        task = asyncio.create_task(waits)
        await asyncio.sleep(0)
        assert await asyncio.gather(ring.aput(1), ring.aput((2, 3)), task) == [None, None, 1]
        assert await ring.aget() == (2, 3)  # a tuple, an exception and None stay what they are
        error = StopIteration("item")
        for item in (error, None):
            await ring.aput(item)
            assert await ring.aget() is item
        with pytest.raises(TypeError):
            ring.aput()
        with pytest.raises(TypeError):
            ring.aput(1, 2, 3)
        with pytest.raises(TypeError):
            ring.aget_many(1, 2)
        with pytest.raises(ValueError, match="max_items is 0"):
            await (ring.put(1), ring.aget_many(0))[1]
        assert await ring.aget_many(max_items=5) == [1]

        once = ring.aput(item=7)
        await once
        with pytest.raises(RuntimeError, match=r"awaited already|already awaited"):
            await once
        with pytest.raises(RuntimeError, match=r"awaited already|already awaited"):
            once.throw(ValueError())
        once.close()
        assert ring.get_many() == [7]

        never = ring.aget()
        never.close()
        with pytest.raises(RuntimeError, match=r"awaited already|already awaited"):
            await never
        with pytest.raises(KeyError):
            ring.aget().throw(KeyError("k"))

        by_hand = ring.aget()
        future = by_hand.send(None)
        assert asyncio.isfuture(future)
        ring.put("x")
        assert future.done()
        with pytest.raises(StopIteration) as stopped:
            by_hand.send(None)
        assert stopped.value.value == "x"
        waits = ring.aget()
        waits.send(None)
        with pytest.raises(KeyError):
            waits.throw(KeyError("k"))
        waits = ring.aget()
        waits.send(None)
        waits.close()
        ring.put("still there")
        assert ring.get_nowait() == "still there"
        ring.close()
        for call in (ring.aget, ring.aget_many, lambda: ring.aput(1)):
            with pytest.raises(Closed):
                await call()

    run(main())


def test_one_that_was_never_awaited_is_reported() -> None:
    ring: Ring[int] = Ring()
    for name, call in (("aget", ring.aget), ("aget_many", ring.aget_many), ("aput", lambda: ring.aput(1))):
        with pytest.warns(RuntimeWarning, match=rf"{name}.* was never awaited$"):
            call()  # type: ignore[operator]
    assert ring.empty()


def test_nothing_is_lost_when_a_loop_closes_while_messages_arrive() -> None:
    ring: Ring[int] = Ring()
    count, got = 30_000, []

    async def take_some() -> None:
        while len(got) < 100:
            got.extend(await ring.aget_many(7))
        waits = [asyncio.ensure_future(ring.aget()) for _ in range(3)]  # cancelled with the loop, woken or not
        await asyncio.sleep(0)
        for one in waits:
            if one.done():
                got.append(one.result())

    producer = threading.Thread(target=lambda: [ring.put(number) for number in range(count)])
    producer.start()
    for _ in range(5):
        with asyncio.Runner() as runner:
            runner.run(take_some())
        got.extend([] if ring.empty() else ring.get_many(11))
    producer.join()
    while not ring.empty():
        got.append(ring.get_nowait())
    assert sorted(got) == list(range(count))


class Witness:
    """An item whose end can be seen."""


def test_nothing_outlives_its_await() -> None:
    # An awaitable that has ended is used again: no item, ring or limit may stay with it.
    async def main() -> list[weakref.ref[Any]]:
        ring: Ring[Witness] = Ring()
        seen = []
        for get in (ring.aget, ring.aget_many):
            item = Witness()
            seen.append(weakref.ref(item))
            await ring.aput(item)
            del item
            assert seen[-1]() is not None
            await get()  # type: ignore[operator]
            assert seen[-1]() is None
        seen.append(weakref.ref(ring))
        return seen

    assert [one() for one in run(main())] == [None] * 3


def test_by_hand_each_value_comes_in_a_stop_iteration_of_its_own() -> None:
    ring: Ring[Any] = Ring()
    ring.put_many(["first", ("second",), None, Witness()])
    stopped = []
    for _ in range(2):
        with pytest.raises(StopIteration) as caught:
            next(ring.aget().__await__())
        stopped.append(caught.value)
    assert [(one.value, one.args) for one in stopped] == [("first", ("first",)), (("second",), (("second",),))]
    assert next(ring.aget().__await__(), "ended") == "ended"
    witness = weakref.ref(ring.get_nowait())
    assert witness() is None


def test_an_item_whose_end_awaits_finds_the_ring_in_order() -> None:
    ring: Ring[Any] = Ring()

    class Ends:
        def __del__(self) -> None:
            for _ in range(2):  # on two of them at once: of three that end together one can be kept
                with suppress(StopIteration):
                    ring.aput("from its end").send(None)

    async def main() -> None:
        for _ in range(100):
            put = ring.aput(Ends())
            put.close()
            del put  # its end is the item's
            assert await ring.aget_many() == ["from its end"] * 2

    run(main())


def test_the_awaitables_that_the_collector_shows_are_harmless() -> None:
    ring: Ring[Any] = Ring()

    async def main() -> None:
        await ring.aput(1)
        shown = [one for one in gc.get_objects() if type(one).__name__ == "RingAwait"]
        spares = [one for one in shown if not any(isinstance(held, Ring) for held in gc.get_referents(one))]
        del shown
        for one in spares:
            with pytest.raises(RuntimeError, match="awaited already"):
                one.send(None)
            one.close()
        first, second = ring.aget(), ring.aput(2)  # not the ones that are held here
        assert not {id(first), id(second)} & {id(one) for one in spares}
        del spares
        await second
        assert [await first, await ring.aget()] == [1, 2]

    run(main())


def test_one_that_was_collected_unawaited_is_reported_and_so_is_the_next() -> None:
    ring: Ring[Any] = Ring()

    def forget_in_a_cycle() -> None:
        cycle: list[Any] = []
        cycle.append(ring.aput(cycle))
        del cycle
        gc.collect()

    for _ in range(3):
        for forget in (ring.aget, forget_in_a_cycle):
            with pytest.warns(RuntimeWarning, match="never awaited"):
                forget()  # type: ignore[operator]
