# SPDX-License-Identifier: MIT
"""Interrupt coroutines and threads that use a ring by Ctrl-C (SIGINT), at random moments, and account for every item.

    python -P tests/unit/messaging/interrupts.py TIMES {aget,aput,shm-aget,shm-aput,put} [SEED]

Prints one line of JSON. Run as a program: it forks, and the signals are its own process's.

``aget`` and ``aput``: two tasks of `asyncio.run` wait and work; the other side is a thread, and for the rings in shared
memory another process. The interrupt cancels them, which must lose nothing and double nothing. ``put``: the main thread
puts for an event loop in another thread, whose wake-up it runs, and the interrupt is raised wherever it comes. It must
come through, and what was put must be got.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from perfcore.messaging import Closed, Ring, ShmRing

HANG_S = 30.0
LONGEST_S = 0.002
TASKS = 2


class Sender(threading.Thread):
    """Sends SIGINT `times` times, each a random while after the main thread has said that it is ready for one."""

    def __init__(self, times: int, source: random.Random) -> None:
        super().__init__(daemon=True)
        self.times, self.source = times, source
        self.ready = False  # no Event, whose own lock an interrupt could leave locked
        self.sent = 0
        self.over = False

    def run(self) -> None:
        for _ in range(self.times):
            deadline = time.monotonic() + HANG_S
            while not self.ready:
                if time.monotonic() > deadline:
                    print(json.dumps({"problem": f"interrupt {self.sent} has no effect"}), flush=True)
                    os._exit(1)
                time.sleep(1e-4)
            self.ready = False
            time.sleep(self.source.uniform(0, LONGEST_S))
            self.sent += 1
            os.kill(os.getpid(), signal.SIGINT)
        self.over = True


def interrupted(sender: Sender, work: Callable[[], None]) -> int:
    """Do work, again after each interrupt, until it comes to its end; return how many interrupts came through."""
    caught = 0
    while True:
        try:
            work()
        except KeyboardInterrupt:
            caught += 1
        else:
            return caught


def feed(ring: Any, source: random.Random, over: Callable[[], bool]) -> int:
    """Put numbers, in bursts, until it is over; return how many."""
    number = 0
    while not over():
        for _ in range(source.randrange(20)):
            ring.put(number)
            number += 1
        time.sleep(source.uniform(0, LONGEST_S / 4))
    ring.close()
    return number


def drain(ring: Any) -> list[Any]:
    """Get until the ring is closed."""
    got = []
    try:
        while True:
            got.append(ring.get())
    except Closed:
        return got


def forked(work: Callable[[], object]) -> Callable[[], Any]:
    """Do work in a child; return what waits for its result."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as file:
            json.dump(work(), file)
        os._exit(0)
    os.close(writer)

    def result() -> Any:
        with os.fdopen(reader) as file:
            found = json.load(file)
        os.waitpid(pid, 0)
        return found

    return result


def threaded(work: Callable[[], object]) -> Callable[[], Any]:
    """Do work in a thread; return what waits for its result."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(HANG_S)
        return found[0]

    return result


def getting(ring: Any, beside: Callable[..., Any], sender: Sender, source: random.Random) -> dict[str, int]:
    """Interrupt tasks that get."""
    end = ShmRing[int](size=4096) if isinstance(ring, ShmRing) else Ring[int]()  # closed: the other side may stop
    put = beside(lambda: feed(ring, source, lambda: end.closed))
    got: list[int] = []

    async def take() -> None:
        async for item in ring:
            got.append(item)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(TASKS):
                group.create_task(take())
            if sender.over:
                end.close()
            else:
                sender.ready = True

    sender.start()
    caught = interrupted(sender, lambda: asyncio.run(main(), debug=False))
    return account(caught, Counter(range(put())), Counter(got))


def putting(ring: Any, beside: Callable[..., Any], sender: Sender) -> dict[str, int]:
    """Interrupt tasks that put."""
    got = beside(lambda: drain(ring))
    done = [0] * TASKS

    async def give(task: int) -> None:
        while not sender.over:
            await ring.aput([task, done[task]])
            done[task] += 1

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for task in range(TASKS):
                group.create_task(give(task))
            sender.ready = True

    sender.start()
    caught = interrupted(sender, lambda: asyncio.run(main(), debug=False))
    ring.close()
    put = Counter((task, number) for task in range(TASKS) for number in range(done[task]))
    return account(caught, put, Counter(map(tuple, got())))


def waking(sender: Sender) -> dict[str, int]:
    """Interrupt a thread that puts for an event loop in another one."""
    ring, done = Ring[int](4), list[int]()
    begun = 0

    async def take() -> list[int]:
        return [item async for item in ring]

    def work() -> None:
        nonlocal begun
        sender.ready = not sender.over
        while not sender.over:
            begun += 1
            ring.put(begun)
            done.append(begun)

    got = threaded(lambda: asyncio.run(take(), debug=False))
    sender.start()
    caught = interrupted(sender, work)
    ring.close()
    found = Counter(got())
    # An item that was being put may be in or not.
    unsure = set(range(1, begun + 1)) - set(done)
    return account(caught, Counter(done), Counter({item: n for item, n in found.items() if item not in unsure}))


def account(caught: int, put: Counter[Any], got: Counter[Any]) -> dict[str, int]:
    """Return what became of the items."""
    return {
        "caught": caught,
        "put": put.total(),
        "got": got.total(),
        "lost": (put - got).total(),
        "doubled_or_made_up": (got - put).total(),
    }


def main(times: int, what: str, seed: int) -> dict[str, int]:
    """Run one kind."""
    source = random.Random(seed)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's jobs in the background ignore it
    sender = Sender(times, random.Random(seed + 1))
    if what == "put":
        return waking(sender)
    shared = what.startswith("shm-")
    ring: Any = ShmRing[Any](size=4096) if shared else Ring[Any](3)
    beside = forked if shared else threaded
    return (getting(ring, beside, sender, source) if what.endswith("aget") else putting(ring, beside, sender)) | {
        "sent": sender.sent
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1)))
