# SPDX-License-Identifier: MIT
"""The process that runs one iteration of a lane: ``python -m perfcore.suite.supervise``.

A process of its own, because it becomes the subreaper of what it starts: daemons that leave their parents, groups and
sessions are its children then, so they are measured with the rest and none outlives the iteration. That would upset
the children of a user's process.

It reads one line of JSON on stdin (:class:`Order`), says ``{"started": PID}`` and at the end ``{"report": {...}}`` on
stdout. When stdin ends, perfcore has been interrupted or killed, and everything is ended. One thread, besides the
sampler's in C; times are nanoseconds of CLOCK_MONOTONIC.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perfcore._core import process_tree, set_child_subreaper
from perfcore.measure.metrics import MetricsCollector
from perfcore.measure.process import own_process
from perfcore.suite.capture import Capture

SLOTS = 240  # of the time lines
# At first memory is sampled more often: the samples of a lane may lie further apart than a short iteration is long.
_EARLY_S = 1.0
_EARLY_INTERVAL_S = 0.005
MOST_AFTER_KILL_NS = 10_000_000_000  # only what the kernel cannot end (uninterruptible sleep) takes longer
_INTERRUPT_GRACE = 2.0
_PIECE = 2**20
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Order:
    """What to run; see :class:`perfcore.suite.lane.Lane` for the fields."""

    command: list[str]
    callable: str
    env: dict[str, str]
    cwd: str
    timeout: float
    grace: float
    interval: float
    output: str
    output_limit: int


def _rounded(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _after(seconds: float) -> int:
    return time.monotonic_ns() + int(seconds * 1e9)


def _machine_busy() -> float:
    """Return the seconds that the machine's processors have worked, or were taken away by its host."""
    ticks = os.sysconf("SC_CLK_TCK")
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal, *_ = (int(word) / ticks for word in file.readline().split()[1:])
    return user + nice + system + irq + softirq + steal


class Usage:
    """What the processes that were waited for have used, added up."""

    def __init__(self) -> None:
        self.user = self.system = 0.0
        self.peak = self.minor = self.major = self.voluntary = self.involuntary = self.read = self.written = 0

    def add(self, usage: resource.struct_rusage) -> None:
        """Add one process, with the children that it waited for itself."""
        self.user += usage.ru_utime
        self.system += usage.ru_stime
        self.peak = max(self.peak, usage.ru_maxrss * 1024)
        self.minor += usage.ru_minflt
        self.major += usage.ru_majflt
        self.voluntary += usage.ru_nvcsw
        self.involuntary += usage.ru_nivcsw
        self.read += usage.ru_inblock * 512
        self.written += usage.ru_oublock * 512


class Supervisor:
    """Runs an order once."""

    def __init__(self, order: Order, lifeline: int, say: Callable[[dict[str, Any]], None]) -> None:
        self._order = order
        self._say = say
        self._capture = Capture(Path(order.output), order.output_limit)
        self._collector = MetricsCollector(tree=True, root=False, interval=order.interval, slots=SLOTS)
        self._early = MetricsCollector(tree=True, root=False, interval=min(order.interval, _EARLY_INTERVAL_S))
        self._usage = Usage()
        self._root = 0
        self._root_status: int | None = None
        self._begun = self._ended = 0
        self._busy_before = _machine_busy()
        self._childless = False
        self._interrupted = False
        self._selector = selectors.DefaultSelector()
        self._lifeline = lifeline
        self._selector.register(lifeline, selectors.EVENT_READ, self._lifeline_ended)
        wakeup, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._told_to_end)
        self._selector.register(wakeup, selectors.EVENT_READ, self._reap)
        self._wakeup = wakeup
        self._output = self._result = -1

    # --- events ---

    def _told_to_end(self, *_: object) -> None:
        self._interrupted = True

    def _lifeline_ended(self) -> None:
        self._interrupted = True
        self._selector.unregister(self._lifeline)

    def _reap(self) -> None:
        """Take what has ended; the time of the root's end is when this hears of it."""
        now = time.monotonic_ns()
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wakeup, 512):
                pass
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                self._childless = True
                return
            if pid == 0:
                return
            self._usage.add(usage)
            if pid == self._root:
                self._root_status, self._ended = status, now

    def _read_output(self) -> None:
        try:
            data = os.read(self._output, _PIECE)
        except BlockingIOError:
            return
        if data:
            self._capture.add(data)
        else:
            self._selector.unregister(self._output)

    def _pump(self, until: Callable[[], bool], deadline: int) -> bool:
        """Handle events until a condition holds, or the time is up; tell whether it holds."""
        while not until():
            left = (deadline - time.monotonic_ns()) / 1e9
            if left <= 0:
                return False
            for key, _ in self._selector.select(left):
                key.data()
        return True

    def _over(self) -> bool:
        return self._root_status is not None or self._interrupted

    # --- beginning and end ---

    def _start(self) -> None:
        order = self._order
        self._output, inlet = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(inlet, True)
        with contextlib.suppress(OSError):  # less is allowed here
            fcntl.fcntl(inlet, fcntl.F_SETPIPE_SZ, _PIECE)
        self._result, result_inlet = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        command = order.command
        if order.callable:
            command = [sys.executable, "-P", "-m", "perfcore.suite.call", order.callable, order.cwd, str(result_inlet)]
        try:
            self._begun = time.monotonic_ns()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=inlet,
                stderr=inlet,
                cwd=order.cwd,
                env=os.environ | order.env,
                start_new_session=True,  # no terminal to wait for, and a group to signal
                pass_fds=(result_inlet,) if order.callable else (),
            )
        finally:
            os.close(inlet)
            os.close(result_inlet)
        process.returncode = 0  # it is waited for here, not by Popen
        self._root = process.pid
        self._selector.register(self._output, selectors.EVENT_READ, self._read_output)

    def _signal_all(self, number: int) -> None:
        if self._root_status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._root, number)
        for pid in process_tree(None):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def _end_all(self, grace: float) -> bool:
        """End every descendant, and tell whether none is left."""
        self._reap()
        if self._childless:
            return True
        self._signal_all(signal.SIGTERM)
        self._signal_all(signal.SIGCONT)  # one that is stopped would not hear
        if self._pump(lambda: self._childless, _after(grace)):
            return True
        end = time.monotonic_ns() + MOST_AFTER_KILL_NS
        while not self._childless and time.monotonic_ns() < end:
            self._signal_all(signal.SIGKILL)  # again, because of those that were being forked meanwhile
            self._pump(lambda: self._childless, _after(0.05))
        return self._childless

    def _names(self) -> list[str]:
        found = []
        for pid in process_tree(None):
            with contextlib.suppress(OSError):
                found.append(Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip())
        return found

    # --- the report ---

    def _resources(self, wall: float, own_peak: int, left: list[str], busy: float) -> dict[str, Any]:
        """Return what was used until the root ended.

        Counters are the kernel's own sums over the processes that were waited for, so nothing that lived shortly is
        missing. The greatest resident memory is that of a sample of the tree, or of a single process as the kernel
        kept it, whichever is more; the latter also holds the peak of whoever started the process, so it tells nothing
        below our own.
        """
        usage, sampled = self._usage, self._collector.aggregate()
        cpu = usage.user + usage.system
        if left and "cpu_percent" in sampled:  # these were not waited for yet
            cpu = max(cpu, sampled["cpu_percent"].mean / 100 * self._collector.info.seconds)
        peaks = [found["rss_bytes"].max for found in (sampled, self._early.aggregate()) if "rss_bytes" in found]
        peaks += [float(usage.peak)] if usage.peak > own_peak else []
        info = self._collector.info
        return {
            "cpu_s": cpu,
            "user_s": usage.user,
            "system_s": usage.system,
            "cpu_percent": 100 * cpu / wall if wall > 0 else None,
            "memory_max_bytes": int(max(peaks)) if peaks else None,
            "minor_faults": usage.minor,
            "major_faults": usage.major,
            "voluntary_switches": usage.voluntary,
            "involuntary_switches": usage.involuntary,
            "disk_read_bytes": usage.read,
            "disk_write_bytes": usage.written,
            # What other programs kept busy meanwhile, in processors: with too little left, the lane waits for one.
            "others_busy": max(0.0, (busy - cpu) / wall) if wall > 0 else None,
            "samples": info.samples,
            "missed_samples": info.missed,
            "sampled": {name: {key: _rounded(v) for key, v in a._asdict().items()} for name, a in sampled.items()},
        }

    def _timeline(self) -> dict[str, list[float | None]]:
        made: dict[str, list[float | None]] = {}
        for name in self._collector.metrics:
            series = self._collector.series(name)
            values = [_rounded(value) for value in (series.max if name == "rss_bytes" else series.mean).tolist()]
            if any(value is not None for value in values):
                made[name] = values
                made["times"] = [_rounded(value) for value in series.times.tolist()]
        return made

    def _outcome(self, exited: int | None, in_time: bool) -> tuple[str, str]:
        """Return the status and its reason; ``exited`` is how the root ended by itself, None if it had to be ended."""
        if exited is None:
            return ("interrupted", "") if in_time else ("timed_out", f"it took longer than {self._order.timeout:g} s")
        if code := os.waitstatus_to_exitcode(exited):
            words = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            line = self._capture.last_line()
            return "failed", f"{words}: {line}" if line else words
        return "completed", ""

    def _call_seconds(self) -> float | None:
        with contextlib.suppress(OSError, ValueError):
            return float(os.read(self._result, 64))
        return None

    def run(self) -> dict[str, Any]:
        """Run the order and return the report."""
        set_child_subreaper(True)
        at = time.time()
        try:
            self._start()
        except OSError as error:
            self._capture.close()
            name = error.filename if isinstance(error.filename, str) else self._order.command[0]
            return {"status": "missing", "reason": f"cannot run {name!r}: {error.strerror}", "at": at}
        # Before all else: should this be killed, what it has started is ended by who hears this.
        self._say({"started": self._root})
        self._collector.start()
        self._early.start()
        own_peak = own_process().read().peak_rss_bytes or 0
        deadline = self._begun + int(self._order.timeout * 1e9)
        in_time = self._pump(self._over, min(deadline, self._begun + int(_EARLY_S * 1e9)))
        self._early.stop()
        in_time = in_time or self._pump(self._over, deadline)
        self._collector.stop()
        exited = self._root_status
        wall = ((time.monotonic_ns() if exited is None else self._ended) - self._begun) / 1e9
        busy = _machine_busy() - self._busy_before
        left = [] if exited is None else self._names()
        resources = self._resources(wall, own_peak, left, busy) if left else None
        clean = self._end_all(self._order.grace if exited is not None or not in_time else _INTERRUPT_GRACE)
        # Everybody who could write has ended, so the end of the output is there, or an outsider holds it open.
        self._pump(lambda: self._output not in self._selector.get_map(), _after(0.5))
        self._capture.close()
        status, reason = self._outcome(exited, in_time)
        seconds = wall if status == "completed" else None
        if self._order.callable and status == "completed" and (seconds := self._call_seconds()) is None:
            status, reason = "failed", "its process ended with exit code 0 before the call returned"
        return {
            "status": status,
            "reason": reason,
            "at": at,
            "seconds": seconds,
            "wall_s": wall,
            "exit": None if exited is None else os.waitstatus_to_exitcode(exited),
            "left_behind": left[:_MOST_NAMES],
            "not_ended": [] if clean else process_tree(None),
            "output_bytes": self._capture.total,
            "output_error": self._capture.error,
            "resources": resources or self._resources(wall, own_peak, left, busy),
            "timeline": self._timeline(),
        }


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n") and (piece := os.read(descriptor, 65536)):
        line += piece
    return line


def main() -> None:
    """Run the order that comes on stdin."""
    speech = os.dup(1)  # not inheritable, so nothing that is started can write there
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        with contextlib.suppress(BrokenPipeError):  # perfcore was killed; its next run finds no report
            while data:
                data = data[os.write(speech, data) :]

    line = _read_line(0)
    if line.endswith(b"\n"):  # else perfcore was killed before it could say
        say({"report": Supervisor(Order(**json.loads(line)), 0, say).run()})


def order_line(order: Order) -> bytes:
    """Return what a supervisor reads."""
    return json.dumps(asdict(order)).encode() + b"\n"


if __name__ == "__main__":
    main()
