# SPDX-License-Identifier: MIT
"""MetricsCollector: what it sees of this process, of others, of trees; forks, exits, wrong use."""

from __future__ import annotations

import math
import mmap
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from perfcore import MeasureError, MetricsCollector
from perfcore._core import MetricsSampler

MIB = 1 << 20


# Not CPython's own leaks at exit, for which LeakSanitizer makes a process more.
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code)],
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def until(condition, seconds: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    """Wait until a condition holds; how long that takes is not judged."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def child(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-S", "-P", "-c", code], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_sees_memory_and_its_own_absence() -> None:
    threads = len(os.listdir("/proc/self/task"))  # a library that another test has loaded may keep its own
    # Not from malloc, which may have had that much in hand.
    with MetricsCollector(interval=0.001) as collector, mmap.mmap(-1, 50 * MIB) as kept:
        for page in range(0, len(kept), mmap.PAGESIZE):
            kept[page] = 1
        before = collector.info.samples
        until(lambda: collector.info.samples > before + 2)
    found = collector.aggregate()
    memory = found["rss_bytes"]
    assert memory.max - memory.min >= 49 * MIB
    assert memory.min <= memory.mean <= memory.max
    assert memory.p95 <= memory.p99 <= memory.max
    assert 1 <= found["threads"].min <= threads  # without the sampler's
    assert found["processes"].max == 1
    assert found["cpu_percent"].max > 0
    assert found["minor_faults_per_s"].max > 0
    assert memory.samples == collector.info.samples


def test_series_are_buffers_of_equal_length() -> None:
    with MetricsCollector(interval=0.001, slots=16) as collector:
        until(lambda: collector.info.samples > 100)
        during = collector.series("rss_bytes")
    assert len(during.times) >= 8
    total = collector.info.samples
    for name in collector.metrics:
        series = collector.series(name)
        views = [memoryview(part) for part in series]
        assert {view.format for view in views} == {"d"}
        assert len({len(view) for view in views}) == 1
        assert 8 <= len(views[0]) <= 16 < total
        times = series.times.tolist()
        assert times == sorted(times)
        for low, middle, high in zip(series.min, series.mean, series.max, strict=True):
            assert math.isnan(middle) or low <= middle <= high
    assert max(collector.series("rss_bytes").max.tolist()) == collector.aggregate()["rss_bytes"].max
    with pytest.raises(MeasureError, match="no metric 'rss'; the metrics are cpu_percent, "):
        collector.series("rss")
    with pytest.raises(KeyError):
        MetricsSampler().series("rss")


def test_another_process_until_it_ends() -> None:
    process = child("import sys; b = bytearray(30 << 20); print(flush=True); sys.stdin.read()")
    assert process.stdout is not None
    process.stdout.readline()
    with MetricsCollector(process.pid, interval=0.001) as collector:
        before = collector.info.samples
        until(lambda: collector.info.samples > before + 3)
        assert not collector.info.ended
        process.kill()
        process.communicate()
        until(lambda: collector.info.ended)
    assert collector.aggregate()["rss_bytes"].min >= 30 * MIB
    with pytest.raises(MeasureError, match=f"no process {process.pid}"):
        collector.start()


def test_a_tree_whose_members_come_and_go() -> None:
    # In a process of its own, as pytest's children are others' too: a server and a browser, whose own come and go.
    code = """
        import subprocess, sys, time
        from perfcore import MetricsCollector

        def until(condition):
            end = time.monotonic() + 20
            while not condition():
                assert time.monotonic() < end, ("it never came true", alone, collector.aggregate())
                time.sleep(0.005)

        source = "import sys; b = bytearray(20 << 20); print(flush=True); sys.stdin.read()"
        with MetricsCollector(tree=True, interval=0.005) as collector:
            alone = collector.aggregate()
            assert alone["processes"].max == 1
            processes = [
                subprocess.Popen([sys.executable, "-S", "-P", "-c", source], stdin=-1, stdout=-1) for _ in range(3)
            ]
            for process in processes:
                process.stdout.readline()
            until(lambda: collector.aggregate()["processes"].max == 4)
            until(lambda: collector.aggregate()["rss_bytes"].max > alone["rss_bytes"].max + (60 << 20))
            for process in processes:
                process.communicate()
            until(lambda: collector.series("processes").max[-1] == 1)
        assert not collector.info.ended
        assert collector.aggregate()["processes"].max == 4
        print("ok")
    """
    assert run(code) == "ok\n"


def test_orphans_stay_in_the_tree() -> None:
    code = "import os, sys; os.fork() and os._exit(0); print(flush=True); sys.stdin.read()"
    parent = child(
        f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-S', '-P', '-c', {code!r}]); "
        "p.wait(); print(flush=True); sys.stdin.read()"
    )
    assert parent.stdout is not None
    with MetricsCollector(parent.pid, tree=True, interval=0.002) as collector:
        parent.stdout.readline()
        parent.stdout.readline()
        assert collector.info.ended is False
        parent.communicate()
        until(lambda: collector.info.ended)
    assert collector.aggregate()["processes"].max >= 1


def test_a_tree_without_its_root() -> None:
    code = """
        import subprocess, sys, time
        from perfcore import MetricsCollector, process_metrics

        def until(condition):
            end = time.monotonic() + 20
            while not condition():
                assert time.monotonic() < end, "it never came true"
                time.sleep(0.005)

        with MetricsCollector(tree=True, root=False, interval=0.002) as collector:
            until(lambda: collector.info.samples > 3)
            assert "rss_bytes" not in collector.aggregate()  # nobody there, and no figure made up for them
            assert collector.aggregate()["processes"].max == 0
            assert not collector.info.ended
            source = "import sys; b = bytearray(30 << 20); print(flush=True); sys.stdin.read()"
            process = subprocess.Popen([sys.executable, "-S", "-P", "-c", source], stdin=-1, stdout=-1)
            until(lambda: collector.aggregate()["processes"].max == 1)
            process.stdout.readline()
            before = collector.info.samples
            until(lambda: collector.info.samples > before + 2)
            resident = process_metrics(process.pid).rss_bytes
            process.communicate()
            until(lambda: collector.series("processes").max[-1] == 0)
        found = collector.aggregate()
        assert found["processes"].max == 1
        # The child's alone; before its exec it has its parent's memory, which is the larger one under a sanitizer.
        most = max(resident, process_metrics().rss_bytes)
        assert 0.9 * resident <= found["rss_bytes"].max < 1.2 * most, (resident, found)
        assert found["threads"].max == 1
        assert not collector.info.ended
        print("ok")
    """
    assert run(code) == "ok\n"


def test_orphans_become_children_of_a_subreaper() -> None:
    code = """
        import os, subprocess, sys
        from perfcore._core import process_tree, set_child_subreaper

        set_child_subreaper(True)
        orphan = "import os, sys; os.fork() and os._exit(0); print(os.getpid(), flush=True); sys.stdin.read()"
        orphan += "; os._exit(0)"
        process = subprocess.Popen([sys.executable, "-S", "-c", orphan], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        pid = int(process.stdout.readline())
        process.wait()
        print(pid in process_tree(None), os.getppid() != 0)
        process.stdin.close()
        process.stdout.close()
        print(os.waitpid(pid, 0)[0] == pid)
        set_child_subreaper(False)
    """
    assert run(code).split() == ["True", "True", "True"]


def test_wrong_use() -> None:
    with pytest.raises(ValueError, match="give tree=True"):
        MetricsCollector(root=False)
    for arguments in ({"interval": 0.0005}, {"interval": 11}, {"interval": math.nan}, {"slots": 1}, {"slots": 1 << 30}):
        with pytest.raises(ValueError, match="must be"):
            MetricsCollector(**arguments)  # type: ignore[arg-type]
    for pid in (0, -4):
        with pytest.raises(ValueError, match="positive"):
            MetricsCollector(pid)
    with pytest.raises(ValueError, match="positive"):
        MetricsSampler(-1)
    collector = MetricsCollector()
    collector.stop()  # never started
    assert collector.aggregate() == {}
    assert collector.info.samples == 0
    with collector, pytest.raises(MeasureError, match="runs already"):
        collector.start()
    collector.stop()
    with collector:
        pass
    assert collector.info.samples >= 2  # the first and the last


def test_an_exception_stops_it() -> None:
    collector = MetricsCollector()
    with pytest.raises(KeyError), collector:
        {}["x"]
    samples = collector.info.samples
    collector.stop()
    assert collector.info.samples == samples >= 2


def test_stop_does_not_wait_for_a_long_interval() -> None:
    out = run(
        """
        import perfcore
        for _ in range(10):  # which would take longer than `run` waits
            with perfcore.MetricsCollector(interval=10) as collector:
                pass
        print(collector.info.samples)
        """
    )
    assert out == "2\n"


@pytest.mark.parametrize("meter", ["MetricsCollector", "UseMeter"])
def test_a_forked_child_leaves_the_block_as_it_likes(meter: str) -> None:
    out = run(
        f"""
        import os, perfcore, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of a fork beside any thread
        with perfcore.{meter}() as meter:
            pid = os.fork()
            if pid == 0:
                sys.exit(7)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        """,
    )
    assert out == "7\n"


def test_forked_children_are_told_and_the_parent_goes_on() -> None:
    out = run(
        """
        import os, perfcore, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of a fork beside any thread
        collector = perfcore.MetricsCollector(interval=0.001).start()
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                try:
                    for call in (collector.stop, collector.start, collector.aggregate, lambda: collector.info):
                        try:
                            call()
                        except perfcore.MeasureError as error:
                            assert "before the fork" in str(error), error
                        else:
                            os._exit(3)
                    with perfcore.MetricsCollector(interval=0.001) as own:
                        pass
                    assert own.info.samples >= 2
                    del collector
                except BaseException as error:
                    print(repr(error), flush=True)
                    os._exit(1)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        before = collector.info.samples
        while collector.info.samples == before:
            pass
        collector.stop()
        print("ok")
        """
    )
    assert out == "ok\n"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_while_sampling(method: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import multiprocessing, perfcore
            if __name__ == "__main__":
                with perfcore.MetricsCollector(interval=0.001, tree=True) as collector:
                    with multiprocessing.get_context({method!r}).Pool(2) as pool:
                        assert pool.map(abs, range(-9, 1)) == list(range(9, -1, -1))
                assert collector.info.samples >= 2
                print("ok")
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, "-P", str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_left_open_at_exit_and_abandoned() -> None:
    assert run("import perfcore; kept = perfcore.MetricsCollector(interval=0.001, tree=True).start()") == ""
    assert run("import perfcore; perfcore.MetricsCollector(interval=0.001).start(); print('ok')") == "ok\n"


def test_what_a_stopped_process_misses_is_counted() -> None:
    code = """
        import sys, perfcore
        with perfcore.MetricsCollector(interval=0.001) as collector:
            print(flush=True)
            sys.stdin.read()
        info = collector.info
        print(info.missed >= 98, (info.samples - 2 + info.missed) * 0.001 <= info.seconds)
    """
    command = [sys.executable, "-P", "-c", textwrap.dedent(code)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    tasks = Path(f"/proc/{process.pid}/task")
    until(lambda: all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in tasks.glob("*/stat")))
    time.sleep(0.1)
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=60)[0] == b"True True\n"


def test_no_descriptor_left() -> None:
    out = run(
        """
        import os, resource, perfcore
        collector = perfcore.MetricsCollector()
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
        files = []
        try:
            while True:
                files.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        try:
            collector.start()
        except OSError as error:
            print(error.strerror)
        for file in files:
            os.close(file)
        with collector:
            pass
        print(collector.info.samples >= 2, collector.info.missed)
        """
    )
    assert out == "Too many open files\nTrue 0\n"


def test_threads_may_read_and_one_alone_may_stop() -> None:
    with MetricsCollector(interval=0.001, slots=8) as collector:
        failures: list[BaseException] = []

        def read() -> None:
            try:
                for _ in range(100):
                    collector.series("rss_bytes")
                    collector.aggregate()
                    collector.info  # noqa: B018
            except BaseException as error:  # noqa: BLE001
                failures.append(error)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
