# SPDX-License-Identifier: MIT
"""Messages within a process: queues for threads and event loops, a router, messages and their history.

The work is done in C (``perfcore._core``); here are the awaiting methods and the types' public faces. A `Ring` has
`queue.Queue`'s names and exceptions, so it can stand where a queue stood.
"""

from __future__ import annotations

import asyncio
from queue import Empty, Full
from typing import Any, Generic, Self, TypeVar

from perfcore import _core
from perfcore.errors import Closed

__all__ = ["Closed", "Empty", "Full", "PriorityRing", "Ring"]

T = TypeVar("T")


class _Turn:
    """A coroutine's place in the line for a ring: asleep on a future of its loop, woken from any thread."""

    __slots__ = ("future", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()

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


async def _wait(ring: _core.Ring[Any], for_get: bool, again: bool) -> None:
    """Sleep until it is our turn; if cancelled, pass the turn on."""
    turn = _Turn()
    ring._arm(turn, for_get, again)
    try:
        await turn.future
    except BaseException:
        ring._disarm(turn, for_get)
        raise


class Ring(_core.Ring[T], Generic[T]):
    """A queue for threads and event loops: first in, first out, with `queue.Queue`'s names and exceptions.

    Args:
        maxsize: items at most; 0 or less for no limit.

    Threads that wait are served in the order they came. ``close()`` takes no more items, lets what is in be got, and
    then every method that gets raises `Closed`. Under a limit, ``put`` waits, as in `queue.Queue`.

    """

    __slots__ = ()

    async def aget(self) -> T:
        """Get the first item, letting the event loop run while there is none.

        Raises:
            Closed: the ring is closed and drained.

        """
        again = False
        while True:
            try:
                return self.get_nowait()
            except Empty:
                pass
            await _wait(self, True, again)
            again = True

    async def aget_many(self, max_items: int | None = None) -> list[T]:
        """Get what is there, at most ``max_items``, letting the event loop run while there is nothing."""
        again = False
        while True:
            try:
                return self.get_many(max_items, False)
            except Empty:
                pass
            await _wait(self, True, again)
            again = True

    async def aput(self, item: T) -> None:
        """Put an item, letting the event loop run while the ring is full."""
        again = False
        while True:
            try:
                return self.put_nowait(item)
            except Full:
                pass
            await _wait(self, False, again)
            again = True

    def __aiter__(self) -> Self:
        """Iterate over the items to come, until the ring is closed and drained."""
        return self

    async def __anext__(self) -> T:
        try:
            return await self.aget()
        except Closed:
            raise StopAsyncIteration from None


class PriorityRing(_core.PriorityRing[T], Ring[T]):
    """A `Ring` that gives the item with the least priority first, and equal priorities in the order they came.

    A priority is a number (a float, so integers beyond 2**53 are rounded), given beside the item: items are never
    compared.
    """

    __slots__ = ()

    async def aput(self, item: T, priority: float = 0.0) -> None:
        """Put an item, letting the event loop run while the ring is full."""
        again = False
        while True:
            try:
                return self.put_nowait(item, priority)
            except Full:
                pass
            await _wait(self, False, again)
            again = True
