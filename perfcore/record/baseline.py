# SPDX-License-Identifier: MIT
"""Baselines: a results file kept, byte for byte, to compare later ones with."""

from __future__ import annotations

import os
from pathlib import Path

from perfcore.errors import ResultsError
from perfcore.record.atomic import write_atomic
from perfcore.record.results import MAX_BYTES, Results, load_results, parse_results, read_bytes


def load_baseline(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Results:
    """Read a baseline.

    Raises:
        ResultsError: there is none yet, or the file is no results file.

    """
    if not os.path.lexists(path):
        raise ResultsError(f"{os.fspath(path)}: no baseline yet; make one with: perfcore baseline save RESULTS")
    return load_results(path, max_bytes=max_bytes)


def previous_path(path: str | os.PathLike[str]) -> Path:
    """Return where the baseline before this one is kept: ``baseline_results.previous.json`` beside it.

    Of one whose name has another ending, such as ``v1.2``, the whole name stays: ``v1.2.previous``.
    """
    target = Path(path)
    stem = target.name.removesuffix(".json")
    return target.with_name(f"{stem}.previous{target.name[len(stem) :]}")


def write_baseline(
    results: str | os.PathLike[str],
    baseline: str | os.PathLike[str],
    *,
    replace: bool = False,
    keep_previous: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Results:
    """Make the file ``results`` the baseline, and return what it holds.

    The input is checked whole before anything is written.

    Args:
        results: the results file.
        baseline: where to put it; missing folders are made.
        replace: overwrite a baseline that exists.
        keep_previous: keep the one that is overwritten, at :func:`previous_path`.
        max_bytes: refuse a results file larger than this.

    Raises:
        ResultsError: the input is no results file or has no benchmarks, or a baseline exists, or cannot be written.

    """
    data = read_bytes(results, max_bytes=max_bytes)
    parsed = parse_results(results, data)
    target = Path(baseline)
    if not parsed.benchmarks:
        raise ResultsError(f"{parsed.path}: has no benchmarks; a baseline needs at least one")
    exists = os.path.lexists(target)
    if exists and not replace:
        raise ResultsError(f"{target}: a baseline exists; overwrite it with --force, or use: perfcore baseline update")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        old = target.read_bytes() if keep_previous and target.is_file() else None
    except OSError as error:
        raise ResultsError(f"{target}: cannot write: {error.strerror}") from error
    if old is not None:
        write_atomic(previous_path(target), old)
    write_atomic(target, data)
    return parsed
