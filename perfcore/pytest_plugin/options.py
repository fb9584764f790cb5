# SPDX-License-Identifier: MIT
"""The options of group "perfcore" on pytest's command line, parsed and validated."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import pytest

COLUMNS = ("p50", "p90", "p95", "p99", "p99.9", "mad", "ci", "kernel", "flags")
METRIC_COLUMNS = {"cpu": ("cpu",), "alloc": ("allocs", "bytes"), "peak": ("peak",), "instructions": ("instructions",)}


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for.

    Attributes:
        on: whether perfcore may run benchmarks at all.
        strict: make the calls that pytest-benchmark makes, no more and no fewer.
        precision: stop when the interval of the median is this narrow, as a fraction of it; None for a fixed number of
            rounds.
        correct: subtract what the measuring itself costs.
        columns: columns of the second results table; empty for no table.
        metrics: what to measure in a pass of its own: "time" and names of METRIC_COLUMNS.

    """

    on: bool
    strict: bool
    precision: float | None
    correct: bool
    columns: tuple[str, ...]
    metrics: tuple[str, ...] = ()

    @property
    def table(self) -> tuple[str, ...]:
        """The columns of the second table, those of the metrics last."""
        return self.columns + tuple(column for name in self.metrics for column in METRIC_COLUMNS.get(name, ()))

    def as_dict(self) -> dict[str, Any]:
        """Return the options that shape the figures, as the results file records them."""
        return {"strict": self.strict, "precision": self.precision, "correct": self.correct}


def parse_precision(text: str) -> float:
    """Parse "1%" or "0.01" into a fraction between 0 and 1, both excluded."""
    word = text.strip()
    try:
        value = float(word.removesuffix("%")) / (100 if word.endswith("%") else 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a precision; write it as 1% or 0.01") from None
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be more than 0% and less than 100%, such as 1% or 0.01")
    return value


def parse_columns(text: str) -> tuple[str, ...]:
    """Parse a comma-separated list of column names."""
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown column {', '.join(map(repr, unknown))}; the columns are {', '.join(COLUMNS)}"
        )
    return names


def parse_metrics(text: str) -> tuple[str, ...]:
    """Parse a comma-separated list of metrics."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name != "time" and name not in METRIC_COLUMNS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown metric {', '.join(map(repr, unknown))}; the metrics are time, {', '.join(METRIC_COLUMNS)}"
        )
    return names


def add_options(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("perfcore", "perfcore: C timing loops for pytest-benchmark")
    group.addoption(
        "--perfcore",
        choices=("on", "off"),
        default="on",
        help="Run benchmarks on perfcore's C loops, or leave them to pytest-benchmark. Default: %(default)s.",
    )
    group.addoption(
        "--perfcore-strict",
        action="store_true",
        help="Calibrate as pytest-benchmark does and make exactly its calls. The default calibration confirms each "
        "duration before it is believed, and lets rounds measured on the way count.",
    )
    group.addoption(
        "--perfcore-precision",
        metavar="FRACTION",
        type=parse_precision,
        help="Stop each benchmark when the 95%% confidence interval of its median is within this fraction of it, such "
        "as 1%% or 0.01; never before --benchmark-min-rounds, never after --benchmark-max-time. A precision that "
        "pytest-benchmark itself is given (5.3 and later: of the mean) takes precedence.",
    )
    group.addoption(
        "--perfcore-correct",
        action="store_true",
        help="Subtract what the measuring itself costs from every round, such as the reading of the clock.",
    )
    group.addoption(
        "--perfcore-columns",
        metavar="LABELS",
        type=parse_columns,
        default=(),
        help=f"Print a second table with these columns, comma-separated: {', '.join(COLUMNS)}.",
    )
    group.addoption(
        "--perfcore-metrics",
        metavar="NAMES",
        type=parse_metrics,
        default=(),
        help="Call each benchmark a few more times after its timing and show, per call: cpu (processor time), alloc "
        "(allocations, bytes allocated), peak (memory), instructions (where the processor counts them). "
        "Comma-separated; `time` stands for the timing itself. Not with --perfcore-strict, and not for pedantic "
        "benchmarks with a set-up or a single call.",
    )


def read_options(config: pytest.Config) -> Options:
    """Return the options of this run."""
    return Options(
        on=config.getoption("perfcore") == "on",
        strict=config.getoption("perfcore_strict"),
        precision=config.getoption("perfcore_precision"),
        correct=config.getoption("perfcore_correct"),
        columns=config.getoption("perfcore_columns"),
        metrics=config.getoption("perfcore_metrics"),
    )
