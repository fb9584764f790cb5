# SPDX-License-Identifier: MIT
"""ShmRing between processes: names and when they go, damage, descriptors, multiprocessing, fork."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcore import _core
from perfcore.messaging import SegmentError, ShmRing

PATIENCE_S = 30


@pytest.fixture
def name() -> Iterator[str]:
    text = f"test.unit-{os.getpid()}"
    yield text
    assert not path_of(text).exists()


def path_of(name: str) -> Path:
    return Path(f"/dev/shm/perfcore-ring-{name}")


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
