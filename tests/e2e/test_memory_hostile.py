# SPDX-License-Identifier: MIT
"""Measuring where the machine does not play along: /proc hidden, numbers of processes reused, no descriptors left.

What needs namespaces of its own is skipped where this user may not make them.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest


def run(code: str, *prefix: str) -> str:
    done = subprocess.run(
        [*prefix, sys.executable, "-P", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def may_unshare(*options: str) -> bool:
    try:
        return subprocess.run(["unshare", *options, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not may_unshare("--mount", "--pid", "--fork"), reason="this user may make no namespaces")
def test_without_proc() -> None:
    out = run(
        """
        import ctypes, os
        import perfcore
        from perfcore.measure import use, stacks  # what Python itself needs of /proc is loaded
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.mount(b"none", b"/proc", b"tmpfs", 0, None) == 0, os.strerror(ctypes.get_errno())
        assert os.listdir("/proc") == []
        found = perfcore.process_metrics(full=True)
        assert found.cpu_ns > 0  # getrusage is left
        assert (found.rss_bytes, found.fds, found.threads, found.pss_bytes, found.run_queue_wait_ns) == (None,) * 5
        with perfcore.MemoryTracker() as tracker:
            pass
        assert (tracker.usage.peak_bytes, tracker.usage.growth_bytes) == (None, None)
        with perfcore.MetricsCollector(interval=0.001) as collector:
            while collector.info.samples < 20:
                pass
        aggregate = collector.aggregate()
        assert "rss_bytes" not in aggregate and "fds" not in aggregate, aggregate
        assert aggregate["cpu_percent"].max > 0
        assert perfcore.cgroup_metrics().path is None
        assert perfcore.pressure().cpu.some_ns is None
        with perfcore.UseMeter(tree=False) as meter:
            pass
        assert "unknown" not in str(meter.report)  # what is not known has no line
        for call in (lambda: perfcore.process_metrics(os.getppid() or 1), lambda: perfcore.cgroup_metrics(1),
                     lambda: perfcore.MetricsCollector(1).start()):
            try:
                call()
            except perfcore.MeasureError as error:
                assert "there is no process" in str(error), error
            else:
                raise AssertionError("a figure out of nothing")
        print("ok")
        """,
        "unshare",
        "--mount",
    )
    assert out == "ok\n"


@pytest.mark.skipif(
    not may_unshare("--mount", "--pid", "--fork", "--mount-proc"), reason="this user may make no namespaces"
)
def test_a_number_that_is_given_to_another_process() -> None:
    out = run(
        """
        import os, signal, sys, warnings
        import perfcore
        from perfcore._core import Process
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of a fork beside any thread

        def child(size, number=None):
            if number is not None:
                with open("/proc/sys/kernel/ns_last_pid", "w") as file:
                    file.write(str(number - 1))
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                kept = bytearray(b"x") * size
                os.write(write, b"x")
                signal.pause()
                os._exit(0)
            os.read(read, 1)
            return pid

        first = child(1 << 20)
        reader = Process(first)
        small = reader.rss()
        collector = perfcore.MetricsCollector(first, interval=0.001).start()
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
        second = child(80 << 20, first)
        assert second == first, (first, second)
        assert Process(second).rss() > 80 << 20
        for read in (reader.rss, reader.read):
            try:
                read()
            except ProcessLookupError:
                pass
            else:
                raise AssertionError("the new process's figure under the old one's name")
        while not collector.info.ended:
            pass
        collector.stop()
        assert collector.aggregate()["rss_bytes"].max < 80 << 20
        os.kill(second, signal.SIGKILL)
        os.waitpid(second, 0)
        print("ok")
        """,
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
    )
    assert out == "ok\n"


def test_no_descriptor_left() -> None:
    out = run(
        """
        import errno, os, resource
        import perfcore
        from perfcore._core import EventCounter
        meter, tracker = perfcore.UseMeter(), perfcore.MemoryTracker()
        perfcore.heap_snapshot()
        files = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        try:
            while True:
                files.append(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            assert error.errno == errno.EMFILE
        for call in (meter.start, perfcore.cgroup_metrics, perfcore.pressure, tracker.start,
                     lambda: EventCounter("task-clock"), lambda: perfcore.process_metrics(full=True)):
            try:
                call()
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOSYS):
                    raise
            else:
                raise AssertionError(f"{call} found a descriptor")
        perfcore.heap_snapshot()  # needs none
        for file in files:
            os.close(file)
        with meter, perfcore.MemoryTracker() as other:
            pass
        assert meter.report.samples >= 2
        assert other.usage.peak_bytes > 0
        print("ok")
        """
    )
    assert out == "ok\n"


def test_everything_at_once_and_left_open_at_exit() -> None:
    code = """
        import os, threading
        import perfcore
        outer = perfcore.MemoryTracker("outer").start()
        meter = perfcore.UseMeter(interval=0.001).start()
        collector = perfcore.MetricsCollector(interval=0.001, tree=True).start()
        tracker = perfcore.track_allocations(sites=True)
        tracker.start()
        with perfcore.MemoryTracker("inner") as inner, perfcore.track_allocations() as counts:
            kept = bytearray(b"x") * (30 << 20)
            snapshot = perfcore.heap_snapshot(tracker)
        assert inner.peak_bytes - inner.usage.baseline_bytes >= 30 << 20
        assert outer.peak_bytes >= inner.peak_bytes
        assert counts.peak >= 30 << 20
        assert any(site.bytes >= 30 << 20 for site in snapshot.sites)
        threading.Thread(target=lambda: None).start()
        print("ok")
        """
    assert run(code) == "ok\n"  # and not a word on stderr from what still runs


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_under_a_meter(method: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import multiprocessing, perfcore
            def work(size):
                with perfcore.MemoryTracker() as memory, perfcore.track_allocations() as tracker:
                    kept = bytearray(b"x") * size
                return memory.usage.peak_growth_bytes >= size * 0.9, tracker.peak >= size
            if __name__ == "__main__":
                with perfcore.UseMeter(interval=0.001) as meter, perfcore.track_allocations():
                    with multiprocessing.get_context({method!r}).Pool(2) as pool:
                        sizes = [40 << 20] * 4  # above what malloc ever keeps for itself
                        assert pool.map(work, sizes) == [(True, True)] * 4
                assert meter.report.samples >= 2
                print("ok")
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore::DeprecationWarning", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")
