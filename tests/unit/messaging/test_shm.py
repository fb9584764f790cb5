# SPDX-License-Identifier: MIT
"""ShmRing within one process: queue.Queue's manners, codecs, items that cannot be encoded or decoded, threads."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore import _core
from perfcore.messaging import Closed, Empty, Full, ShmRing


@pytest.fixture
def ring() -> Iterator[ShmRing[Any]]:
    with ShmRing[Any]() as one:
        yield one


def fill(ring: ShmRing[Any]) -> int:
    count = 0
    while True:
        try:
            ring.put_nowait(count)
        except Full:
            return count
        count += 1


def test_items_come_out_as_they_went_in(ring: ShmRing[Any]) -> None:
    items = [1, "two", b"three", b"", None, {"four": [4.0]}, bytearray(b"five"), (6, {7}), b"x" * 300_000]
    for item in items:
        ring.put(item)
    assert ring.qsize() == len(items)
    assert [ring.get() for _ in items] == items
    assert ring.empty()
    assert ring.put_many(items) == len(items)
    assert ring.get_many(2) == items[:2]
    assert ring.get_many() == items[2:-1]  # about a quarter of a MiB at once
    assert ring.get_many() == items[-1:]
    assert (ring.puts, ring.gets, ring.qsize(), ring.recoveries) == (18, 18, 0, 0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=1500)), st.integers(1, 7))
def test_any_bytes_in_any_portions(items: list[bytes], portion: int) -> None:
    with ShmRing[bytes](size=4096) as ring:
        got: list[bytes] = []
        rest = items
        while rest or not ring.empty():
            if rest:
                with contextlib.suppress(Full):
                    rest = rest[ring.put_many(rest, block=False) :]
            got += ring.get_many(portion)
        assert got == items


def test_empty_and_full(ring: ShmRing[Any]) -> None:
    for get in (
        ring.get_nowait,
        lambda: ring.get(False),
        lambda: ring.get(timeout=0.001),
        lambda: ring.get_many(3, False),
    ):
        with pytest.raises(Empty):
            get()
    with ShmRing[Any](size=4096) as small:
        count = fill(small)
        assert count > 100
        for put in (
            lambda: small.put(1, False),
            lambda: small.put(1, timeout=0.001),
            lambda: small.put_many([1], block=False),
        ):
            with pytest.raises(Full):
                put()
        assert small.get() == 0
        assert small.put_many([7, "too", "many"], timeout=0.001) == 1
        assert small.get_many() == [*range(1, count), 7]
        assert small.put_many([]) == 0


def test_arguments_are_checked(ring: ShmRing[Any]) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        ring.get(timeout=-1)
    with pytest.raises(ValueError, match="max_items is 0"):
        ring.get_many(0)
    put: Any = ring.put
    for call in (put, lambda: put(1, wrong=2), lambda: put(1, True, 1, 1), lambda: ring.put_many(3)):  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            call()
    for size in (0, -1, 1 << 40):
        with pytest.raises(ValueError, match="size is"):
            ShmRing(size=size)
    for bad in ("", "a/b", "a b", "ä", "x" * 200, "/x"):
        with pytest.raises(ValueError, match="name"):
            ShmRing(bad)
    with pytest.raises(ValueError, match="codec of rings"):
        ShmRing(codec="yaml")  # type: ignore[arg-type]


def test_what_is_too_large_or_cannot_be_encoded_is_not_put() -> None:
    with ShmRing[Any](size=4096) as ring:
        assert ring.size == 4096
        ring.put(bytes(4088))
        assert ring.get() == bytes(4088)
        with pytest.raises(ValueError, match="4089 bytes is more than the ring's 4088"):
            ring.put(bytes(4089))
        with pytest.raises(ValueError, match="4089"):
            ring.put_many([1, bytes(4089), 3])
        with pytest.raises((pickle.PicklingError, AttributeError)):
            ring.put_many([1, lambda: None])
        assert ring.empty()


class Bomb:
    """Raises when it is unpickled, as often as it is told."""

    raises: ClassVar[list[type[BaseException]]] = []

    def __reduce__(self) -> Any:
        return Bomb.load, ()

    @staticmethod
    def load() -> str:
        if Bomb.raises:
            raise Bomb.raises.pop()
        return "defused"


def test_an_item_that_cannot_be_decoded_is_gone_and_the_others_are_not(ring: ShmRing[Any]) -> None:
    Bomb.raises = [LookupError] * 2
    ring.put_many([1, Bomb(), 3])
    assert ring.get_many() == [1]
    with pytest.raises(LookupError):
        ring.get_many()
    assert ring.get_many() == [3]


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_an_item_is_kept_where_it_is_not_to_blame(ring: ShmRing[Any], error: type[BaseException]) -> None:
    for get in (ring.get, lambda: ring.get_many()[0]):
        Bomb.raises = [error]
        ring.put(Bomb())
        with pytest.raises(error):
            get()
        assert get() == "defused"
    Bomb.raises = [KeyboardInterrupt]
    ring.put_many([1, Bomb(), 3])
    with pytest.raises(KeyboardInterrupt):
        ring.get_many()
    assert ring.get_many() == [1, "defused", 3]


def test_close_lets_what_is_in_be_got(ring: ShmRing[Any]) -> None:
    ring.put_many([1, 2])
    assert not ring.closed
    ring.close()
    ring.close()
    assert ring.closed
    for put in (lambda: ring.put(3), lambda: ring.put_nowait(3), lambda: ring.put_many([3])):
        with pytest.raises(Closed):
            put()
    assert ring.get() == 1
    assert ring.get_many() == [2]
    for get in (ring.get, ring.get_nowait, ring.get_many, lambda: ring.get(timeout=9)):
        with pytest.raises(Closed):
            get()


def test_detached(ring: ShmRing[Any]) -> None:
    ring.detach()
    ring.detach()
    assert ring.detached
    assert repr(ring) == "<ShmRing detached>"
    for call in (ring.get, lambda: ring.put(1), ring.qsize, ring.users, ring.close, lambda: ring.size, ring.__enter__):
        with pytest.raises(ValueError, match="detached"):
            call()


@pytest.mark.parametrize("codec", ["pickle", "msgpack", "json"])
def test_codecs(codec: Any) -> None:
    with ShmRing[Any](codec=codec) as ring:
        assert ring.codec == codec
        ring.put_many([{"a": [1, 2.5, None, "ä"]}, b"\xff raw"])
        assert ring.get_many() == [{"a": [1, 2.5, None, "ä"]}, b"\xff raw"]
        if codec != "pickle":
            with pytest.raises(ValueError, match="set"):
                ring.put({1})


def test_the_base_type_refuses_objects_without_a_codec() -> None:
    base: _core.ShmRing[Any] = _core.ShmRing()
    base.put(b"bytes")
    assert base.get() == b"bytes"
    with pytest.raises(TypeError, match="no codec"):
        base.put(1)
    base.detach()


# --- threads ---


def test_threads_put_and_get_at_once() -> None:
    with ShmRing[tuple[int, int]](size=4096) as ring:
        got: list[list[tuple[int, int]]] = [[], [], []]

        def put(producer: int) -> None:
            for number in range(0, 600, 3):
                ring.put((producer, number))
                assert ring.put_many([(producer, number + 1), (producer, number + 2)]) == 2

        def get(to: list[tuple[int, int]]) -> None:
            try:
                while True:
                    to.append(ring.get())
                    to.extend(ring.get_many(5))
            except Closed:
                pass

        getters = [threading.Thread(target=get, args=(to,)) for to in got]
        putters = [threading.Thread(target=put, args=(producer,)) for producer in range(3)]
        for thread in getters + putters:
            thread.start()
        for thread in putters:
            thread.join()
        ring.close()
        for thread in getters:
            thread.join()
        assert sorted(itertools.chain.from_iterable(got)) == [
            (producer, number) for producer in range(3) for number in range(600)
        ]
        for to in got:
            for producer in range(3):
                numbers = [number for who, number in to if who == producer]
                assert numbers == sorted(numbers)


@pytest.mark.parametrize("how", ["close", "detach"])
def test_threads_that_wait_come_out(how: str) -> None:
    ring = ShmRing[Any]()
    errors: list[type[BaseException]] = []
    started = threading.Semaphore(0)

    def wait() -> None:
        started.release()
        try:
            ring.get()
        except (Closed, ValueError) as error:
            errors.append(type(error))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
        started.acquire()
    getattr(ring, how)()
    for thread in threads:
        thread.join(30)
    assert errors == [Closed if how == "close" else ValueError] * 3
    ring.detach()
    assert ring.detached
