# SPDX-License-Identifier: MIT
"""Rows about lanes: what of a processor it takes to watch a command and all that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.spread import AtMost

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def cpu_ns(pid: int) -> int:
    """Return the CPU time of a process, exactly where the scheduler tells it, else in ticks."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
    except (OSError, IndexError):
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) * TICK_NS


def watching_cpu(command: list[str], seconds: float) -> float:
    """Return what of a core a supervisor takes while it samples a command every 100 ms, in percent."""
    from perfcore.suite.supervise import Order, order_line

    order = Order(command, "", {}, os.getcwd(), 3600.0, 1.0, 0.1, os.devnull, 1000)
    supervisor = subprocess.Popen(
        [sys.executable, "-P", "-m", "perfcore.suite.supervise"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    if supervisor.stdin is None or supervisor.stdout is None:
        raise RuntimeError("no pipes")
    with supervisor:
        supervisor.stdin.write(order_line(order))
        supervisor.stdin.flush()
        if "started" not in json.loads(supervisor.stdout.readline()):
            raise RuntimeError(f"{command} could not be started")
        time.sleep(0.3)  # the tree has grown
        before, began = cpu_ns(supervisor.pid), time.monotonic_ns()
        time.sleep(seconds)
        share = (cpu_ns(supervisor.pid) - before) / (time.monotonic_ns() - began)
        supervisor.stdin.close()
        supervisor.stdout.read()
        supervisor.stdin = None
    return share * 100


@row("lane-collection", unit="% of a core", target={OURS: AtMost(1)})
def lane_collection(context: Context) -> Iterator[Case]:
    """Measure what collecting a lane's metrics at 100 ms takes of a core, for one process and for a tree of them."""
    seconds = 1.0 if context.quick else 5.0
    repeats = max(2, context.repeats // 5)
    for count in (1, 20):
        words = " & ".join(["sleep 1000"] * count) + " & wait"
        yield Case(
            "a process" if count == 1 else f"{count} processes",
            {OURS: [watching_cpu(["/bin/sh", "-c", words], seconds) for _ in range(repeats)]},
        )
