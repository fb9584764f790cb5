# SPDX-License-Identifier: MIT
"""Metrics of a process: what the kernel says of its memory, CPU time, faults, switches, I/O, threads and files."""

from __future__ import annotations

from functools import cache

from perfcore._core import Process, ProcessMetrics
from perfcore.errors import MeasureError

__all__ = ["ProcessMetrics", "open_process", "own_process", "process_metrics"]


@cache
def own_process() -> Process:
    """Return the reader of this process that all of perfcore shares; it follows a fork."""
    return Process()


def open_process(pid: int) -> Process:
    """Return a reader of process ``pid``; `MeasureError` if there is no such process or it is hidden."""
    try:
        return Process(pid)
    except ProcessLookupError:
        raise MeasureError(
            f"there is no process {pid}, or /proc hides it; give the pid of a running process that you may see"
        ) from None


def process_metrics(pid: int | None = None, *, full: bool = False) -> ProcessMetrics:
    """Return the metrics of a process at this moment.

    Args:
        pid: the process; None is this one.
        full: read ``run_queue_wait_ns`` (how long its living threads waited for a processor), ``pss_bytes`` (each page
            shared with n processes counted as 1/n) and ``uss_bytes`` (what is shared with nobody) too, which are None
            otherwise. For the latter the kernel walks all pages: 3 ms for a process of 1 GB.

    Returns:
        A named tuple with units in its names: ``rss_bytes``, ``peak_rss_bytes``, ``cpu_ns``, ``disk_read_bytes``,
        ``threads``, ``fds`` and more. What the kernel does not give (for want of permission, or because it has no such
        figure, as with the context switches of another process with several threads) is None, never 0.

    Raises:
        MeasureError: there is no such process, or it has ended.
        OSError: the reading itself failed, for instance because no file can be opened any more.

    """
    if pid is None:
        return own_process().read(full=full)
    reader = open_process(pid)
    try:
        return reader.read(full=full)
    except ProcessLookupError:
        raise MeasureError(f"process {pid} has ended; give the pid of a running process") from None
    finally:
        reader.close()
