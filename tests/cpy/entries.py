# SPDX-License-Identifier: MIT
"""Every public entry of the C code, used: the table behind test_faults.py, where each use meets each fault.

A case is a function that makes some objects and returns a use of them, which can be called any number of times: with
the objects it closes over (so that a fork or an exception finds them in the middle of something) and with new ones.
``called`` says which entries a use really reached, so nothing here declares what it covers: an entry that no case
reaches fails test_faults.py.

A use leaves its objects as it found them, and makes no function: CPython 3.12.1 crashes where the allocation for one
fails. Nor does a list of three or more constants stand here, of which 3.12.1 leaks one when compiling.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import types
import weakref
from array import array
from collections.abc import Callable, Iterator
from typing import Any

from perfcore import _core
from perfcore.measure.kernel import UNROLL, make_kernel
from perfcore.messaging import Empty, Message, PriorityRing, Ring, Router, ShmRing

try:
    from perfcore import _memtrace
except ImportError:  # in a sub-interpreter: its hooks belong to the process
    _memtrace = None  # type: ignore[assignment]

Use = Callable[[], object]
CASES: dict[str, Callable[[], Use]] = {}
LONG = 20.0  # seconds: no call here waits that long unless something is lost

MODULES = [module for module in (_core, _memtrace) if module is not None]
TYPES = [
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type) and not issubclass(value, (tuple, Exception))
]

_seen: set[str] = set()


def case(make: Callable[[], Use]) -> Callable[[], Use]:
    CASES[make.__name__] = make
    return make


def attributes(kind: type) -> list[str]:
    """Return the names of a type's attributes in C, but for methods."""
    found = (types.GetSetDescriptorType, types.MemberDescriptorType)
    return [name for name, value in vars(kind).items() if isinstance(value, found) and not name.startswith("__")]


ATTRIBUTES = {kind: attributes(kind) for kind in TYPES}


def look(thing: Any) -> None:
    """Read every attribute of an object, and ask what Python asks of any object."""
    kind = type(thing)
    while kind not in TYPES:
        kind = kind.__base__
    for name in ATTRIBUTES[kind]:
        getattr(thing, name)
        _seen.add(f"{kind.__name__}.{name}")
    repr(thing), sys.getsizeof(thing), bool(thing), thing == thing
    gc.get_referents(thing)
    with contextlib.suppress(TypeError):
        len(thing)
    with contextlib.suppress(TypeError):
        hash(thing)
    _seen.add(kind.__name__)


def entries() -> set[str]:
    """Return every name that the C code offers: functions, types, methods and attributes."""
    found: set[str] = set()
    for module in MODULES:
        found.update(name for name, value in vars(module).items() if isinstance(value, types.BuiltinFunctionType))
    for kind in TYPES:
        found.add(kind.__name__)
        found.update(f"{kind.__name__}.{name}" for name in attributes(kind))
        found.update(
            f"{kind.__name__}.{name}"
            for name, method in vars(kind).items()
            if isinstance(method, types.MethodDescriptorType)
            and (not name.startswith("__") or name in {"__enter__", "__exit__"})
        )
    return found


@contextlib.contextmanager
def called() -> Iterator[set[str]]:
    """Collect the entries that are reached inside."""
    _seen.clear()
    found: set[str] = set()

    def profile(_frame: Any, event: str, function: Any) -> None:
        if event == "c_call":
            found.add(function.__qualname__)

    sys.setprofile(profile)
    try:
        yield found
    finally:
        sys.setprofile(None)
        found |= _seen


# --- measure


@case
def samples() -> Use:
    shared = _core.Samples([1.0, 2.0])

    def use() -> None:
        one = _core.Samples()
        one.append(1.5)
        one.extend(shared)
        one.extend(iter([1, 2.5]))
        assert tuple(one.tolist()) == (1.5, 1.0, 2.0, 1.0, 2.5)
        assert one[-1] == 2.5
        memoryview(one).release()
        with contextlib.suppress(TypeError):
            one.append("x")  # type: ignore[arg-type]
        look(one)
        look(shared)

    return use


def work(*args: Any, **kwargs: Any) -> list[Any]:
    return [args, kwargs]


@case
def round_loop() -> Use:
    shared = _core.RoundLoop(work, (1,), {"k": 2})
    kernel, kernel_args = make_kernel(work, (1,), {"k": 2})
    kernelled = _core.RoundLoop(work, (1,), {"k": 2}, kernel=kernel, kernel_args=kernel_args, unroll=UNROLL)
    loops = (
        lambda: _core.RoundLoop(work, (), {}, timer=iter(range(1000)).__next__, disable_gc=True),
        lambda: _core.RoundLoop(work, (), {}, tsc=False, clock=2),
    )

    def pause() -> Any:
        return int

    def setup() -> Any:
        return (1,), {"a": 2}

    def use() -> None:
        found = _core.Samples()
        shared.run(found, 5, 1)
        assert kernelled.time(3) > 0
        kernelled.run(found, 3, 7)
        for make in loops:
            make().run(found, 3, 1)
        shared.run_setup(found, 3, (), {}, setup, work, pause)
        assert len(found) == 17
        look(shared)

    return use


@case
def clocks() -> Use:
    def use() -> None:
        _core.clock_source(1)
        _core.clock_step(1)
        _core.clock_pair(1)
        with contextlib.suppress(ValueError):
            _core.clock_pair(100)
        _core.nothing()
        _core.involuntary_switches()
        _core.steal_time()

    return use


@case
def process() -> Use:
    shared = _core.Process()

    def use() -> None:
        one = _core.Process(os.getpid())
        assert (one.rss() or 0) > 0
        with contextlib.suppress(OSError):
            one.reset_peak()
        one.peak()
        one.read()
        one.close()
        shared.read(quick=True)
        shared.read(full=True)
        with contextlib.suppress(ValueError):
            one.read()
        for pid in (-1, 2**22 + 1):
            with contextlib.suppress(ValueError, OSError):
                _core.Process(pid)
        look(shared)
        _core.process_tree(None)
        _core.read_cgroup()
        _core.read_net()
        _core.read_pressure()
        _core.read_pressure("/nowhere")
        _core.set_child_subreaper(False)

    return use


@case
def event_counter() -> Use:
    def use() -> None:
        with contextlib.suppress(OSError):  # counters may be forbidden
            counter = _core.EventCounter("task-clock")
            counter.start()
            counter.stop()
            look(counter)
            counter.close()
        with contextlib.suppress(ValueError):
            _core.EventCounter("no such event")

    return use


@case
def metrics_sampler() -> Use:
    def ask(sampler: Any) -> None:
        sampler.look()
        sampler.aggregates()
        for metric in _core.SAMPLED_METRICS[:2]:
            sampler.series(metric)

    shared = _core.MetricsSampler(interval=0.001, slots=4, tree=True)
    shared.start()

    def use() -> None:
        with contextlib.suppress(OSError):  # it is running; but not in a forked child
            shared.start()
        with contextlib.suppress(ChildProcessError):
            ask(shared)
        one = _core.MetricsSampler(interval=0.001, slots=4)
        one.start()
        ask(one)
        one.stop()
        look(one)

    return use


@case
def heap() -> Use:
    def use() -> None:
        assert _core.heap_types([[1, 2.5], {"a": "b"}])
        with contextlib.suppress(TypeError):
            _core.heap_types(1)  # type: ignore[arg-type]

    return use


@case
def tracker() -> Use:
    if _memtrace is None:
        return int
    shared = _memtrace.Tracker(sites=True)
    shared.run(work, (1,), {"k": 2}, calls=3)
    assert shared.allocations > 0

    def use() -> None:
        one = _memtrace.Tracker()
        with one:
            work(1)
        one.__enter__().__exit__(None, None, None)
        one.start()
        one.stop()
        one.reset()
        one.run(work)
        sited = _memtrace.Tracker(sites=True)
        sited.run(work, (2,))
        for each in (one, sited, shared):
            each.counts()
            each.threads()
            look(each)
        shared.sites()

    return use


# --- record


@case
def results() -> Use:
    text = json.dumps(
        {"benchmarks": [{"name": "é", "stats": {"data": (1.5, 2, 3e-9)}, "no": [None, True, {}]}]}
    ).encode()
    samples = list(array("d", (1.5, 1e300, float("nan"))))
    wrong = (b"", b"{", b"[1,]", b'{"a":1,"a":2}', b"\xff", b"[" * 5000, b'["' + b"x" * 5000)

    def use() -> None:
        assert _core.load_results(text)["benchmarks"][0]["name"] == "é"
        for data in wrong:
            with contextlib.suppress(_core.JSONError):
                _core.load_results(data)
        assert _core.join_doubles(samples, ", ") == "1.5, 1e+300, NaN"
        assert _core.join_doubles([1.5, "x"], ",") is None  # type: ignore[list-item]

    return use


# --- judge

X, Y = array("d", (1.0, 2.5, 3.25, 7.0, 2.75, 2.125)), array("d", (1.5, 2.0, 9.0, 4.0))
STEPS = array("d", [10.0 + i * 7 % 5 + 20 * (i > 40) for i in range(80)])


@case
def statistics() -> Use:
    def use() -> None:
        _core.summarize(X)
        _core.summarize(X, compensated_sum=True, legacy_hd15iqr=True)
        _core.rank_sum(X, Y, "auto")
        _core.rank_sum(STEPS, STEPS, "auto")
        _core.signed_rank(X, "auto")
        _core.shift_two_sample(X, Y, 0.9)
        _core.shift_one_sample(X, 0.9)
        _core.median_mad(X)
        _core.autocorrelation(X, 1)
        _core.adjust_pvalues(array("d", [0.1, 0.5]))
        _core.bootstrap_ratio(X, Y, resamples=100)
        assert 0.97 < _core.normal_cdf(2.0) < 0.98
        _core.normal_quantile(0.3)
        _core.student_cdf(1.0, 3.0)
        _core.student_quantile(0.3, 3.0)
        with contextlib.suppress(TypeError):
            _core.summarize([1.0])  # type: ignore[arg-type]
        with contextlib.suppress(ValueError):
            _core.rank_sum(X, Y, "?")

    return use


@case
def verdicts() -> Use:
    shared = _core.WindowedSeries(30, 0.01)
    shared.append(STEPS)

    def use() -> None:
        series = _core.WindowedSeries(30, 0.01)
        series.append(STEPS)
        assert len(series.find()) == len(shared.find()) == 1
        look(series)
        _core.find_levels(STEPS, 5, 0.01, 0.01, 0.0, 1)
        assert len(_core.find_levels_of_each((STEPS, STEPS, X), 5, 0.01, 0.01, 0.0, 1)[1]) == 1
        _core.judge_medians((1.0, 0.9, 1.1), (2.0, 1.9, 2.1), 0.05, 0.1)
        effects = array("d", [_core.pair_effect(Y, Y)] * 8)
        _core.judge_pairs(effects, 0.05, 0.05, False, 1)

    return use


# --- workload

PLAIN = {
    "a": list((1, -2.5, "é", None, True, 2**40)),  # noqa: C410
    "b": {"c": []},
}


@case
def codecs() -> Use:
    ways: list[tuple[Any, Any, tuple[bytes, ...]]] = [
        (_core.json_dumps, _core.json_loads, (b"", b"[1", b'"\\ud800"', b"[" * 3000)),
        (_core.cjson_dumps, _core.cjson_loads, (b"", b"[1", b"[" * 3000)),
        (_core.msgpack_dumps, _core.msgpack_loads, (b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\x91" * 3000)),
    ]

    def use() -> None:
        for dumps, loads, wrong in ways:
            assert loads(dumps(PLAIN)) == PLAIN
            with contextlib.suppress(TypeError, ValueError):
                dumps([1, object()])
            for data in wrong:
                with contextlib.suppress(ValueError):
                    loads(data)
        # What the profiler sees is a call by name.
        _core.json_loads(_core.json_dumps(1))
        _core.cjson_loads(_core.cjson_dumps(1))
        _core.msgpack_loads(_core.msgpack_dumps(1))

    return use


def use_ring(ring: Any) -> None:
    ring.put({"a": 1})
    ring.put_nowait([1])
    ring.put_many((1, 2, 3), timeout=LONG)
    ring.get_many(2, True, LONG)
    ring.get_nowait()
    ring.get(timeout=LONG)
    ring.get_many()
    with contextlib.suppress(Empty):
        raise AssertionError(ring.get(timeout=1e-6))
    ring.qsize(), ring.empty()
    look(ring)


def rings(kind: Any) -> Use:
    shared = kind(8)
    shared.put(b"stays")

    def use() -> None:
        ring = kind(8)
        use_ring(ring)
        ring.full()
        ring._arm(bool, True, False)
        ring._disarm(bool, True)
        while ring.unfinished_tasks:
            ring.task_done()
        ring.join()
        ring.close()
        if shared.qsize() > 7:  # what uses that an exception ended have left
            shared.get_many()
        shared.put_nowait(b"more")  # before the other: an exception between the two leaves more, never less
        shared.get_nowait()

    return use


@case
def ring() -> Use:
    return rings(Ring)


@case
def priority_ring() -> Use:
    return rings(PriorityRing)


@case
def shm_ring() -> Use:
    shared = ShmRing[Any](size=4096)
    shared.put(b"stays")

    def use() -> None:
        with ShmRing[Any](size=65536) as made:
            use_ring(made)
            made.put(PLAIN)
            assert made.get() == PLAIN
            made.users(), made.fileno()
            made.__enter__().close()
        with _core.ShmRing[Any](size=4096) as bare:
            bare._bind(str.encode, None, bytes.decode)
            bare.put("x")
            bare._watch(True, bare._position(True))  # there is one to get, so it returns at once
            bare._pass_on(True)
            bare.get()
            bare.detach()
            bare._forked()
            bare._release()
        if shared.qsize() > 1:  # as in a ring
            shared.get_many()
        shared.put(b"more", timeout=LONG)
        shared.get(timeout=LONG)
        with contextlib.suppress(ValueError):
            _core.ShmRing("a/b")

    return use


@case
def awaiting() -> Use:
    def quiet_loop() -> asyncio.AbstractEventLoop:
        made = asyncio.new_event_loop()
        made.set_exception_handler(lambda _loop, _context: None)
        return made

    loop = quiet_loop()

    async def talk() -> None:
        for kind in (Ring, PriorityRing):
            ring: Any = kind(1)
            getter = asyncio.ensure_future(ring.aget_many())
            lost = asyncio.ensure_future(ring.aget())
            await asyncio.sleep(0)
            lost.cancel()
            await ring.aput(object())
            await getter
            await ring.aput(object())
            await ring.aget()
            _core.Ring.aget(ring).close()
            with contextlib.suppress(LookupError):
                _core.Ring.aget(ring).throw(LookupError())

    def use() -> None:
        nonlocal loop
        task = loop.create_task(talk())
        try:
            loop.run_until_complete(task)
        except BaseException:  # of a signal, anywhere in asyncio: what it leaves of the loop is no test of ours
            for each in (task, *asyncio.all_tasks(loop)):
                each.cancel()
            loop.close()
            loop = quiet_loop()
            raise

    def end() -> None:
        loop.close()

    weakref.finalize(use, end).atexit = False  # a daemon thread may be running it then
    return use


@case
def router() -> Use:
    def receive(message: object) -> None:
        pass

    def build() -> Any:
        made = Router()
        for name in ("a", "b"):
            made.add(name, maxsize=4, policy="drop_oldest")
            made.subscribe(name, "t/+")
        made.add("c", receive)
        return made

    shared = build()
    message = Message("a", "b", "t/1")

    def use() -> None:
        one = build()
        for each in (one, shared):
            each.send("c", 1)
            each.send_many(["a", "b"], [1, 2])
            each.send_next(1)
            each.send_next_many([1, 2])
            each.send_hashed("key", 1)
            each.send_hashed_many(["key", b"key"], [1, 2])
            each.publish("t/1", 1)
            each.publish_many(["t/1", "u"], [1, 2])
            each.broadcast(1)
            each.broadcast_many([1, 2])
            each.route(message)
            each.route_many([message, message])
            for endpoint in each.endpoints:
                look(endpoint)
        one.unsubscribe("a", "t/+")
        one.remove("b")
        with contextlib.suppress(LookupError, ValueError):
            one.send("none", 1)
        look(one)

    return use


@case
def messages() -> Use:
    history = _core.MessageHistory(20)
    history.append(Message("a", "b", "t/1", PLAIN))

    def use() -> None:
        one = Message("a", "b", "t/1", [1])
        assert one.__reduce__() and one.__copy__() == one  # noqa: PT018
        look(one)
        _core.json_dumps(one), _core.msgpack_dumps(one)
        kept = _core.MessageHistory()
        kept.extend([one] * 30)
        kept.append(one)
        for each in (kept, history):
            each.query(agent="a", topic="t/+", limit=3)
            each.query(sender="a", recipient="b", since=0, until=2**62)
            for _ in each:
                pass
            look(each)
        assert kept[-1] is one
        kept.clear()
        history.append(one)

    return use
