# SPDX-License-Identifier: MIT
"""Rows about messages between two processes, against multiprocessing's queue, faster-fifo and ZeroMQ."""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.spread import TimesLess
from perfcore.messaging import ShmRing

MESSAGE = {"sender": "agent-1", "receiver": "agent-2", "step": 17}
BATCH = 64
PROCESSES = multiprocessing.get_context("spawn")
numbers = itertools.count()


class Channel:
    """One direction between two processes: put, get, and both for many. Made in one process, pickled to the other."""

    def __init__(self, queue: Any) -> None:
        self.queue = queue
        self.begin()

    def begin(self) -> None:
        """Take what is used in the loops."""
        self.put, self.get = self.queue.put, self.queue.get
        self.put_many = getattr(self.queue, "put_many", None)
        self.get_many = getattr(self.queue, "get_many", None)

    def __getstate__(self) -> Any:
        return self.queue

    def __setstate__(self, queue: Any) -> None:
        self.queue = queue
        self.begin()


class ZeroMQ:
    """A PUSH socket in one process and a PULL socket in the other, over ipc; objects by pickle, as send_pyobj does."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.push: Any = None
        self.pull: Any = None

    def __getstate__(self) -> str:
        return self.path

    def __setstate__(self, path: str) -> None:
        self.__init__(path)  # type: ignore[misc]

    def put(self, item: Any) -> None:
        """Send, over a socket made at the first call."""
        if self.push is None:
            import zmq

            self.push = zmq.Context.instance().socket(zmq.PUSH)
            self.push.connect(f"ipc://{self.path}")
        self.push.send_pyobj(item, protocol=5)

    def get(self) -> Any:
        """Receive, over a socket made at the first call."""
        if self.pull is None:
            import zmq

            self.pull = zmq.Context.instance().socket(zmq.PULL)
            self.pull.bind(f"ipc://{self.path}")
        return self.pull.recv_pyobj()


Make = Callable[[], Channel]


def makers(context: Context, folder: Path) -> dict[str, Make]:
    """Return what makes a channel of each contender that is installed."""
    found: dict[str, Make] = {OURS: lambda: Channel(ShmRing(size=1 << 20))}
    if context.has("multiprocessing"):
        found["multiprocessing"] = lambda: Channel(PROCESSES.Queue())
    if context.has("faster-fifo"):
        from faster_fifo import Queue  # type: ignore[import-not-found, unused-ignore]

        found["faster-fifo"] = lambda: Channel(Queue(1 << 20))
    if context.has("pyzmq"):
        found["pyzmq"] = lambda: Channel(ZeroMQ(str(folder / str(next(numbers)))))
    return found


def send(channel: Channel, go: Any, count: int, batched: bool) -> None:
    """Put a message that says it is ready, wait for the start, put the others."""
    channel.put(MESSAGE)
    go.wait()
    if batched:
        batch = [MESSAGE] * BATCH
        for _ in range(count // BATCH):
            channel.put_many(batch)
    else:
        put = channel.put
        for _ in range(count):
            put(MESSAGE)


def one_way(make: Make, count: int, batched: bool) -> float:
    """Return nanoseconds for each message that another process sends, as its receiver sees it."""
    channel, go = make(), PROCESSES.Event()
    count -= count % BATCH
    child = PROCESSES.Process(target=send, args=(channel, go, count, batched))
    child.start()
    channel.get()
    start = perf_counter()
    go.set()
    if batched:
        seen = 0
        while seen < count:
            seen += len(channel.get_many())
    else:
        get = channel.get
        for _ in range(count):
            get()
    spent = perf_counter() - start
    child.join()
    return spent * 1e9 / count


def echo(there: Channel, back: Channel) -> None:
    """Send back what comes, until None does."""
    while (item := there.get()) is not None:
        back.put(item)


def round_trip(make: Make, count: int) -> float:
    """Return microseconds for a message to another process and back."""
    there, back = make(), make()
    child = PROCESSES.Process(target=echo, args=(there, back))
    child.start()
    for _ in range(100):
        there.put(MESSAGE)
        back.get()
    start = perf_counter()
    for _ in range(count):
        there.put(MESSAGE)
        back.get()
    spent = perf_counter() - start
    there.put(None)
    child.join()
    return spent * 1e6 / count


@row("processes", unit="ns", peers=("multiprocessing", "faster-fifo", "pyzmq"))
def between_processes(context: Context) -> Iterator[Case]:
    """Measure a small dict on its way to another process, singly and in batches, and there and back."""
    count = 5_000 if context.quick else 50_000
    repeats = min(context.repeats, 11)  # each starts a process for each contender
    with tempfile.TemporaryDirectory() as folder:
        all_makers = makers(context, Path(folder))
        singly = {name: functools.partial(one_way, make, count, False) for name, make in all_makers.items()}
        targets = {"multiprocessing": TimesLess(12), "faster-fifo": TimesLess(6), "pyzmq": TimesLess(3)}
        yield Case("one way, singly", context.interleave(singly, repeats), targets)
        batched = {
            name: functools.partial(one_way, make, count, name in (OURS, "faster-fifo"))
            for name, make in all_makers.items()
        }
        note = "ours and faster-fifo's in batches, which is the best form of each"
        yield Case("one way, best form", context.interleave(batched, repeats), targets, note)
        trips = {name: functools.partial(round_trip, make, count // 10) for name, make in all_makers.items()}
        trip_targets = {"multiprocessing": TimesLess(6)}
        processors = f"{len(os.sched_getaffinity(0))} processors"
        yield Case("there and back", context.interleave(trips, repeats), trip_targets, processors, "us")
