# SPDX-License-Identifier: MIT
"""The allocation hooks when something goes wrong: other tools, fork, exit, no memory, many threads."""

from __future__ import annotations

import gc
import os
import threading

import pytest
from tracked import counted, python, strings

from perfcore._memtrace import Tracker


def test_tracemalloc_comes_and_goes():
    done = python("""
import tracemalloc
def allocations():
    tracker = Tracker()
    tracker.run(bytearray, (100,))
    print(tracker.allocations, tracker.complete)
tracker = Tracker()
tracemalloc.start()
tracker.start()
print(tracker.complete)
tracemalloc.stop()                  # takes ours out with its own
print(tracker.complete)
tracker.stop()
print(tracker.complete)
allocations()
tracker.reset()
tracker.start()
tracemalloc.start()
tracker.stop()                      # ours are beneath: they stay, and pass everything on
print(tracker.complete)
tracker.start()
kept = [bytearray(10_000) for _ in range(1000)]
before = tracker.live_blocks
del kept                            # and what tracemalloc kept of each block goes from within our hooks
print(before >= 4000, tracker.live_blocks < 100)
kept = [object() for _ in range(1000)]
tracemalloc.stop()                  # puts ours in place again
print(tracker.complete, tracker.allocations > 1000)
tracker.stop()
allocations()
del kept
""")
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["True", "False", "False", "2 True", "True", *["True True"] * 2, "2 True"]


def test_fork():
    tracker = Tracker(sites=True)
    tracker.start()
    kept = [object() for _ in range(1000)]
    child = os.fork()
    if child == 0:
        more = [object() for _ in range(1000)]
        good = tracker.live_blocks >= 2000 and len(tracker.threads()) == 1 and bool(more) and bool(kept)
        tracker.stop()
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    tracker.stop()


def test_threads_in_the_child_of_a_fork_count_from_the_start_of_the_window():
    earlier, tracker = Tracker(), Tracker()
    earlier.run(lambda: [object() for _ in range(10_000)])  # of this thread, and not of the next window
    tracker.start()
    child = os.fork()
    if child == 0:
        tracker.stop()
        entries = tracker.threads()
        good = len(entries) == 1 and entries[0][0] == threading.get_native_id() and entries[0][1] < 5000
        os._exit(0 if good else 1)
    tracker.stop()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_memory_that_is_locked_is_forgotten_too():
    if "LD_PRELOAD" in os.environ:
        pytest.skip("the sanitizer's shadow would be locked as well")
    done = python("""
import ctypes
tracker = Tracker()
tracker.run(list)
if ctypes.CDLL(None).mlockall(1) != 0:
    print("not allowed")
    raise SystemExit
tracker.start()
kept = [bytearray(100) for _ in range(1000)]
tracker.stop()
tracker.reset()
tracker.start()
del kept
tracker.stop()
print(tracker.live, tracker.frees, tracker.unknown_frees >= 2000)
""")
    assert (done.returncode, done.stderr) == (0, "")
    if done.stdout == "not allowed\n":
        pytest.skip("this user may not lock so much memory")
    assert done.stdout == "0 0 True\n"


@pytest.mark.parametrize("sites", [False, True])
def test_left_open_at_exit(sites):
    done = python(f"tracker = Tracker(sites={sites})\ntracker.start()\nkept = [[i] for i in range(1000)]\n")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("mode", ["debug", "malloc", "malloc_debug", "pymalloc_debug"])
def test_other_allocators(mode):
    if "LD_PRELOAD" in os.environ:
        pytest.skip("the sanitizer's allocator is under test already")
    code = """
tracker = Tracker(sites=True)
tracker.start()
kept = [bytearray(100_000), bytearray(10), bytes(700)]
tracker.stop()
print(tracker.allocations, tracker.complete, tracker.live_blocks)
"""
    done = python(code, PYTHONMALLOC=mode)
    assert (done.stdout, done.stderr) == ("6 True 6\n", "")


def test_a_sub_interpreter_cannot_import_it():
    interpreters = pytest.importorskip("_xxsubinterpreters")
    made = interpreters.create()
    # Caught over there: _xxsubinterpreters leaks the text of an exception that crosses.
    script = "try:\n import perfcore._memtrace\nexcept ImportError:\n pass\nelse:\n raise SystemError"
    with Tracker():  # counts what it does all the same
        try:
            interpreters.run_string(made, script)
        finally:
            interpreters.destroy(made)


def test_nothing_leaks(assert_flat):
    def every_path():
        tracker = Tracker(sites=True)
        with tracker:
            bytearray(100)
        tracker.sites(), tracker.threads(), tracker.counts(), tracker.reset()
        tracker.run(bytes, (10,), calls=2)
        with pytest.raises(TypeError):
            tracker.run(len, (), {1: 2})
        dropped = Tracker()
        dropped.start()

    assert_flat(every_path)


def test_each_allocation_fails(each_allocation_fails):
    def every_path():
        tracker = Tracker(sites=True)
        tracker.run(bytes, (10,))
        tracker.sites(), tracker.threads(), tracker.counts(), tracker.reset()

    assert each_allocation_fails(every_path) > 10


def test_allocations_that_fail_within_a_window_leave_no_trace(each_allocation_fails):
    tracker = Tracker(sites=True)
    tracker.start()
    assert each_allocation_fails(strings) > 100
    tracker.stop()
    assert tracker.untracked == 0
    strings()
    assert counted(strings).live == 0


def test_many_threads_at_once():
    tracker = Tracker(sites=True)

    def work():
        for i in range(300):
            with Tracker():
                kept = [bytearray(i * 100) for _ in range(10)]
            assert len(kept) == 10

    threads = [threading.Thread(target=work) for _ in range(6)]
    with tracker:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        del threads, thread
        gc.collect()
    assert tracker.allocations > 6 * 300 * 20
    assert abs(tracker.live_blocks) < 200
    assert tracker.untracked == 0
