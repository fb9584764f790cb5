# SPDX-License-Identifier: MIT
"""Metrics of processes: this one, others, forked ones, ended ones, and what happens when /proc refuses."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest

import perfcore
from perfcore import MeasureError, process_metrics
from perfcore._core import Process, ProcessMetrics, process_tree

SLEEP = [sys.executable, "-S", "-P", "-c", "import time; print(flush=True); time.sleep(60)"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def status(key: str, pid: int | str = "self") -> int:
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key))


def test_this_process_agrees_with_the_kernel() -> None:
    found = process_metrics()
    assert isinstance(found, ProcessMetrics)
    assert found.rss_bytes == pytest.approx(status("VmRSS:") * 1024, rel=0.1)
    assert found.peak_rss_bytes is not None
    assert found.peak_rss_bytes <= status("VmHWM:") * 1024
    for _ in range(1000):  # a thread that was joined may still be on its way out
        if (threads := process_metrics().threads) == status("Threads:"):
            break
        time.sleep(0.001)
    assert threads == status("Threads:")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    assert found.user_ns is not None
    assert 0 <= usage.ru_utime - found.user_ns / 1e9 < 1
    assert found.minor_faults is not None
    assert found.minor_faults <= usage.ru_minflt
    assert found.vms_bytes is not None
    assert found.rss_bytes is not None
    assert found.vms_bytes > found.rss_bytes


def test_descriptors_are_counted() -> None:
    before = process_metrics().fds
    if before is None:
        pytest.skip("this kernel does not count descriptors by stat (before Linux 6.2)")
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(7)]
    after = process_metrics().fds
    for file in files:
        os.close(file)
    assert after == before + 7


def test_quick_leaves_the_expensive_out() -> None:
    found = Process().read(quick=True)
    assert (found.peak_rss_bytes, found.swap_bytes, found.start_ns) == (None, None, None)
    assert found.rss_bytes is not None
    assert found.cpu_ns is not None
    with pytest.raises(TypeError, match="quick and full alone"):
        Process().read(slow=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="quick and full alone"):
        Process().read(True)  # type: ignore[misc]


def test_another_process(sleeper: subprocess.Popen[bytes]) -> None:
    found = process_metrics(sleeper.pid)
    assert found.rss_bytes == pytest.approx(status("VmRSS:", sleeper.pid) * 1024, rel=0.1)
    assert found.threads == 1
    assert found.voluntary_switches is not None
    assert found.cpu_ns is not None
    assert found.cpu_ns > 0
    assert found.start_ns is not None
    own = process_metrics().start_ns
    assert own is not None
    assert found.start_ns >= own


def test_switches_of_another_process_with_threads_are_absent() -> None:
    code = (
        "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); "
        "print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-S", "-P", "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = process_metrics(process.pid)
        process.kill()
    assert found.threads == 2
    assert (found.voluntary_switches, found.involuntary_switches) == (None, None)


def test_a_reader_stays_with_its_process(sleeper: subprocess.Popen[bytes]) -> None:
    reader = Process(sleeper.pid)
    assert reader.rss() is not None
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError):  # a zombie
        reader.rss()
    with pytest.raises(MeasureError, match="has ended"):
        process_metrics(sleeper.pid)
    sleeper.wait()
    for read in (reader.read, reader.rss, reader.peak):
        with pytest.raises(ProcessLookupError):
            read()
    with pytest.raises(MeasureError, match="there is no process"):
        process_metrics(sleeper.pid)


def test_closed_and_wrong_pids() -> None:
    reader = Process()
    reader.close()
    reader.close()
    for call in (reader.read, reader.rss, reader.peak, reader.reset_peak):
        with pytest.raises(ValueError, match="closed"):
            call()
    for pid in (0, -1, 1 << 40):
        with pytest.raises(ValueError, match="positive integer"):
            Process(pid)
    with pytest.raises(TypeError):
        Process("1")  # type: ignore[arg-type]
    with pytest.raises(OSError, match="No such file"):
        Process(os.getpid()).reset_peak()  # the peak of a process is its own to begin again


def test_a_forked_child_reads_itself() -> None:
    out = run(
        """
        import mmap, os, perfcore
        big = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for page in range(0, len(big), mmap.PAGESIZE):
            big[page] = 1
        parent = perfcore.process_metrics()
        big.close()  # to the kernel at once, where an allocator may keep it
        pid = os.fork()
        child = perfcore.process_metrics()
        if pid == 0:
            assert child.start_ns >= parent.start_ns
            assert child.minor_faults < parent.minor_faults
            with open("/proc/self/status") as file:
                peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) * 1024
            assert child.peak_rss_bytes <= peak < parent.peak_rss_bytes
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        print("ok")
        """
    )
    assert out == "ok\n"


def test_no_descriptor_left_is_an_error_and_not_a_figure() -> None:
    out = run(
        """
        import errno, os, resource, perfcore
        from perfcore._core import Process
        kept, fresh = Process(), Process()
        kept.read()
        files = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        try:
            while True:
                files.append(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            assert error.errno == errno.EMFILE
        assert kept.read().rss_bytes > 0
        for read in (fresh.rss, fresh.read, lambda: perfcore.process_metrics(os.getpid())):
            try:
                read()
            except OSError as error:
                assert error.errno == errno.EMFILE, error
            else:
                raise AssertionError("a figure without a descriptor")
        for file in files:
            os.close(file)
        assert fresh.read().rss_bytes > 0
        print("ok")
        """
    )
    assert out == "ok\n"


def test_tree_holds_descendants_alone(sleeper: subprocess.Popen[bytes]) -> None:
    code = f"import subprocess; subprocess.run({SLEEP!r})"
    with subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        tree = process_tree(os.getpid())
        below = process_tree(parent.pid)
        os.killpg(parent.pid, signal.SIGKILL)
    assert {sleeper.pid, parent.pid, *below} <= set(tree)
    assert len(below) == 1
    assert os.getpid() not in tree
    assert tree == sorted(tree)
    assert process_tree(parent.pid) == []


def test_public_name_is_lazy() -> None:
    assert perfcore.process_metrics is process_metrics
