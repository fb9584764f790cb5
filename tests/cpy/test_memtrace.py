# SPDX-License-Identifier: MIT
"""The allocation hooks: exact figures, of calls, windows, threads and call sites."""

from __future__ import annotations

import gc
import itertools
import json
import os
import sys
import threading
import tracemalloc

import pytest
from tracked import counted, python, strings

from perfcore._memtrace import Tracker

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


def test_code_from_a_template_is_one_site_however_often_it_is_compiled():
    tracker, file = Tracker(sites=True), f"<template {os.getpid()}>"
    with tracker:
        for _ in range(50):
            exec(compile("made = [1]", f"<template {os.getpid()}>", "exec"))  # noqa: S102
    (site,) = (entry for entry in tracker.sites() if entry[:2] == (file, 1))  # a collection may begin in line 0
    assert site[2] >= 50


def test_what_has_no_room_is_not_said_to_have_no_frame():
    done = python("""
tracker = Tracker(sites=True)
# Of a thousand each: CPython counts from a code object's beginning to find a line.
codes = [compile("\\n" * at + "made = [1]\\n" * 1000, "<many lines>", "exec") for at in range(0, 40_000, 1000)]
tracker.start()
for code in codes:
    exec(code)
tracker.stop()
tracker.start()
kept = bytearray(1_000_000)
tracker.stop()
print(*max(tracker.sites(), key=lambda site: site[5])[:2])
""")
    assert (done.stdout, done.stderr) == ("<more call sites> 0\n", "")


@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="the sanitizer ends a program that asks for so much")
def test_a_block_that_could_not_grow_stays_its_sites():
    tracker = Tracker(sites=True)
    with tracker:
        data = bytearray(1000)
        here = sys._getframe().f_lineno - 1
        with pytest.raises(MemoryError):
            data *= 1 << 50
    (site,) = (entry for entry in tracker.sites() if entry[:2] == (__file__, here))
    assert site[4:] == (2, sys.getsizeof(data))


def test_sites_must_be_asked_for():
    with pytest.raises(RuntimeError, match="sites=True"):
        counted(strings).sites()
    with pytest.raises(RuntimeError, match="start the tracker first"):
        Tracker(sites=True).sites()
    with pytest.raises(RuntimeError, match="start the tracker first"):
        Tracker().threads()
