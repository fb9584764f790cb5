# SPDX-License-Identifier: MIT
"""What the terminal shows: the header line, the second table, the summary lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from perfcore import __version__
from perfcore.measure.pollution import POLLUTED_SHARE
from perfcore.pytest_plugin.compat import Stock
from perfcore.pytest_plugin.options import Options
from perfcore.pytest_plugin.record import Record
from perfcore.units import format_bytes

_CLOCK_NAMES = {0: "CLOCK_REALTIME", 1: "CLOCK_MONOTONIC", 2: "CLOCK_PROCESS_CPUTIME_ID", 3: "CLOCK_THREAD_CPUTIME_ID"}
_UNITS = ((1e-6, "ns", 1e9), (1e-3, "us", 1e6), (1.0, "ms", 1e3), (float("inf"), "s", 1.0))
_NAMES_SHOWN = 5
_PACE_TOLD = 1.2  # what the machine's pace must change by to be told
_LEAST_LOOKS = 10


def header_on(stock: Stock, timer: Any) -> str:
    """Return the header line of a session whose benchmarks run on the C loops."""
    from perfcore.measure import clock

    identifier = clock.clock_id(timer)
    if identifier is None:
        reading = f"timer {stock.timer_name(timer)}"
    else:
        source = " by TSC" if clock.source(timer) == "tsc" else ""
        reading = f"{_CLOCK_NAMES.get(identifier, identifier)}{source}, empty pair {clock.overhead(timer) * 1e9:.0f} ns"
    return f"perfcore: {__version__} on (C round loop, {reading}; pytest-benchmark {stock.release})"


def header_off(reason: str) -> str:
    """Return the header line of a session that is left to pytest-benchmark."""
    return f"perfcore: off ({reason})"


def polluted_line(records: Sequence[Record]) -> str | None:
    """Return the line that names the benchmarks with too many interrupted rounds, or None."""
    names = [record.metadata.name for record in records if record.polluted]
    if not names:
        return None
    noun = "benchmark" if len(names) == 1 else "benchmarks"
    return f"perfcore: {len(names)} {noun} had more than {POLLUTED_SHARE:.0%} of rounds interrupted: {_listed(names)}"


def pace_line(records: Sequence[Record]) -> str | None:
    """Return the line that says that the machine's own pace changed from benchmark to benchmark, or None."""
    paces = [one.pace["median_s"] for one in records if one.pace is not None and one.pace["looks"] >= _LEAST_LOOKS]
    if not paces or (factor := max(paces) / min(paces)) < _PACE_TOLD:
        return None
    return (
        f"perfcore: the machine itself was up to {factor:.2f} times slower for some benchmarks than for others: "
        "perfcore check allows for that, perfcore ab measures in spite of it"
    )


def foreign_line(types: Sequence[str]) -> str | None:
    """Return the line that says which fixtures were left alone, or None."""
    if not types:
        return None
    noun = "test" if len(types) == 1 else "tests"
    kinds = ", ".join(sorted(set(types)))
    return f"perfcore: off for {len(types)} {noun}, whose `benchmark` is {kinds}, not pytest-benchmark's own"


def instructions_line(options: Options) -> str | None:
    """Return the line that says why there are no instruction counts although they were asked for, or None."""
    if "instructions" not in options.metrics:
        return None
    from perfcore.measure.counters import why_not

    reason = why_not()
    return None if reason is None else f"perfcore: no instruction counts: {reason}"


def write_table(terminal: pytest.TerminalReporter, records: Iterable[Record], columns: Sequence[str]) -> None:
    """Print the second table."""
    rows = [record for record in records if record.ours and record.metadata and not record.metadata.has_error]
    if not rows:
        return
    titles = ["Name", *columns]
    cells = [[record.metadata.name, *(_cell(record, column) for column in columns)] for record in rows]
    widths = [max(len(row[i]) for row in [titles, *cells]) for i in range(len(titles))]
    lines = ["    ".join(_aligned(row, widths)).rstrip() for row in [titles, *cells]]
    rule = "-" * max(map(len, lines))
    terminal.ensure_newline()
    terminal.section("perfcore", sep="-", yellow=True)
    terminal.write_line(lines[0])
    terminal.write_line(rule)
    for line in lines[1:]:
        terminal.write_line(line)
    terminal.write_line(rule)


def _time(seconds: float) -> str:
    unit, scale = next((unit, scale) for limit, unit, scale in _UNITS if abs(seconds) < limit)
    return f"{seconds * scale:,.2f} {unit}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]


def _cell(record: Record, column: str) -> str:
    stats = record.metadata.stats
    if column == "kernel":
        return record.kernel
    if column == "flags":
        interrupted = record.flags.get("interrupted_rounds", 0)
        return f"{interrupted} interrupted" if interrupted else "-"
    if column in {"cpu", "allocs", "bytes", "peak", "instructions"}:
        return _metric(record, column)
    if column == "ci":
        interval = stats.median_ci
        return "-" if interval is None else f"{_time(interval[0])} .. {_time(interval[1])}"
    figures = {"mad": stats.mad, **(stats.percentiles or {})}
    return "-" if figures.get(column) is None else _time(figures[column])


def _metric(record: Record, column: str) -> str:
    metrics = record.metrics
    if metrics is None:
        return "-"
    if column == "cpu":
        return "-" if metrics.cpu is None else _time(metrics.cpu)
    if column == "allocs":
        return "-" if metrics.allocations is None else f"{metrics.allocations:,}"
    if column == "instructions":
        return "-" if metrics.instructions is None else f"{metrics.instructions:,.0f}"
    size = metrics.bytes if column == "bytes" else metrics.peak
    return "-" if size is None else format_bytes(size)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
