# SPDX-License-Identifier: MIT
"""A timer for event loops that is exact to tens of microseconds.

asyncio waits with epoll, whose time-out is a whole number of milliseconds: on a load of a thousand calls per second
every moment would be late by half of the distance to the next. This one is the kernel's timerfd on CLOCK_MONOTONIC, a
descriptor that the loop watches like a socket (os.timerfd_create is Python 3.13's). Belongs to one loop and one task;
moments in nanoseconds of `time.monotonic_ns`.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from typing import Self

__all__ = ["LoopTimer"]

_TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class LoopTimer:
    """Waits for moments on an event loop; a context manager."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._setting = _Setting()
        self._expired: asyncio.Future[None] | None = None
        self._fd = -1

    def __enter__(self) -> Self:
        # TFD_NONBLOCK and TFD_CLOEXEC are O_NONBLOCK and O_CLOEXEC.
        self._fd = self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), f"timerfd_create: {os.strerror(ctypes.get_errno())}")
        self._loop.add_reader(self._fd, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _read(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # set anew after the loop had seen it expire
            return
        if self._expired is not None and not self._expired.done():
            self._expired.set_result(None)

    async def until(self, moment_ns: int) -> None:
        """Wait until a moment of `time.monotonic_ns`; one that is past is waited for no time."""
        self._expired = self._loop.create_future()
        # All zero would stop the timer.
        self._setting.value.seconds, self._setting.value.nanoseconds = divmod(max(moment_ns, 1), 1_000_000_000)
        if self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(self._setting), None):
            raise OSError(ctypes.get_errno(), f"timerfd_settime: {os.strerror(ctypes.get_errno())}")
        await self._expired
