# SPDX-License-Identifier: MIT
"""Allocations of Python code: how many, how large, what stays, from where."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from perfcore._memtrace import Tracker
from perfcore.units import format_bytes


class CallSite(NamedTuple):
    """What the lines of Python code that were innermost when memory was allocated have allocated.

    Attributes:
        file: the file of the code, or "<no Python frame>", or "<more call sites>" for all beyond some 32,000.
        line: its line.
        allocations: blocks allocated and reallocated there.
        bytes: what they asked for.
        live_blocks: by how many those that live have become more.
        live: the same in bytes.

    """

    file: str
    line: int
    allocations: int
    bytes: int
    live_blocks: int
    live: int


class ThreadAllocations(NamedTuple):
    """What one thread has allocated; `native_id` is that of ``threading.get_native_id()``."""

    native_id: int
    allocations: int
    frees: int
    reallocations: int
    bytes: int


class AllocationTracker(Tracker):
    """Counts the allocations of CPython's allocators in this process: made by `track_allocations`."""

    __slots__ = ()

    def top(
        self, limit: int = 10, *, by: Literal["bytes", "allocations", "live", "live_blocks"] = "bytes"
    ) -> list[CallSite]:
        """Return the call sites with the largest figures of the latest window, largest first.

        Raises:
            RuntimeError: the tracker was not made with ``sites=True``, or has not been started.

        """
        sites = [CallSite(*entry) for entry in self.sites()]
        return sorted(sites, key=lambda site: (-int(getattr(site, by)), site[:2]))[:limit]

    def by_thread(self) -> list[ThreadAllocations]:
        """Return the figures of each thread that lives at the end of the latest window, the busiest first."""
        return sorted((ThreadAllocations(*entry) for entry in self.threads()), key=lambda thread: -thread.allocations)

    def __str__(self) -> str:
        return (
            f"{self.allocations:,} allocations ({format_bytes(self.bytes)}), peak {format_bytes(self.peak)}, "
            f"live {format_bytes(self.live)} in {self.live_blocks:,} blocks"
        )


def track_allocations(*, sites: bool = False) -> AllocationTracker:
    """Return a tracker of this process's allocations, to use in a ``with`` block or by ``start()`` and ``stop()``.

    While it runs, and afterwards, it has ``allocations``, ``frees``, ``reallocations``, ``bytes`` (requested), ``live``
    and ``live_blocks`` (by how much what is tracked has grown), ``peak`` (of ``live``), ``unknown_frees`` (blocks older
    than the tracking), ``untracked``, ``complete``; ``by_thread()``, ``top()``. Trackers may overlap, and one may be
    started again: its figures add up. Counted is what CPython's own allocators are asked for, by all threads; memory
    that an extension takes from the system itself is not seen.

    Args:
        sites: record the file and line of each allocation too, for ``top()``. Three times as slow as without.

    """
    return AllocationTracker(sites=sites)


REPLACED = "another tool (tracemalloc, memray) took the place of the allocation hooks meanwhile; stop it before"
"""Why figures of a tracker that is not `complete` say nothing."""


class Growth(NamedTuple):
    """By how much memory has grown over calls that should leave none behind."""

    blocks: int
    bytes: int
    sites: list[CallSite]


def net_growth(tracker: AllocationTracker) -> tuple[int, int]:
    """Return by how many blocks, and by how many bytes, memory has grown in a tracker's window.

    The size of a freed block that is older than the tracking is not known. As long as no more blocks came than went,
    as in a cache that is full, that is no growth.
    """
    blocks = tracker.live_blocks - tracker.unknown_frees
    replaced = tracker.unknown_frees > 0 and blocks <= 0
    return blocks, min(tracker.live, 0) if replaced else tracker.live


_forget = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache  # 3.13 has the first


def collect() -> None:
    """Collect garbage, and let go of what the interpreter keeps of lookups.

    By the address of its name an attribute's lookup is found again: where names are put together at each call, as
    visitors do (``getattr(self, "visit_" + kind)``), some thousand of them stay.
    """
    gc.collect()
    _forget()


def _repeat(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], calls: int) -> None:
    for _ in range(calls):
        function(*args, **kwargs)
    collect()


CALLED_FROM = (__file__, _repeat.__code__.co_firstlineno + 2)
"""The site of what a function without a Python frame of its own allocates while `grow` calls it."""


def grow(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], calls: int, *, sites: bool = False
) -> Growth:
    """Call ``function(*args, **kwargs)`` so often and collect garbage; return by how much memory has grown.

    Exact while another tracker runs around several such calls, so that what one leaves and the next frees is known.
    Sites are those of the calls alone: what a collection leaves behind by itself, for instance because somebody hangs
    on ``gc.callbacks``, is measured without a call and taken out.
    """
    idle = {site[:2]: site for site in _window(function, args, kwargs, 0, sites=True)[1]} if sites else {}
    tracker, found = _window(function, args, kwargs, calls, sites=sites)
    growing = []
    for site in found:
        if site.file == __file__ and site[:2] != CALLED_FROM:
            continue
        if (other := idle.get(site[:2])) is not None:
            site = site._replace(live_blocks=site.live_blocks - other.live_blocks, live=site.live - other.live)  # noqa: PLW2901
        if site.live > 0 or site.live_blocks > 0:
            growing.append(site)
    growing.sort(key=lambda site: (-site.live, site[:2]))
    if sites:  # the frames that recording asks for are freed like any other block, and unknown
        return Growth(tracker.live_blocks, tracker.live, growing)
    return Growth(*net_growth(tracker), growing)


def _window(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], calls: int, *, sites: bool
) -> tuple[AllocationTracker, list[CallSite]]:
    """Return the tracker of a window around the calls, and the sites that hold more memory after it."""
    tracker = track_allocations(sites=sites)
    collect()
    tracker.run(_repeat, (function, args, kwargs, calls))
    found = tracker.top(1000, by="live") if sites else []
    return tracker, [site for site in found if site.live > 0 or site.live_blocks > 0]
