# SPDX-License-Identifier: MIT
"""ShmRing beside signals and other threads: handlers that detach, items in hand, the GIL."""

from __future__ import annotations

import operator
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import pytest

from perfcore.messaging import Empty, ShmRing

PATIENCE_S = 30


@pytest.fixture
def timer() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Have a function called by a signal's handler, again and again: which wait the first one hits is left open."""
    before = signal.getsignal(signal.SIGALRM)

    def start(call: Callable[[], object]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: call())
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.002)

    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def full() -> ShmRing[Any]:
    ring = ShmRing[Any](size=4096)
    ring.put(bytes(4088))
    return ring


# --- a handler that detaches while its thread waits ---


@pytest.mark.parametrize(
    ("make", "wait"),
    [
        (ShmRing, lambda ring: ring.get()),
        (ShmRing, lambda ring: ring.get_many(timeout=PATIENCE_S)),
        (full, lambda ring: ring.put(b"x")),
        (full, lambda ring: ring.put_many([b"x"] * 3)),
        (ShmRing, lambda ring: [ring._watch(True, 0) for _ in range(1000)]),
    ],
)
def test_a_handler_detaches(timer: Any, make: Callable[[], ShmRing[Any]], wait: Callable[[Any], object]) -> None:
    for _ in range(3):
        ring = make()
        timer(ring.detach)
        with pytest.raises(ValueError, match="this ShmRing is detached"):
            wait(ring)
        assert ring.detached


def test_another_thread_detaches_while_the_handler_runs(timer: Any) -> None:
    ring = ShmRing[Any]()
    asked, done = threading.Event(), threading.Event()

    def detach() -> None:
        asked.wait()
        ring.detach()
        done.set()

    def handle() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        asked.set()
        done.wait(PATIENCE_S)

    thread = threading.Thread(target=detach)
    thread.start()
    timer(handle)
    with pytest.raises(ValueError, match="this ShmRing is detached"):
        ring.get()
    thread.join()


def test_a_handler_that_raises_leaves_a_ring_that_works(timer: Any) -> None:
    ring = ShmRing[Any]()

    def stop() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt

    timer(stop)
    with pytest.raises(KeyboardInterrupt):
        ring.get()
    ring.put(1)
    assert ring.get() == 1
    ring.detach()


# --- items in hand ---


class Bomb:
    """Does, when it is unpickled, what it is told, once each."""

    does: ClassVar[list[Callable[[], object]]] = []

    def __reduce__(self) -> Any:
        return Bomb.load, ()

    @staticmethod
    def load() -> str:
        if Bomb.does:
            Bomb.does.pop()()
        return "defused"


def interrupt() -> None:
    raise KeyboardInterrupt


def test_items_in_hand_count_as_in() -> None:
    ring = ShmRing[Any]()
    ring.put_many([1, Bomb(), 3, 4])
    Bomb.does = [interrupt]
    with pytest.raises(KeyboardInterrupt):
        ring.get_many()
    assert ring._watch(True, 0)
    assert not ring._watch(False, ring._position(False))
    ring.put(5)
    assert not ring.empty()
    assert ring.qsize() == 5
    assert "5 items" in repr(ring)
    got = [ring.get()]
    assert ring.qsize() == 4
    while not ring.empty():
        got.append(ring.get_nowait())
    assert got == [1, "defused", 3, 4, 5]
    assert ring.qsize() == 0
    with pytest.raises(Empty):
        ring.get_nowait()
    ring.detach()


def waiting(thread: threading.Thread) -> bool:
    """Whether a thread sleeps in the kernel, and not for the GIL, which nobody has meanwhile."""
    time.sleep(0.02)
    with open(f"/proc/self/task/{thread.native_id}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0] == "S"


@pytest.mark.parametrize("closed", [False, True])
def test_a_thread_that_waits_has_what_another_one_could_not_give(closed: bool) -> None:
    ring = ShmRing[Any]()
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(ring.get(timeout=PATIENCE_S)))

    def fail() -> None:
        thread.start()
        while not waiting(thread):
            pass
        raise KeyboardInterrupt

    ring.put(Bomb())
    Bomb.does = [fail]
    with pytest.raises(KeyboardInterrupt):
        ring.get()
    if closed:
        ring.close()
    thread.join()
    assert got == ["defused"]
    assert ring.empty()
    ring.detach()


# --- large items and the GIL ---


def test_a_large_item_is_got_without_the_gil() -> None:
    # Within the list() below no bytecode runs, so that the thread has the GIL only where get() lets go of it.
    ring = ShmRing[bytes](size=1 << 24)
    item = bytes(range(256)) * 2048
    at_work, ticks = threading.Lock(), []

    def tick() -> None:
        with at_work:
            ticks.append(None)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that the thread asks for the GIL at once, and is given it at the first occasion
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert time.monotonic() < deadline
            ring.put(item)
            ticks.clear()
            at_work.acquire()
            thread = threading.Thread(target=tick)
            thread.start()
            while not waiting(thread):
                pass
            a_while = partial(sum, range(1 << 20))  # for the thread to ask
            steps = (at_work.release, a_while, ticks.copy, ring.get_nowait, ticks.copy)
            _, _, before, got, after = list(map(operator.call, steps))
            thread.join()
            assert got == item
            assert not before
            if after:
                break
    finally:
        sys.setswitchinterval(interval)
    ring.detach()


@pytest.mark.parametrize("length", [(1 << 18) - 8, (1 << 18) - 7, 1 << 18, (1 << 18) + 1, 3_000_001])
def test_items_of_every_size_come_back(length: int) -> None:
    item = bytes(range(251)) * (length // 251 + 1)
    item = item[:length]
    with ShmRing[Any](size=1 << 23) as ring:
        for get in (ring.get_nowait, ring.get, lambda: ring.get_many(2)[0]):
            for one in (item, item.decode("latin-1")):
                ring.put(one)
                ring.put(b"next")
                assert get() == one
                if not ring.empty():
                    assert ring.get() == b"next"
