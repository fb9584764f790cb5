# SPDX-License-Identifier: MIT
"""ShmRing on event loops: waits that let the loop run, between real processes, cancelled, killed, detached, forked."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from perfcore.messaging import Closed, ShmRing
from perfcore.turns import Lookout

LIMIT_S = 60


def run(coroutine: Any) -> Any:
    async def limited() -> Any:
        return await asyncio.wait_for(coroutine, LIMIT_S)

    return asyncio.run(limited())


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python process that has the rings of the descriptors that it is given."""
    started = []

    def start(code: str, *rings: ShmRing[Any]) -> subprocess.Popen[str]:
        descriptors = [os.dup(ring.fileno()) for ring in rings]
        opening = "import asyncio, sys\nfrom perfcore.messaging import Closed, ShmRing\nfrom perfcore import _core\n"
        for number, descriptor in enumerate(descriptors):
            opening += f"r{number} = _core.ShmRing.__new__(ShmRing, fd={descriptor})._ready()\n"
        command = [sys.executable, "-P", "-c", opening + code]
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # CPython's own at exit
        started.append(
            subprocess.Popen(command, pass_fds=descriptors, stdout=subprocess.PIPE, text=True, env=environment)
        )
        for descriptor in descriptors:
            os.close(descriptor)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


ECHO = """
async def echo():
    async for item in r0:
        await r1.aput(item)
    r1.close()
asyncio.run(echo())
"""


def test_two_loops_in_two_processes(child: Any) -> None:
    there, back = ShmRing[Any](size=4096), ShmRing[Any](size=4096)
    items = [(number, "x" * (number * 37 % 1500)) for number in range(400)]

    async def main() -> list[Any]:
        got: list[Any] = []
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        async def give() -> None:
            for item in items:
                await there.aput(item)
            there.close()

        ticking, giving = asyncio.create_task(tick()), asyncio.create_task(give())
        got.extend(await back.aget_many(1))
        got.append(await back.aget())
        async for item in back:
            got.append(item)
        await giving
        ticking.cancel()
        assert ticks > len(items)  # waits, of which there are many in so small rings, leave the loop free
        return got

    process = child(ECHO, there, back)
    assert run(main()) == items
    assert process.wait(LIMIT_S) == 0


def test_what_is_there_is_had_without_waiting() -> None:
    ring = ShmRing[Any]()

    async def main() -> None:
        await ring.aput(b"1")
        await ring.aput({"two": 2})
        await ring.aput(3)
        assert await ring.aget() == b"1"
        assert await ring.aget_many(1) == [{"two": 2}]
        assert await ring.aget_many() == [3]
        with pytest.raises(ValueError, match="max_items is 0"):
            await ring.aget_many(0)
        with pytest.raises(ValueError, match="bytes"):
            await ring.aput(b"x" * (ring.size + 1))
        assert not ring._getters._is_manned  # no thread was needed
        assert not ring._putters._is_manned

    run(main())


PUT_MANY = """
for number in range(3000):
    r0.put(number)
r0.close()
"""


def test_waits_that_are_cancelled_lose_nothing(child: Any) -> None:
    ring = ShmRing[int](size=4096)
    rng = random.Random(7)

    async def take(got: list[int]) -> None:
        while True:
            got.append(await ring.aget())

    async def main() -> list[int]:
        got: list[int] = []
        while True:
            takers = [asyncio.ensure_future(take(got)) for _ in range(3)]
            await asyncio.sleep(rng.random() / 500)
            for task in takers:
                task.cancel()
            ends = await asyncio.gather(*takers, return_exceptions=True)
            if any(isinstance(end, Closed) for end in ends):
                return got

    child(PUT_MANY, ring)
    assert sorted(run(main())) == list(range(3000))


def test_they_are_served_in_order_and_one_that_is_cancelled_passes_its_turn_on() -> None:
    ring = ShmRing[int]()

    async def main() -> None:
        waits = [asyncio.create_task(ring.aget()) for _ in range(4)]
        await asyncio.sleep(0)
        waits[1].cancel()
        ring.put_many([1, 2])
        assert await waits[0] == 1
        assert await waits[2] == 2
        ring.put(3)
        while not waits[3].done():  # cancelled once it is awake, or before, or not at all
            await asyncio.sleep(0)
            if ring._getters._awake is not None:
                waits[3].cancel()
        last = asyncio.create_task(ring.aget())
        if waits[3].cancelled():
            assert await last == 3
        else:
            last.cancel()
            assert waits[3].result() == 3

    for _ in range(20):
        run(main())


def test_putters_wait_for_room(child: Any) -> None:
    ring = ShmRing[bytes](size=4096)
    items = [bytes([number]) * (4000 if number % 3 else 100) for number in range(40)]

    async def main() -> None:
        puts = [asyncio.create_task(ring.aput(item)) for item in items]
        await asyncio.sleep(0)
        assert not all(put.done() for put in puts)
        process = child("print(sum(r0.get() [0] for _ in range(40)), flush=True)", ring)
        await asyncio.gather(*puts)
        assert (await asyncio.to_thread(process.communicate))[0] == f"{sum(range(40))}\n"

    run(main())


PRODUCE = """
async def produce():
    number = 0
    while True:
        await r0.aput((sys.argv[0], number))
        number += 1
asyncio.run(produce())
"""


def test_producers_that_are_killed_leave_whole_messages_in_order(child: Any) -> None:
    ring = ShmRing[Any](size=4096)
    rng = random.Random(11)

    async def main() -> None:
        for _ in range(6):
            process = child(PRODUCE, ring)
            last, until = -1, None
            while until is None or time.monotonic() < until:
                _, number = await ring.aget()
                assert number == last + 1
                last = number
                until = until or time.monotonic() + rng.random() / 50
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait)
            with suppress(TimeoutError):
                while True:
                    _, number = await asyncio.wait_for(ring.aget(), 0.15)  # longer than a lock of the dead may last
                    assert number == last + 1
                    last = number
        assert ring.users() == [os.getpid()]

    run(main())


CONSUME = """
async def take():
    async for number in r0:
        await r1.aput(number)
async def consume():
    await asyncio.gather(*(take() for _ in range(3)))
asyncio.run(consume())
"""


def test_consumers_that_are_killed_take_along_what_they_had_in_hand(child: Any) -> None:
    ring, noted = ShmRing[int](size=4096), ShmRing[int](size=1 << 20)
    kills, rng = 5, random.Random(13)

    async def put_until(ends: asyncio.Event) -> int:
        number = 0
        while not ends.is_set():
            await ring.aput(number)
            await asyncio.sleep(0)
            number += 1
        return number

    async def main() -> None:
        ends = asyncio.Event()
        putting = asyncio.create_task(put_until(ends))
        stays = child(CONSUME, ring, noted)
        seen = [await noted.aget()]
        for _ in range(kills):
            process = child(CONSUME, ring, noted)
            while len(ring.users()) < 3:
                seen += await noted.aget_many()
            await asyncio.sleep(rng.random() / 50)
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait)
        ends.set()
        count = await putting
        ring.close()
        while stays.poll() is None or not noted.empty():
            with suppress(TimeoutError):
                seen += await asyncio.wait_for(noted.aget_many(), 0.05)
        assert stays.returncode == 0
        assert len(set(seen)) == len(seen)  # none is doubled
        assert count - 3 * kills <= len(seen) <= count  # each of the killed had 3 hands
        assert set(seen) <= set(range(count))

    run(main())


def test_the_end_of_the_ring_ends_the_waits() -> None:
    async def main(end: Callable[[ShmRing[int]], None], error: type[Exception]) -> None:
        ring = ShmRing[int](size=4096)
        waits: list[Any] = [asyncio.create_task(ring.aget()) for _ in range(2)]
        await asyncio.sleep(0.02)
        end(ring)
        for wait in waits:
            with pytest.raises(error):
                await wait

    run(main(ShmRing.close, Closed))
    run(main(ShmRing.detach, ValueError))


def test_a_loop_that_is_gone_or_stands_still_holds_up_nobody_else() -> None:
    ring = ShmRing[str]()
    loops = [asyncio.new_event_loop() for _ in range(2)]
    waits = []
    for loop in loops:
        waits.append(loop.create_task(ring.aget()))
        loop.run_until_complete(asyncio.sleep(0))
    lost: list[Any] = []
    loops[0].set_exception_handler(lambda _, context: lost.append(context))
    loops[0].close()  # the first in the line; the second one's loop does not run

    async def main() -> str:
        third = asyncio.create_task(ring.aget())
        await asyncio.sleep(0)
        ring.put("item")
        return await third

    assert run(main()) == "item"
    waits[1].cancel()
    with suppress(asyncio.CancelledError):
        loops[1].run_until_complete(waits[1])
    loops[1].close()
    ring.put("another")
    assert run(ring.aget()) == "another"


def test_the_child_of_a_fork_waits_for_itself() -> None:
    ring, back = ShmRing[int](), ShmRing[int]()

    async def main() -> None:
        wait = asyncio.create_task(ring.aget())
        await asyncio.sleep(0.01)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                asyncio._set_running_loop(None)
                asyncio.run(back.aput(asyncio.run(ring.aget()) + 1))
                status = 0
            finally:
                os._exit(status)
        ring.put_many([1, 1])
        assert await back.aget() == 2
        assert await wait == 1
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    run(main())


def test_a_process_ends_while_its_thread_looks_out(child: Any) -> None:
    code = "loop = asyncio.new_event_loop()\ntask = loop.create_task(r0.aget())\n"
    code += "loop.run_until_complete(asyncio.sleep(0.01))\ntask.cancel()\nloop.run_until_complete(asyncio.sleep(0))\n"
    process = child(code + "print('done')", ShmRing[int]())
    assert process.communicate(timeout=LIMIT_S)[0] == "done\n"
    assert process.returncode == 0


def test_the_thread_ends_when_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfcore.turns.IDLE_S", 0.01)
    ring = ShmRing[int]()

    async def main() -> None:
        wait = asyncio.create_task(ring.aget())
        await asyncio.sleep(0.01)
        ring.put(1)
        assert await wait == 1

    for _ in range(3):
        run(main())
        deadline = time.monotonic() + LIMIT_S
        while ring._getters._is_manned and time.monotonic() < deadline:
            time.sleep(0.005)
        assert not ring._getters._is_manned


def test_those_in_line_have_another_thread_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = ShmRing[int]()
    failed = threading.Event()
    go_on = Lookout._next

    def fail_once(self: Lookout) -> int | None:
        position = go_on(self)
        if position is not None and not failed.is_set():
            failed.set()
            raise MemoryError
        return position

    monkeypatch.setattr(Lookout, "_next", fail_once)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    async def main() -> None:
        wait = asyncio.create_task(ring.aget())
        await asyncio.to_thread(failed.wait)
        await asyncio.sleep(0.01)
        ring.put(5)
        assert await wait == 5

    run(main())
