# SPDX-License-Identifier: MIT
"""ShmRing beside signals and other threads: handlers that detach."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from perfcore.messaging import ShmRing

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
