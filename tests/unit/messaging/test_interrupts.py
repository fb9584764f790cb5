# SPDX-License-Identifier: MIT
"""Ctrl-C while coroutines wait for rings, and while one is being woken: nothing is lost, doubled, or left asleep."""

from __future__ import annotations

import asyncio
import dis
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from perfcore import messaging, shm, turns
from perfcore.messaging import PriorityRing, Ring, ShmRing

PROGRAM = Path(__file__).with_name("interrupts.py")
TRACED = {module.__file__ for module in (messaging, shm, turns)}
# After these the interpreter looks for signals; not after others.
CHECKED = {"RESUME", "CALL", "CALL_FUNCTION_EX", "JUMP_BACKWARD"}


@pytest.mark.parametrize("what", ["aget", "aput", "shm-aget", "shm-aput", "put"])
def test_at_random_moments(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", str(PROGRAM), "40", what],
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},  # CPython's own at exit
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["lost"], found["doubled_or_made_up"], found["caught"]) == (0, 0, 40), found
    assert found["got"] > 0


@contextmanager
def interrupt_at(nth: int) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt where the interpreter looks for signals in the rings' Python code for the nth time."""
    seen = [0]
    before: dict[FrameType, str] = {}

    def each(frame: FrameType, event: str, _argument: object) -> Any:
        if event == "opcode":
            if before.get(frame) in CHECKED:
                seen[0] += 1
                if seen[0] == nth:
                    raise KeyboardInterrupt
            before[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
        return each

    def called(frame: FrameType, _event: str, _argument: object) -> Any:
        # A loop's own callbacks are left out: asyncio loses any of them that is interrupted.
        if frame.f_code.co_filename not in TRACED or frame.f_code.co_name == "_wake":
            return None
        frame.f_trace_opcodes = True
        return each

    sys._getframe().f_trace_opcodes = True  # 3.12 looks for them if it has seen this before settrace()
    sys.settrace(called)
    try:
        yield seen
    finally:
        sys.settrace(None)


ITEMS = [letter * 3000 for letter in "abc"]  # a ring of 4096 bytes has room for one


def settle(loop: asyncio.AbstractEventLoop, tasks: list[asyncio.Task[None]], moves: Callable[[], bool]) -> None:
    """Run the loop until nothing can move any more; a task that sleeps although it could go on is an error."""

    async def settled() -> None:
        while moves() and not all(task.done() for task in tasks):
            await asyncio.sleep(0.0005)
        await asyncio.sleep(0)

    loop.call_soon(loop.stop)  # a stop that was on its way when the interrupt came goes with this one
    loop.run_forever()
    loop.run_until_complete(asyncio.wait_for(settled(), 30))


def end(loop: asyncio.AbstractEventLoop, tasks: list[asyncio.Task[None]]) -> list[BaseException | None]:
    """Cancel what still waits; return how each task ended."""
    for task in tasks:
        task.cancel()
    ends = loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()
    return ends


def get_interrupted(ring: Any, nth: int) -> bool:
    """Let two tasks wait for two items, with one interrupt on the way; False when there is no nth moment."""
    loop = asyncio.new_event_loop()
    got: list[str] = []
    done = 0

    async def take() -> None:
        got.append(await ring.aget())

    tasks = [loop.create_task(take()) for _ in range(2)]
    with interrupt_at(nth) as seen, suppress(KeyboardInterrupt):
        loop.run_until_complete(asyncio.sleep(0))
        for item in ("a", "b"):
            ring.put(item)
            done += 1
        loop.run_until_complete(asyncio.wait(tasks))
    # Whoever was not interrupted has its item, or waits for an empty ring.
    settle(loop, tasks, lambda: not ring.empty())
    end(loop, tasks)
    left = [] if ring.empty() else ring.get_many()
    assert len({*got, *left}) == len(got) + len(left), "doubled"
    # In shared memory's coroutine, Python itself holds an item for a moment, as in any queue's get().
    assert done - len(got) - len(left) <= isinstance(ring, ShmRing), (nth, got, left)
    assert seen[0] >= nth or got == ["a", "b"]
    return seen[0] >= nth


def put_interrupted(ring: Any, nth: int) -> bool:
    """Let two tasks wait for room, with one interrupt on the way; False when there is no nth moment."""
    loop = asyncio.new_event_loop()
    got: list[str] = []
    ring.put(ITEMS[0])
    tasks = [loop.create_task(ring.aput(item)) for item in ITEMS[1:]]

    def drain() -> None:
        settle(loop, tasks, ring.empty)
        while not ring.empty():
            got.extend(ring.get_many(1))
            settle(loop, tasks, ring.empty)

    with interrupt_at(nth) as seen, suppress(KeyboardInterrupt):
        loop.run_until_complete(asyncio.sleep(0))
        drain()
    drain()
    ends = end(loop, tasks)
    put = {ITEMS[0], *(item for item, error in zip(ITEMS[1:], ends, strict=True) if error is None)}
    assert len(set(got)) == len(got), "doubled"
    # What get_many() had in its hands, and a put of shared memory that was through and is told of an interrupt.
    assert len(put - set(got)) <= 1, (nth, ends)
    assert len(set(got) - put) <= isinstance(ring, ShmRing), (nth, ends)
    assert seen[0] >= nth or set(got) == set(ITEMS)
    return seen[0] >= nth


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # of one interrupted just before
@pytest.mark.parametrize("interrupted", [get_interrupted, put_interrupted])
@pytest.mark.parametrize("make", [Ring, PriorityRing, lambda _: ShmRing(size=4096)], ids=["ring", "priority", "shm"])
def test_at_every_moment(make: Any, interrupted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.gettrace() is not None:
        pytest.skip("a coverage tool traces: CPython 3.12 may crash where two take turns in one coroutine")
    monkeypatch.setattr(turns, "PATIENCE_S", 0.002)
    monkeypatch.setattr(turns, "IDLE_S", 0.002)
    nth = 1
    while interrupted(make(2 if interrupted is get_interrupted else 1), nth):
        nth += 1
    assert nth > 10
    gc.collect()  # tasks that ended so say that here, if they were to be heard


class Interrupted:
    """A callback that a signal interrupts the first time."""

    def __init__(self, error: type[BaseException] | None = None) -> None:
        self.calls = 0
        self.error = error

    def __call__(self) -> bool:
        self.calls += 1
        if self.calls == 1:
            if self.error is not None:
                raise self.error
            signal.raise_signal(signal.SIGINT)
        return True


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: found.append(what.exc_type))
    return found


@pytest.mark.parametrize("kind", [Ring, PriorityRing])
def test_an_interrupt_in_a_wake_up_comes_after_it(kind: Any, unraisable: list[Any]) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ring, callback = kind(1), Interrupted()
        ring._arm(callback, True, False)
        with pytest.raises(KeyboardInterrupt):
            ring.put(1)
        assert callback.calls == 2
        assert ring.get_nowait() == 1
        ring.put(2)
        callback.calls = 0
        ring._arm(callback, False, False)
        with pytest.raises(KeyboardInterrupt):
            ring.get()
        assert callback.calls == 2
        assert ring.empty()
        callback.calls = 0
        ring._arm(callback, True, False)
        with pytest.raises(KeyboardInterrupt):
            ring.close()
        assert callback.calls == 2
    finally:
        signal.signal(signal.SIGINT, before)
    assert unraisable == []


def test_what_no_signal_has_raised(unraisable: list[Any]) -> None:
    ring = Ring[int]()
    # Out of memory for a moment: the second time it works, and there is nothing to tell.
    callback = Interrupted(MemoryError)
    ring._arm(callback, True, False)
    ring.put(1)
    assert (callback.calls, unraisable) == (2, [])
    assert ring.get() == 1
    # In a thread that runs no signal handlers it is reported.
    callback = Interrupted(LookupError)
    ring._arm(callback, True, False)
    thread = threading.Thread(target=ring.put, args=(2,))
    thread.start()
    thread.join()
    assert (callback.calls, unraisable) == (2, [LookupError])
    assert ring.get() == 2
