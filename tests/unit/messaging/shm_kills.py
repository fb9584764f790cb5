# SPDX-License-Identifier: MIT
"""Kill producers and consumers of a ShmRing with SIGKILL, at random moments, and account for every message.

    python -P tests/unit/messaging/shm_kills.py KILLS {producers,consumers,both} [SEED]

Prints one line of JSON. Run as a program: it forks, and so must be the only thread of its process.

Each producer numbers its messages, and notes a number in shared memory before it puts it (``begun``) and after
(``done``); one that takes over from a killed one goes on behind ``begun``. So the messages that were put are known but
for one per killed producer. Each consumer notes each message when it has it. So what was lost in the hands of the
killed is what the ring counts as got and nobody has noted: at most one batch per killed consumer.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from queue import Full
from typing import NoReturn

from perfcore.messaging import Closed, ShmRing

PRODUCERS = CONSUMERS = 2
PER_KILL = 1 << 14  # numbers of a producer, at most, for each kill: more than it gets to on a fast machine
BATCH = 3
HANG_S = 60


class Notes:
    """Shared memory that every process writes its own part of."""

    def __init__(self, numbers: int) -> None:
        self.numbers = numbers
        words = mmap.mmap(-1, 4096)
        self.words = memoryview(words).cast("Q")
        self.seen = [mmap.mmap(-1, PRODUCERS * numbers) for _ in range(CONSUMERS)]

    # words: 0 stop; then, for each producer, begun and done; then, for each consumer, a fault
    def stop(self) -> bool:
        return self.words[0] != 0

    def begun(self, producer: int) -> int:
        return 8 + 2 * producer

    def done(self, producer: int) -> int:
        return 9 + 2 * producer

    def fault(self, consumer: int) -> int:
        return 64 + consumer


def filling(producer: int, number: int) -> bytes:
    """Bytes that belong to the message, of many lengths."""
    return bytes([(producer * 101 + number) % 256]) * (number * 37 % 300)


def produce(ring: ShmRing[object], notes: Notes, producer: int) -> None:
    words, begun, done = notes.words, notes.begun(producer), notes.done(producer)
    while not notes.stop() and words[begun] < notes.numbers:
        number = words[begun]
        words[begun] = number + 1
        message = (producer, number, filling(producer, number))
        while True:
            try:
                ring.put(message, timeout=0.05)
                break
            except Full:
                if notes.stop():  # not put after all, and known not to be
                    words[begun] = number
                    return
        words[done] += 1


def consume(ring: ShmRing[tuple[int, int, bytes]], notes: Notes, consumer: int) -> None:
    last = [-1] * PRODUCERS
    seen = notes.seen[consumer]
    while True:
        try:
            messages = [ring.get()] if consumer == 0 else ring.get_many(BATCH)
        except Closed:
            return
        for producer, number, text in messages:
            seen[producer * notes.numbers + number] += 1
            if text != filling(producer, number) or number <= last[producer]:
                notes.words[notes.fault(consumer)] += 1
            last[producer] = number


def start(work: Callable[[], None]) -> int:
    if pid := os.fork():
        return pid
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def give_up(ring: ShmRing[object], what: str, pids: list[int]) -> NoReturn:
    state = repr(ring)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    sys.exit(f"{what}: {state}")


def main(kills: int, whom: str, seed: int) -> dict[str, int]:
    rng = random.Random(seed)
    ring: ShmRing[object] = ShmRing(size=16384)
    notes = Notes((kills + 100) * PER_KILL)
    works: list[Callable[[], None]] = [lambda p=p: produce(ring, notes, p) for p in range(PRODUCERS)]  # type: ignore[misc]
    works += [lambda c=c: consume(ring, notes, c) for c in range(CONSUMERS)]  # type: ignore[misc]
    pids = [start(work) for work in works]
    first, behind = {"producers": (0, PRODUCERS), "consumers": (PRODUCERS, len(works)), "both": (0, len(works))}[whom]
    killed = [0] * len(works)
    for kill in range(kills):
        if rng.random() < 0.9:
            time.sleep(rng.expovariate(1 / 0.004))
        if kill % 50 == 0:  # what is left goes on
            before, deadline = (ring.puts, ring.gets), time.monotonic() + HANG_S
            while ring.puts == before[0] or ring.gets == before[1]:
                if time.monotonic() > deadline:
                    give_up(ring, "it hangs", pids)
                time.sleep(0.001)
        which = rng.randrange(first, behind)
        os.kill(pids[which], signal.SIGKILL)
        os.waitpid(pids[which], 0)
        killed[which] += 1
        pids[which] = start(works[which])

    notes.words[0] = 1
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in pids[:PRODUCERS])
    last = notes.words[notes.begun(0)]
    notes.words[notes.begun(0)] += 1
    ring.put((0, last, filling(0, last)))  # who puts repairs the counts where the last producer died
    notes.words[notes.done(0)] += 1
    ring.close()
    deadline = time.monotonic() + HANG_S
    while ring.qsize() and time.monotonic() < deadline:
        time.sleep(0.001)
    for pid in pids[PRODUCERS:]:
        while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                give_up(ring, "a consumer hangs at the end", pids[PRODUCERS:])
            time.sleep(0.001)
        failed += ended[1] != 0

    noted = strange = 0
    size = notes.numbers
    for producer in range(PRODUCERS):
        begun = notes.words[notes.begun(producer)]
        # One byte for each message: how often all consumers together had it.
        parts = [one[producer * size : (producer + 1) * size] for one in notes.seen]
        total = sum(int.from_bytes(part, "little") for part in parts).to_bytes(size, "little")
        noted += total.count(1)
        strange += size - total.count(1) - total.count(0) + total[begun:].count(1)
    return {
        "kills": sum(killed),
        "begun": sum(notes.words[notes.begun(producer)] for producer in range(PRODUCERS)),
        "done": sum(notes.words[notes.done(producer)] for producer in range(PRODUCERS)),
        "put": ring.puts,
        "got": ring.gets,
        "noted": noted,
        "may_be_lost": killed[PRODUCERS] + BATCH * sum(killed[PRODUCERS + 1 :]),
        "doubled_or_made_up": strange,
        "torn_or_out_of_order": sum(notes.words[notes.fault(consumer)] for consumer in range(CONSUMERS)),
        "failed": failed,
        "users_left": len(ring.users()),
        "recoveries": ring.recoveries,
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)))
