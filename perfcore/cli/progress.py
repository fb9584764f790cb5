# SPDX-License-Identifier: MIT
"""Progress of ``perfcore run`` on stderr: a bar on a terminal (with rich, where it is installed), lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from perfcore.report.text import printable, seconds
from perfcore.units import format_bytes

if TYPE_CHECKING:
    from perfcore.suite.benchmark_suite import Event


def outcome(report: Any) -> str:
    """Return how an iteration ended, in a few words."""
    if report["status"] != "completed":
        words = str(report["status"]).replace("_", " ")
        return printable(f"{words}: {report['reason']}" if report["reason"] else words)
    used = report["resources"]
    parts = [seconds(report["seconds"])]
    if used.get("cpu_percent") is not None:
        parts.append(f"CPU {used['cpu_percent']:.0f} %")
    if used.get("memory_max_bytes") is not None:
        parts.append(f"memory {format_bytes(used['memory_max_bytes'])}")
    if report["left_behind"]:
        parts.append(printable(f"left behind and ended: {', '.join(report['left_behind'])}"))
    if report["not_ended"]:
        parts.append(f"could not be ended: {', '.join(map(str, report['not_ended']))}")
    if report["output_error"]:
        parts.append(f"its output could not be kept: {report['output_error']}")
    return ", ".join(parts)


class Lines:
    """A line when an iteration has ended, for logs."""

    def __call__(self, event: Event) -> None:
        """Show an event."""
        lane = event.lane
        if event.kind == "lane":
            kept = f", {event.kept} of them there already" if event.kept else ""
            self.show(f"lane {lane.name}: {printable(lane.words)}: {lane.iterations} iterations{kept}")
        elif event.kind == "end":
            what = f"warm-up {event.index}/{lane.warmup}" if event.warmup else f"{event.index}/{lane.iterations}"
            self.show(f"  {what}: {outcome(event.report)}")

    def show(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        pass


class Bar(Lines):
    """Those lines, and below them a bar with the time that is left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task: Any = None
        self._began = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        super().__call__(event)
        if event.kind == "lane":
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(
                event.lane.name, total=event.lane.iterations, completed=min(event.kept, event.lane.iterations)
            )
        elif event.kind == "begin":
            self._progress.update(
                self._task, description=f"{event.lane.name}, warm-up" if event.warmup else event.lane.name
            )
        elif not event.warmup:
            self._progress.advance(self._task)

    def show(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, markup=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._progress.stop()


def progress() -> Lines:
    """Return what shows progress here."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        try:
            return Bar()
        except ImportError:  # the lines say the same
            pass
    return Lines()
