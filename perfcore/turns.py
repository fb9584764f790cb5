# SPDX-License-Identifier: MIT
"""Coroutines that wait for a ring: their places in the line, and for shared memory the thread that looks out for them.

An event loop cannot sleep on a word of shared memory, so a thread does it for all its loops: one for each side of a
ring that somebody awaits, started when the first one does and ended when nobody has for a second. It takes nothing: it
wakes the first in the line, which then gets (or puts) on its own loop. So a wait that is cancelled loses nothing, and
what a killed process leaves behind is the business of `pc_shm` alone.

One coroutine at a time is awake. It says when it has had its turn; if it never does, because its loop stands still, the
next one is woken after a while all the same.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

from perfcore import _core
from perfcore.errors import Closed

__all__ = ["Awaited", "Lookout", "Turn"]

R = TypeVar("R")
T = TypeVar("T")

IDLE_S = 1.0  # how long the thread stays for the next wait
PATIENCE_S = 0.1  # how long one that was woken may take to have its turn


class Awaited(Generic[T]):
    """What a ring with ``aget`` is for ``async for``."""

    __slots__ = ()

    aget: Callable[[], Coroutine[Any, Any, T]]

    def __aiter__(self) -> Self:
        """Iterate over the items to come, until the ring is closed and drained."""
        return self

    async def __anext__(self) -> T:
        try:
            return await self.aget()
        except Closed:
            raise StopAsyncIteration from None


class Turn:
    """A coroutine's place in the line for a ring: asleep on a future of its loop, woken from any thread."""

    __slots__ = ("future", "loop", "position")

    def __init__(self, position: int = 0) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()
        self.position = position

    def __call__(self) -> bool:
        """Wake the coroutine. Called once, by whoever puts or gets; says whether there is still someone to wake."""
        if self.future.done():
            return False
        if asyncio._get_running_loop() is self.loop:
            self.future.set_result(None)
            return True
        try:
            self.loop.call_soon_threadsafe(self._wake)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def _wake(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class Lookout:
    """The coroutines of this process that wait for one side of a ring in shared memory. For any thread.

    Args:
        ring: kept alive by those who wait, not by this.
        for_get: whether they wait to get, or to put.

    """

    __slots__ = ("_awake", "_changed", "_for_get", "_is_manned", "_line", "_lock", "_ring")

    def __init__(self, ring: _core.ShmRing[Any], for_get: bool) -> None:
        self._ring = weakref.ref(ring)
        self._for_get = for_get
        try:
            # In `with` statements the lock itself: a signal may raise within the condition's __enter__, which is
            # Python, and the lock would be held for ever.
            self._lock = threading.Lock()
            self._changed = threading.Condition(self._lock)
        except RuntimeError as error:  # what CPython says where there is no memory for a lock
            raise MemoryError(str(error)) from error
        self._line: deque[Turn] = deque()
        self._awake: Turn | None = None  # woken, and has not had its turn
        self._is_manned = False

    async def wait(self, ring: _core.ShmRing[Any], attempt: Callable[[], R], refusal: type[Exception]) -> R:
        """Return what `attempt` returns once it no longer raises `refusal`, letting the event loop run meanwhile."""
        turn: Turn | None = None
        succeeded = False
        try:
            while True:
                position = ring._position(self._for_get)  # first: what moves while it tries, moves from there
                with suppress(refusal):
                    result = attempt()
                    succeeded = True
                    return result
                before, turn = turn, Turn(position)
                self._enter(turn, before)
                await turn.future
        finally:
            if turn is not None:
                self._leave(turn, succeeded)

    def _enter(self, turn: Turn, before: Turn | None) -> None:
        """Join the line; in front for one that had its turn, `before`, in vain."""
        with self._lock:
            if not self._is_manned:
                threading.Thread(target=self._look_out, name="perfcore-lookout", daemon=True).start()
                self._is_manned = True
            if before is None:
                self._line.append(turn)
            else:
                self._line.appendleft(turn)
                if self._awake is before:
                    self._awake = None
            self._changed.notify()

    def _leave(self, turn: Turn, succeeded: bool) -> None:
        """Be done with waiting. Who was woken and took nothing passes that on."""
        with self._lock:
            if self._awake is turn:
                self._awake = None
                self._changed.notify()
            else:
                with suppress(ValueError):  # it was called, and took its time
                    self._line.remove(turn)
                    return
            if succeeded or self._line:
                return
        self._pass_on()

    def _pass_on(self) -> None:
        """Wake one of those who sleep in other threads and processes: nobody here wants what we were woken for."""
        if (ring := self._ring()) is not None:
            with suppress(ValueError):  # detached
                ring._pass_on(self._for_get)

    def _look_out(self) -> None:
        """Sleep on the shared memory for those in the line: the thread."""
        try:
            while (position := self._next()) is not None:
                if (ring := self._ring()) is None:
                    return
                try:
                    # A putter tries again after each sleep: its item may fit before there is room for most.
                    wake = ring._watch(self._for_get, position) or not self._for_get
                except ValueError:  # detached, which they will see for themselves
                    wake = True
                del ring
                if wake and not self._wake():
                    self._pass_on()
        except BaseException:  # those in the line try again, and have another thread
            with self._lock:
                self._is_manned = False
                left = [*self._line]
                self._line.clear()
            for turn in left:
                turn()
            raise

    def _next(self) -> int | None:
        """Wait for somebody to look out for; return the position that they saw, or None for nobody."""
        with self._lock:
            if self._awake is not None:
                self._changed.wait_for(lambda: self._awake is None, PATIENCE_S)
                self._awake = None
            if self._changed.wait_for(lambda: self._line, IDLE_S):
                return self._line[0].position
            self._is_manned = False
            return None

    def _wake(self) -> bool:
        """Wake the first in the line that can be; False for nobody."""
        with self._lock:
            while self._line:
                turn = self._awake = self._line.popleft()
                if turn():
                    return True
            self._awake = None
            return False
