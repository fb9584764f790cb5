# SPDX-License-Identifier: MIT
"""Ctrl-C, SIGTERM and SIGHUP while processes and trees are being made and removed.

All three end a command as Ctrl-C does, by KeyboardInterrupt, so that what was made goes with it; and where something is
made but not yet known to who would remove it, or is just being removed, they are put off. Main thread only: elsewhere
Python delivers no signals, and nothing here does anything. `outlast` is for a user's command, which has its own way.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_Handler = Callable[[int, FrameType | None], Any] | int | None
"""What `signal.getsignal` gives."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_S = 1.0
"""How often a main thread that waits for a lock wakes to see whether there was a signal.

One that arrives as the wait begins, or that the kernel gives to another thread, does not wake it.
"""


@contextmanager
def _handled_by(
    make: Callable[[signal.Signals, _Handler], _Handler], signals: tuple[signal.Signals, ...]
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, _Handler] = {}
    try:
        for number in signals:
            old = signal.getsignal(number)
            # What is ignored stays so (nohup), and what C code handles cannot be put back.
            if old not in {signal.SIG_IGN, None}:
                before[number] = old
                signal.signal(number, make(number, old))
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def orderly_end() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does."""
    with _handled_by(lambda _number, _old: _interrupt, (signal.SIGTERM, signal.SIGHUP)):
        yield


@contextmanager
def put_off() -> Iterator[None]:
    """Let the three signals take effect at the end of the block only."""
    arrived: list[int] = []
    held = True

    # The old handlers come back one after the other, and one that raises in between leaves the rest of these in place:
    # hence they do then what those would.
    def make(number: signal.Signals, old: _Handler) -> _Handler:
        def handle(_number: int, frame: FrameType | None) -> None:
            if held:
                arrived.append(number)
            elif callable(old):
                old(number, frame)
            else:
                signal.signal(number, old)
                signal.raise_signal(number)

        return handle

    try:
        with _handled_by(make, _SIGNALS):
            try:
                yield
            finally:
                held = False
    finally:
        for arrival in dict.fromkeys(arrived):
            signal.raise_signal(arrival)


def outlast(child: subprocess.Popen[Any]) -> tuple[int, bool]:
    """Wait for a command that the terminal sends Ctrl-C to as well, and that ends in its own time.

    Returns:
        Its exit code, or minus the number of the signal that ended it, and whether there was an interrupt.

    """
    code, interrupted = None, False
    while True:
        try:
            if code is None:
                # It is not reaped by that: who is interrupted as `Popen.wait` reaps has lost the code, and hears of 0.
                found = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
                assert found is not None, "only WNOHANG gives None"  # noqa: S101
                code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            child.wait()
            child.returncode = code
            return code, interrupted
        except KeyboardInterrupt:
            interrupted = True
