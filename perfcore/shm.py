# SPDX-License-Identifier: MIT
"""`ShmRing`: messages between processes, through shared memory. Reached as ``perfcore.messaging.ShmRing``.

The work is done in C (``perfcore._core``); here are the codecs, and what multiprocessing has to know.
"""

from __future__ import annotations

import os
import pickle
import weakref
from queue import Empty, Full
from typing import Any, Literal, Self, TypeVar

from perfcore import _core
from perfcore.turns import Awaited, Lookout

__all__ = ["ShmRing"]

T = TypeVar("T")
CodecName = Literal["pickle", "msgpack", "json"]

# What a segment's tag stands for, for ever: a place in this tuple.
_CODECS: tuple[CodecName, ...] = ("pickle", "msgpack", "json")

_rings: weakref.WeakSet[ShmRing[Any]] = weakref.WeakSet()


class ShmRing(_core.ShmRing[T], Awaited[T]):
    """A queue in shared memory for any number of processes and threads that put and get: first in, first out.

    Without a name it is handed to children: inherited over a fork, or as an argument of a `multiprocessing.Process` of
    any start method (or through one of multiprocessing's queues and pools). With a name, processes that know it meet.

    Args:
        name: of letters, digits, ``.``, ``_`` and ``-``; the ring of that name is opened, or made where there is none
            that is in use. Or None for a new ring.
        size: bytes for items, rounded up to a power of two; an item takes 8 more than its own. A ring that exists
            keeps its size.
        codec: how objects become bytes: ``pickle`` (the default; protocol 5, but for plain data something faster that
            gives the same back), ``msgpack`` or ``json``. A ring that exists keeps its own, and another one is refused.
            An item that is ``bytes`` goes as it is.

    Names and exceptions are those of `queue.Queue`. ``close()`` is for all processes: nothing more can be put, what is
    in can be got, and then every method that gets raises `Closed`. ``detach()``, also the end of a ``with`` block, lets
    go of the ring in this process alone. The memory ends with its last user, however that one ends; the name of a ring
    whose users were all killed is removed when the next named ring is made or opened.

    A process may be killed at any moment. An item is put whole or not at all, stays until one process has it, and is
    never given twice; the others go on, after a tenth of a second at the latest. What a killed process had got, it
    takes along: the items of the one call it was in, and those it had not yet worked on. ``users()`` says who is alive,
    ``recoveries`` how often a death in the middle of a put or a get was repaired.

    On an event loop, ``aget``, ``aget_many``, ``aput`` and ``async for`` let the loop run while they wait, which a
    thread does for them; those that are cancelled have taken nothing.

    As with multiprocessing, what a ring carries is trusted: it is open to processes of the same user alone.

    Raises:
        SegmentError: the memory cannot be had, is another user's, or is damaged.

    """

    __slots__ = ("_getters", "_putters")

    def __new__(cls, name: str | None = None, size: int = 1 << 20, *, codec: CodecName | None = None) -> Self:
        """Open or make a ring."""
        if codec is not None and codec not in _CODECS:
            raise ValueError(f"no codec of rings is called {codec!r}; there are {', '.join(_CODECS)}")
        self = super().__new__(cls, name, size, _CODECS.index(codec or "pickle"))
        if codec not in (None, self.codec):
            raise ValueError(f"ring {name!r} exists with the codec {self.codec}; open it with that, or without")
        return self._ready()

    @property
    def codec(self) -> CodecName:
        """How objects become bytes."""
        return _CODECS[self._tag]

    def _ready(self) -> Self:
        if self.codec == "pickle":
            self._bind(pickle.dumps, 5, pickle.loads, _core.msgpack_dumps, _core.msgpack_loads)
        elif self.codec == "msgpack":
            self._bind(_core.msgpack_dumps, None, _core.msgpack_loads)
        else:
            self._bind(_core.json_dumps, None, _core.json_loads)
        self._man()
        _rings.add(self)
        if self.name is not None:
            from multiprocessing import util

            _release_at_exit(self)
            util.register_after_fork(self, _release_at_exit)
        return self

    def _man(self) -> None:
        """Have places for coroutines to wait; in the child of a fork new ones, without the parent's."""
        self._getters, self._putters = Lookout(self, True), Lookout(self, False)

    async def aget(self) -> T:
        """Get the first item, letting the event loop run while there is none.

        Raises:
            Closed: the ring is closed and drained.

        """
        try:
            return self.get_nowait()
        except Empty:
            return await self._getters.wait(self, self.get_nowait, Empty)

    async def aget_many(self, max_items: int | None = None) -> list[T]:
        """Get what is there, at most ``max_items``, letting the event loop run while there is nothing."""
        try:
            return self.get_many(max_items, False)
        except Empty:
            return await self._getters.wait(self, lambda: self.get_many(max_items, False), Empty)

    async def aput(self, item: T) -> None:
        """Put an item, letting the event loop run while there is no room for it."""
        try:
            self.put_nowait(item)
        except Full:
            await self._putters.wait(self, lambda: self.put_nowait(item), Full)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle for another process of multiprocessing, to which the file descriptor is passed."""
        from multiprocessing import reduction

        return _rebuild, (type(self), reduction.DupFd(self.fileno()))

    def __repr__(self) -> str:
        """Return what it is, and how full."""
        if self.detached:
            return f"<{type(self).__name__} detached>"
        what = f"{self.name!r}" if self.name else "without a name"
        return f"<{type(self).__name__} {what}: {self.qsize()} items, {self.size} bytes{', closed' * self.closed}>"


def _rebuild(cls: type[ShmRing[Any]], passed: Any) -> ShmRing[Any]:
    """Make a ring of the file descriptor that came from another process."""
    descriptor: int = passed.detach()
    os.set_inheritable(descriptor, False)
    try:
        self = _core.ShmRing.__new__(cls, fd=descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return self._ready()


def _release(reference: weakref.ref[ShmRing[Any]]) -> None:
    """Give up the name as the process ends; threads that still wait keep the memory until then."""
    if (ring := reference()) is not None:
        ring._release()


def _release_at_exit(ring: ShmRing[Any]) -> None:
    """See to it that the name goes with this process, a child of multiprocessing too, which runs no atexit."""
    from multiprocessing import util

    util.Finalize(ring, _release, args=(weakref.ref(ring),), exitpriority=-5)


def _after_fork() -> None:
    for ring in list(_rings):
        ring._forked()
        ring._man()


os.register_at_fork(after_in_child=_after_fork)
