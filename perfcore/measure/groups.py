# SPDX-License-Identifier: MIT
"""What holds a process back from outside: its control group's limits, and pressure on the machine's resources."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

from perfcore._core import CGROUP_METRICS, read_cgroup, read_pressure
from perfcore.errors import MeasureError

_Stalls: TypeAlias = tuple[int | None, float | None, int | None, float | None]


@dataclass(frozen=True, slots=True)
class Stall:
    """How long tasks stood still for want of one resource; None where the kernel does not say.

    Attributes:
        some_ns: time in which at least one task stood still, since boot or since the control group was made.
        some_percent: the same as a share of the last 10 seconds.
        full_ns: time in which all tasks that were not idle stood still.
        full_percent: the same as a share of the last 10 seconds.

    """

    some_ns: int | None = None
    some_percent: float | None = None
    full_ns: int | None = None
    full_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Pressure:
    """Pressure stall information (PSI) of the three resources that the kernel watches."""

    cpu: Stall
    memory: Stall
    io: Stall


@dataclass(frozen=True, slots=True)
class CgroupMetrics:
    """A control group (version 2). None is what the kernel does not give: no such limit, no such controller.

    Limits hold for all groups below, so these are the narrowest from the group up to the root. Usage is the group's.

    Attributes:
        path: the group's path; None where the process is in no group of version 2 that can be seen.
        pressure: pressure on the group's tasks.
        memory_bytes: memory in use, page cache included.
        memory_peak_bytes: the most that it was.
        memory_limit_bytes: beyond it the group's processes are killed.
        memory_high_bytes: beyond it they are slowed down.
        swap_bytes: swapped out.
        swap_limit_bytes: the most that may be.
        memory_limit_hits: how often the memory limit was reached.
        oom_kills: processes killed for want of memory.
        cpu_ns: CPU time used.
        user_ns: of it in user mode.
        system_ns: of it in the kernel.
        cpu_limit_millicores: CPU time that may be used, in thousandths of a processor.
        cpu_periods: periods of the limit's enforcement that have passed.
        throttled_periods: in how many the limit was reached.
        throttled_ns: for how long the group was held back.
        processes: processes and threads.
        processes_limit: the most that there may be.

    """

    path: str | None
    pressure: Pressure
    memory_bytes: int | None
    memory_peak_bytes: int | None
    memory_limit_bytes: int | None
    memory_high_bytes: int | None
    swap_bytes: int | None
    swap_limit_bytes: int | None
    memory_limit_hits: int | None
    oom_kills: int | None
    cpu_ns: int | None
    user_ns: int | None
    system_ns: int | None
    cpu_limit_millicores: int | None
    cpu_periods: int | None
    throttled_periods: int | None
    throttled_ns: int | None
    processes: int | None
    processes_limit: int | None


if tuple(field.name for field in fields(CgroupMetrics))[2:] != CGROUP_METRICS:
    raise ImportError("perfcore._core does not belong to this perfcore; install it again")


def _pressure(stalls: tuple[_Stalls, _Stalls, _Stalls]) -> Pressure:
    return Pressure(*(Stall(*values) for values in stalls))


def pressure() -> Pressure:
    """Return the pressure on the whole machine; its fields are None where the kernel has none (``psi=0``)."""
    return _pressure(read_pressure())


def cgroup_metrics(pid: int | None = None) -> CgroupMetrics:
    """Return the figures of a process's control group.

    Args:
        pid: the process; None is this one.

    Raises:
        MeasureError: there is no such process, or /proc hides it.

    """
    if pid is not None and pid <= 0:
        raise ValueError(f"a pid is a positive integer, got {pid}")
    try:
        path, figures, stalls = read_cgroup(pid or 0)
    except ProcessLookupError:
        raise MeasureError(
            f"there is no process {pid}, or /proc hides it; give the pid of a running process that you may see"
        ) from None
    return CgroupMetrics(path, _pressure(stalls), *figures)
