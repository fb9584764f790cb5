# SPDX-License-Identifier: MIT
"""One results file of several: what the jobs of one build measured, each a part of the suite."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perfcore.errors import ResultsError
from perfcore.record.atomic import write_atomic
from perfcore.record.environment import differences
from perfcore.record.results import MAX_BYTES, Results, parse_results, read_bytes


def _refuse_mixture(first: Results, other: Results) -> None:
    what = differences(first, other)
    if first.backend != other.backend:
        what.insert(0, f"backend: {first.backend} -> {other.backend}")
    if what:
        raise ResultsError(
            f"{other.path}: does not come from where {first.path} comes from ({'; '.join(what)}); merge files of one "
            "environment, or give --allow-mixed, which keeps only what the first file tells of it"
        )


def merge_results(
    paths: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    allow_mixed: bool = False,
    keep: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Results:
    """Write one file with the benchmarks of all of them, and return it. The head is that of the first file.

    Args:
        paths: the files, at least one.
        output: where to write.
        allow_mixed: merge although environments or backends differ.
        keep: whose figures count where two files have different ones of a benchmark: ``first`` or ``last``; None
            refuses them. The same figures twice are no conflict.
        max_bytes: refuse a file larger than this.

    Raises:
        ResultsError: a file cannot be read, or files contradict each other; nothing is written then.

    """
    whole: dict[str, Any] = {}
    first: Results | None = None
    merged: dict[str, tuple[Path, Any]] = {}
    conflicts: list[str] = []
    for path in paths:
        data = read_bytes(path, max_bytes=max_bytes)
        results = parse_results(path, data)  # strict; what json.loads would let pass is refused here
        document = json.loads(data)
        if first is None:
            first, whole = results, document
        elif not allow_mixed:
            _refuse_mixture(first, results)
        for item in document["benchmarks"]:
            name = item["fullname"]
            if name not in merged or keep == "last":
                merged[name] = (results.path, item)
            elif keep is None and merged[name][1] != item:
                conflicts.append(f"{name} (in {merged[name][0]} and {results.path})")
    if conflicts:
        more = f" and {len(conflicts) - 3} more" if len(conflicts) > 3 else ""
        raise ResultsError(
            f"different figures of the same benchmark: {', '.join(conflicts[:3])}{more}; say whose count with "
            "--keep first or --keep last"
        )
    whole["benchmarks"] = [item for _, item in merged.values()]
    data = json.dumps(whole, indent=1, ensure_ascii=False).encode()
    made = parse_results(output, data)
    write_atomic(output, data)
    return made
