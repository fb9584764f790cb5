# SPDX-License-Identifier: MIT
"""Several passes of the same benchmarks as one: of each benchmark the pass with the lowest median counts.

What disturbs a process on a shared machine (a slower processor for some seconds, another job, an unlucky layout of
memory) takes time and gives none, so of several figures of the same work the lowest is the least disturbed one: see
J. Chen and J. Revels, "Robust benchmarking in noisy environments", 2016, arXiv:1608.04295, who take the minimum. Here
it is the lowest of medians, each of a whole process. The samples of the passes are not joined: where the machine was
slow for about half of the time, the median of all of them falls into either half, however many passes there are.

Each benchmark tells what was done in ``extra_info["perfcore"]``, for history and thresholds as any other number there:
``passes`` (how many have it), ``pass`` (which one counts, from 1), ``pass_spread`` (the highest median over the lowest,
less 1; with two passes or more), ``pass_medians`` (seconds, by pass; null where it was not measured). The head of the
file has ``perfcore.passes`` with ``count``, ``keep`` and ``files``; what counts is what the benchmarks tell, as a file
may have parts of different origin. Files that were merged so before count as the passes they were made of, so that it
makes no difference in which steps one merges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

from perfcore.errors import ResultsError
from perfcore.record.methods import alike
from perfcore.record.results import STOCK, Benchmark

__all__ = ["Passes", "counts_told", "pass_count"]

_NUMBERS = (int, float)
_TOLD = ("passes", "pass", "pass_spread", "pass_medians")


def pass_count(benchmark: Benchmark) -> int:
    """Return of how many passes a benchmark is the fastest; 1 for one that was not made of several."""
    count = _mapping(benchmark.extra_info.get("perfcore")).get("passes")
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 1


def counts_told(counts: Iterable[int]) -> str:
    """Say of how many passes there are benchmarks: ``3``, or ``1 to 3``."""
    least, most = min(counts := list(counts)), max(counts)
    return str(most) if least == most else f"{least} to {most}"


def _name(path: Path) -> str:
    """Return a file's name as JSON can hold it: bytes that are no UTF-8 are escaped."""
    return path.name.encode("utf-8", "backslashreplace").decode()


def _none(count: int) -> Iterator[None]:
    """Return so many absent medians."""
    return repeat(None, max(0, count))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _kernel(item: Mapping[str, Any]) -> str:
    return str(_mapping(item.get("perfcore")).get("kernel", STOCK))


def _differences(first: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return why two figures are none of the same work, measured in the same way: ``what: first -> other``."""
    old, new = _mapping(first.get("options")), _mapping(other.get("options"))
    found = [
        f"{key}: {old.get(key)} -> {new.get(key)}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]
    before, after = _kernel(first), _kernel(other)
    if after not in alike(before):
        found.append(f"kernel: {before} -> {after}")
    return found


def _earlier(path: Path, item: Mapping[str, Any]) -> tuple[list[float | None], int]:
    """Return the medians of the passes that a benchmark was made of, and which counts; its own median and 1 else."""
    name, extra = item["fullname"], (item.get("extra_info") or {}).get("perfcore")
    if extra is not None and not isinstance(extra, dict):
        raise ResultsError(
            f"{path}: {name}: extra_info.perfcore: must be an object, as it has to hold what became of the passes; "
            "let the test put its own figures under another name, and measure again"
        )
    if extra is None or "pass_medians" not in extra:
        return [item["stats"]["median"]], 1
    medians, chosen = extra["pass_medians"], extra.get("pass")
    numbers = isinstance(medians, list) and all(one is None or type(one) in _NUMBERS for one in medians)
    if not numbers or type(chosen) is not int or not 0 < chosen <= len(medians) or medians[chosen - 1] is None:
        raise ResultsError(
            f"{path}: {name}: extra_info.perfcore: pass and pass_medians do not fit each other; merge the files of "
            "the passes themselves"
        )
    return list(medians), chosen


@dataclass(slots=True)
class _Kept:
    """A benchmark: the item that counts so far, where it came from, and the medians of the passes so far."""

    item: dict[str, Any]
    path: Path
    chosen: int
    medians: list[float | None]


@dataclass(slots=True)
class Passes:
    """Benchmarks of which the fastest pass is kept, file by file."""

    allow_mixed: bool = False
    count: int = 0
    files: list[str] = field(default_factory=list)
    _kept: dict[str, _Kept] = field(default_factory=dict)

    def add(self, path: Path, document: Mapping[str, Any]) -> None:
        """Add the passes of a file that has been checked to be a results file.

        Raises:
            ResultsError: they are no passes of the same benchmarks, and mixing is not allowed.

        """
        items = document["benchmarks"]
        found = [_earlier(path, item) for item in items]
        width = max((len(medians) for medians, _ in found), default=1)
        for item, (medians, chosen) in zip(items, found, strict=True):
            self._add(path, item, medians, self.count + chosen)
        self.count += width
        told = _mapping(_mapping(document.get("perfcore")).get("passes")).get("files")
        self.files += map(str, told) if isinstance(told, list) and len(told) == width else [_name(path)] * width

    def _add(self, path: Path, item: dict[str, Any], medians: list[float | None], chosen: int) -> None:
        kept = self._kept.get(item["fullname"])
        if kept is None:
            self._kept[item["fullname"]] = _Kept(item, path, chosen, [*_none(self.count), *medians])
            return
        if not self.allow_mixed and (what := _differences(kept.item, item)):
            raise ResultsError(
                f"{path}: {item['fullname']}: not measured as in {kept.path} ({'; '.join(what)}); passes are the same "
                "command run again: merge such, or give --allow-mixed"
            )
        kept.medians += [*_none(self.count - len(kept.medians)), *medians]
        if item["stats"]["median"] < kept.item["stats"]["median"]:
            kept.item, kept.path, kept.chosen = item, path, chosen

    def head(self) -> dict[str, Any]:
        """Return what the head of the file tells of the passes."""
        return {"count": self.count, "keep": "fastest", "files": self.files}

    def items(self) -> list[dict[str, Any]]:
        """Return the benchmarks, each with what became of its passes."""
        return [self._told(kept) for kept in self._kept.values()]

    def _told(self, kept: _Kept) -> dict[str, Any]:
        medians = [*kept.medians, *_none(self.count - len(kept.medians))]
        known = [one for one in medians if one is not None]
        told: dict[str, Any] = {"passes": len(known), "pass": kept.chosen}
        if len(known) > 1 and min(known) > 0:
            told["pass_spread"] = max(known) / min(known) - 1
        told["pass_medians"] = medians
        extra = _mapping(kept.item.get("extra_info"))
        own = {key: value for key, value in _mapping(extra.get("perfcore")).items() if key not in _TOLD}
        return kept.item | {"extra_info": {**extra, "perfcore": own | told}}
