# SPDX-License-Identifier: MIT
"""MetricsCollector: the metrics of a process or of a tree of processes over time, sampled by a thread in C."""

from __future__ import annotations

import atexit
import errno
import weakref
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

from perfcore._core import SAMPLED_METRICS, MetricsSampler, Samples
from perfcore.errors import MeasureError


class Aggregate(NamedTuple):
    """One metric over all samples; ``p95`` and ``p99`` are at most 0.8 % below the sample of that rank."""

    samples: int
    mean: float
    min: float
    max: float
    p95: float
    p99: float


class Series(NamedTuple):
    """One metric over time, a value for each slot; each part is a buffer that NumPy and memoryview take without a copy.

    ``times`` are seconds since the start. A slot holds one sample, or the merged ones of a longer stretch of time with
    their least, mean and greatest value. NaN where the kernel gave none.
    """

    times: Samples
    min: Samples
    mean: Samples
    max: Samples


@dataclass(frozen=True, slots=True)
class MetricsInfo:
    """How the sampling went: ``missed`` samples came too late or could not be read; ``ended``: no process is left."""

    samples: int
    missed: int
    seconds: float
    ended: bool


class MetricsCollector:
    """Sample a process while something else goes on: CPU, memory, threads, files, disk, network, faults, switches.

        with perfcore.MetricsCollector(interval=0.001, tree=True) as collector:
            work()
        print(collector.aggregate()["rss_bytes"].max)

    The thread in C never takes the GIL and is taken out of this process's figures. Memory and the number of processes
    are sampled at every interval; threads, files and rates every 10 ms at most, CPU every 50 ms, and the network
    and the run queue (100 % is one thread that waits for a processor all the time) every 100 ms.
    Network figures are those of the process's whole network namespace, without the loopback interface. A collector does
    not run on in a forked child (and Python 3.12 warns of a fork while it runs, as with any thread).

    Args:
        pid: the process; None is this one.
        tree: its descendants too, as they come and go; the metrics are sums. One that the kernel does not give for
            each of them is absent meanwhile: context switches unless every other process has a single thread, disk
            figures where one belongs to another user.
        interval: between two samples, 0.001 to 10 seconds.
        slots: what memory the series takes (about 0.5 KB each). When all are full, neighbours are merged, so a run of
            any length stays within it and no peak is lost.
        root: False leaves the process itself out of its tree; while it has no descendants, there are no figures.

    """

    metrics = SAMPLED_METRICS

    def __init__(
        self,
        pid: int | None = None,
        *,
        tree: bool = False,
        interval: float = 0.01,
        slots: int = 2048,
        root: bool = True,
    ) -> None:
        if pid is not None and pid <= 0:
            raise ValueError(f"a pid is a positive integer, got {pid}")
        self._pid = pid
        self._sampler = MetricsSampler(pid or 0, tree=tree, interval=interval, slots=slots, root=root)

    def start(self) -> Self:
        """Forget what was sampled, and begin; returns after the first sample."""
        try:
            self._sampler.start()
        except OSError as error:
            raise self._explained(error) from None
        _running.add(self)
        return self

    def stop(self) -> None:
        """Take a last sample and stop; nothing happens if it does not run."""
        try:
            self._sampler.stop()
        except OSError as error:
            raise self._explained(error) from None
        _running.discard(self)

    def _explained(self, error: OSError) -> Exception:
        match error.errno:
            case errno.EALREADY:
                return MeasureError("this MetricsCollector runs already; stop it first")
            case errno.ESRCH:
                return MeasureError(f"there is no process {self._pid}; give the pid of a running process")
            case errno.ECHILD:
                return MeasureError("this MetricsCollector belongs to the process before the fork; make another one")
        return error

    @property
    def info(self) -> MetricsInfo:
        """How the sampling goes or went."""
        try:
            return MetricsInfo(*self._sampler.look())
        except OSError as error:
            raise self._explained(error) from None

    def aggregate(self) -> dict[str, Aggregate]:
        """Return each metric over all samples, by name; one that the kernel never gave is not in it."""
        try:
            return {name: Aggregate(*values) for name, values in self._sampler.aggregates().items()}
        except OSError as error:
            raise self._explained(error) from None

    def series(self, metric: str) -> Series:
        """Return a metric over time, also while the sampling goes on."""
        if metric not in SAMPLED_METRICS:
            raise MeasureError(f"there is no metric {metric!r}; the metrics are {', '.join(SAMPLED_METRICS)}")
        try:
            return Series(*self._sampler.series(metric))
        except OSError as error:
            raise self._explained(error) from None

    def _repr_html_(self) -> str:
        from perfcore.report.display import timeline_html

        parts = []
        for metric, scale, unit in (("cpu_percent", 1.0, "%"), ("rss_bytes", 1e-6, "MB")):
            series = self.series(metric)
            parts.append(
                timeline_html(metric, series.times.tolist(), [one * scale for one in series.max.tolist()], unit)
            )
        return "".join(parts)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(MeasureError):  # a forked child that leaves the block has nothing to stop
            self.stop()


_running: weakref.WeakSet[MetricsCollector] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """Stop the threads before the C library is torn down under them."""
    for collector in list(_running):
        try:
            collector.stop()
        except MeasureError:  # of the process before a fork
            _running.discard(collector)
