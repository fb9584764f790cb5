# SPDX-License-Identifier: MIT
"""Time-outs that end the work: what a step that is too slow is told, and how it can listen.

A thread cannot be stopped from outside. So a step that may be cut short asks `current` for its `Cancellation`: it may
wait on it instead of sleeping, ask it now and then, or have a function called that wakes it (as
`perfcore.suite.chat.ChatClient` does, which closes its connection). Coroutines need none of this: they are cancelled.

Any thread may cancel; a `Cancellation` is used for one step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token

from perfcore.errors import SuiteError

__all__ = ["Cancellation", "StepTimeoutError", "current"]


def ends_task(error: BaseException) -> bool:
    """Whether an exception says that the running task is cancelled, and not just something that it awaited."""
    import asyncio  # here, as threads do without it

    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


class StepTimeoutError(SuiteError, TimeoutError):
    """A step was told to end because its time was over."""


class Cancellation:
    """Tells one step that its time is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._wakers: list[Callable[[], object]] = []

    @property
    def cancelled(self) -> bool:
        """Whether the time is over."""
        return self._over.is_set()

    def cancel(self) -> None:
        """Say that the time is over: waiting ends, and what was registered is called, in this thread."""
        with self._lock:
            self._over.set()
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def check(self) -> None:
        """Raise `StepTimeoutError` if the time is over."""
        if self.cancelled:
            raise StepTimeoutError("the step's time is over")

    def wait(self, seconds: float) -> None:
        """Sleep; raises `StepTimeoutError` as soon as the time is over."""
        if self._over.wait(seconds):
            self.check()

    @contextmanager
    def waking(self, wake: Callable[[], object]) -> Iterator[None]:
        """Have a function called when the time is over, for as long as the body runs.

        Raises:
            StepTimeoutError: it is over already.

        """
        with self._lock:
            self.check()
            self._wakers.append(wake)
        try:
            yield
        finally:
            with self._lock:
                if wake in self._wakers:
                    self._wakers.remove(wake)


_current: ContextVar[Cancellation | None] = ContextVar("perfcore_cancellation", default=None)


def current() -> Cancellation:
    """Return the running step's cancellation; one that nobody cancels where no suite runs the step."""
    return _current.get() or Cancellation()


def enter(cancellation: Cancellation) -> Token[Cancellation | None]:
    """Make it that of the steps which this thread runs from now on."""
    return _current.set(cancellation)
