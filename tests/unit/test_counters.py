# SPDX-License-Identifier: MIT
"""Instruction counts where there are some and where there are none; the seam is `counters.open_counter`."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator

import pytest

from perfcore._core import EventCounter
from perfcore.measure import counters
from perfcore.measure.call_metrics import measure_calls
from perfcore.measure.runner import make_runner
from perfcore.pytest_plugin.options import Options
from perfcore.pytest_plugin.report import instructions_line


class Ticks:
    """Stands for a counter that works: each call of `work` is 10 events, and a round has 7 of its own."""

    calls = 0

    def start(self) -> None:
        self.before = Ticks.calls

    def stop(self) -> int:
        return (Ticks.calls - self.before) * 10 + 7

    def close(self) -> None:
        pass


class Shared(Ticks):
    """A counter that had to share."""

    def stop(self) -> None:  # type: ignore[override]
        return None


def work() -> None:
    Ticks.calls += 1


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    counters.why_not.cache_clear()
    yield
    counters.why_not.cache_clear()


def options(*metrics: str) -> Options:
    return Options(on=True, strict=False, precision=None, correct=False, columns=(), metrics=metrics)


def offer(monkeypatch: pytest.MonkeyPatch, made: object) -> None:
    def open_counter() -> object:
        if isinstance(made, OSError):
            raise made
        return made() if callable(made) else made

    monkeypatch.setattr(counters, "open_counter", open_counter)


@pytest.mark.parametrize("seconds", [1e-7, 1e-3, 1.0])
def test_where_they_are_counted(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    offer(monkeypatch, Ticks)
    found = measure_calls(make_runner(work), work, (), {}, wanted=("instructions",), seconds=seconds)
    assert found.instructions == 10  # the round's own 7 cancel out
    assert found.as_dict() == {"instructions": 10}
    assert instructions_line(options("instructions")) is None


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "not permitted (kernel.perf_event_paranoid is "),
        (errno.EPERM, "not permitted"),
        (errno.ENOENT, "does not count them"),
        (errno.EOPNOTSUPP, "does not count them"),
        (errno.ENOSYS, "no perf events"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_where_they_are_not(monkeypatch: pytest.MonkeyPatch, number: int, words: str) -> None:
    offer(monkeypatch, OSError(number, os.strerror(number)))
    found = measure_calls(make_runner(work), work, (), {}, wanted=("instructions",), seconds=1e-6)
    assert found.as_dict() == {}
    line = instructions_line(options("alloc", "instructions"))
    assert line is not None
    assert line.startswith("perfcore: no instruction counts: ")
    assert words in line
    assert "\n" not in line
    assert instructions_line(options("alloc")) is None


def test_a_counter_that_had_to_share_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, Shared)
    assert counters.count_instructions(make_runner(work), 1e-6) is None


def clock_counter() -> EventCounter:
    try:
        return EventCounter("task-clock")
    except OSError:
        pytest.skip("this kernel has no perf events, or forbids them")


def test_the_real_thing() -> None:
    counter = clock_counter()
    counter.start()
    sum(range(10_000))
    few = counter.stop()
    counter.start()
    sum(range(1_000_000))
    many = counter.stop()
    assert few is not None
    assert many is not None
    assert 0 < few < many
    raised: list[BaseException] = []

    def elsewhere() -> None:
        for call in (counter.start, counter.stop):
            try:
                call()
            except RuntimeError as error:
                raised.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(raised) == 2
    assert "counts the thread that made it" in str(raised[0])
    counter.close()
    counter.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        counter.start()
    with pytest.raises(ValueError, match="an event is"):
        EventCounter("heat")


def test_a_thread_with_the_identity_of_the_one_that_made_it_is_another() -> None:
    clock_counter()
    made: list[tuple[int, EventCounter]] = []
    maker = threading.Thread(target=lambda: made.append((threading.get_ident(), EventCounter("task-clock"))))
    maker.start()
    maker.join()
    identity, counter = made.pop()
    seen: list[int] = []

    def start() -> None:
        seen.append(threading.get_ident())
        with pytest.raises(RuntimeError, match="counts the thread that made it"):
            counter.start()
        seen.append(0)

    for _ in range(100):  # the first one gets it, as a rule
        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
        assert seen[-1] == 0
        if identity in seen:
            return
    pytest.skip("no thread was given the identity of the one that has ended")


def test_a_forked_child_does_not_touch_the_counter() -> None:
    counter = clock_counter()
    counter.start()
    sum(range(1_000_000))
    pid = os.fork()
    if pid == 0:
        refused = 0
        for call in (counter.start, counter.stop):
            try:
                call()
            except RuntimeError:
                refused += 1
        counter.close()
        os._exit(0 if refused == 2 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    count = counter.stop()
    assert count is not None
    assert count > 1_000_000  # a millisecond: the sum takes several, and what comes after the fork a few microseconds


def test_why_not_agrees_with_the_machine() -> None:
    try:
        counters.open_counter().close()
    except OSError:
        assert counters.why_not()
    else:
        assert counters.why_not() is None
