# SPDX-License-Identifier: MIT
"""BenchmarkSuite: runs lanes, each a command or a callable, with iterations, warm-up, time-out and metrics.

Each iteration runs under a supervisor (:mod:`perfcore.suite.supervise`) and is on disk as soon as it has ended
(:mod:`perfcore.suite.store`), so that a run which was killed can be resumed.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, cast

from perfcore.errors import ConfigError, MeasureError
from perfcore.judge.stats import Summary, summarize
from perfcore.suite.document import completed, make_document, system_info
from perfcore.suite.lane import Lane
from perfcore.suite.store import RunFolder
from perfcore.suite.supervise import Order, order_line

RESULTS_EVERY = 1.0  # seconds between two states of the results file
_ENDING = 60.0  # seconds that a supervisor may take to end everything, beyond the grace


@dataclass(frozen=True, slots=True)
class Event:
    """What a run tells while it goes on: a lane begins, an iteration begins, an iteration has ended."""

    kind: Literal["lane", "begin", "end"]
    lane: Lane
    index: int = 0
    warmup: bool = False
    kept: int = 0
    """Iterations that were there already, in a run that is resumed."""
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class LaneRun:
    """What became of a lane.

    Attributes:
        lane: what was run.
        status: ``completed`` if every iteration was, else ``failed``.
        reason: why it failed: what is wrong with the first iteration that was not completed.
        iterations: the reports, in order, as the files have them.
        results: the results file.

    """

    lane: Lane
    status: str
    reason: str
    iterations: tuple[Mapping[str, Any], ...]
    results: Path

    @property
    def times(self) -> list[float]:
        """The seconds of the completed iterations."""
        return [one["seconds"] for one in completed(self.iterations)]

    @property
    def summary(self) -> Summary | None:
        """The statistics of the times; None if there are none."""
        from perfcore._core import Samples

        return summarize(Samples(self.times)) if self.times else None


def _ignore(_event: Event) -> None:
    pass


class BenchmarkSuite:
    """Runs lanes and keeps what they did.

        suite = perfcore.BenchmarkSuite()                 # the lanes of [tool.perfcore.lanes]
        run = suite.run("standard", iterations=10, timeout=1200)
        print(run.status, run.summary)

    Args:
        lanes: by name; by default those of the nearest pyproject.toml.
        folder: where the runs are kept; by default ``benchmarks/results/lanes`` beside that pyproject.toml.
        listener: is called with every :class:`Event`.

    """

    def __init__(
        self,
        lanes: Mapping[str, Lane] | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
        listener: Callable[[Event], None] = _ignore,
    ) -> None:
        from perfcore.config import Config, load_config

        config = load_config() if lanes is None or folder is None else Config()
        self.lanes = dict(config.lanes if lanes is None else lanes)
        self.folder = Path(config.lanes_folder if folder is None else folder)
        self._listener = listener
        self._system: dict[str, Any] | None = None

    def lane(self, name: str) -> Lane:
        """Return a lane by its name.

        Raises:
            ConfigError: there is none of that name.

        """
        try:
            return self.lanes[name]
        except KeyError:
            close = difflib.get_close_matches(name, self.lanes, n=1)
            known = f"there is: {', '.join(self.lanes)}" if self.lanes else "there are none in [tool.perfcore.lanes]"
            raise ConfigError(f"no lane {name!r}; {f'did you mean {close[0]!r}?' if close else known}") from None

    def run(
        self,
        name: str,
        *,
        iterations: int | None = None,
        timeout: float | None = None,
        warmup: int | None = None,
        resume: bool = False,
    ) -> LaneRun:
        """Run a lane.

        Args:
            name: the lane.
            iterations: how often it is measured; None for what the lane says, as with the other two.
            timeout: seconds for each iteration.
            warmup: how often it runs before that.
            resume: go on with the lane's last run if that was cut off, keeping its iterations.

        Raises:
            ConfigError: there is no such lane, or a number makes no sense, such as no iterations.
            ResultsError: something cannot be written, or a run cannot be resumed.
            KeyboardInterrupt: it was interrupted; what had ended by then is on disk.

        """
        lane = self.lane(name)
        lane = replace(
            lane,
            iterations=lane.iterations if iterations is None else iterations,
            timeout=lane.timeout if timeout is None else timeout,
            warmup=lane.warmup if warmup is None else warmup,
        )
        folder = RunFolder.reopen(self.folder, lane) if resume else None
        if folder is None:
            if self._system is None:
                self._system = system_info()
            folder = RunFolder.create(self.folder, lane, self._system)
        try:
            return self._run(lane, folder)
        finally:
            folder.close()

    def _run(self, lane: Lane, folder: RunFolder) -> LaneRun:
        from perfcore import __version__

        folder.save_run(status="running", perfcore=__version__, wanted=lane.iterations)
        done = folder.iterations()
        self._listener(Event("lane", lane, kept=len(done)))
        reason = ""
        missing = [index for index in range(1, lane.iterations + 1) if index not in done]
        for index in range(1, lane.warmup + 1) if missing else ():
            report = self._iterate(lane, folder, index, warmup=True)
            if report["status"] != "completed":
                reason = f"warm-up {index} {_words(report)}"
                missing = []
                break
        self._measure(lane, folder, done, missing)
        iterations = tuple(done[key] for key in sorted(done))
        wrong = [one for one in iterations if one["status"] != "completed"]
        if wrong and not reason:
            reason = f"iteration {wrong[0]['index']} {_words(wrong[0])}"
        status = "failed" if reason else "completed"
        path = folder.save_results(make_document(lane, status, iterations, folder.run, folder.timeline))
        folder.save_run(status=status, reason=reason)
        return LaneRun(lane, status, reason, iterations, path)

    def _measure(self, lane: Lane, folder: RunFolder, done: dict[int, dict[str, Any]], missing: list[int]) -> None:
        """Run the iterations that are missing; the results file follows, but never so often that it costs more."""

        def save() -> None:
            ended = [done[key] for key in sorted(done)]
            folder.save_results(make_document(lane, "running", ended, folder.run, folder.timeline))

        saved = -math.inf
        try:
            for index in missing:
                report = self._iterate(lane, folder, index, warmup=False)
                folder.save_iteration(index, report)
                report.pop("timeline", None)  # it is on disk
                done[index] = report
                if (now := time.monotonic()) - saved >= RESULTS_EVERY:
                    saved = now
                    save()
                if report["status"] == "missing":
                    break  # it will not be there the next time either
        except KeyboardInterrupt:
            save()
            raise

    def _iterate(self, lane: Lane, folder: RunFolder, index: int, *, warmup: bool) -> dict[str, Any]:
        self._listener(Event("begin", lane, index, warmup))
        order = Order(
            command=list(lane.command) if not lane.shell else ["/bin/sh", "-c", *lane.command],
            callable=lane.callable,
            env=dict(lane.env),
            cwd=str(lane.cwd),
            timeout=lane.timeout,
            grace=lane.grace,
            interval=lane.interval,
            output=str(folder.output_of(index, warmup=warmup).absolute()),
            output_limit=lane.output_limit,
        )
        report = {"index": index, **run_order(order)}
        self._listener(Event("end", lane, index, warmup, report=report))
        return report


def _words(report: Mapping[str, Any]) -> str:
    status = str(report["status"]).replace("_", " ")
    return f"{status}: {report['reason']}" if report["reason"] else status


def run_order(order: Order) -> dict[str, Any]:
    """Have a supervisor run an order, and return its report.

    Raises:
        MeasureError: the supervisor itself was killed.
        KeyboardInterrupt: it was interrupted; everything it had started has ended.

    """
    supervisor = subprocess.Popen(
        [sys.executable, "-P", "-m", "perfcore.suite.supervise"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # the terminal's Ctrl-C is ours to pass on
    )
    order_pipe, report_pipe = cast("IO[bytes]", supervisor.stdin), cast("IO[bytes]", supervisor.stdout)
    started = 0
    try:
        with suppress(BrokenPipeError):
            order_pipe.write(order_line(order))
            order_pipe.flush()
        for line in report_pipe:
            message = json.loads(line)
            started = message.get("started", started)
            if "report" in message:
                return dict(message["report"])
        code = supervisor.wait()
        with suppress(ProcessLookupError, PermissionError):
            if started:
                os.killpg(started, signal.SIGKILL)
        raise MeasureError(
            f"the supervisor of {order.command or order.callable} ended unexpectedly ({code}); run it again"
        )
    finally:
        # That is its lifeline: without it, it ends everything and then itself.
        with suppress(BrokenPipeError):
            order_pipe.close()
        try:
            supervisor.wait(order.grace + _ENDING)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()
        report_pipe.close()
