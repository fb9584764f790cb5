# SPDX-License-Identifier: MIT
"""How long the runs of lanes stay on disk.

A run's folder is named after the second in which it began (UTC), which is its age here. What stays whatever its age: a
lane's newest run, which may be resumed; its newest run with results, by which it is judged; a run that is locked,
because it is running; and whatever is no run's folder. ``run.json`` goes last, so that a removal that was cut off is
finished by the next one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from perfcore.errors import ResultsError
from perfcore.suite.store import RESULTS, RUN, began

DAY = 86400.0


def _old(lane: Path, limit: float) -> Iterator[Path]:
    """Give the runs of a lane that began before a moment and need not stay, the oldest first."""
    runs = sorted((when, path) for path in lane.iterdir() if (when := began(path)) is not None)
    with_results = [path for _, path in runs if (path / RESULTS).is_file()]
    stay = {*with_results[-1:], *(path for _, path in runs[-1:])}
    for (at, _), path in runs:
        if at < limit and path not in stay:
            yield path


def _remove(path: Path) -> bool:
    """Remove a run's folder; False if it is locked, so that somebody works in it."""
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        for entry in sorted(path.iterdir(), key=lambda one: one.name == RUN):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        path.rmdir()
    finally:
        os.close(lock)
    return True


def prune_lanes(root: Path, days: float, *, now: float, dry_run: bool = False) -> list[Path]:
    """Remove the runs of all lanes that are older than so many days, and return their folders.

    Args:
        root: where the runs are: ``root/LANE/RUN``.
        days: how long a run stays.
        now: the present moment in seconds since 1970.
        dry_run: remove nothing.

    Raises:
        ResultsError: a folder cannot be read or removed; those before it are gone.

    """
    if not root.is_dir():
        return []
    removed: list[Path] = []
    place = root
    try:
        lanes = sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())
        old = [path for place in lanes for path in _old(place, now - days * DAY)]
        for place in old:
            if dry_run or _remove(place):
                removed.append(place)
    except OSError as error:
        done = f"; {len(removed)} older runs were removed before it" if removed and not dry_run else ""
        raise ResultsError(f"{place}: cannot remove: {error.strerror}{done}; see to its permissions") from error
    return removed
