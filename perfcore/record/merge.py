# SPDX-License-Identifier: MIT
"""One results file of several: what the jobs of one build measured, each a part of the suite; or passes of the same."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perfcore.errors import ResultsError
from perfcore.record.atomic import write_atomic
from perfcore.record.environment import differences
from perfcore.record.passes import Passes
from perfcore.record.results import MAX_BYTES, Results, parse_results, read_bytes


def _refuse_mixture(first: Results, other: Results, *, passes: bool) -> None:
    what = differences(first, other)
    if first.backend != other.backend:
        what.insert(0, f"backend: {first.backend} -> {other.backend}")
    old, new = first.commit_info.get("id"), other.commit_info.get("id")
    if passes and old is not None and new is not None and old != new:
        what.insert(0, f"commit: {str(old)[:9]} -> {str(new)[:9]}")
    if what:
        which = "passes of one commit and" if passes else "files of"
        raise ResultsError(
            f"{other.path}: does not come from where {first.path} comes from ({'; '.join(what)}); merge {which} one "
            "environment, or give --allow-mixed, which keeps only what the first file tells of it"
        )


class _Parts:
    """Benchmarks of files of which each has a part: ``first`` or ``last`` counts where two have the same one."""

    def __init__(self, keep: str | None) -> None:
        self._keep = keep
        self._merged: dict[str, tuple[Path, dict[str, Any]]] = {}
        self._conflicts: list[str] = []

    def add(self, path: Path, document: Mapping[str, Any]) -> None:
        for item in document["benchmarks"]:
            name = item["fullname"]
            if name not in self._merged or self._keep == "last":
                self._merged[name] = (path, item)
            elif self._keep is None and self._merged[name][1] != item:
                self._conflicts.append(f"{name} (in {self._merged[name][0]} and {path})")

    def items(self) -> list[dict[str, Any]]:
        if self._conflicts:
            more = f" and {len(self._conflicts) - 3} more" if len(self._conflicts) > 3 else ""
            raise ResultsError(
                f"different figures of the same benchmark: {', '.join(self._conflicts[:3])}{more}; say whose count "
                "with --keep first or --keep last, or with --keep fastest where the files are passes of one suite"
            )
        return [item for _, item in self._merged.values()]


def _encode(head: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the file: the head indented, and each benchmark on a line of its own."""
    entries = [f" {json.dumps(key)}: {json.dumps(value, indent=1, ensure_ascii=False)}" for key, value in head.items()]
    lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in items)
    entries.append(f' "benchmarks": [\n{lines}\n]')
    return ("{\n" + ",\n".join(entries) + "\n}\n").encode()


def merge_results(
    paths: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    allow_mixed: bool = False,
    keep: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Results:
    """Write one file with the benchmarks of all of them, and return it. The head is that of the first file.

    What a head tells of passes is kept only where all files tell the same.

    Args:
        paths: the files, at least one.
        output: where to write.
        allow_mixed: merge although environments, backends or (of passes) commits and options differ.
        keep: whose figures count where two files have different ones of a benchmark: ``first``, ``last``, or
            ``fastest``, which takes the files for passes of the same benchmarks and says in each what became of
            them (see `perfcore.record.passes`). None refuses them; the same figures twice are no conflict then.
        max_bytes: refuse a file larger than this.

    Raises:
        ResultsError: a file cannot be read, files contradict each other, or a pass is given twice; nothing is written
            then.

    """
    fastest = keep == "fastest"
    merged: Passes | _Parts = Passes(allow_mixed) if fastest else _Parts(keep)
    head: dict[str, Any] = {}
    first: Results | None = None
    seen: set[str] = set()
    told: list[Any] = []  # of passes, by the heads
    for path in paths:
        real = os.path.realpath(path)
        if fastest and real in seen:
            raise ResultsError(f"{os.fspath(path)}: given twice; a pass counts once")
        seen.add(real)
        data = read_bytes(path, max_bytes=max_bytes)
        results = parse_results(path, data)  # strict; what json.loads would let pass is refused here
        document = json.loads(data)
        if first is None:
            first, head = results, {key: value for key, value in document.items() if key != "benchmarks"}
        elif not allow_mixed:
            _refuse_mixture(first, results, passes=fastest)
        merged.add(results.path, document)
        told.append((document.get("perfcore") or {}).get("passes"))
    if isinstance(merged, Passes):
        head["perfcore"] = {**(head.get("perfcore") or {}), "passes": merged.head()}
    elif any(one != told[0] for one in told) and head.get("perfcore"):
        head["perfcore"].pop("passes", None)  # it is not that of all the parts
    data = _encode(head, merged.items())
    made = parse_results(output, data)
    write_atomic(output, data)
    return made
