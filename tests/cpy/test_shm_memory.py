# SPDX-License-Identifier: MIT
"""ShmRing as a C type: leaks, cycles, failing allocations, codecs that do anything."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from perfcore import _core
from perfcore.messaging import Closed, Empty, Full, SegmentError, ShmRing

Flat = Callable[..., None]
Failing = Callable[[Callable[[], object]], int]


class Undecodable:
    def __reduce__(self) -> Any:
        return int, ("none",)


def use(ring: Any) -> None:
    ring.put({"a": [1.5]})
    ring.put(b"bytes", True, 1.5)
    ring.put_many([object, "x" * 5000, b"y"] * 15)
    assert ring.get() == {"a": [1.5]}
    assert len(ring.get_many(5)) == 5
    ring.get_many()
    assert ring.qsize() == 0


def test_every_way_in_and_out_is_flat(assert_flat: Flat) -> None:
    ring: Any = ShmRing()

    def operation() -> None:
        use(ring)
        for wrong in (lambda: ring.put(lambda: None), lambda: ring.put(bytes(1 << 20)), lambda: ring.put_many(1)):
            with pytest.raises((AttributeError, ValueError, TypeError)):
                wrong()
        with pytest.raises(Empty):
            ring.get(timeout=1e-6)
        ring.put_many([1, Undecodable(), 2])
        assert ring.get_many() == [1]
        with contextlib.suppress(ValueError):  # not pytest.raises: what it keeps of this one wanders for 1000 calls
            raise AssertionError(ring.get_many())
        assert ring.get_many() == [2]
        assert ring.users() == [os.getpid()]
        with pytest.raises(TypeError):
            ring.get(wrong=object())

    assert_flat(operation)
    ring.detach()


def test_waiting_on_a_loop_is_flat(assert_flat: Flat) -> None:
    ring: Any = ShmRing(size=4096)

    def look() -> None:
        position = ring._position(False)
        ring.put(b"x")
        assert ring._watch(True, 0)
        assert ring.get() == b"x"
        assert ring._watch(False, position)
        ring._pass_on(False)
        with pytest.raises(TypeError):
            ring._watch(True)

    async def talk() -> None:
        getter, lost = asyncio.ensure_future(ring.aget()), asyncio.ensure_future(ring.aget_many())
        await asyncio.sleep(0)
        lost.cancel()
        await ring.aput(b"x")
        assert await getter == b"x"
        await ring.aput(bytes(4000))
        putter = asyncio.ensure_future(ring.aput(bytes(4000)))
        await asyncio.sleep(0)
        assert await ring.aget_many() == [bytes(4000)]
        await putter
        await ring.aget()

    assert_flat(look)
    assert not ring._watch(True, 0)
    loop = asyncio.new_event_loop()
    assert_flat(lambda: loop.run_until_complete(talk()))
    loop.close()
    ring.detach()
    for call in (lambda: ring._position(True), lambda: ring._watch(True, 0), lambda: ring._pass_on(True)):
        with pytest.raises(ValueError, match="detached"):
            call()


def test_making_and_ending_is_flat(assert_flat: Flat) -> None:
    name = f"test.cpy-{os.getpid()}"

    def operation() -> None:
        for one in (ShmRing[Any](size=4096), ShmRing[Any](name, size=4096)):
            with one as ring:
                assert ring.put_many([b"x" * 1000] * 5, timeout=0) == 4
                with contextlib.suppress(Full):  # as above
                    raise AssertionError(ring.put(b"x" * 1000, timeout=0))
        with ShmRing[Any](size=4096) as ring:
            ring.put_many([1, Undecodable(), 2])
            ring.get_many()  # two are in hand
            ring.close()
        with contextlib.suppress(ValueError):  # as above
            raise AssertionError(ring.get())
        for wrong in (lambda: ShmRing("a/b"), lambda: _core.ShmRing(fd=0)):
            with contextlib.suppress(ValueError, SegmentError):
                raise AssertionError(wrong())

    for _ in range(100):  # what exceptions leave behind wanders a while
        operation()
    assert_flat(operation, 150)


def test_failing_allocations(each_allocation_fails: Failing) -> None:
    ring: Any = ShmRing()
    with pytest.raises(Empty):
        ring.get_nowait()
    items = [{"a": 1.5}, b"bytes", "x" * 600]
    got: list[Any] = []

    def operation() -> None:
        # What is in, or in hand, of a call that failed comes first: nothing is lost on the way.
        got.clear()
        ring.put_many(items)
        while len(got) < 3:
            got.extend(ring.get_many(2))
        ring.put(items[0])
        while ring.qsize():
            got.append(ring.get())

    assert each_allocation_fails(operation) > 10
    use(ring)
    ring.detach()


def test_failing_allocations_of_those_who_wait_on_loops(each_allocation_fails: Failing) -> None:
    ring: Any = ShmRing(size=8192)
    ring.put(bytes(5000))
    ring.get()
    for for_get in (True, False):
        assert ring._position(for_get) > 5000  # no small number, which Python has ready

    def operation() -> None:
        while ring.qsize():  # of a call that failed
            ring.get()
        before = ring._position(False)
        ring.put(b"x")
        assert ring._watch(True, ring._position(True))
        ring._pass_on(True)
        assert ring.get() == b"x"
        assert ring._watch(False, before)
        ring._pass_on(False)

    assert each_allocation_fails(operation) > 4
    assert ring.qsize() == 0
    ring.detach()


@pytest.mark.parametrize(
    ("name", "arguments"), [("_position", (True,)), ("_watch", (True, 5000)), ("_pass_on", (True,))]
)
def test_failing_allocations_of_what_they_raise(
    each_allocation_fails: Failing, name: str, arguments: tuple[Any, ...]
) -> None:
    ring: Any = ShmRing(size=4096)
    ring.detach()

    def operation() -> None:
        try:
            getattr(ring, name)(*arguments)
        except ValueError:
            return
        raise AssertionError

    assert each_allocation_fails(operation) > 0


def test_nothing_is_lost_where_memory_fails() -> None:
    testcapi = pytest.importorskip("_testcapi")
    ring: Any = ShmRing()
    ring.put_many([{"number": number} for number in range(400)])
    got: list[Any] = []
    refused = 0
    start = 0
    while len(got) < 400:
        taken: Any = None
        testcapi.set_nomemory(start % 12, start % 12 + 1)
        try:
            taken = ring.get() if start % 2 else ring.get_many(3)
        except MemoryError:
            refused += 1
        finally:
            testcapi.remove_mem_hooks()
        start += 1
        if taken is not None:
            got += taken if isinstance(taken, list) else [taken]
    assert [item["number"] for item in got] == list(range(400))
    assert refused > 20
    with pytest.raises(Empty):
        ring.get_nowait()
    ring.detach()


def test_failing_to_make_one(each_allocation_fails: Failing) -> None:
    def operation() -> None:
        with _core.ShmRing[Any](size=4096) as ring:
            ring._bind(str.encode, None, bytes.decode)
            ring.put("x")
            assert ring.get() == "x"
            ring.close()
            with contextlib.suppress(Closed):
                ring.get()

    operation()
    assert each_allocation_fails(operation) > 3


SLOTS = ["dumps", "extra", "loads", "plain_dumps", "plain_loads"]


@pytest.mark.parametrize("slot", range(5), ids=SLOTS)
def test_a_codec_goes_with_its_ring(slot: int) -> None:
    class Callable:
        def __call__(self) -> None: ...

    given: list[Any] = [None] * 5
    given[slot] = Callable()
    seen = weakref.ref(given[slot])
    ring: _core.ShmRing[Any] = _core.ShmRing()
    ring._bind(*given)
    del given
    assert seen() is not None
    del ring
    assert seen() is None


@pytest.mark.parametrize("slot", range(5), ids=SLOTS)
def test_a_cycle_is_collected(slot: int) -> None:
    class Codec:
        def __init__(self) -> None:
            self.ring: _core.ShmRing[Any] = _core.ShmRing()
            given: list[Any] = [bytes, None, bytes, None, None]
            given[slot] = self.code
            self.ring._bind(*given)

        def code(self, item: Any, _extra: Any = None) -> bytes:
            return bytes(item)

    codec = Codec()
    if slot != 1:  # that goes to dumps, which takes no second argument here
        codec.ring.put([1, 2])
        assert codec.ring.get() == b"\1\2"
    seen = weakref.ref(codec)
    del codec
    gc.collect()
    assert seen() is None


@pytest.mark.parametrize("given", [(bytes, None, None), (None, None, bytes)])
def test_half_a_codec_is_none(given: tuple[Any, ...]) -> None:
    ring: _core.ShmRing[Any] = _core.ShmRing()
    ring._bind(*given)
    with pytest.raises(TypeError, match="no codec for objects"):
        ring.put([1])
    ring.put(b"bytes need none")
    assert ring.get() == b"bytes need none"


def test_a_codec_may_do_anything() -> None:
    ring: _core.ShmRing[Any] = _core.ShmRing()

    def nothing(item: Any) -> Any:
        return None

    def detach(item: Any) -> bytes:
        ring.detach()
        return b""

    def again(data: bytes) -> Any:
        return data if data == b"last" else ring.get()

    ring._bind(bytes, None, again)
    ring.put_many([[1], [2], bytearray(b"last")])
    assert ring.get() == b"last"
    ring._bind(nothing, None, nothing)
    with pytest.raises(TypeError, match="NoneType, not bytes"):
        ring.put(1)
    ring._bind(detach, None, detach)
    ring.put_many([b"x"])
    with pytest.raises(ValueError, match="detached"):
        ring.put_many([1, 2])
    assert ring.detached
