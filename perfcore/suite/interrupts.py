# SPDX-License-Identifier: MIT
"""Ctrl-C, SIGTERM and SIGHUP while processes and trees are being made and removed.

All three end a command as Ctrl-C does, by KeyboardInterrupt, so that what was made goes with it; and where something is
made but not yet known to who would remove it, or is just being removed, they are put off. Main thread only: elsewhere
Python delivers no signals, and nothing here does anything.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _handled_by(
    handler: Callable[[int, FrameType | None], None], signals: tuple[signal.Signals, ...]
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {}
    try:
        for number in signals:
            # What is ignored stays so (nohup), and what C code handles cannot be put back.
            if signal.getsignal(number) not in {signal.SIG_IGN, None}:
                before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def orderly_end() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does."""
    with _handled_by(_interrupt, (signal.SIGTERM, signal.SIGHUP)):
        yield


@contextmanager
def put_off() -> Iterator[None]:
    """Let the three signals take effect at the end of the block only."""
    arrived: list[int] = []
    try:
        with _handled_by(lambda number, _frame: arrived.append(number), _SIGNALS):
            yield
    finally:
        if arrived:
            signal.raise_signal(arrived[0])
