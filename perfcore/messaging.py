# SPDX-License-Identifier: MIT
"""Messages: queues for threads and event loops, a ring between processes, a router, messages and their history.

The work is done in C (``perfcore._core``); here are the awaiting methods and the types' public faces. A `Ring` has
`queue.Queue`'s names and exceptions, so it can stand where a queue stood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, Full
from typing import Any, Generic, Literal, TypeVar

from perfcore import _core
from perfcore._core import Endpoint, Message, MessageHistory
from perfcore.errors import Closed, RouteError, SegmentError
from perfcore.shm import ShmRing
from perfcore.turns import Awaited, Turn

__all__ = [
    "Closed",
    "Empty",
    "Endpoint",
    "Full",
    "Message",
    "MessageHistory",
    "ObjectPool",
    "Policy",
    "PriorityRing",
    "Ring",
    "RouteError",
    "Router",
    "SegmentError",
    "ShmRing",
]

T = TypeVar("T")
Policy = Literal["block", "drop_oldest", "drop_new", "error"]


class Ring(_core.Ring[T], Awaited[T]):
    """A queue for threads and event loops: first in, first out, with `queue.Queue`'s names and exceptions.

    Args:
        maxsize: items at most; 0 or less for no limit.

    Who waits is served in the order they came. A loop that stands still once it is woken holds up the loops behind it
    until something more comes, and the threads for 0.1 s, after which the first of them takes what lies there.
    ``close()`` takes no more items, lets what is in be got, and then every method that gets raises `Closed`. Under a
    limit, ``put`` waits, as in `queue.Queue`.

    """

    __slots__ = ()

    # These are in C, and come here where they must wait. To benchmarks they are coroutine functions.
    __perfcore_coroutines__ = frozenset(("aget", "aget_many", "aput"))

    async def _wait(self, for_get: bool, again: bool) -> None:
        """Sleep until it is our turn, in front of the line if it is our turn `again`."""
        turn = Turn()
        try:
            self._arm(turn, for_get, again)
            await turn.future
        except BaseException:  # cancelled, closed, interrupted: whatever ends the wait, the turn is passed on
            self._disarm(turn, for_get)
            raise


class PriorityRing(_core.PriorityRing[T], Ring[T]):
    """A `Ring` that gives the item with the least priority first, and equal priorities in the order they came.

    A priority is a number (a float, so integers beyond 2**53 are rounded), given beside the item: items are never
    compared.
    """

    __slots__ = ()


class Router(_core.Router):
    """Delivers messages to endpoints: directly, in turn, by hash, by topic, or to all; singly or many in one call.

    Every method that routes returns how many deliveries it made. Endpoints may be added, removed and subscribed while
    messages are on their way, also by handlers. A message is any object, and is passed on, not copied; a `Message`
    says itself where it goes (``route``).
    """

    __slots__ = ()

    def add(
        self,
        name: str,
        handler: Callable[[Any], object] | None = None,
        *,
        maxsize: int = 0,
        policy: Policy = "block",
    ) -> Endpoint:
        """Add an endpoint: a mailbox (a `Ring`), or a handler that is called with each message in the sender's thread.

        Args:
            name: what messages are sent to; unique.
            handler: a handler that raises is counted (``failed``) and reported through `sys.unraisablehook`; the
                others get the message all the same. The ``put`` of a `Ring`, which endpoints may share, costs no call.
            maxsize: of the mailbox; 0 for no limit.
            policy: when the mailbox is full: ``block`` the sender (not for an event loop's thread), ``drop_oldest`` of
                its messages, ``drop_new``, or ``error``: raise `queue.Full` once every other endpoint has the message.

        """
        return self._add(name, Ring[Any](maxsize) if handler is None else handler, policy)

    def remove(self, name: str) -> Endpoint:
        """Take an endpoint out. Its mailbox is closed: what is in can still be got, and who waits for it is woken."""
        endpoint = self._remove(name)
        if endpoint.mailbox is not None:
            endpoint.mailbox.close()
        return endpoint


class ObjectPool(Generic[T]):
    """Objects that are dear to make, lent out again and again; for any number of threads.

    Args:
        size: objects at most, lent and waiting together.
        factory: makes one; called when none waits and there are fewer than ``size``.
        reset: called with each object that comes back. If it raises, the object is thrown away and the exception is
            the caller's of `release`.

    Attributes:
        size: as given.
        created: objects made so far.
        reused: times that an object was lent that had been lent before.
        discarded: objects thrown away because ``reset`` raised.
        in_use: objects that are lent now.

    """

    __slots__ = ("_factory", "_idle", "_lent", "_reset", "created", "discarded", "reused", "size")

    def __init__(self, size: int, factory: Callable[[], T], reset: Callable[[T], object] | None = None) -> None:
        if size < 1:
            raise ValueError(f"size is {size}; a pool holds at least 1 object")
        self.size = size
        self.created = self.reused = self.discarded = 0
        self._factory, self._reset = factory, reset
        # An object that waits, or None for a place where one may be made: the objects first.
        self._idle: PriorityRing[tuple[T] | None] = PriorityRing()
        self._idle.put_many([None] * size, priority=1)
        self._lent: dict[int, T] = {}

    @property
    def in_use(self) -> int:
        """Objects that are lent now."""
        return len(self._lent)

    def acquire(self, block: bool = True, timeout: float | None = None) -> T:
        """Lend an object, waiting where all are lent for one to come back: `timeout` seconds, or for ever (None).

        Raises:
            queue.Empty: none came in time.

        """
        found = self._idle.get(block, timeout)
        if found is None:
            try:
                item = self._factory()
            except BaseException:  # whatever ends it, the place must not be lost
                self._idle.put(None, priority=1)
                raise
            self.created += 1
        else:
            item = found[0]
            self.reused += 1
        self._lent[id(item)] = item
        return item

    def release(self, item: T) -> None:
        """Take an object back.

        Raises:
            ValueError: it is not lent by this pool.

        """
        try:
            del self._lent[id(item)]  # which is nobody else's while the object is lent
        except KeyError:
            raise ValueError(f"{item!r} is not lent by this pool, or has come back already") from None
        try:
            if self._reset is not None:
                self._reset(item)
        except BaseException:  # as in acquire(): also for an interrupt the place comes back
            self.discarded += 1
            self._idle.put(None, priority=1)
            raise
        self._idle.put((item,))

    @contextmanager
    def lend(self) -> Iterator[T]:
        """Lend an object for the body of a ``with`` statement."""
        item = self.acquire()
        try:
            yield item
        finally:
            self.release(item)
