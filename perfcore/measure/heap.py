# SPDX-License-Identifier: MIT
"""What the heap holds, by type and by call site, at one moment; and what came and went between two."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

from perfcore._core import heap_types
from perfcore.errors import MeasureError
from perfcore.measure import allocations
from perfcore.measure.allocations import AllocationTracker
from perfcore.units import format_bytes

Key = TypeVar("Key", str, tuple[str, int])


class TypeUse(NamedTuple):
    """The objects of one type: how many, and their bytes as `sys.getsizeof` counts them, each alone."""

    name: str
    objects: int
    bytes: int


class SiteUse(NamedTuple):
    """What is live of the blocks that one line of code allocated."""

    file: str
    line: int
    blocks: int
    bytes: int


@dataclass(frozen=True, slots=True, repr=False)
class _Heap:
    types: tuple[TypeUse, ...]
    sites: tuple[SiteUse, ...] | None

    @property
    def objects(self) -> int:
        """How many objects; in a difference, by how many more."""
        return sum(use.objects for use in self.types)

    @property
    def bytes(self) -> int:
        """What they take, in bytes; in a difference, by how much more."""
        return sum(use.bytes for use in self.types)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return _plain(self.types, self.sites)

    _of_changes: ClassVar[bool]  # whether the figures are differences

    def text(self, limit: int = 10) -> str:
        """Return the `limit` largest types and sites, or changes of them, as tables."""
        if self._of_changes:
            title = f"heap: {_signed(self.objects)} objects, {_signed_bytes(self.bytes)}"
        else:
            title = f"heap: {self.objects:,} objects, {format_bytes(self.bytes)}"
        return _tables(title, self.types, self.sites, limit, signed=self._of_changes)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.objects} objects, {self.bytes} bytes>"  # of thousands of types, no list


class HeapDiff(_Heap):
    """What changed between two snapshots, the largest growth first; `sites` is None where one of them has none."""

    __slots__ = ()
    _of_changes = True


class HeapSnapshot(_Heap):
    """The heap at one moment, the largest types and sites first; made by `heap_snapshot`."""

    __slots__ = ()
    _of_changes = False

    def diff(self, before: HeapSnapshot) -> HeapDiff:
        """Return what has changed since an earlier snapshot.

        Raises:
            MeasureError: `before` is no snapshot.

        """
        if not isinstance(before, HeapSnapshot):
            raise MeasureError(f"a snapshot is compared with an earlier snapshot, not with {type(before).__name__}")
        types = _differences({use.name: use[1:] for use in before.types}, {use.name: use[1:] for use in self.types})
        sites = None
        if before.sites is not None and self.sites is not None:
            changes = _differences({use[:2]: use[2:] for use in before.sites}, {use[:2]: use[2:] for use in self.sites})
            sites = tuple(SiteUse(*key, *change) for key, change in changes)
        return HeapDiff(tuple(TypeUse(key, *change) for key, change in types), sites)


def heap_snapshot(tracker: AllocationTracker | None = None, *, collect: bool = True) -> HeapSnapshot:
    """Return what the heap holds now.

    Seen is what the garbage collector knows, and all that it refers to: strings, numbers and bytes too. What nothing
    holds but C code or a local variable of a running function, and what is no Python object (an array's data in memory
    that an extension took from the system), is not.

    Args:
        tracker: a tracker of ``track_allocations(sites=True)``, for call sites: what is live of the blocks that were
            allocated since it was started.
        collect: collect garbage first.

    """
    if collect:
        gc.collect()
    totals: dict[str, list[int]] = {}
    for kind, objects, size in heap_types(gc.get_objects()):
        if kind in _OWN:
            continue
        total = totals.setdefault(_name(kind), [0, 0])
        total[0] += objects
        total[1] += size
    # Made by tuple.__new__, here and below, so that their site is in this file and not in a named tuple's "<string>".
    types = [tuple.__new__(TypeUse, (name, *total)) for name, total in totals.items()]
    types.sort(key=lambda use: (-use.bytes, use.name))
    return HeapSnapshot(tuple(types), None if tracker is None else _sites(tracker))


_OWN = frozenset({TypeUse, SiteUse, HeapDiff, HeapSnapshot})
_OWN_FILES = frozenset({__file__, allocations.__file__})


def _name(kind: type) -> str:
    name: str = type.__dict__["__qualname__"].__get__(kind)  # not the class's own attribute, which may be anything
    try:
        module = type.__dict__["__module__"].__get__(kind)
    except AttributeError:  # it was made where no __name__ is, or in C without one
        return name
    return f"{module}.{name}" if isinstance(module, str) and module != "builtins" else name


def _sites(tracker: AllocationTracker) -> tuple[SiteUse, ...]:
    return tuple(
        [
            tuple.__new__(SiteUse, (site.file, site.line, site.live_blocks, site.live))
            for site in tracker.top(2**20, by="live")
            if (site.live or site.live_blocks) and site.file not in _OWN_FILES
        ]
    )


def _differences(
    before: dict[Key, tuple[int, int]], after: dict[Key, tuple[int, int]]
) -> list[tuple[Key, tuple[int, int]]]:
    nothing = (0, 0)
    changes = {}
    for key in before | after:
        one, other = before.get(key, nothing), after.get(key, nothing)
        if one != other:
            changes[key] = (other[0] - one[0], other[1] - one[1])
    return sorted(changes.items(), key=lambda item: (-item[1][1], -item[1][0], str(item[0])))


def _plain(types: Iterable[TypeUse], sites: Iterable[SiteUse] | None) -> dict[str, Any]:
    return {
        "types": [use._asdict() for use in types],
        "sites": None if sites is None else [use._asdict() for use in sites],
    }


def _signed(count: int) -> str:
    return f"{count:+,}" if count else "0"


def _signed_bytes(count: int) -> str:
    return f"+{format_bytes(count)}" if count > 0 else format_bytes(count)


def _tables(title: str, types: Iterable[TypeUse], sites: Iterable[SiteUse] | None, limit: int, *, signed: bool) -> str:
    count = _signed if signed else "{:,}".format
    size = _signed_bytes if signed else format_bytes
    lines = [title]
    rows = [("type", "objects", "bytes")]
    rows += [(use.name, count(use.objects), size(use.bytes)) for use in list(types)[:limit]]
    lines += _aligned(rows)
    if sites is not None:
        rows = [("call site", "blocks", "bytes")]
        rows += [(f"{use.file}:{use.line}", count(use.blocks), size(use.bytes)) for use in list(sites)[:limit]]
        lines += ["", *_aligned(rows)]
    return "\n".join(lines)


def _aligned(rows: list[tuple[str, str, str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [f"{row[0]:{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}" for row in rows]
