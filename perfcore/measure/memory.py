# SPDX-License-Identifier: MIT
"""MemoryTracker: what a piece of work does to this process's resident memory, with the exact peak.

The peak is the kernel's own high-water mark (VmHWM), begun again when a tracker starts: nothing is sampled, so a spike
of any duration counts, whichever allocator made it. There is one such mark for the process. Before a tracker begins it
again, it is read on behalf of all others that run, so trackers may be nested and overlap in any way.
"""

from __future__ import annotations

import functools
import inspect
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from perfcore.errors import MeasureError
from perfcore.measure.callables import is_coroutine_function, name_of
from perfcore.measure.process import own_process
from perfcore.units import format_bytes

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """Resident memory over a piece of work, in bytes; None is what the kernel does not say."""

    name: str
    baseline_bytes: int | None
    current_bytes: int | None
    peak_bytes: int | None

    @property
    def growth_bytes(self) -> int | None:
        """How much more is resident at the end than at the beginning; negative if memory was given back."""
        return _difference(self.current_bytes, self.baseline_bytes)

    @property
    def peak_growth_bytes(self) -> int | None:
        """How much more was resident at the peak than at the beginning."""
        return _difference(self.peak_bytes, self.baseline_bytes)

    def __str__(self) -> str:
        parts = [
            f"{label} {'unknown' if value is None else format_bytes(value)}"
            for label, value in (
                ("current", self.current_bytes),
                ("peak", self.peak_bytes),
                ("growth", self.growth_bytes),
            )
        ]
        return f"{self.name or 'memory'}: {', '.join(parts)}"


def _difference(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before


class _Mark:
    """The peak since one moment."""

    __slots__ = ("__weakref__", "floor", "peak")

    def __init__(self) -> None:
        self.peak: int | None = None  # as far as it has been read
        self.floor: int | None = None  # where the mark could not begin again: what it was


class _HighWater:
    """The process's high-water mark, shared by all marks. Those that nobody holds any more fall out by themselves."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a collection inside may end a tracker
        self.marks: weakref.WeakSet[_Mark] = weakref.WeakSet()
        # By a proxy: the hooks live on while a sub-interpreter ends, and would keep all that this module refers to.
        os.register_at_fork(
            before=weakref.proxy(self), after_in_parent=self.lock.release, after_in_child=self.lock.release
        )

    def __call__(self) -> None:
        """Prepare for a fork."""
        self.lock.acquire()
        self._keep()  # a child's mark begins again by itself

    def _keep(self) -> None:
        if not self.marks:
            return
        peak = own_process().peak()
        for mark in list(self.marks):
            mark.peak = _larger(mark.peak, peak)

    def begin(self) -> _Mark:
        mark = _Mark()
        with self.lock:
            self._keep()
            try:
                own_process().reset_peak()
            except OSError:
                mark.floor = own_process().peak()
            self.marks.add(mark)
        return mark

    def read(self, mark: _Mark) -> int | None:
        with self.lock:
            mark.peak = _larger(mark.peak, own_process().peak())
            if mark.floor is not None and mark.peak is not None and mark.peak <= mark.floor:
                return None  # the mark is an older one's, and this piece of work stayed below it
            return mark.peak

    def end(self, mark: _Mark) -> int | None:
        with self.lock:
            peak = self.read(mark)
            self.marks.discard(mark)
        return peak


def _larger(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)


_high_water = _HighWater()  # with the module: two threads that begin at once must not make two


class MemoryTracker:
    """Track the resident memory of this process: current, peak and growth since `start`, and by named phases.

    Use it as a context manager, as a decorator (every call is tracked by itself, of a coroutine function until it has
    been awaited; the last call's `MemoryUsage` is the function's attribute ``memory_usage``), or with `start` and
    `stop`. After `stop` its figures stand still.

        with perfcore.MemoryTracker("import") as tracker:
            with tracker.phase("read"):
                rows = read()
        print(tracker.usage, tracker.phases["read"].peak_bytes)

    The figures are those of the whole process: other threads' memory counts. The peak is exact; where the kernel does
    not let it begin again (``/proc/self/clear_refs`` not writable) it is None unless the process reached a new peak.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.phases: dict[str, MemoryUsage] = {}
        self._mark: _Mark | None = None
        self._baseline: int | None = None
        self._result: MemoryUsage | None = None

    @property
    def running(self) -> bool:
        """Whether the tracker was started and not yet stopped."""
        return self._mark is not None

    def start(self) -> Self:
        """Begin, and forget what was tracked before."""
        if self._mark is not None:
            raise MeasureError("this MemoryTracker runs already; stop it first, or use another one inside it")
        self.phases = {}
        self._result = None
        self._mark = _high_water.begin()
        self._baseline = own_process().rss()
        return self

    def stop(self) -> MemoryUsage:
        """End, and return what was found."""
        if self._mark is None:
            raise MeasureError("this MemoryTracker does not run; call start() first")
        self._result = self._usage(self._mark, _high_water.end)
        self._mark = None
        return self._result

    def _usage(self, mark: _Mark, peak: Callable[[_Mark], int | None]) -> MemoryUsage:
        return _usage_of(self.name, self._baseline, mark, peak)

    @property
    def usage(self) -> MemoryUsage:
        """The figures now, or as they were when the tracker was stopped."""
        if self._mark is not None:
            return self._usage(self._mark, _high_water.read)
        if self._result is None:
            raise MeasureError("this MemoryTracker was never started; call start() or use it in a with statement")
        return self._result

    @property
    def current_bytes(self) -> int | None:
        """What is resident."""
        return self.usage.current_bytes

    @property
    def peak_bytes(self) -> int | None:
        """The most that was resident since the start."""
        return self.usage.peak_bytes

    @property
    def growth_bytes(self) -> int | None:
        """How much more is resident than at the start."""
        return self.usage.growth_bytes

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Track a piece of the work under its own name, also when it raises; phases may be nested.

        Its usage is ``phases[name]`` afterwards. A name that comes again keeps its first baseline, greatest peak.
        """
        if self._mark is None:
            raise MeasureError(f"phase {name!r}: this MemoryTracker does not run; call start() first")
        mark = _high_water.begin()
        baseline = own_process().rss()
        try:
            yield
        finally:
            usage = _usage_of(name, baseline, mark, _high_water.end)
            if (earlier := self.phases.get(name)) is not None:
                peak = _larger(earlier.peak_bytes, usage.peak_bytes)
                usage = MemoryUsage(name, earlier.baseline_bytes, usage.current_bytes, peak)
            self.phases[name] = usage

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._mark is not None:  # the body may have stopped it
            self.stop()

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Return ``function`` with each call tracked."""
        name = self.name or name_of(function)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise MeasureError(f"{name}: the call of a generator does no work; use `with MemoryTracker()` in its body")
        if is_coroutine_function(function):

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                tracker = MemoryTracker(name).start()
                try:
                    return await cast("Awaitable[Any]", function(*args, **kwargs))
                finally:
                    awaited.memory_usage = tracker.stop()  # type: ignore[attr-defined]

            return cast("Callable[P, T]", awaited)

        @functools.wraps(function)
        def tracked(*args: P.args, **kwargs: P.kwargs) -> T:
            tracker = MemoryTracker(name).start()
            try:
                return function(*args, **kwargs)
            finally:
                tracked.memory_usage = tracker.stop()  # type: ignore[attr-defined]

        return tracked


def _usage_of(name: str, baseline: int | None, mark: _Mark, peak: Callable[[_Mark], int | None]) -> MemoryUsage:
    current = own_process().rss()
    highest = peak(mark)
    if highest is not None and current is not None:
        highest = max(highest, current)  # the kernel counts in batches for each processor: the two may differ by them
    return MemoryUsage(name, baseline, current, highest)
