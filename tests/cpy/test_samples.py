# SPDX-License-Identifier: MIT
"""Samples as a C type: leaks, failing allocations, buffers, sub-interpreters, debug mode."""

from __future__ import annotations

import array
import gc
import io
import itertools
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator

import pytest

from perfcore._core import Samples

Flat = Callable[[Callable[[], object]], None]
Failing = Callable[[Callable[[], object]], int]


def child(code: str, *flags: str) -> None:
    """Run code in a new interpreter and demand success without a word."""
    done = subprocess.run(
        [sys.executable, "-P", *flags, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


# --- leaks ---


def test_the_leak_check_sees_a_leak(assert_flat: Flat) -> None:
    if os.environ.get("PYTHONMALLOC") == "malloc":
        pytest.skip("no block is counted with PYTHONMALLOC=malloc")
    kept = []
    with pytest.raises(AssertionError, match="blocks more"):
        assert_flat(lambda: kept.append(object()))


def test_making_filling_reading_is_flat(assert_flat: Flat) -> None:
    def operation() -> None:
        samples = Samples(float(i) for i in range(500))
        samples.append(1.5)
        samples.extend([2.5, 3])
        Samples(samples).extend(samples)
        assert samples.tolist()[-3:] == [1.5, 2.5, 3.0]
        assert list(samples)[500] == samples[-3] == 1.5
        repr(samples)
        sys.getsizeof(samples)
        with memoryview(samples) as view:
            view.tolist()

    assert_flat(operation)


def test_errors_are_flat(assert_flat: Flat) -> None:
    def raising() -> Iterator[float]:
        yield 1.0
        raise KeyError("in the middle")

    samples = Samples([1.0])

    def operation() -> None:
        with pytest.raises(TypeError):
            Samples(3)
        with pytest.raises(TypeError):
            Samples([1.0, "x"])
        with pytest.raises(TypeError):
            Samples(values=[1.0])
        with pytest.raises(KeyError):
            Samples(raising())
        with pytest.raises(TypeError):
            samples.append(None)
        with pytest.raises(IndexError):
            samples[5]
        with pytest.raises(TypeError):
            io.BytesIO(b"12345678").readinto(samples)  # asks for a writable buffer

    assert_flat(operation)


def test_an_object_dropped_in_a_cycle_is_freed(assert_flat: Flat) -> None:
    def operation() -> None:
        cycle: list[object] = [Samples([1.0] * 100)]
        cycle.append(cycle)

    assert_flat(operation)


# --- failing allocations ---


def test_each_python_allocation_may_fail(each_allocation_fails: Failing) -> None:
    values = [0.5] * 40
    assert each_allocation_fails(lambda: Samples(values)) >= 1
    samples = Samples(values)
    assert each_allocation_fails(samples.tolist) >= 1
    assert each_allocation_fails(lambda: memoryview(samples).release()) >= 2  # its shape, and the view's own objects
    assert each_allocation_fails(lambda: repr(samples)) >= 1
    assert samples.tolist() == values
    samples.append(1.0)  # no failed view is still counted as an export


def test_memory_that_runs_out_raises_and_keeps_the_samples() -> None:
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("ASan reserves terabytes of address space, so none can be set as a limit")
    child(
        """
        import resource
        from perfcore._core import Samples
        samples = Samples([1.0] * 1000)
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
        block = [2.0] * 10000
        try:
            while len(samples) < 10**8:
                samples.extend(block)
        except MemoryError:
            pass
        else:
            raise SystemExit("800 MB fitted into 64")
        length = len(samples)
        assert length > 10**6, length
        assert samples[0] == 1.0 and samples[length - 1] == 2.0
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        samples.extend(block)
        assert len(samples) == length + 10000
        """
    )


# --- the buffer ---


def test_a_buffer_of_doubles() -> None:
    samples = Samples([1.0, -2.5, float("inf")])
    with memoryview(samples) as view:
        assert (view.format, view.itemsize, view.ndim, view.shape, view.strides) == ("d", 8, 1, (3,), (8,))
        assert view.readonly
        assert view.contiguous
        assert view.obj is samples
        assert view.tolist() == [1.0, -2.5, float("inf")]
        assert array.array("d", view.tobytes()).tolist() == samples.tolist()
        with pytest.raises(TypeError, match="read-only"):
            view[0] = 3.0


def test_an_empty_buffer() -> None:
    with memoryview(Samples()) as view:
        assert (view.nbytes, view.shape, view.tolist()) == (0, (0,), [])


def test_no_growth_while_a_buffer_is_out() -> None:
    samples = Samples([1.0])
    view, other = memoryview(samples), memoryview(samples)
    for grow in (lambda: samples.append(2.0), lambda: samples.extend([2.0])):
        with pytest.raises(BufferError, match="memoryview"):
            grow()
    view.release()
    with pytest.raises(BufferError):
        samples.append(2.0)
    other.release()
    samples.append(2.0)
    assert samples.tolist() == [1.0, 2.0]


def test_a_buffer_outlives_the_name() -> None:
    view = memoryview(Samples([4.0]))
    gc.collect()
    assert view[0] == 4.0


def test_an_iterable_that_touches_the_samples() -> None:
    samples = Samples()

    def meddling() -> Iterator[float]:
        for i in range(1000):
            samples.append(-1.0)
            yield float(i)

    samples.extend(meddling())
    assert len(samples) == 2000
    assert samples.tolist()[1::2] == [float(i) for i in range(1000)]

    views: list[memoryview] = []

    def exporting() -> Iterator[float]:
        yield 1.0
        views.append(memoryview(samples))
        yield 2.0

    with pytest.raises(BufferError):
        samples.extend(exporting())
    assert (len(samples), len(views[0])) == (2001, 2001)


def test_extending_by_samples_takes_what_is_there() -> None:
    samples = Samples([1.0, 2.0, 3.0])
    samples.extend(samples)
    assert samples.tolist() == [1.0, 2.0, 3.0] * 2
    samples.extend(Samples())
    assert Samples(samples).tolist() == samples.tolist()
    with memoryview(samples):
        samples.extend(Samples())
        with pytest.raises(BufferError):
            samples.extend(samples)
    assert len(samples) == 6
    empty = Samples()
    empty.extend(empty)
    assert len(empty) == 0


def test_an_endless_iterator_can_be_interrupted() -> None:
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    samples = Samples()
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Stop):
            samples.extend(itertools.repeat(1.0, 200_000_000))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert samples[-1] == 1.0


# --- interpreters ---

# What a sub-interpreter runs; isolated means, on 3.12, one with a GIL of its own, which refuses a module that does not
# declare that it can stand it.
IN_INTERPRETER = """
import sys
sys.path[:] = {path!r}
from perfcore._core import Samples
assert id(Samples) != {other}
for _ in range({repeat}):
    samples = Samples(range(300))
    with memoryview(samples) as view:
        assert view[299] == samples.tolist()[299] == 299.0
"""


def test_import_in_debug_mode_says_nothing() -> None:
    child("import perfcore._core as core; core.Samples([1.0]).append(2.0)", "-X", "dev")


def test_sub_interpreters_have_types_of_their_own() -> None:
    child(
        f"""
        import sys
        import _xxsubinterpreters as interpreters
        from perfcore._core import Samples

        code = {IN_INTERPRETER!r}.format(path=sys.path, other=id(Samples), repeat=1)
        for _ in range(5):
            interpreter = interpreters.create(isolated=True)
            interpreters.run_string(interpreter, code)
            interpreters.destroy(interpreter)
        assert Samples([1.0]).tolist() == [1.0]
        """
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters share one GIL before 3.12")
def test_own_gil_interpreters_run_at_the_same_time() -> None:
    child(
        f"""
        import sys, threading
        import _xxsubinterpreters as interpreters

        code = {IN_INTERPRETER!r}.format(path=sys.path, other=0, repeat=500)
        finished = []

        def work():
            interpreter = interpreters.create(isolated=True)
            interpreters.run_string(interpreter, code)
            interpreters.destroy(interpreter)
            finished.append(True)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(finished) == 4
        """
    )
