# SPDX-License-Identifier: MIT
"""Rows about queues and routers within a process, against the standard library's."""

from __future__ import annotations

import asyncio
import queue
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.spread import TimesLess
from perfcore.messaging import Ring, Router

MESSAGE = {"sender": "agent-1", "receiver": "agent-2", "step": 17}
BATCH = 64
ENDPOINTS = 100
ROUTED = 1000

Way = Callable[[list[str]], object]


def nanoseconds(work: Callable[[], object], items: int) -> float:
    """Time one call of the work; return nanoseconds for each of the items it handles."""
    start = perf_counter()
    work()
    return (perf_counter() - start) * 1e9 / items


def singles(channel: Any, count: int) -> Callable[[], None]:
    """Return work that puts and gets one item at a time."""

    def work() -> None:
        put, get = channel.put, channel.get
        for _ in range(count):
            put(MESSAGE)
            get()

    return work


def batches(channel: Ring[Any], count: int) -> Callable[[], None]:
    """Return work that puts and gets batches."""

    def work() -> None:
        put, get, batch = channel.put_many, channel.get_many, [MESSAGE] * BATCH
        for _ in range(count // BATCH):
            put(batch)
            get()

    return work


@row("queue", unit="ns", peers=("queue",))
def one_thread(context: Context) -> Iterator[Case]:
    """Measure a put and a get of a small dict in one thread."""
    count = 6_400 if context.quick else 64_000
    for peer, kind, single, batched in (("Queue", queue.Queue, 45, 400), ("SimpleQueue", queue.SimpleQueue, 1.6, 18)):
        for label, ours, factor in (("single", singles, single), ("in batches", batches, batched)):
            timers = {
                OURS: lambda ours=ours: nanoseconds(ours(Ring(), count), count),  # type: ignore[misc]
                "queue": lambda kind=kind: nanoseconds(singles(kind(), count), count),  # type: ignore[misc]
            }
            yield Case(f"{label}, against {peer}", context.interleave(timers), {"queue": TimesLess(factor)})


async def ready(put: Callable[[Any], Any], get: Callable[[], Any], count: int) -> None:
    """Put and get one item at a time; nothing ever waits."""
    for _ in range(count):
        await put(MESSAGE)
        await get()


async def from_thread_to_ring(count: int) -> None:
    """Receive on a loop what a thread puts into a ring."""
    ring: Ring[Any] = Ring()
    thread = threading.Thread(target=lambda: [ring.put(MESSAGE) for _ in range(count)])
    thread.start()
    seen = 0
    while seen < count:
        seen += len(await ring.aget_many())
    thread.join()


async def from_thread_to_asyncio(count: int) -> None:
    """Receive on a loop what a thread hands to it for an asyncio.Queue."""
    channel: asyncio.Queue[Any] = asyncio.Queue()
    call = asyncio.get_running_loop().call_soon_threadsafe
    thread = threading.Thread(target=lambda: [call(channel.put_nowait, MESSAGE) for _ in range(count)])
    thread.start()
    for _ in range(count):
        await channel.get()
    thread.join()


@row("queue-asyncio", unit="ns", peers=("asyncio",))
def event_loop(context: Context) -> Iterator[Case]:
    """Measure a put and a get on an event loop, and the way from a thread to a loop."""
    count = 20_000 if context.quick else 100_000

    def ours() -> float:
        ring: Ring[Any] = Ring()
        return nanoseconds(lambda: asyncio.run(ready(ring.aput, ring.aget, count)), count)

    def theirs() -> float:
        channel: asyncio.Queue[Any] = asyncio.Queue()
        return nanoseconds(lambda: asyncio.run(ready(channel.put, channel.get, count)), count)

    yield Case("data ready", context.interleave({OURS: ours, "asyncio": theirs}), {"asyncio": TimesLess(4)})
    timers = {
        OURS: lambda: nanoseconds(lambda: asyncio.run(from_thread_to_ring(count)), count),
        "asyncio": lambda: nanoseconds(lambda: asyncio.run(from_thread_to_asyncio(count)), count),
    }
    yield Case("from a thread", context.interleave(timers), {"asyncio": TimesLess(30)})


class OnDeques:
    """The same routing in Python, as one would write it."""

    def __init__(self) -> None:
        self.boxes: dict[str, deque[Any]] = {f"agent-{number}": deque() for number in range(ENDPOINTS)}
        self.filters: list[tuple[re.Pattern[str], deque[Any]]] = []
        self.cache: dict[str, list[deque[Any]]] = {}

    def subscribe(self, name: str, topic_filter: str) -> None:
        """Have an inbox get the topics of a filter."""
        text = re.escape(topic_filter).replace(r"\+", "[^/]*").replace(r"/\#", "(/.*)?")
        self.filters.append((re.compile(text), self.boxes[name]))

    def direct(self, names: list[str], messages: list[Any]) -> None:
        """Deliver each to its receiver."""
        boxes = self.boxes
        for name, message in zip(names, messages, strict=True):
            boxes[name].append(message)

    def broadcast(self, messages: list[Any]) -> None:
        """Deliver each to all."""
        for message in messages:
            for box in self.boxes.values():
                box.append(message)

    def publish(self, topics: list[str], messages: list[Any]) -> None:
        """Deliver each to the subscribers of its topic."""
        for topic, message in zip(topics, messages, strict=True):
            found = self.cache.get(topic)
            if found is None:
                found = self.cache[topic] = [box for pattern, box in self.filters if pattern.fullmatch(topic)]
            for box in found:
                box.append(message)

    def drain(self) -> int:
        """Empty the inboxes; return how many messages they held."""
        held = sum(map(len, self.boxes.values()))
        for box in self.boxes.values():
            box.clear()
        return held


def drain(router: Router) -> int:
    """Empty the mailboxes; return how many messages they held."""
    return sum(len(one.mailbox.get_many()) for one in router.endpoints if one.mailbox is not None and one.queued)


@row("router", unit="ns/message", peers=("collections",))
def routing(context: Context) -> Iterator[Case]:
    """Measure the routing of 1000 messages over 100 endpoints against the same on deques in Python."""
    theirs, ours = OnDeques(), Router()
    for number, name in enumerate(theirs.boxes):
        ours.add(name)
        topic_filter = f"world/{number}/+" if number % 2 else f"world/{number}/#"
        ours.subscribe(name, topic_filter)
        theirs.subscribe(name, topic_filter)
    names = [f"agent-{number * 7 % ENDPOINTS}" for number in range(ROUTED)]
    cached = [f"world/{number * 7 % ENDPOINTS}/move" for number in range(ROUTED)]
    messages = [MESSAGE] * ROUTED
    fresh = iter(range(1 << 40))

    def timers(our_way: Way, their_way: Way, topics: Callable[[], list[str]] = list) -> dict[str, list[float]]:
        held: dict[str, int] = {}

        def one(name: str, way: Way, empty: Callable[[], int]) -> float:
            given = topics()
            spent = nanoseconds(lambda: way(given), ROUTED)
            held[name] = empty()
            return spent

        figures = context.interleave(
            {
                OURS: lambda: one(OURS, our_way, lambda: drain(ours)),
                "collections": lambda: one("collections", their_way, theirs.drain),
            }
        )
        if len(set(held.values())) != 1:
            raise RuntimeError(f"different numbers of deliveries: {held}")
        return figures

    def new_topics() -> list[str]:
        run = next(fresh)
        return [f"world/{number % ENDPOINTS}/{run}-{number}" for number in range(ROUTED)]

    def case(name: str, figures: dict[str, list[float]], factor: float) -> Case:
        return Case(name, figures, {"collections": TimesLess(factor)})

    direct = timers(lambda _: ours.send_many(names, messages), lambda _: theirs.direct(names, messages))
    yield case("direct", direct, 3)
    broadcast = timers(lambda _: ours.broadcast_many(messages), lambda _: theirs.broadcast(messages))
    yield case("broadcast", broadcast, 5)
    ways: tuple[Way, Way] = (lambda t: ours.publish_many(t, messages), lambda t: theirs.publish(t, messages))
    yield case("topic, 100 filters, known topics", timers(*ways, lambda: cached), 3)
    yield case("topic, 100 filters, new topics", timers(*ways, new_topics), 15)
