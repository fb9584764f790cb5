# SPDX-License-Identifier: MIT
"""Figures with units, for people to read."""

from __future__ import annotations

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


def format_bytes(count: int) -> str:
    """Return a number of bytes as text with three significant digits and its unit: 1500000 gives "1.43 MiB"."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1023.5:
            break
        value, unit = value / 1024, larger
    digits = 0 if unit == "B" else 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {unit}"
