# SPDX-License-Identifier: MIT
"""Figures with units, as people read and write them."""

from __future__ import annotations

import math

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def format_seconds(seconds: float) -> str:
    """Return a duration in seconds as text with three significant digits and its unit: 0.00123 gives "1.23 ms"."""
    for size, unit in _UNITS:
        # 0.9995 of a unit would round to "1e+03" of the next smaller one.
        if abs(seconds) >= size * 0.9995 or unit == "ns":
            value = seconds / size
            break
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {unit}"


MOST_SECONDS = 86400  # a day


def duration(text: str) -> float:
    """Convert a time in seconds, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is no number above 0, or more than a day.

    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= MOST_SECONDS:
        from argparse import ArgumentTypeError

        raise ArgumentTypeError(f"{text!r} is no time; give seconds above 0, at most {MOST_SECONDS}")
    return value


_TIMES = frozenset(
    ("median", "mean", "min", "max", "stddev", "iqr", "q1", "q3", "total", "p50", "p90", "p95", "p99", "p99.9")
)


def unit_of(metric: str) -> str:
    """Return ``s``, ``B`` or nothing: what the figures of a metric count, as its key in a results file says."""
    if metric in _TIMES or (metric.endswith("_s") and not metric.endswith("_per_s")):
        return "s"
    return "B" if metric.endswith("_bytes") else ""


def format_metric(metric: str, value: float) -> str:
    """Return a metric's figure with its unit: of peak_bytes, 1500 gives "1.50 kB"."""
    if not math.isfinite(value):
        return "-"
    unit = unit_of(metric)
    if unit:
        return format_seconds(value) if unit == "s" else format_bytes(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def format_bytes(count: float) -> str:
    """Return a size in bytes as text with its unit, in powers of 1000: 1500 gives "1.50 kB", 12 gives "12 B"."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        # 999.5 of a unit would round to 1000 of it.
        if abs(value) < 999.5 or unit == "TB":
            break
        value /= 1000
    if unit == "B":
        return f"{value:.0f} B" if value == int(value) else f"{value:.1f} B"
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {unit}"


def parse_bytes(size: float | str) -> int:
    """Return a size in bytes: a number, or text with B, kB, MB, GB (powers of 1000), KiB, MiB or GiB (of 1024).

    Raises:
        ValueError: it is neither, or negative.

    """
    if isinstance(size, str):
        number = size.strip().rstrip("BbKkMmGgIi")
        factor = _SIZES.get(size.strip()[len(number) :].upper())
        try:
            value = float(number)
        except ValueError:
            factor = None
    else:
        value, factor = size, 1
    if factor is None or isinstance(size, bool) or not 0 <= value < float("inf"):
        raise ValueError(f"{size!r} is not a size in bytes; write it as 4096, '10 MB' or '64 KiB'")
    return round(value * factor)
