# SPDX-License-Identifier: MIT
"""Text for people: names from files made harmless, figures with units, aligned tables, colour on a terminal only."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Sequence

_COLOURS = {
    "critical": "31;1",
    "regression": "31;1",
    "warning": "33",
    "undecided": "35",
    "improvement": "32",
    "ok": "0",
}
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def printable(text: str) -> str:
    """Return ``text`` with everything escaped that a terminal may obey or hide: controls, line ends, bidi marks."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def encodable(text: str) -> str:
    """Return ``text`` with what stdout's encoding lacks written plainly: µ as u, the rest escaped."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.replace("µ", "u").encode(encoding, "backslashreplace").decode(encoding)
    return text


def say(text: str) -> None:
    """Print a line on stdout."""
    print(encodable(text))


def seconds(value: float) -> str:
    """Return a time with four significant digits and its unit; what is no time is shown as it is."""
    if not math.isfinite(value):
        return "-"
    if value == 0:
        return "0 s"
    factor, unit = next((one for one in _UNITS if abs(value) >= one[0]), _UNITS[-1])
    return f"{value / factor:.4g} {unit}"


def change(ratio: float) -> str:
    """Return a ratio as a change: 1.05 is ``+5.0 %``, and from tenfold on ``x 12.3``."""
    if math.isnan(ratio):
        return "-"
    if ratio >= 10:
        return f"x {ratio:.4g}"
    return f"{(ratio - 1) * 100:+.1f} %"


def use_colour() -> bool:
    """Whether stdout is a terminal whose user did not set NO_COLOR."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and sys.stdout.isatty()


def painted(text: str, status: str) -> str:
    """Return ``text`` in the colour of a status, where colours are in use."""
    return f"\x1b[{_COLOURS[status]}m{text}\x1b[0m" if use_colour() else text


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table: the first and the last column to the left, the figures between to the right."""
    cells = [list(header), *map(list, rows)]
    last = len(header) - 1
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if i in (0, last) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
