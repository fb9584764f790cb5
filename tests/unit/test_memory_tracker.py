# SPDX-License-Identifier: MIT
"""MemoryTracker: exact peaks, nesting in any order, phases, exceptions, forks, and a kernel that refuses."""

from __future__ import annotations

import asyncio
import functools
import mmap
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

import perfcore
from perfcore import MeasureError, MemoryTracker
from perfcore.measure import memory
from perfcore.units import format_bytes

MIB = 1 << 20
SPIKE = 50 * MIB
SLACK = 4 * MIB  # the allocator's and the interpreter's own


def touched(size: int) -> mmap.mmap:
    """Return new memory of the process: malloc may have some left that is resident already."""
    memory = mmap.mmap(-1, size)
    for offset in range(0, size, mmap.PAGESIZE):
        memory[offset] = 1
    return memory


def spike(size: int = SPIKE) -> None:
    """Touch memory for no longer than it takes, and give it back."""
    touched(size).close()


def fail_after_a_spike(size: int) -> None:
    spike(size)
    raise KeyError(size)


def grown(usage: memory.MemoryUsage) -> int:
    assert usage.peak_growth_bytes is not None
    return usage.peak_growth_bytes


@pytest.fixture(autouse=True)
def warm() -> None:
    spike(MIB)


def test_a_short_spike_is_in_the_peak_and_not_in_the_growth() -> None:
    with MemoryTracker() as tracker:
        assert tracker.running
        spike()
    assert not tracker.running
    assert grown(tracker.usage) == pytest.approx(SPIKE, rel=0.01, abs=MIB // 2)
    assert tracker.growth_bytes is not None
    assert tracker.growth_bytes < SLACK


def test_an_earlier_spike_does_not_count() -> None:
    spike(2 * SPIKE)
    with MemoryTracker() as tracker:
        spike(MIB)
    assert grown(tracker.usage) < SLACK


def test_growth_is_what_stays() -> None:
    with MemoryTracker() as tracker:
        kept = touched(SPIKE)
        assert tracker.growth_bytes == pytest.approx(SPIKE, abs=SLACK)
    assert len(kept) == SPIKE
    usage = tracker.usage
    del kept
    assert tracker.usage is usage  # stands still after stop
    assert usage.current_bytes is not None
    assert usage.peak_bytes is not None
    assert usage.peak_bytes >= usage.current_bytes


def test_a_tracker_inside_a_tracker_takes_nothing_from_it() -> None:
    with MemoryTracker() as outer:
        spike()
        with MemoryTracker() as inner:
            spike(10 * MIB)
        with MemoryTracker() as quiet:
            pass
    assert grown(outer.usage) == pytest.approx(SPIKE, abs=SLACK)
    assert grown(inner.usage) == pytest.approx(10 * MIB, abs=SLACK)
    assert grown(quiet.usage) < SLACK


def test_overlapping_trackers() -> None:
    first, second = MemoryTracker().start(), MemoryTracker()
    spike()
    second.start()
    first.stop()
    spike(10 * MIB)
    second.stop()
    assert grown(first.usage) == pytest.approx(SPIKE, abs=SLACK)
    assert grown(second.usage) == pytest.approx(10 * MIB, abs=SLACK)


def test_phases() -> None:
    with MemoryTracker("job") as tracker:
        with tracker.phase("large"):
            spike()
            with tracker.phase("small"):
                spike(10 * MIB)
        with pytest.raises(KeyError), tracker.phase("fails"):
            fail_after_a_spike(20 * MIB)
        with tracker.phase("small"):
            spike(30 * MIB)
    peaks = {name: grown(usage) // MIB for name, usage in tracker.phases.items()}
    assert list(peaks) == ["small", "large", "fails"]
    assert peaks["large"] == pytest.approx(50, abs=4)
    assert peaks["fails"] == pytest.approx(20, abs=4)
    assert peaks["small"] == pytest.approx(30, abs=4)
    assert grown(tracker.usage) == pytest.approx(SPIKE, abs=SLACK)


def test_an_exception_leaves_it_stopped_with_its_figures() -> None:
    tracker = MemoryTracker()
    with pytest.raises(KeyError), tracker:
        fail_after_a_spike(SPIKE)
    assert not tracker.running
    assert grown(tracker.usage) == pytest.approx(SPIKE, abs=SLACK)
    with tracker:
        tracker.stop()
    assert grown(tracker.usage) < SLACK


def test_decorator_tracks_each_call() -> None:
    @MemoryTracker()
    def work(size: int) -> int:
        if size > SPIKE:
            raise ValueError(size)
        spike(size)
        return work(size // 2) if size == SPIKE else size

    assert work(SPIKE) == SPIKE // 2  # a recursive call is tracked inside the other
    usage = work.memory_usage  # type: ignore[attr-defined]
    assert grown(usage) == pytest.approx(SPIKE, abs=SLACK)
    assert usage.name.endswith("work")
    with pytest.raises(ValueError, match=str(2 * SPIKE)):
        work(2 * SPIKE)
    assert work.memory_usage is not usage  # type: ignore[attr-defined]


def test_decorator_takes_callables_without_a_name() -> None:
    work = MemoryTracker()(functools.partial(spike, SPIKE))
    work()
    usage = work.memory_usage  # type: ignore[attr-defined]
    assert usage.name == "partial"
    assert grown(usage) == pytest.approx(SPIKE, abs=SLACK)


def test_decorator_tracks_a_coroutine_to_its_end() -> None:
    @MemoryTracker()
    async def work(size: int) -> int:
        await asyncio.sleep(0)
        fail_after_a_spike(size) if size > SPIKE else spike(size)
        return size

    assert asyncio.run(work(SPIKE)) == SPIKE
    assert grown(work.memory_usage) == pytest.approx(SPIKE, abs=SLACK)  # type: ignore[attr-defined]
    with pytest.raises(KeyError):
        asyncio.run(work(2 * SPIKE))
    assert grown(work.memory_usage) == pytest.approx(2 * SPIKE, abs=SLACK)  # type: ignore[attr-defined]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_decorator_refuses_generators(asynchronous: bool) -> None:
    def values() -> Iterator[int]:
        yield 1

    async def later() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(MeasureError, match=r"generator.*with MemoryTracker"):
        MemoryTracker()(later if asynchronous else values)


def test_wrong_use() -> None:
    tracker = MemoryTracker()
    with pytest.raises(MeasureError, match="never started"):
        tracker.usage  # noqa: B018
    with pytest.raises(MeasureError, match="call start"):
        tracker.stop()
    with pytest.raises(MeasureError, match="phase 'a'"), tracker.phase("a"):
        pass
    with tracker, pytest.raises(MeasureError, match="runs already"):
        tracker.start()


def test_an_abandoned_tracker_is_forgotten() -> None:
    before = len(memory._high_water.marks)
    MemoryTracker().start()
    assert len(memory._high_water.marks) == before


def test_threads_share_the_mark() -> None:
    def work() -> None:
        for _ in range(50):
            with MemoryTracker() as inner:
                spike(MIB)
            assert inner.peak_bytes is not None

    with MemoryTracker() as outer:
        spike()
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert grown(outer.usage) >= SPIKE - MIB


def test_trackers_that_are_the_first_at_once_share_the_mark() -> None:
    code = """
        import mmap, os, threading, time
        real = os.register_at_fork
        os.register_at_fork = lambda **hooks: real(**hooks) or time.sleep(0.1)  # long enough for all to be there
        from perfcore import MemoryTracker
        ready, trackers = threading.Barrier(8), []
        def begin():
            ready.wait()
            trackers.append(MemoryTracker().start())
        threads = [threading.Thread(target=begin) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        with mmap.mmap(-1, 50 << 20) as spike:
            for offset in range(0, 50 << 20, mmap.PAGESIZE): spike[offset] = 1
        MemoryTracker().start()
        assert all(tracker.usage.peak_growth_bytes > 45 << 20 for tracker in trackers)
    """
    command = [sys.executable, "-P", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_forked_child_goes_on() -> None:
    with MemoryTracker() as tracker:
        spike()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                own = MemoryTracker().start()
                spike(10 * MIB)
                code = not (grown(own.stop()) < 20 * MIB and grown(tracker.usage) >= SPIKE - MIB)
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
    assert grown(tracker.usage) == pytest.approx(SPIKE, abs=SLACK)


class Refusing:
    """A kernel that does not let the peak begin again."""

    def __init__(self, rss: int | None, peaks: list[int | None]) -> None:
        self.peaks = peaks
        self.resident = rss

    def rss(self) -> int | None:
        return self.resident

    def peak(self) -> int | None:
        return self.peaks.pop(0) if len(self.peaks) > 1 else self.peaks[0]

    def reset_peak(self) -> None:
        raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("rss", "peaks", "expected"),
    [
        (100, [500, 500], None),  # below the old mark: not known
        (100, [500, 501], 501),  # above: exact
        (None, [None], None),
    ],
)
def test_without_permission_the_peak_is_exact_or_none(
    monkeypatch: pytest.MonkeyPatch, rss: int | None, peaks: list[int | None], expected: int | None
) -> None:
    kernel = Refusing(rss, peaks)
    monkeypatch.setattr(memory, "own_process", lambda: kernel)
    with MemoryTracker() as tracker:
        pass
    assert tracker.peak_bytes == expected
    assert tracker.current_bytes == rss
    assert ("unknown" in str(tracker.usage)) == (expected is None)


def test_text() -> None:
    assert str(memory.MemoryUsage("load", MIB, 3 * MIB, 5 * MIB)) == (
        "load: current 3.15 MB, peak 5.24 MB, growth 2.10 MB"
    )
    sizes = {0: "0 B", 999: "999 B", 1024: "1.02 kB", -1536: "-1.54 kB", 1500000: "1.50 MB", 1 << 40: "1.10 TB"}
    assert {size: format_bytes(size) for size in sizes} == sizes
    assert perfcore.MemoryTracker is MemoryTracker
