# SPDX-License-Identifier: MIT
"""Rings and routers as C types: leaks, cycles, failing allocations."""

from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from perfcore.messaging import Closed, Empty, Full, PriorityRing, Ring, RouteError, Router

Flat = Callable[..., None]
Failing = Callable[[Callable[[], object]], int]


@pytest.mark.parametrize("kind", [Ring, PriorityRing])
def test_every_way_in_and_out_is_flat(assert_flat: Flat, kind: Any) -> None:
    def operation() -> None:
        ring = kind(30)
        ring.put_many([object() for _ in range(40)], False)
        for call in (lambda: ring.put_nowait(object()), lambda: ring.put(object(), timeout=1e-6)):
            with pytest.raises(Full):
                call()
        ring.get()
        ring.get_many(3)
        ring.task_done()
        ring.close()
        with pytest.raises(Closed):
            ring.put(object())
        with pytest.raises(Empty):
            kind().get(timeout=1e-6)
        with pytest.raises(TypeError):
            ring.get(wrong=object())

    assert_flat(operation)


def test_handing_over_between_threads_is_flat(assert_flat: Flat) -> None:
    there, back = Ring[object](1), Ring[object](1)

    def echo() -> None:
        while (item := there.get()) is not None:
            back.put(item)

    thread = threading.Thread(target=echo)
    thread.start()

    def operation() -> None:
        there.put(object())
        back.get()

    assert_flat(operation)
    there.put(None)
    thread.join()


@pytest.mark.parametrize("kind", [Ring, PriorityRing])
def test_cycles_are_collected(kind: Any) -> None:
    class Node(list[Any]):
        pass

    ring, node = kind(), Node()
    node.append(ring)
    ring.put(node)
    ring._arm(partial(bool, ring), True, False)
    seen = weakref.ref(node)
    del ring, node
    gc.collect()
    assert seen() is None
    waited_for = kind()
    waited_for._arm(partial(bool, waited_for), True, False)
    seen_ring = weakref.ref(waited_for)
    del waited_for
    gc.collect()
    assert seen_ring() is None


@pytest.mark.parametrize("kind", [Ring, PriorityRing])
def test_failing_allocations(each_allocation_fails: Failing, kind: Any) -> None:
    items = [object() for _ in range(40)]
    with pytest.raises(Empty):
        kind().get_nowait()  # the lazily imported exceptions are there

    def operation() -> None:
        ring = kind()
        ring.put(items[0], True, 1.5)
        ring.put_many(items)
        assert ring.get_many(40) == [items[0], *items[:39]]
        assert ring.get() is items[39]
        ring._arm(print, True, False)
        try:
            ring._disarm(print, True)
            ring.get(timeout=1e-9)
        except Empty:
            pass

    assert each_allocation_fails(operation) > 3


@pytest.mark.filterwarnings("ignore:.* of a ring was never awaited:RuntimeWarning")
def test_awaiting_with_failing_allocations(each_allocation_fails: Failing) -> None:
    def operation() -> None:
        ring = Ring[int]()
        waits: list[Any] = []
        found = []
        try:
            for make in (partial(ring.aput, 1), partial(ring.aput, 2), ring.aget, ring.aget):
                waits.append(make())  # one of them may be the spare
            for wait in waits:
                try:
                    wait.send(None)
                except StopIteration as stop:
                    found.append(stop.value)
        finally:
            for wait in waits:
                wait.close()
        assert found == [None, None, 1, 2]

    operation()
    assert each_allocation_fails(operation) > 3


class Wake:
    """What wakes an event loop, interrupted the first time."""

    interrupted = False

    def __call__(self) -> bool:
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt
        return True


def interrupted_wake_up() -> None:
    """Put where the waking of an event loop is interrupted: what was raised comes when the put is through."""
    ring = Ring[int]()
    ring._arm(Wake(), True, False)
    with contextlib.suppress(KeyboardInterrupt):
        ring.put(1)
        raise AssertionError
    assert ring.get() == 1


# Without failing allocations: where there is no memory for the frame of what it calls, CPython 3.12.1 loses the error.
def test_interrupted_wake_ups(assert_flat: Flat) -> None:
    assert_flat(interrupted_wake_up)


def use_router() -> None:
    router = Router()
    for name in ("a", "b", "c"):
        router.add(name, maxsize=2, policy="drop_oldest")
        router.subscribe(name, "t/+")
        router.subscribe(name, "t/#")
    router.add("d", callable)
    router.add("e", Ring[object]().put)
    router.send_many([*"adaebe" * 4], [object() for _ in range(24)])
    for route in (router.send_many, router.send_hashed_many):
        route(["a", "b"], [object(), object()])
    router.publish_many(["t/1"] * 2, [object()] * 2)  # no constant list of 3: 3.12.1 leaks one when compiling
    router.send_next_many([object()])
    router.broadcast(object())
    router.unsubscribe("a", "t/#")
    router.remove("b")
    with contextlib.suppress(RouteError):
        router.send("none", 1)


def test_a_router_is_flat(assert_flat: Flat) -> None:
    assert_flat(use_router)


def test_a_router_with_failing_allocations(each_allocation_fails: Failing) -> None:
    use_router()
    assert each_allocation_fails(use_router) > 20


def test_a_cycle_through_a_router_is_collected() -> None:
    class Agent:
        def __init__(self) -> None:
            self.router = Router()
            self.router.add("me", self.take)
            self.router.subscribe("me", "#")
            self.router.publish("x", 1)

        def take(self, message: object) -> None:
            pass

    seen = weakref.ref(Agent())
    gc.collect()
    assert seen() is None
