# SPDX-License-Identifier: MIT
"""The measuring of processes in sub-interpreters: supported, each with types and readers of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

INSIDE = """
import sys
sys.path[:] = {path!r}
import perfcore
from perfcore._core import EventCounter
found = perfcore.process_metrics(full=True)
assert found.rss_bytes > 0 and type(found).__name__ == "ProcessMetrics" and id(type(found)) != {other}
perfcore.cgroup_metrics()
perfcore.pressure()
with perfcore.MemoryTracker() as tracker:
    kept = bytearray(b"x") * (8 << 20)
assert tracker.peak_bytes >= 8 << 20
with perfcore.MetricsCollector(interval=0.001) as collector:
    pass
assert collector.info.samples >= 2
with perfcore.UseMeter() as meter:
    pass
assert meter.report.samples >= 2
assert perfcore._core.heap_types([[1.5, "x"]])
try:
    EventCounter("task-clock").close()
except OSError:
    pass
open_at_the_end = perfcore.MetricsCollector(interval=0.001).start()
"""


def test_sub_interpreters() -> None:
    code = f"""
        import sys
        import _xxsubinterpreters as interpreters
        import perfcore

        inside = {INSIDE!r}.format(path=sys.path, other=id(type(perfcore.process_metrics())))
        with perfcore.MetricsCollector(interval=0.001) as collector:
            for _ in range(3):
                interpreter = interpreters.create(isolated=True)
                interpreters.run_string(interpreter, inside)
                interpreters.destroy(interpreter)
        assert collector.info.samples >= 2
        print("ok")
        """
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", ""), done.stderr
