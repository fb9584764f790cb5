# SPDX-License-Identifier: MIT
"""Load: calls that begin when they are due, whether or not the ones before have come back.

A closed loop sends its next request when the last is answered, so a service that stalls is asked less just then, and
the requests that real users would have sent into the stall are missing from the percentiles: coordinated omission
(G. Tene, "How NOT to Measure Latency", 2013). Here the moments are fixed in advance (`constant`, `burst`, `ramp`), and
a latency is counted from the moment at which its call was due. What was never served within the time allowed is in the
percentiles too, with the time that it had waited.

This is the public door: shapes and their arrivals are in `arrivals`, percentiles in `latencies`, the search for the
highest rate in `saturation`.

`run_load` calls a function from a fixed number of threads, each of which takes the next moment, waits for it and calls.
`run_load_async` starts a task per call on the running event loop. Moments are from CLOCK_MONOTONIC, in nanoseconds.
How late the generator itself was, where something was free to serve, is reported beside the latencies and is in them.
"""

from __future__ import annotations

import itertools
import threading
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from perfcore.measure.callables import is_coroutine_function
from perfcore.suite.arrivals import Phase, Shape, burst, constant, ramp
from perfcore.suite.cancel import ends_task
from perfcore.suite.interrupts import LOOK_S
from perfcore.suite.latencies import Latencies
from perfcore.suite.saturation import Saturation, find_saturation
from perfcore.units import format_seconds

__all__ = [
    "Latencies",
    "LoadResult",
    "Phase",
    "Saturation",
    "Shape",
    "burst",
    "constant",
    "find_saturation",
    "ramp",
    "run_load",
    "run_load_async",
]

_clock = time.monotonic_ns
_NEVER = -1
_LEAD_NS = 10_000_000  # from the start of the clock to the first moment, so that every worker waits for it


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came of a load.

    Attributes:
        offered: how many calls were due.
        served: how many returned.
        failed: how many raised, by the name of the exception's type; they are in no latency.
        unserved: how many had not returned when the time to drain was over.
        seconds: from the first moment to the last return, or to the end of the shape if that is later.
        schedule_seconds: how long the calls were due to come.
        latency: from the moment at which a call was due until it returned; of an unserved one, until the end.
        service: from the moment at which a call really began until it returned.
        lateness: how late calls began for which something was free when they were due: the generator's own error.
        backlogged: how many calls began late because nothing was free to serve them then.
        first_error: the first exception that a call raised.

    """

    offered: int
    served: int
    failed: dict[str, int]
    unserved: int
    seconds: float
    schedule_seconds: float
    latency: Latencies
    service: Latencies
    lateness: Latencies
    backlogged: int
    first_error: BaseException | None = None

    @property
    def offered_rate(self) -> float:
        """Calls per second that were due."""
        return self.offered / self.schedule_seconds

    @property
    def served_rate(self) -> float:
        """Calls per second that returned."""
        return self.served / self.seconds

    def summary(self) -> dict[str, object]:
        """Return the figures for JSON; latencies in nanoseconds."""
        return {
            "offered": self.offered,
            "served": self.served,
            "failed": self.failed,
            "unserved": self.unserved,
            "backlogged": self.backlogged,
            "offered_rate": self.offered_rate,
            "served_rate": self.served_rate,
            "latency_ns": self.latency.summary(),
            "service_ns": self.service.summary(),
            "lateness_ns": self.lateness.summary(),
        }

    def __str__(self) -> str:
        rates = f"{self.served_rate:.1f}/s of {self.offered_rate:.1f}/s offered"
        lines = [
            f"{self.served} of {self.offered} calls served, {rates}",
            f"latency: {self.latency}",
            f"service: {self.service}",
        ]
        if self.backlogged:
            lines.append(f"{self.backlogged} calls had to wait until something was free")
        if self.unserved:
            lines.append(f"{self.unserved} calls were not served in time; they count with what they had waited")
        if self.failed:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.failed.items()))
            lines.append(f"failed: {kinds}; the first: {self.first_error}")
        if len(self.lateness):
            lines.append(f"generator late by {format_seconds(self.lateness.percentile(99) * 1e-9)} (p99)")
        return "\n".join(lines)


class Record:
    """What a run notes while it goes on: two moments of each call, set by whoever serves it, and what failed."""

    def __init__(self, arrivals: Sequence[int], drain_seconds: float) -> None:
        if not arrivals:
            raise ValueError("a load without calls: its rate or its duration is too small")
        if not drain_seconds >= 0:
            raise ValueError(f"{drain_seconds!r} s cannot be allowed for draining; give 0 or more")
        self.arrivals = arrivals
        self.began = array("q", [_NEVER]) * len(arrivals)
        self.ended = array("q", [_NEVER]) * len(arrivals)
        self.expected = bytearray(len(arrivals))  # whether something was free to serve it when it was due
        self.errors: list[tuple[int, BaseException]] = []
        self.origin = _clock() + _LEAD_NS
        self.deadline = self.origin + arrivals[-1] + round(drain_seconds * 1e9)

    def result(self, schedule_seconds: float) -> LoadResult:
        """Sum up; the run is over, and nothing writes any more."""
        now = min(_clock(), self.deadline)
        broken = dict(self.errors)
        latency, service, lateness, last = [], [], [], self.origin
        backlogged = served = 0
        for index, arrival in enumerate(self.arrivals):
            due, began, ended = self.origin + arrival, self.began[index], self.ended[index]
            if began != _NEVER:
                if self.expected[index]:
                    lateness.append(began - due)
                else:
                    backlogged += 1
            if index in broken:
                last = max(last, ended)
            elif ended == _NEVER:
                latency.append(max(now - due, 0))
                last = max(last, now)
            else:
                served += 1
                latency.append(ended - due)
                service.append(ended - began)
                last = max(last, ended)
        failed: dict[str, int] = {}
        for error in broken.values():
            failed[type(error).__name__] = failed.get(type(error).__name__, 0) + 1
        return LoadResult(
            offered=len(self.arrivals),
            served=served,
            failed=failed,
            unserved=len(self.arrivals) - served - len(broken),
            seconds=max((last - self.origin) * 1e-9, schedule_seconds),
            schedule_seconds=schedule_seconds,
            latency=Latencies(latency),
            service=Latencies(service),
            lateness=Latencies(lateness),
            backlogged=backlogged,
            first_error=self.errors[0][1] if self.errors else None,
        )


def _refuse_idle(work: Callable[[int], object], workers: int) -> None:
    """Raise ValueError where nothing would be done."""
    if workers < 1:
        raise ValueError(f"{workers!r} workers can do nothing; give 1 or more")
    if is_coroutine_function(work):
        raise ValueError(f"{work!r} is a coroutine function, whose calls do nothing by themselves; use run_load_async")


def run_load(
    work: Callable[[int], object],
    shape: Shape,
    *,
    workers: int = 1,
    poisson: bool = True,
    seed: int = 0,
    drain_seconds: float = 10.0,
) -> LoadResult:
    """Call a function from threads whenever a call is due.

    Args:
        work: called with the number of the call, from 0, in any of the threads. It needs a time-out of its own: a
            call that has begun is waited for. An exception that it raises is counted, and the load goes on.
        shape: the rate over time: `constant`, `burst`, `ramp`, or several joined with ``+``.
        workers: how many calls may run at once; a call that is due while all are busy waits, and its latency grows.
        poisson: draw the moments as independent users come; otherwise they are even.
        seed: of the draw.
        drain_seconds: how long after the last moment calls may still begin.

    Raises:
        ValueError: the shape has no calls, or another argument makes no sense, such as a coroutine function.
        KeyboardInterrupt: calls in progress were given five seconds to end, and no more were begun.

    """
    _refuse_idle(work, workers)
    arrivals = shape.arrivals(poisson=poisson, seed=seed)
    numbers, stopped, ready = itertools.count(), threading.Event(), threading.Barrier(workers + 1)
    left: list[int] = []
    finished = threading.Event()

    def run() -> None:
        try:
            serve()
        finally:
            left.append(1)
            if len(left) == workers:
                finished.set()

    def serve() -> None:
        try:
            ready.wait()
            ready.wait()  # until the record, whose clock runs, is there
        except threading.BrokenBarrierError:
            return
        free = record.origin  # since when this worker has nothing to do
        # next() of a count is one step under the GIL: no two workers get the same call.
        while (index := next(numbers)) < len(arrivals):
            due = record.origin + arrivals[index]
            record.expected[index] = free <= due
            now = _clock()
            if now < due:
                if stopped.wait((due - now) * 1e-9):
                    return
            elif now > record.deadline or stopped.is_set():
                return
            record.began[index] = _clock()
            try:
                work(index)
            except BaseException as error:  # noqa: BLE001 - whatever a user's function raises is counted, never lost
                record.errors.append((index, error))
            record.ended[index] = free = _clock()

    threads = [threading.Thread(target=run, name=f"load-{number}", daemon=True) for number in range(workers)]
    try:
        for thread in threads:
            thread.start()
        ready.wait()
        record = Record(arrivals, drain_seconds)
        ready.wait()
        # Not Thread.join(): up to Python 3.12 one that a Ctrl-C interrupts takes the thread for ended ever after.
        while not finished.wait(LOOK_S):
            pass
        for thread in threads:
            thread.join()
    except BaseException:
        stopped.set()
        ready.abort()
        end = time.monotonic() + 5.0
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(end - time.monotonic(), 0))
        raise
    return record.result(shape.seconds)


async def run_load_async(
    work: Callable[[int], Awaitable[object]],
    shape: Shape,
    *,
    max_in_flight: int = 10_000,
    poisson: bool = True,
    seed: int = 0,
    drain_seconds: float = 10.0,
) -> LoadResult:
    """Start a task on the running event loop whenever a call is due.

    Args:
        work: called with the number of the call, from 0; what it returns is awaited in a task of its own. An exception
            is counted, and the load goes on.
        shape: the rate over time: `constant`, `burst`, `ramp`, or several joined with ``+``.
        max_in_flight: how many tasks there may be at once; a call that is due while so many run waits.
        poisson: draw the moments as independent users come; otherwise they are even.
        seed: of the draw.
        drain_seconds: how long after the last moment tasks may go on; then they are cancelled and, like those that
            could not begin until then, count as unserved.

    Raises:
        ValueError: the shape has no calls, or another argument makes no sense.

    """
    import asyncio

    from perfcore.suite.loop_timer import LoopTimer

    if max_in_flight < 1:
        raise ValueError(f"with {max_in_flight!r} calls in flight nothing can be done; give 1 or more")
    arrivals = shape.arrivals(poisson=poisson, seed=seed)
    running: set[asyncio.Task[None]] = set()
    freed = asyncio.Event()
    full = 0  # until when, at the latest, as many ran as may

    def left() -> float:
        return max((record.deadline - _clock()) * 1e-9, 0.0)

    async def serve(index: int) -> None:
        record.began[index] = _clock()
        try:
            await work(index)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, GeneratorExit)) or ends_task(error):
                raise
            record.errors.append((index, error))
        record.ended[index] = _clock()

    def done(task: asyncio.Task[None]) -> None:
        nonlocal full
        if len(running) == max_in_flight:
            full = _clock()
        running.discard(task)
        freed.set()

    record = Record(arrivals, drain_seconds)
    try:
        with suppress(TimeoutError), LoopTimer(asyncio.get_running_loop()) as timer:
            for index, arrival in enumerate(arrivals):
                due = record.origin + arrival
                if _clock() < due:
                    await timer.until(due)
                else:
                    await asyncio.sleep(0)  # behind: what runs must come to its turn all the same
                    if _clock() > record.deadline:
                        break
                if len(running) >= max_in_flight:
                    async with asyncio.timeout(left()):
                        while len(running) >= max_in_flight:
                            freed.clear()
                            await freed.wait()
                record.expected[index] = full <= due
                task = asyncio.create_task(serve(index))
                running.add(task)
                task.add_done_callback(done)
        if running:
            await asyncio.wait(running, timeout=left())
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return record.result(shape.seconds)
