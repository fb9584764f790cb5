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
from perfcore.messaging import Message, MessageHistory, Ring, Router

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


SHARE = 20_000  # messages of each producer
CHUNK = 50


def concurrent(deliver: Callable[[list[str], list[Any]], object], get: Callable[[int], int], endpoints: int) -> float:
    """Let 4 producers route to all endpoints, behind which 4 consumers wait; return nanoseconds for each message."""
    messages = [MESSAGE] * CHUNK
    shares = [
        [[f"agent-{(start + i) * 7919 % endpoints}" for i in range(CHUNK)] for start in range(which, SHARE, CHUNK)]
        for which in range(4)
    ]
    wanted = [0] * 4
    for share in shares:
        for names in share:
            for name in names:
                wanted[int(name[6:]) % 4] += 1

    def produce(which: int) -> None:
        for names in shares[which]:
            deliver(names, messages)

    def consume(which: int) -> None:
        left = wanted[which]
        while left > 0:
            left -= get(which)

    threads = [threading.Thread(target=work, args=(which,)) for work in (consume, produce) for which in range(4)]
    start = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (perf_counter() - start) * 1e9 / sum(wanted)


@row("router-concurrent", unit="ns/message", peers=("queue",))
def concurrent_routing(context: Context) -> Iterator[Case]:
    """Measure direct routing by 4 producers to 4 consumers' queues, as the endpoints grow a thousandfold.

    Under one GIL more cores give no more: this is whether the number of endpoints and of threads costs anything.
    """
    for endpoints in (10, 100) if context.quick else (10, 100, 1000, 10_000):

        def ours(endpoints: int = endpoints) -> float:
            router, rings = Router(), [Ring[Any]() for _ in range(4)]
            for number in range(endpoints):
                router.add(f"agent-{number}", rings[number % 4].put)
            return concurrent(router.send_many, lambda which: len(rings[which].get_many()), endpoints)

        def theirs(endpoints: int = endpoints) -> float:
            queues: list[queue.SimpleQueue[Any]] = [queue.SimpleQueue() for _ in range(4)]
            puts = {f"agent-{number}": queues[number % 4].put for number in range(endpoints)}

            def deliver(names: list[str], messages: list[Any]) -> None:
                for name, message in zip(names, messages, strict=True):
                    puts[name](message)

            def get(which: int) -> int:
                queues[which].get()
                return 1

            return concurrent(deliver, get, endpoints)

        name = f"4 producers, 4 consumers, {endpoints} endpoints"
        yield Case(name, context.interleave({OURS: ours, "queue": theirs}), note="the peer is a dict of SimpleQueues")


class OnList:
    """A history as one would write it: a deque, searched from one end to the other."""

    def __init__(self, maxlen: int) -> None:
        self.kept: deque[dict[str, Any]] = deque(maxlen=maxlen)

    def query(self, agent: str) -> list[dict[str, Any]]:
        """Find what an agent has sent or got."""
        return [one for one in self.kept if agent in (one["sender"], one["recipient"])]

    def between(self, since: int, until: int) -> list[dict[str, Any]]:
        """Find what was sent in a time."""
        return [one for one in self.kept if since <= one["timestamp"] < until]


@row("history", unit="ns", peers=("collections",))
def history(context: Context) -> Iterator[Case]:
    """Measure a history of 10 000 messages against a deque of dicts."""
    size = 1000 if context.quick else 10_000
    names = [f"agent-{number}" for number in range(100)]
    fields = [(names[i % 100], names[i * 7 % 100], f"world/{i % 200}/move", {"step": i}, i, i) for i in range(size)]
    records = [Message(*one) for one in fields]
    dicts = [dict(zip(Message.__match_args__, one, strict=True)) for one in fields]
    kept, plain = MessageHistory(size), OnList(size)
    kept.extend(records)
    plain.kept.extend(dicts)
    queries: list[tuple[str, Callable[[], list[Any]], Callable[[], list[Any]]]] = [
        ("of one agent of 100", lambda: kept.query(agent="agent-3"), lambda: plain.query("agent-3")),
        ("in a hundredth of the time", lambda: kept.query(since=500, until=600), lambda: plain.between(500, 600)),
    ]
    for name, ours, theirs in queries:
        if len(ours()) != len(theirs()):
            raise RuntimeError(f"different answers to the query {name}")
        timers = {
            OURS: lambda ours=ours: nanoseconds(ours, 1),
            "collections": lambda theirs=theirs: nanoseconds(theirs, 1),
        }  # type: ignore[misc]
        yield Case(f"messages {name}, {size} kept", context.interleave(timers))
    timers = {
        OURS: lambda: nanoseconds(lambda: MessageHistory(size // 2).extend(records), size),
        "collections": lambda: nanoseconds(lambda: OnList(size // 2).kept.extend(dicts), size),
    }
    yield Case("append one, half dropped", context.interleave(timers), note="the deque keeps no index")
    timers = {
        OURS: lambda: nanoseconds(lambda: [Message(*one) for one in fields], size),
        "collections": lambda: nanoseconds(
            lambda: [dict(zip(Message.__match_args__, one, strict=True)) for one in fields], size
        ),
    }
    yield Case("make a message of six fields", context.interleave(timers))
