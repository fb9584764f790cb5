# SPDX-License-Identifier: MIT
"""The heap by call stacks at its largest, by the standard library's tracemalloc, for a flame graph.

What is live when a program ends is seldom what made it large. A thread looks at the traced size every 20 ms and takes a
snapshot when it is a tenth above that of the last one: at most a few dozen snapshots, the last of which is within a
tenth of the largest heap that lasted for 20 ms.
"""

from __future__ import annotations

import gc
import threading
import tracemalloc
from types import TracebackType
from typing import Self

from perfcore.errors import MeasureError

Stack = tuple[str, ...]

_EVERY_S = 0.02
_FIRST_BYTES = 1 << 20
_GROWTH = 1.1


class HeapStacks:
    """Watch the heap in a ``with`` block; afterwards `largest` maps call stacks, outermost first, to live bytes.

    `whole` is then False when the program has stopped tracemalloc, for good or for a while: it forgets all, and sees
    nothing until it is started again.

    Args:
        frames: how many frames of a stack are kept, the innermost.
        below: a file whose frames, and those that called them, are left out of the stacks.

    Raises:
        MeasureError: tracemalloc runs already.

    """

    def __init__(self, frames: int = 40, *, below: str | None = None) -> None:
        self._frames = frames
        self._below = below
        self._snapshot: tracemalloc.Snapshot | None = None
        self._size = 0
        self.whole = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="perfcore-heap", daemon=True)

    def __enter__(self) -> Self:
        if tracemalloc.is_tracing():
            raise MeasureError("tracemalloc runs already; stop it, or unset PYTHONTRACEMALLOC")
        tracemalloc.start(self._frames)
        self._witness = bytearray(1)  # whose trace is lost with all others
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        if tracemalloc.is_tracing():  # the program may have stopped it
            self.whole = tracemalloc.get_object_traceback(self._witness) is not None
            gc.collect()
            if self._snapshot is None or tracemalloc.get_traced_memory()[0] > self._size:
                self._take()
            tracemalloc.stop()

    def _watch(self) -> None:
        while not self._end.wait(_EVERY_S) and tracemalloc.is_tracing():
            if tracemalloc.get_traced_memory()[0] > max(_FIRST_BYTES, self._size * _GROWTH):
                self._take()

    def _take(self) -> None:
        self._snapshot = None  # two at a time would be a heap of their own
        try:
            snapshot = tracemalloc.take_snapshot()
        except RuntimeError:  # the program has stopped tracemalloc meanwhile
            return
        self._size = tracemalloc.get_traced_memory()[0]
        self._snapshot = snapshot

    @property
    def largest(self) -> dict[Stack, int]:
        """Live bytes by call stack when the heap was largest."""
        found: dict[Stack, int] = {}
        if self._snapshot is None:
            return found
        own = {__file__, tracemalloc.__file__, threading.__file__}
        for trace in self._snapshot.traces:
            if trace.traceback[-1].filename in own:
                continue
            frames = list(trace.traceback)
            last = max((at for at, frame in enumerate(frames) if frame.filename == self._below), default=-1)
            stack = tuple(f"{frame.filename}:{frame.lineno}" for frame in frames[last + 1 :])
            if stack:  # else it was allocated in `below` itself
                found[stack] = found.get(stack, 0) + trace.size
        return found
