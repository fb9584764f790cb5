# SPDX-License-Identifier: MIT
"""Ring and PriorityRing: order, limits, waiting, closing, signals, forks."""

from __future__ import annotations

import itertools
import os
import queue
import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import pytest

from perfcore.errors import PerfcoreError
from perfcore.messaging import Closed, Empty, Full, PriorityRing, Ring

JOIN = 30  # seconds after which a thread that does not end is a hang


def start(target: Any, *args: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


def finish(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(JOIN)
        assert not thread.is_alive()


# --- one thread ---


def test_names_and_exceptions_are_those_of_queue() -> None:
    assert Full is queue.Full
    assert Empty is queue.Empty
    assert issubclass(Closed, PerfcoreError)
    public = {name for name in dir(queue.Queue) if not name.startswith("_")} - {"shutdown"}
    assert public <= set(dir(Ring))


def test_what_goes_in_comes_out_in_order_round_the_end() -> None:
    ring: Ring[int] = Ring()
    seen = []
    for step in range(1000):
        ring.put_many(range(step * 3, step * 3 + 3))
        seen += ring.get_many(2)
    assert seen + ring.get_many() == list(range(3000))


def test_limit() -> None:
    ring: Ring[int] = Ring(2)
    assert (ring.maxsize, ring.full(), ring.empty(), len(ring), bool(ring)) == (2, False, True, 0, True)
    assert ring.put_many([1, 2, 3], block=False) == 2
    assert ring.full()
    for put in (ring.put_nowait, lambda item: ring.put(item, False), lambda item: ring.put(item, timeout=0.001)):
        with pytest.raises(Full):
            put(3)
    with pytest.raises(Full):
        ring.put_many([3], timeout=0.001)
    assert ring.put_many([]) == 0
    assert ring.get_many() == [1, 2]
    for get in (
        ring.get_nowait,
        lambda: ring.get(False),
        lambda: ring.get(timeout=0.001),
        lambda: ring.get_many(1, False),
    ):
        with pytest.raises(Empty):
            get()


@pytest.mark.parametrize("maxsize", [0, -1])
def test_no_limit(maxsize: int) -> None:
    ring: Ring[int] = Ring(maxsize)
    assert ring.put_many(range(100)) == 100
    assert (ring.maxsize, ring.full()) == (0, False)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda ring: ring.get(timeout=-1), ValueError, "'timeout' must be a non-negative number"),
        (lambda ring: ring.get(timeout=float("nan")), ValueError, "non-negative"),
        (lambda ring: ring.get_many(0), ValueError, "max_items is 0; it must be at least 1"),
        (lambda ring: ring.put(), TypeError, "missing required argument 'item'"),
        (lambda ring: ring.put(1, item=1), TypeError, "multiple values for argument 'item'"),
        (lambda ring: ring.put(1, wait=1), TypeError, "unexpected keyword argument 'wait'"),
        (lambda ring: ring.get(1, 2, 3), TypeError, "at most 2 positional"),
        (lambda ring: ring.put_many(5), TypeError, "iterable"),
        (lambda ring: ring.task_done(), ValueError, "called too many times"),
    ],
)
def test_wrong_calls(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call(Ring())


def test_close_drains_then_raises() -> None:
    ring: Ring[int] = Ring()
    ring.put_many([1, 2])
    ring.close()
    ring.close()
    assert ring.closed
    with pytest.raises(Closed, match="the ring is closed"):
        ring.put(3)
    assert ring.get() == 1
    assert ring.get_many() == [2]
    for get in (ring.get, ring.get_nowait, ring.get_many):
        with pytest.raises(Closed):
            get()


def test_priorities_and_equal_ones_in_order() -> None:
    ring: PriorityRing[tuple[int, int]] = PriorityRing()
    assert isinstance(ring, Ring)
    items = [(number * 7919 % 13, number) for number in range(500)]
    for item in items:
        ring.put(item, priority=item[0])
    assert ring.get_many() == sorted(items)
    ring.put_many([(0, 1), (0, 2)], priority=float("inf"))
    ring.put_nowait((1, 1), -1.5)
    assert ring.get_many() == [(1, 1), (0, 1), (0, 2)]
    with pytest.raises(ValueError, match="priority is nan"):
        ring.put((1, 1), priority=float("nan"))


def test_an_item_whose_end_uses_the_ring() -> None:
    ring: Ring[object] = Ring()

    class Last:
        def __del__(self) -> None:
            ring.put("from the end")

    ring.put(Last())
    assert ring.get() is not None
    assert ring.get_nowait() == "from the end"


# --- threads ---


@pytest.mark.parametrize("maxsize", [0, 1, 7])
@pytest.mark.parametrize("kind", [Ring, PriorityRing])
def test_nothing_is_lost_or_doubled_between_threads(kind: Any, maxsize: int) -> None:
    ring, count, threads = kind(maxsize), 2000, 4
    got: list[list[int]] = [[] for _ in range(threads)]

    def produce(which: int) -> None:
        for number in range(count):
            if number % 3:
                ring.put(which * count + number)
            else:
                assert ring.put_many([which * count + number]) == 1

    def consume(which: int) -> None:
        try:
            while True:
                got[which] += [ring.get()] if which % 2 else ring.get_many(5)
        except Closed:
            pass

    consumers = [start(consume, which) for which in range(threads)]
    producers = [start(produce, which) for which in range(threads)]
    finish(*producers)
    ring.close()
    finish(*consumers)
    assert sorted(itertools.chain.from_iterable(got)) == list(range(threads * count))
    for mine in got if kind is Ring else ():  # a consumer sees each producer's items in their order
        for which in range(threads):
            of_one = [item for item in mine if item // count == which]
            assert of_one == sorted(of_one)


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + JOIN
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_waiting_getters_are_served_in_the_order_they_came() -> None:
    ring: Ring[int] = Ring()
    served: list[tuple[int, int]] = []
    threads = []
    for which in range(5):
        threads.append(start(lambda which=which: served.append((which, ring.get()))))
        wait_until(lambda: waiting(threads[-1]))
    ring.put_many(range(5))
    finish(*threads)
    assert sorted(served) == [(which, which) for which in range(5)]


def waiting(thread: threading.Thread) -> bool:
    """Whether a thread sleeps in the kernel, as one that waits on a lock does."""
    with open(f"/proc/self/task/{thread.native_id}/stat", encoding="ascii") as file:
        asleep = file.read().rpartition(")")[2].split()[0] == "S"
    time.sleep(0.02)  # a thread that waits for the GIL sleeps too, but not for so long
    return asleep


def test_waiting_putters_go_in_in_the_order_they_came() -> None:
    ring: Ring[int] = Ring(1)
    ring.put(-1)
    threads = []
    for which in range(5):
        threads.append(start(ring.put, which))
        wait_until(lambda: waiting(threads[-1]))
    assert [ring.get() for _ in range(6)] == [-1, 0, 1, 2, 3, 4]
    finish(*threads)


@pytest.mark.parametrize("blocked", ["get", "put", "put_many"])
def test_close_wakes_who_waits(blocked: str) -> None:
    ring: Ring[int] = Ring(1)
    if blocked != "get":
        ring.put(0)
    call = {"get": ring.get, "put": lambda: ring.put(1), "put_many": lambda: ring.put_many([1, 2])}[blocked]
    raised: list[bool] = []

    def run() -> None:
        with pytest.raises(Closed):
            call()
        raised.append(True)

    threads = [start(run) for _ in range(3)]
    wait_until(lambda: all(waiting(thread) for thread in threads))
    ring.close()
    finish(*threads)
    assert raised == [True] * 3
    assert ring.qsize() == (blocked != "get")


def test_join_waits_for_task_done() -> None:
    ring: Ring[int] = Ring()
    ring.put_many(range(20))
    done: list[int] = []

    def work() -> None:
        for _ in range(10):
            done.append(ring.get())
            ring.task_done()

    threads = [start(work) for _ in range(2)]
    ring.join()
    assert sorted(done) == list(range(20))
    finish(*threads)


def test_join_does_not_wait_for_what_was_put_after_all_was_done() -> None:
    ring: Ring[int] = Ring()
    ring.put(1)
    joined = start(ring.join)
    wait_until(lambda: waiting(joined))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # the joiner runs after both
    try:
        ring.task_done()
        ring.put(2)
    finally:
        sys.setswitchinterval(interval)
    finish(joined)
    assert ring.unfinished_tasks == 1


def run_python(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "wait", ["ring.get()", "ring.get(timeout=60)", "full.put(2)", "full.join()", "full.put_many([2, 3])"]
)
def test_ctrl_c_ends_a_wait_and_loses_nothing(wait: str) -> None:
    child = run_python(
        f"""
        from perfcore.messaging import Ring
        ring, full = Ring(), Ring(1)
        full.put(1)
        print("ready", flush=True)
        try:
            {wait}
        except KeyboardInterrupt:
            ring.put("still works")
            print(ring.get(), full.get_many())
        """
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=JOIN)
    assert (out, err, child.returncode) == ("still works [1]\n", "", 0)


def test_a_signal_handler_may_put_what_is_waited_for() -> None:
    ring: Ring[str] = Ring()
    before = signal.signal(signal.SIGUSR1, lambda *_: ring.put("from the handler"))
    try:
        main = threading.main_thread()
        sender = start(lambda: (wait_until(lambda: waiting(main)), os.kill(os.getpid(), signal.SIGUSR1)))
        assert ring.get(timeout=JOIN) == "from the handler"
        finish(sender)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_forked_child_serves_none_of_its_parents_threads() -> None:
    child = run_python(
        """
        import os, threading, time, warnings
        from perfcore.messaging import Ring
        warnings.simplefilter("ignore")
        ring, out = Ring(), []
        thread = threading.Thread(target=lambda: out.append(ring.get()))
        thread.start()
        time.sleep(0.1)
        if (pid := os.fork()) == 0:
            ring.put("child")
            os._exit(0 if ring.get(timeout=5) == "child" else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        ring.put("parent")
        thread.join()
        print(out)
        """
    )
    out, err = child.communicate(timeout=JOIN)
    assert (out, err, child.returncode) == ("0\n['parent']\n", "", 0)


def test_the_interpreter_ends_with_threads_that_wait() -> None:
    child = run_python(
        """
        import threading, time
        from perfcore.messaging import Ring
        ring, full = Ring(), Ring(1)
        full.put(1)
        for wait in (ring.get, lambda: full.put(2), full.join):
            threading.Thread(target=wait, daemon=True).start()
        time.sleep(0.1)
        """
    )
    assert (*child.communicate(timeout=JOIN), child.returncode) == ("", "", 0)


def test_a_callback_that_fills_the_ring_itself_does_not_push_it_over_its_limit() -> None:
    ring: Ring[int] = Ring(1)
    ring.put(1)

    def fill_and_decline() -> bool:
        ring.put_nowait(2)
        return False

    ring._arm(fill_and_decline, False, True)
    thread = start(ring.put, 3)
    wait_until(lambda: waiting(thread))
    assert ring.get() == 1
    assert ring.qsize() == 1
    assert ring.get() == 2
    assert ring.get(timeout=JOIN) == 3
    finish(thread)
