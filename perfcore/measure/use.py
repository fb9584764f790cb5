# SPDX-License-Identifier: MIT
"""USE report: utilisation, saturation and errors of each resource while a process, or a tree of them, ran.

Method: B. Gregg, "Thinking Methodically about Performance", ACM Queue 10 (2012), 12. For every resource three
questions: how busy was it, how much work had to wait for it, what failed. Each figure says whose it is: of the
``processes`` watched, of their control group (``cgroup``), or of the whole ``system``, where the kernel keeps none for
a process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Literal, Self, get_args

from perfcore._core import read_net, steal_time
from perfcore.errors import MeasureError
from perfcore.measure.groups import CgroupMetrics, Pressure, Stall, cgroup_metrics, pressure
from perfcore.measure.metrics import Aggregate, MetricsCollector
from perfcore.units import format_bytes, format_seconds

Scope = Literal["processes", "cgroup", "system"]
Unit = Literal["bytes", "bytes/s", "percent", "per_s", "seconds", "processors", "count"]
KINDS = ("utilisation", "saturation", "errors")
SCOPES: tuple[Scope, ...] = get_args(Scope)
UNITS: tuple[Unit, ...] = get_args(Unit)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a resource; ``value`` is None where the kernel does not give it, ``limit`` where there is none."""

    name: str
    value: float | None
    unit: Unit
    scope: Scope = "processes"
    limit: float | None = None

    @property
    def share(self) -> float | None:
        """The value as a part of the limit."""
        return self.value / self.limit if self.value is not None and self.limit else None

    def __str__(self) -> str:
        if self.value is None:
            return "unknown"
        form = _FORMS[self.unit]
        if self.limit is None or (share := self.share) is None:
            return form(self.value)
        return f"{form(self.value)} of {form(self.limit)} ({100 * share:.3g} %)"


_FORMS: dict[Unit, Callable[[float], str]] = {
    "bytes": format_bytes,
    "bytes/s": lambda value: f"{format_bytes(value)}/s",
    "percent": lambda value: f"{value:.1f} %",
    "per_s": lambda value: f"{value:,.1f}/s",
    "seconds": lambda value: format_seconds(value) if value else "0 s",
    "processors": lambda value: f"{value:.2f}",
    "count": lambda value: f"{value:,.0f}",
}


@dataclass(frozen=True, slots=True)
class ResourceUse:
    """What was found of one resource."""

    name: str
    utilisation: tuple[Figure, ...]
    saturation: tuple[Figure, ...]
    errors: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class UseReport:
    """Utilisation, saturation and errors of every resource; ``str()`` is a table, `as_dict` is for JSON.

    Attributes:
        target: what was watched, in words.
        seconds: for how long.
        samples: how many samples the figures of the processes come from; 0 where they ended too soon.
        resources: "cpu", "memory", "disk", "network", "descriptors", "threads".

    """

    target: str
    seconds: float
    samples: int
    resources: tuple[ResourceUse, ...]

    def __getitem__(self, name: str) -> ResourceUse:
        """Return a resource by its name."""
        for resource in self.resources:
            if resource.name == name:
                return resource
        raise KeyError(name)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON."""
        return {
            "target": self.target,
            "seconds": self.seconds,
            "samples": self.samples,
            "resources": {
                resource.name: {kind: [asdict(figure) for figure in getattr(resource, kind)] for kind in KINDS}
                for resource in self.resources
            },
        }

    def __str__(self) -> str:
        rows = [("resource", "kind", "figure", "value", "of")]
        for resource in self.resources:
            for kind in KINDS:
                known = [figure for figure in getattr(resource, kind) if figure.value is not None]
                rows += [(resource.name, kind, figure.name, str(figure), figure.scope) for figure in known]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [f"{self.target}: {format_seconds(self.seconds)}, {self.samples} samples"]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        return "\n".join(lines)


def _net_space(pid: int | None) -> int | None:
    """Return what tells a process's network namespace from all others; None where that cannot be seen."""
    try:
        return os.stat(f"/proc/{pid or 'self'}/ns/net").st_ino
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What is not the processes' own, at one moment."""

    seconds: float
    pressure: Pressure
    group: CgroupMetrics | None
    net: tuple[int, int, int, int] | None
    net_space: int | None
    """The namespace whose counters these are; None where that cannot be seen, as of another user's process."""
    steal: float | None

    @classmethod
    def read(cls, pid: int | None, before: _Surroundings | None = None) -> _Surroundings:
        """Read them; what `before` lacked, or is of another control group or network namespace than then, is left out.

        A process that has ended left its group and its namespace to us if we started it; others' figures are not its.
        """
        group: CgroupMetrics | None = None
        for which in (pid, None):
            try:
                group = cgroup_metrics(which)
            except MeasureError:
                continue
            if before is None or (before.group is not None and before.group.path == group.path):
                break
            group = None
        for which in (pid, None):
            net, space = read_net(which or 0), _net_space(which)
            if net is not None and (before is None or (before.net is not None and before.net_space == space)):
                break
            net = None
        return cls(time.monotonic(), pressure(), group, net, space, steal_time())


class UseMeter:
    """Watch what a process and its descendants use, and make a `UseReport` of it.

        with perfcore.UseMeter() as meter:
            work()
        print(meter.report)

    Args:
        pid: the process; None is this one.
        tree: its descendants too, with what is said of them for `MetricsCollector`.
        interval: between two samples, 0.001 to 10 seconds.
        target: what to call it in the report.

    """

    def __init__(
        self, pid: int | None = None, *, tree: bool = True, interval: float = 0.01, target: str | None = None
    ) -> None:
        self._pid = pid
        self._collector = MetricsCollector(pid, tree=tree, interval=interval)
        self._target = target or ("this process" if pid is None else f"process {pid}")
        self._before: _Surroundings | None = None
        self._processors = 0.0
        self._report: UseReport | None = None

    def start(self, *, missing_ok: bool = False) -> Self:
        """Begin; with `missing_ok` a process that has ended already is no error, and its own figures are unknown."""
        self._report = None
        try:
            self._processors = float(len(os.sched_getaffinity(self._pid or 0)))
        except OSError:
            self._processors = float(len(os.sched_getaffinity(0)))
        self._before = _Surroundings.read(self._pid)
        try:
            self._collector.start()
        except MeasureError:
            if not missing_ok:
                self._before = None
                raise
        return self

    def stop(self, *, cpu_seconds: float | None = None) -> UseReport:
        """End, and return the report; `cpu_seconds` is CPU time that the caller knows better than samples do."""
        if self._before is None:
            raise MeasureError("this UseMeter does not run; call start() first")
        self._collector.stop()
        after = _Surroundings.read(self._pid, self._before)
        samples = self._collector.aggregate()
        self._report = _report(
            self._target,
            before=self._before,
            after=after,
            samples=samples,
            count=self._collector.info.samples,
            processors=self._processors,
            cpu_seconds=cpu_seconds,
        )
        self._before = None
        return self._report

    @property
    def report(self) -> UseReport:
        """The report of the latest run."""
        if self._report is None:
            raise MeasureError("there is no report yet; stop this UseMeter first")
        return self._report

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before is not None:
            with suppress(MeasureError):  # a forked child that leaves the block has nothing to stop
                self.stop()


def _moved(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0, after - before)


def _seconds(ns: float | None) -> float | None:
    return None if ns is None else ns / 1e9


def _report(
    target: str,
    *,
    before: _Surroundings,
    after: _Surroundings,
    samples: dict[str, Aggregate],
    count: int,
    processors: float,
    cpu_seconds: float | None,
) -> UseReport:
    seconds = max(after.seconds - before.seconds, 1e-9)
    group = _Group(before.group, after.group)
    if (allowed := group.value("cpu_limit_millicores")) is not None:
        processors = min(processors, allowed / 1000)

    def sampled(name: str, metric: str, unit: Unit, *, peak: bool = False, limit: float | None = None) -> Figure:
        found = samples.get(metric)
        value = None if found is None else found.max if peak else found.mean
        if unit == "processors" and value is not None:
            value /= 100
        return Figure(name, value, unit, "processes", limit)

    def stalls(resource: str) -> tuple[Figure, ...]:
        return tuple(
            figure
            for scope, one, other in (
                ("system", before.pressure, after.pressure),
                ("cgroup", group.before and group.before.pressure, group.after and group.after.pressure),
            )
            if one is not None and other is not None
            if scope == "system" or group.path != "/"  # the root's pressure is the system's
            for figure in _stalls(getattr(one, resource), getattr(other, resource), seconds, scope)  # type: ignore[arg-type]
        )

    net = [
        None if before.net is None or after.net is None else max(0, now - then)
        for then, now in zip(before.net or (0,) * 4, after.net or (0,) * 4, strict=True)
    ]
    rates = [None if moved is None else moved / seconds for moved in net]
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory_limit = min(machine, group.value("memory_limit_bytes") or machine)
    throttled = group.moved("throttled_ns")
    return UseReport(
        target,
        seconds,
        count,
        (
            ResourceUse(
                "cpu",
                (
                    sampled("processors used, mean", "cpu_percent", "processors", limit=processors),
                    sampled("processors used, peak of 50 ms", "cpu_percent", "processors", peak=True, limit=processors),
                    *(() if cpu_seconds is None else (Figure("CPU time", cpu_seconds, "seconds"),)),
                ),
                (
                    sampled("run-queue wait", "run_queue_wait_percent", "percent"),
                    sampled("involuntary switches", "involuntary_switches_per_s", "per_s"),
                    *stalls("cpu"),
                    Figure("throttled", _seconds(throttled), "seconds", "cgroup"),
                    Figure("throttled periods", group.moved("throttled_periods"), "count", "cgroup"),
                    Figure("stolen by the hypervisor", _moved(before.steal, after.steal), "seconds", "system"),
                ),
                (),
            ),
            ResourceUse(
                "memory",
                (
                    sampled("resident, mean", "rss_bytes", "bytes", limit=memory_limit),
                    sampled("resident, sampled peak", "rss_bytes", "bytes", peak=True, limit=memory_limit),
                    Figure("in use", group.value("memory_bytes"), "bytes", "cgroup", group.value("memory_limit_bytes")),
                ),
                (
                    sampled("major faults", "major_faults_per_s", "per_s"),
                    *stalls("memory"),
                    Figure("limit reached", group.moved("memory_limit_hits"), "count", "cgroup"),
                ),
                (Figure("killed for want of memory", group.moved("oom_kills"), "count", "cgroup"),),
            ),
            ResourceUse(
                "disk",
                (
                    sampled("read", "disk_read_bytes_per_s", "bytes/s"),
                    sampled("written", "disk_write_bytes_per_s", "bytes/s"),
                ),
                stalls("io"),
                (),
            ),
            ResourceUse(
                "network",
                (
                    Figure("received", rates[0], "bytes/s", "system"),
                    Figure("sent", rates[1], "bytes/s", "system"),
                ),
                (Figure("dropped", net[3], "count", "system"),),
                (Figure("errors", net[2], "count", "system"),),
            ),
            ResourceUse("descriptors", (sampled("open, peak", "fds", "count", peak=True),), (), ()),
            ResourceUse(
                "threads",
                (
                    sampled("threads, peak", "threads", "count", peak=True),
                    Figure("tasks", group.value("processes"), "count", "cgroup", group.value("processes_limit")),
                ),
                (),
                (),
            ),
        ),
    )


def _stalls(before: Stall, after: Stall, seconds: float, scope: Scope) -> tuple[Figure, Figure]:
    some, full = _moved(before.some_ns, after.some_ns), _moved(before.full_ns, after.full_ns)
    return (
        Figure("some tasks stalled", None if some is None else some / seconds / 1e7, "percent", scope),
        Figure("all tasks stalled", None if full is None else full / seconds / 1e7, "percent", scope),
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """A control group before and after; None where there is none, or not the same."""

    before: CgroupMetrics | None
    after: CgroupMetrics | None

    @property
    def path(self) -> str | None:
        return None if self.after is None else self.after.path

    def value(self, name: str) -> int | None:
        return None if self.after is None else getattr(self.after, name)

    def moved(self, name: str) -> float | None:
        if self.before is None or self.after is None:
            return None
        return _moved(getattr(self.before, name), getattr(self.after, name))
