# SPDX-License-Identifier: MIT
"""ShmRing: queue.Queue's manners between processes, names, codecs, multiprocessing, threads, damage."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore import _core
from perfcore.messaging import Closed, Empty, Full, SegmentError, ShmRing

PATIENCE_S = 30


@pytest.fixture
def ring() -> Iterator[ShmRing[Any]]:
    with ShmRing[Any]() as one:
        yield one


@pytest.fixture
def name() -> Iterator[str]:
    text = f"test.unit-{os.getpid()}"
    yield text
    assert not path_of(text).exists()


def path_of(name: str) -> Path:
    return Path(f"/dev/shm/perfcore-ring-{name}")


def fill(ring: ShmRing[Any]) -> int:
    count = 0
    while True:
        try:
            ring.put_nowait(count)
        except Full:
            return count
        count += 1


# --- one process ---


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


# --- names ---


def test_a_name_is_one_ring(name: str) -> None:
    with ShmRing[Any](name, size=5000, codec="msgpack") as one, ShmRing[Any](name, size=1 << 24) as other:
        assert (other.size, other.codec, other.name) == (8192, "msgpack", name)
        assert repr(one) == f"<ShmRing '{name}': 0 items, 8192 bytes>"
        one.put("x")
        assert other.get() == "x"
        assert one.users() == [os.getpid()]
        with pytest.raises(ValueError, match="exists with the codec msgpack"):
            ShmRing(name, codec="json")
        one.detach()
        assert path_of(name).stat().st_mode & 0o777 == 0o600
        other.close()
        assert repr(other) == f"<ShmRing '{name}': 0 items, 8192 bytes, closed>"
    with ShmRing[Any](name) as new:
        assert not new.closed


def test_a_damaged_segment_is_said_to_be_one(name: str) -> None:
    path = path_of(name)
    path.write_bytes(b"no ring")
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # somebody uses it, or it would be taken for a leftover
        with pytest.raises(SegmentError, match=f"{name}: what is there is no ring"):
            ShmRing(name)
    ShmRing(name).detach()

    with ShmRing[Any](name) as ring:
        ring.put(1)
        with path.open("r+b") as file:
            file.seek(-ring.size, os.SEEK_END)
            file.write(b"\xff" * 8)  # the length of the item
        with pytest.raises(SegmentError, match=f"'{name}' is damaged"):
            ring.get()
        with path.open("r+b") as file:
            file.write(bytes(8))
        with pytest.raises(SegmentError, match="no ring"):
            ShmRing(name)


def test_a_descriptor_that_is_no_ring() -> None:
    descriptor = os.open("/dev/null", os.O_RDWR)
    with pytest.raises(SegmentError):
        _core.ShmRing(fd=descriptor)
    os.close(descriptor)
    with pytest.raises(OSError, match="descriptor") as caught:
        _core.ShmRing(fd=descriptor)
    assert caught.value.errno == errno.EBADF


# --- threads ---


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


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
        thread.join(PATIENCE_S)
    assert errors == [Closed if how == "close" else ValueError] * 3
    ring.detach()
    assert ring.detached


# --- multiprocessing ---


def echo(there: ShmRing[Any], back: ShmRing[Any]) -> None:
    while (item := there.get()) is not None:
        back.put((os.getpid(), item))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_children_of_multiprocessing(method: str, name: str) -> None:
    context: Any = multiprocessing.get_context(method)
    with ShmRing[Any]() as there, ShmRing[Any](name) as back:
        there.put("early")
        child = context.Process(target=echo, args=(there, back))
        child.start()
        there.put(b"late")
        assert [back.get(timeout=PATIENCE_S) for _ in range(2)] == [(child.pid, "early"), (child.pid, b"late")]
        assert there.users() == back.users() == sorted([os.getpid(), child.pid])
        there.put(None)
        child.join(PATIENCE_S)
        assert child.exitcode == 0
        assert there.users() == [os.getpid()]


def test_the_last_user_removes_the_name_though_it_is_a_child(name: str) -> None:
    context = multiprocessing.get_context("spawn")
    with ShmRing[Any]() as there:
        back = ShmRing[Any](name)
        child = context.Process(target=echo, args=(there, back))
        child.start()
        there.put(1)
        assert back.get(timeout=PATIENCE_S) == (child.pid, 1)
        back.detach()
        assert path_of(name).exists()
        there.put(None)
        child.join(PATIENCE_S)
        assert child.exitcode == 0
        assert not path_of(name).exists()


FORK = """
import os, threading
from perfcore.messaging import ShmRing
class Twice:
    failed = []
    def __reduce__(self):
        return Twice.load, ()
    @staticmethod
    def load():
        if not Twice.failed:
            Twice.failed.append(1)
            raise MemoryError
        return "kept"
ring = ShmRing()
ring.put(Twice())
try:
    ring.get()
except MemoryError:
    pass
inside = threading.Event()
other = ShmRing()
thread = threading.Thread(target=lambda: (inside.set(), other.get()))
thread.start()
inside.wait()
import warnings
warnings.simplefilter("ignore")
if (pid := os.fork()) == 0:
    ok = ring.empty() and ring.users() == [os.getppid(), os.getpid()]
    try:
        ring.get_nowait()   # what the parent has in hand is the parent's
        ok = False
    except Exception:
        pass
    other.put("from the child")
    other.detach()          # though a thread of the parent was in it
    os._exit(0 if ok and other.detached else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), ring.get())
thread.join(30)
print(thread.is_alive(), ring.users() == [os.getpid()])
"""


def test_fork_in_the_middle() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", FORK], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("0 kept\nFalse True\n", "")
