# SPDX-License-Identifier: MIT
"""Load: arrivals, exact percentiles, latency from the moment a call was due, what fails and what is never served."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import signal
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.suite import load
from perfcore.suite.arrivals import Phase, Shape, burst, constant, ramp
from perfcore.suite.latencies import Latencies
from perfcore.suite.load import LoadResult, Record, find_saturation, run_load, run_load_async

# --- latencies ---


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=300), st.floats(0, 100))
def test_percentile_is_the_nearest_rank(values: list[int], percent: float) -> None:
    latencies = Latencies(values)
    found = latencies.percentile(percent)
    assert found in values
    need = percent * len(values) / 100 - 1e-6
    assert sum(value <= found for value in values) >= need
    smaller = [value for value in values if value < found]
    assert not smaller or len(smaller) < need + 2e-6


def test_percentiles_of_a_thousand() -> None:
    latencies = Latencies(random.Random(1).sample(range(1, 1001), 1000))
    assert [latencies.percentile(q) for q in (0, 0.1, 50, 99, 99.9, 99.95, 100)] == [1, 1, 500, 990, 999, 1000, 1000]
    assert latencies.summary() == {
        "count": 1000, "mean": 500.5, "p50": 500, "p90": 900, "p95": 950, "p99": 990, "p99.9": 999, "max": 1000
    }  # fmt: skip
    assert str(latencies).startswith("p50 500 ns, p90 900 ns, p95 950 ns, p99 990 ns, p99.9 999 ns, max 1.00 µs")
    ladder = latencies.spectrum()
    assert [row[0] for row in ladder][:8] == [0.0, 25.0, 50.0, 62.5, 75.0, 81.25, 87.5, 90.625]
    assert ladder[-1] == (100.0, 1000, 1000)
    assert all(sum(value <= row[1] for value in latencies) == row[2] for row in ladder)
    merged = Latencies.merged([latencies, Latencies([5000])])
    assert (len(merged), merged.max_ns, merged.min_ns) == (1001, 5000, 1)


def test_no_latencies() -> None:
    none = Latencies()
    assert (none.percentile(99), none.spectrum(), none.summary(), str(none)) == (0, [], {"count": 0}, "no latencies")
    assert none.mean_ns == none.min_ns == none.max_ns == 0
    with pytest.raises(ValueError, match="lies between 0 and 100"):
        none.percentile(100.1)


# --- arrivals ---


def expected(shape: Shape, until: float) -> float:
    """How many calls are due in the first seconds of a shape: the areas under its rate."""
    calls = 0.0
    for phase in shape.phases:
        part = max(min(until, phase.seconds), 0.0)
        calls += part * (2 * phase.first + (phase.last - phase.first) * part / phase.seconds) / 2
        until -= phase.seconds
    return calls


SHAPES = [
    constant(100, 2),
    ramp(0, 200, 2),
    ramp(200, 0, 2),
    burst(20, 400, 2, bursts=4),
    ramp(5, 50, 1) + constant(50, 1),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_even_arrivals_follow_the_integral_of_the_rate(shape: Shape) -> None:
    moments = shape.arrivals(poisson=False)
    assert len(moments) in {math.floor(shape.calls), math.ceil(shape.calls)}
    assert list(moments) == sorted(moments)
    for number in range(0, len(moments), 7):
        assert expected(shape, moments[number] * 1e-9) == pytest.approx(number, abs=1e-4)


def test_a_rate_that_is_no_sum_of_halves_brings_no_call_too_many() -> None:
    shape = constant(100, 0.07)
    assert shape.calls > 7  # in binary
    assert len(shape.arrivals(poisson=False)) == 7


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_poisson_arrivals(shape: Shape) -> None:
    """In unit time of the rate's integral the gaps are exponential: mean 1, and 1/e of them longer than 1."""
    assert shape.arrivals(seed=3) == shape.arrivals(seed=3)
    assert shape.arrivals(seed=3) != shape.arrivals(seed=4)
    counts, gaps = [], []
    for seed in range(20):
        moments = shape.arrivals(seed=seed)
        counts.append(len(moments))
        assert 0 <= moments[0] <= moments[-1] <= shape.seconds * 1e9
        marks = [expected(shape, moment * 1e-9) for moment in moments[:40]]
        gaps += [after - before for before, after in itertools.pairwise(marks)]
    # Seeded: these cannot vary. Five standard errors of a Poisson count, of an exponential mean and of a share.
    assert abs(sum(counts) / 20 - shape.calls) < 5 * math.sqrt(shape.calls / 20)
    assert sum(gaps) / len(gaps) == pytest.approx(1, abs=5 / math.sqrt(len(gaps)))
    assert sum(gap > 1 for gap in gaps) / len(gaps) == pytest.approx(math.exp(-1), abs=2.5 / math.sqrt(len(gaps)))


def test_shapes_say_what_they_are() -> None:
    assert str(constant(20, 5)) == "20/s for 5 s"
    assert str(ramp(5, 50, 5)) == "5 to 50/s in 5 s"
    assert str(burst(10, 50, 5, bursts=5)) == "10/s with bursts of 50/s for 0.2 s, 5 times"
    assert burst(10, 50, 5, bursts=5).calls == pytest.approx(5 * (0.8 * 10 + 0.2 * 50))
    assert (constant(20, 5) + ramp(5, 50, 5)).seconds == 10
    with pytest.raises(TypeError):
        constant(20, 5) + 1  # type: ignore[operator]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: constant(1, 0), "cannot last 0 s"),
        (lambda: constant(-1, 1), "-1 is no rate"),
        (lambda: Phase(1, 1, math.nan), "nan is no rate"),
        (lambda: burst(1, 2, 3, bursts=0), "0 bursts"),
        (lambda: burst(1, 2, 3, share=1), "between 0 and 1"),
        (lambda: run_load(abs, constant(0, 1)), "without calls"),
        (lambda: run_load(abs, constant(10, 1), workers=0), "0 workers"),
        (lambda: run_load(abs, constant(10, 1), drain_seconds=-1), "-1 s cannot be allowed"),
        (lambda: find_saturation(lambda _: result(), start=0), "cannot start at 0/s"),
    ],
)
def test_what_makes_no_sense(make: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()  # type: ignore[operator]


# --- load from threads ---


def test_every_call_is_made_once() -> None:
    seen: list[int] = []
    done = run_load(seen.append, constant(2000, 0.1), workers=4, poisson=False)
    assert sorted(seen) == list(range(200))
    assert (done.offered, done.served, done.failed, done.unserved) == (200, 200, {}, 0)
    assert len(done.latency) == len(done.service) == 200
    assert done.backlogged + len(done.lateness) == 200
    assert done.seconds >= done.schedule_seconds == 0.1
    assert done.offered_rate == pytest.approx(2000)
    assert "200 of 200 calls served" in str(done)
    assert done.summary()["latency_ns"] == done.latency.summary()


def test_a_call_never_begins_before_it_is_due() -> None:
    began: list[int] = []
    shape = ramp(50, 500, 0.2)
    run_load(lambda _: began.append(time.monotonic_ns()), shape, seed=1)
    due = shape.arrivals(seed=1)
    gaps = [(at - began[0]) - (moment - due[0]) for at, moment in zip(began, due, strict=True)]
    # One worker: the first may be late, and then the others seem early by as much; the spans of time must still fit.
    assert began[-1] - began[0] >= due[-1] - due[0] + min(gaps)
    assert began == sorted(began)


def test_no_coordinated_omission() -> None:
    """While one call stalls for 60 ms, nine are due: each of their latencies has what was left of the stall in it."""
    shape = constant(1000, 0.01)

    def work(index: int) -> None:
        if index == 0:
            time.sleep(0.06)

    done = run_load(work, shape, poisson=False)
    assert done.served == 10
    assert done.latency.min_ns >= 50_000_000
    assert done.backlogged >= 9
    assert sum(done.latency) > sum(done.service) + 9 * 50_000_000
    assert "calls had to wait" in str(done)


def test_a_late_generator_is_no_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is busy when the only call is due; whoever comes too late for it is the generator."""

    async def nothing(_: int) -> None: ...

    monkeypatch.setattr("perfcore.suite.load._LEAD_NS", -50_000_000)
    for done in (
        run_load(abs, constant(100, 0.01), poisson=False),
        asyncio.run(run_load_async(nothing, constant(100, 0.01), poisson=False)),
    ):
        assert (done.served, done.backlogged, len(done.lateness)) == (1, 0, 1)
        assert done.lateness.min_ns >= 50_000_000


def test_failures_are_counted_and_are_no_latency() -> None:
    def work(index: int) -> None:
        if index % 4 == 0:
            raise KeyError(index)
        if index == 1:
            raise OSError("gone")

    done = run_load(work, constant(1000, 0.02), workers=2, poisson=False)
    assert done.failed == {"KeyError": 5, "OSError": 1}
    assert done.served == len(done.latency) == 14
    assert isinstance(done.first_error, (KeyError, OSError))
    assert "failed: 5 KeyError, 1 OSError; the first: " in str(done)


def test_a_call_that_exits_ends_no_worker() -> None:
    def work(index: int) -> None:
        if index % 2:
            raise SystemExit(3)

    done = run_load(work, constant(1000, 0.02), workers=2, poisson=False)
    assert (done.served, done.unserved, done.failed) == (10, 0, {"SystemExit": 10})


def test_whatever_a_call_raises_ends_no_worker() -> None:
    """Also what is no Exception: of a loop of its own, or of a test's own checks."""

    async def waits() -> None:
        other = asyncio.get_running_loop().create_future()
        other.cancel()
        await other

    def work(index: int) -> None:
        if index % 4 == 1:
            asyncio.run(waits())
        if index % 4 == 3:
            pytest.fail("meant")

    done = run_load(work, constant(1000, 0.02), poisson=False)
    assert (done.served, done.unserved, done.failed) == (10, 0, {"CancelledError": 5, "Failed": 5})


def test_a_load_lasts_until_what_was_not_served_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record([0, 0], drain_seconds=0.5)
    record.began[0], record.ended[0] = record.origin, record.origin + 1000
    monkeypatch.setattr(load, "_clock", lambda: record.deadline + 1000)
    found = record.result(0.1)
    assert (found.served, found.unserved, found.seconds) == (1, 1, pytest.approx(0.5))
    assert list(found.latency) == [1000, 500_000_000]


def test_what_is_not_served_in_time_is_in_the_percentiles() -> None:
    """The first call outlasts the time to drain: the other nine are never begun."""
    stall = threading.Event()

    def work(_: int) -> None:
        stall.wait(0.6)

    done = run_load(work, constant(1000, 0.01), poisson=False, drain_seconds=0.4)
    assert (done.served, done.unserved) == (1, 9)
    assert len(done.latency) == 10
    assert done.latency.min_ns >= 399_000_000
    assert "9 calls were not served in time" in str(done)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_interrupted(elsewhere: bool) -> None:
    """What a Ctrl-C raises in the waiting thread ends the load: no further call begins, no thread is left.

    Also of one that does not wake that thread, as it comes to another, or before the thread sleeps.
    """
    calls: list[int] = []
    first = threading.Event()

    def work(index: int) -> None:
        calls.append(index)
        first.set()

    def interrupt() -> None:
        first.wait()
        to = threading.current_thread() if elsewhere else threading.main_thread()
        signal.pthread_kill(to.ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run_load(work, constant(10, 20), workers=3, poisson=False)
    count = len(calls)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("load-")]
    assert len(calls) == count < 200


def test_a_coroutine_function_is_not_served_by_threads() -> None:
    async def work(_: int) -> None:
        """Make no call that nobody awaits."""

    with pytest.raises(ValueError, match=r"coroutine function.*run_load_async"):
        run_load(work, constant(100, 0.02))


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, []

    def third_fails(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", third_fails)
    with pytest.raises(RuntimeError, match="can't start"):
        run_load(abs, constant(10, 1), workers=5)
    assert not any(thread.is_alive() for thread in started)


# --- saturation ---


def result(capacity: float = 100.0, shape: Shape = SHAPES[0], service_ns: int = 1000) -> LoadResult:
    """What a service of exactly so many calls per second would give."""
    offered = round(shape.calls)
    seconds = max(offered / capacity, shape.seconds)
    waits = Latencies(
        round(max(0.0, number / capacity - number / offered * shape.seconds) * 1e9) for number in range(offered)
    )
    service = Latencies([service_ns] * offered)
    return LoadResult(offered, offered, {}, 0, seconds, shape.seconds, waits, service, Latencies(), 0)


@pytest.mark.parametrize("capacity", [37.0, 100.0, 640.0, 5000.0])
def test_the_saturation_point(capacity: float) -> None:
    found = find_saturation(lambda shape: result(capacity, shape), start=50, refine=6)
    assert found.sustained < found.too_much < found.sustained * 1.02
    assert found.sustained <= capacity * 1.05 + 1 <= found.too_much * 1.05 + 2
    assert f"saturated between {found.sustained:.1f}/s" in str(found)
    assert "to drain the backlog" in str(found)


def test_saturation_by_a_limit_and_by_failures() -> None:
    by_limit = find_saturation(lambda shape: result(100, shape), start=50, max_p99=0.01, refine=6)
    assert by_limit.sustained == pytest.approx(101, abs=2)
    assert "p99 above 10.0 ms" in {step.reason for step in by_limit.steps}

    def failing(shape: Shape) -> LoadResult:
        return run_load(lambda _: 1 / 0, constant(1000, 0.01)) if shape.phases[0].first > 120 else result(1e6, shape)

    by_failure = find_saturation(failing, start=50, refine=0)
    assert (by_failure.sustained, by_failure.too_much) == (100, 200)
    assert by_failure.steps[-1].reason.endswith("calls failed")


def test_no_saturation_point() -> None:
    assert str(find_saturation(lambda shape: result(1e9, shape), start=50, max_rate=300)).endswith(
        "not saturated at 300.0/s"
    )
    below = find_saturation(lambda shape: result(1, shape), start=80)
    assert (below.sustained, below.too_much) == (0, 10)
    assert str(below).endswith("saturated below 10.0/s")


def test_a_slow_service_is_no_backlog() -> None:
    """Calls of 0.2 s that run side by side: the last of them ends 0.2 s after the load, whatever the rate."""

    def slow(shape: Shape) -> LoadResult:
        done = result(1e9, shape, service_ns=200_000_000)
        return LoadResult(done.offered, done.served, {}, 0, 1.2, 1.0, done.service, done.service, done.lateness, 0)

    assert find_saturation(slow, start=50, max_rate=400).sustained == 400
