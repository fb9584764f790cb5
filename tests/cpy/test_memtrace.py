# SPDX-License-Identifier: MIT
"""The allocation hooks: exact figures, and nothing breaks them: threads, fork, other tools, no memory, exit."""

from __future__ import annotations

import gc
import itertools
import json
import os
import subprocess
import sys
import threading
import tracemalloc

import pytest

from perfcore._memtrace import Tracker

SRC = "import gc, json, sys\nfrom perfcore._memtrace import Tracker\n"


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", SRC + code],
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0", **variables},  # CPython's own at exit; ours show here
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def counted(function, *args, **options):
    tracker = Tracker(**options)
    tracker.run(function, args)
    return tracker


def strings():
    return ["x" * i for i in range(2, 500)]


# --- figures


def test_an_empty_block_counts_nothing():
    for tracker in (Tracker(), Tracker(sites=True)):
        with tracker:
            pass
        counts = tracker.counts()
        del counts["unknown_frees"]  # of the bound __exit__
        assert not any(counts.values()), counts
        assert tracker.complete
        assert not tracker.running


@pytest.mark.parametrize("size", [0, 1, 15, 16, 479, 480, 512, 513, 4096, 32_000, 33_000, 1 << 20, 50 << 20])
def test_one_object_is_one_block_of_its_size(size):
    tracker = Tracker()
    tracker.start()
    made = bytearray(size)
    tracker.stop()
    buffer = size + 1 if size else 0  # bytearray ends its buffer with a zero byte
    assert tracker.allocations == 1 + bool(size)
    assert tracker.live == tracker.bytes == tracker.peak == sys.getsizeof(bytearray()) + buffer
    assert tracker.live_blocks == tracker.allocations
    assert len(made) == size


def test_figures_of_calls():
    strings()  # what a first call leaves behind, such as a frame's place, is not to be counted
    one, three = counted(strings), Tracker()
    three.run(strings, calls=3)
    assert one.allocations == one.frees > 498
    assert one.live == one.live_blocks == one.unknown_frees == one.untracked == 0
    assert three.allocations == 3 * one.allocations
    assert three.bytes == 3 * one.bytes
    assert three.peak == one.peak
    assert three.counts()["allocations"] == three.allocations


def test_run_takes_arguments_and_passes_exceptions():
    seen = []
    Tracker().run(lambda *args, **kwargs: seen.append((args, kwargs)), (1, 2), {"a": 3}, calls=2)
    assert seen == [((1, 2), {"a": 3})] * 2
    tracker = Tracker()
    with pytest.raises(ZeroDivisionError):
        tracker.run(lambda: 1 / 0)
    assert not tracker.running
    with pytest.raises(TypeError, match="keywords must be strings"):
        tracker.run(len, (), {1: 2})
    with pytest.raises(TypeError):
        tracker.run(len, [1])
    tracker.run(tracker.stop)
    assert not tracker.running


def test_a_block_that_grows_and_shrinks():
    tracker = Tracker()
    data = bytearray(10)
    with tracker:
        data.extend(bytes(100_000))
        data.clear()
    assert tracker.reallocations >= 1
    assert tracker.unknown_frees >= 1  # the buffer is older
    assert tracker.peak >= 100_000


@pytest.mark.skipif(os.environ.get("PYTHONMALLOC", "") == "malloc", reason="ASan's own figures suffice")
@pytest.mark.parametrize(
    "work",
    [
        strings,
        lambda: json.loads(json.dumps([{str(i): i * 1.5} for i in range(300)])),
        lambda: [bytes(i) for i in range(0, 200_000, 997)],
        lambda: compile("def f(a):\n  return a + 1\n" * 100, "x", "exec"),
        lambda: {i: (i, str(i)) for i in range(3000)},
        lambda: sorted(range(5000), key=lambda x: -x),
        lambda: (bytearray(b"x" * 100_000) * 3).replace(b"x", b"yy"),
        lambda: "".join(chr(i) for i in range(3000)).encode("utf-16"),
    ],
)
def test_live_and_peak_are_those_of_tracemalloc(work):
    work()
    gc.collect()
    tracemalloc.start()
    kept = work()
    theirs = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    gc.collect()
    tracker = Tracker()
    tracker.start()
    kept = work()
    tracker.stop()
    assert (tracker.live, tracker.peak) == theirs
    assert kept


def test_counts_are_the_same_in_every_process():
    code = """
def work():
    words = {"k%d" % i: [i, {i: str(i)}] for i in range(500)}
    return json.loads(json.dumps(words)), set(words), sorted(words)
work()
gc.collect()
gc.disable()
tracker = Tracker()
tracker.run(work, calls=3)
print(tracker.counts())
"""
    seen = set()
    for seed in ("0", "1", "77", "random"):
        done = python(code, PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
        seen.add(done.stdout)
    assert len(seen) == 1, seen


# --- windows


def test_overlapping_trackers_have_peaks_of_their_own():
    first, second = Tracker(), Tracker()
    first.start()
    big = bytearray(1_000_000)
    del big
    second.start()
    small = bytearray(10_000)
    first.stop()
    del small
    middle = bytearray(100_000)
    del middle
    second.stop()
    assert 1_000_000 < first.peak < 1_100_000
    assert 100_000 < second.peak < 110_000
    assert first.live > 10_000
    assert second.live < 1000


def test_a_tracker_within_a_tracker_is_not_counted():
    inner = Tracker(sites=True)
    outer = Tracker()
    outer.start()
    inner.start()
    inner.stop()
    outer.stop()
    assert outer.allocations == 0


def test_windows_add_up_and_reset_forgets():
    tracker = Tracker()
    for _ in range(3):
        tracker.run(bytearray, (100,))
    assert tracker.allocations == 6
    tracker.start()
    with pytest.raises(RuntimeError, match="running already"):
        tracker.start()
    tracker.reset()
    made = bytearray(5000)
    assert 5000 < tracker.live < 5300
    tracker.stop()
    tracker.stop()
    assert made
    tracker.reset()
    assert not any(tracker.counts().values())


def test_a_tracker_that_is_dropped_while_it_runs():
    other = Tracker()
    other.start()
    dropped = Tracker(sites=True)
    dropped.start()
    del dropped
    other.reset()
    made = bytearray(100)
    assert other.allocations >= 2
    other.stop()
    assert made
    assert other.complete


# --- threads and call sites


def test_threads_are_told_apart():
    ids = []
    tracker, ready, leave = Tracker(), threading.Barrier(3), threading.Event()

    def work(count):
        ids.append(threading.get_native_id())
        kept = [object() for _ in itertools.repeat(None, count)]
        ready.wait(30)
        leave.wait(30)
        return kept

    tracker.start()
    threads = [threading.Thread(target=work, args=(count,)) for count in (1000, 5000)]
    for thread in threads:
        thread.start()
    ready.wait(30)
    tracker.stop()
    leave.set()
    for thread in threads:
        thread.join()
    by_id = {entry[0]: entry for entry in tracker.threads()}
    made = sorted(by_id[identifier][1] for identifier in ids)
    assert 1000 < made[0] < 2000
    assert 5000 < made[1] < 6000
    assert threading.get_native_id() in by_id


def test_threads_that_end_are_counted_and_not_piled_up():
    def work():
        return [object() for _ in range(100)]

    tracker = Tracker()
    tracker.start()
    for _ in range(50):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    tracker.stop()
    assert tracker.allocations > 50 * 100
    assert len(tracker.threads()) < 10


def test_sites_name_the_line():
    tracker = Tracker(sites=True)
    tracker.start()
    kept = [bytearray(1000) for _ in range(100)]
    here = sys._getframe().f_lineno - 1
    tracker.stop()
    (site,) = (entry for entry in tracker.sites() if entry[:2] == (__file__, here))
    assert site[2] >= 201
    assert site[4] == 201
    assert 101_000 < site[5] <= tracker.live
    with tracker:
        del kept
    # A new window knows nothing of blocks that are older than the recording of sites.
    assert not [entry for entry in tracker.sites() if entry[:2] == (__file__, here)]


def test_sites_within_a_longer_recording_see_blocks_go():
    with Tracker(sites=True):
        kept = [bytearray(1000) for _ in range(100)]
        here = sys._getframe().f_lineno - 1
        tracker = Tracker(sites=True)
        tracker.start()
        del kept
        tracker.stop()
    (site,) = (entry for entry in tracker.sites() if entry[:2] == (__file__, here))
    assert site[4] == -201


def test_sites_must_be_asked_for():
    with pytest.raises(RuntimeError, match="sites=True"):
        counted(strings).sites()
    with pytest.raises(RuntimeError, match="start the tracker first"):
        Tracker(sites=True).sites()
    with pytest.raises(RuntimeError, match="start the tracker first"):
        Tracker().threads()


# --- what goes wrong


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
