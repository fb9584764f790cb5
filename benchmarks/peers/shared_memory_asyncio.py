# SPDX-License-Identifier: MIT
"""Rows about messages between the event loops of two processes, against what asyncio's users have for it.

That is multiprocessing's queue, whose get blocks and so runs in a thread of the loop's executor, and asyncio's own
streams over a pair of sockets, with objects pickled behind their length.
"""

from __future__ import annotations

import asyncio
import functools
import os
import pickle
import socket
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, Protocol

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.shared_memory import BATCH, MESSAGE, PROCESSES
from perfcore.messaging import ShmRing

LIMIT_S = 120  # no measurement takes that long, unless a process died
CHUNK = 1 << 16  # bytes that a stream reads at once


class Link(Protocol):
    """One direction between two loops. Made in one process, passed to the other, begun in both."""

    async def begin(self, sends: bool) -> None:
        """Take an end, in the loop that will use it."""

    async def put(self, item: Any) -> None:
        """Send one."""

    async def get(self) -> Any:
        """Receive one."""

    async def put_many(self, items: list[Any]) -> None:
        """Send many, in the best form there is."""

    async def get_many(self) -> list[Any]:
        """Receive what is there, at least one, in the best form there is."""

    async def end(self) -> None:
        """Let go of the end."""


class Shared:
    """A ring in shared memory."""

    def __init__(self) -> None:
        self.ring: ShmRing[Any] = ShmRing(size=1 << 20)

    async def begin(self, sends: bool) -> None:
        """Take what is used in the loops."""
        self.put, self.get, self.get_many = self.ring.aput, self.ring.aget, self.ring.aget_many

    async def put_many(self, items: list[Any]) -> None:
        """Put as many as there is room for; the first of the others waits for more."""
        left = items
        while left := left[self.ring.put_many(left, timeout=0) :]:
            await self.ring.aput(left[0])
            left = left[1:]

    async def end(self) -> None:
        """Detach."""
        self.ring.detach()

    def __getstate__(self) -> Any:
        return {"ring": self.ring}


class Threaded:
    """A multiprocessing queue. Without a limit a put never blocks; a get does, in a thread of the loop's executor."""

    def __init__(self) -> None:
        self.queue = PROCESSES.Queue()

    async def begin(self, sends: bool) -> None:
        """Take what is used in the loops."""
        self.run = functools.partial(asyncio.get_running_loop().run_in_executor, None)

    async def put(self, item: Any) -> None:
        """Hand to the queue's own thread."""
        self.queue.put(item)

    async def get(self) -> Any:
        """Get in a thread."""
        return await self.run(self.queue.get)

    async def put_many(self, items: list[Any]) -> None:
        """Hand over all."""
        for item in items:
            self.queue.put(item)

    async def get_many(self) -> list[Any]:
        """Get a batch in one call of a thread."""
        return await self.run(lambda: [self.queue.get() for _ in range(BATCH)])

    async def end(self) -> None:
        """Nothing: the queue ends with its processes."""

    def __getstate__(self) -> Any:
        return {"queue": self.queue}


class Streamed:
    """A pair of sockets with asyncio's streams over them; each message is four bytes of length, then its pickle."""

    def __init__(self) -> None:
        self.ends = socket.socketpair()
        self.rest = b""

    async def begin(self, sends: bool) -> None:
        """Make streams of one end, and close the other."""
        mine, other = self.ends if sends else self.ends[::-1]
        other.close()
        self.reader, self.writer = await asyncio.open_connection(sock=mine)

    async def put(self, item: Any) -> None:
        """Write one, and wait where the buffer is full."""
        data = pickle.dumps(item, 5)
        self.writer.write(len(data).to_bytes(4, "little") + data)
        await self.writer.drain()

    async def get(self) -> Any:
        """Read a length and a pickle."""
        size = int.from_bytes(await self.reader.readexactly(4), "little")
        return pickle.loads(await self.reader.readexactly(size))  # noqa: S301 - our own

    async def put_many(self, items: list[Any]) -> None:
        """Write all at once."""
        pickles = [pickle.dumps(item, 5) for item in items]
        self.writer.write(b"".join(len(data).to_bytes(4, "little") + data for data in pickles))
        await self.writer.drain()

    async def get_many(self) -> list[Any]:
        """Read a chunk, and take all that is whole in it."""
        found: list[Any] = []
        while not found:
            chunk = await self.reader.read(CHUNK)
            if not chunk:
                raise RuntimeError("the other process has closed the stream")
            data, at = memoryview(self.rest + chunk), 0
            while at + 4 <= len(data):
                after = at + 4 + int.from_bytes(data[at : at + 4], "little")
                if after > len(data):
                    break
                found.append(pickle.loads(data[at + 4 : after]))  # noqa: S301 - our own
                at = after
            self.rest = bytes(data[at:])
        return found

    async def end(self) -> None:
        """Close the stream."""
        self.writer.close()
        await self.writer.wait_closed()

    def __getstate__(self) -> Any:
        return {"ends": self.ends, "rest": b""}


Make = Callable[[], Link]


def makers(context: Context) -> dict[str, Make]:
    """Return what makes a link of each contender."""
    kinds: dict[str, Make] = {OURS: Shared, "multiprocessing": Threaded, "asyncio": Streamed}
    return {name: make for name, make in kinds.items() if name == OURS or context.has(name)}


async def send(link: Link, go: Any, count: int, batched: bool) -> None:
    """Put a message that says it is ready, wait for the start, put the others."""
    await link.begin(sends=True)
    await link.put(MESSAGE)
    go.wait()  # nothing else runs on this loop
    if batched:
        batch = [MESSAGE] * BATCH
        for _ in range(count // BATCH):
            await link.put_many(batch)
    else:
        for _ in range(count):
            await link.put(MESSAGE)
    await link.end()


async def echo(there: Link, back: Link) -> None:
    """Send back what comes, until None does."""
    await there.begin(sends=False)
    await back.begin(sends=True)
    while (item := await there.get()) is not None:
        await back.put(item)
    await back.end()
    await there.end()


def in_loop(function: Callable[..., Any], *args: Any) -> None:
    """Be the child: run a coroutine function."""
    asyncio.run(function(*args))


def check(child: Any, last: object) -> None:
    """Refuse a figure of messages that did not come.

    Raises:
        RuntimeError: the child failed, or the last message is another one.

    """
    child.join()
    if child.exitcode or last != MESSAGE:
        raise RuntimeError(f"the other process ended with {child.exitcode}, and the last message was {last!r}")


async def receive(link: Link, go: Any, count: int, batched: bool) -> tuple[float, object]:
    """Return the seconds that all messages took, and the last one."""
    async with asyncio.timeout(LIMIT_S):
        await link.begin(sends=False)
        item = await link.get()
        start = perf_counter()
        go.set()
        if batched:
            seen = 0
            while seen < count:
                items = await link.get_many()
                seen += len(items)
            item = items[-1]
        else:
            for _ in range(count):
                item = await link.get()
        spent = perf_counter() - start
        await link.end()
        return spent, item


def one_way(make: Make, count: int, batched: bool) -> float:
    """Return nanoseconds for each message that a loop gets from that of another process."""
    link, go = make(), PROCESSES.Event()
    count -= count % BATCH
    child = PROCESSES.Process(target=in_loop, args=(send, link, go, count, batched))
    child.start()
    spent, last = asyncio.run(receive(link, go, count, batched))
    check(child, last)
    return spent * 1e9 / count


async def converse(there: Link, back: Link, count: int) -> tuple[float, object]:
    """Return the seconds that all round trips took, and the last message."""
    async with asyncio.timeout(LIMIT_S):
        await there.begin(sends=True)
        await back.begin(sends=False)
        for _ in range(100):
            await there.put(MESSAGE)
            item = await back.get()
        start = perf_counter()
        for _ in range(count):
            await there.put(MESSAGE)
            item = await back.get()
        spent = perf_counter() - start
        await there.put(None)
        await there.end()
        await back.end()
        return spent, item


def round_trip(make: Make, count: int) -> float:
    """Return microseconds for a message to another process's loop and back."""
    there, back = make(), make()
    child = PROCESSES.Process(target=in_loop, args=(echo, there, back))
    child.start()
    spent, last = asyncio.run(converse(there, back, count))
    check(child, last)
    return spent * 1e6 / count


@row("processes-asyncio", unit="ns", peers=("multiprocessing", "asyncio"))
def between_loops(context: Context) -> Iterator[Case]:
    """Measure a small dict on its way from the event loop of one process to that of another, and there and back."""
    count = 2_000 if context.quick else 20_000
    repeats = min(context.repeats, 11)  # each starts a process for each contender
    contenders = makers(context)
    singly = {name: functools.partial(one_way, make, count, False) for name, make in contenders.items()}
    yield Case("one way, singly", context.interleave(singly, repeats))
    batched = {name: functools.partial(one_way, make, count, True) for name, make in contenders.items()}
    note = "aget_many; the queue 64 in one call of a thread, the stream in chunks"
    yield Case("one way, best form", context.interleave(batched, repeats), note=note)
    trips = {name: functools.partial(round_trip, make, count // 10) for name, make in contenders.items()}
    processors = f"{len(os.sched_getaffinity(0))} processors"
    yield Case("there and back", context.interleave(trips, repeats), note=processors, unit="us")
