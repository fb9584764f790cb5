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
_GAP = "  "  # between columns
_LAST = 20  # characters of the last column that have room beside the names
_LEAST_NAME = 24  # characters of a name that a narrow terminal leaves
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


def put(text: str) -> None:
    """Print a document on stdout: in UTF-8 where that is no terminal, for XML and JSON are that whatever the locale."""
    stream = None if sys.stdout.isatty() else getattr(sys.stdout, "buffer", None)
    if stream is None:
        say(text)
    else:
        sys.stdout.flush()  # what was printed comes first
        stream.write(text.encode("utf-8", "backslashreplace") + b"\n")


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
    text = f"{(ratio - 1) * 100:+.1f} %"
    return "+0.0 %" if text == "-0.0 %" else text


def use_colour() -> bool:
    """Whether stdout is a terminal whose user did not set NO_COLOR."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and sys.stdout.isatty()


def painted(text: str, status: str) -> str:
    """Return ``text`` in the colour of a status, where colours are in use."""
    return f"\x1b[{_COLOURS[status]}m{text}\x1b[0m" if use_colour() else text


def _fit(cells: list[list[str]], widths: list[int]) -> None:
    """Shorten names so that lines fit the terminal, as far as that leaves enough of them: their ends, which differ."""
    if not sys.stdout.isatty():
        return
    import shutil

    # The last column may hold a sentence, which runs over in its own line alone.
    others = sum(widths[1:-1]) + min(widths[-1], _LAST) + len(_GAP) * (len(widths) - 1)
    room = shutil.get_terminal_size().columns - others
    limit = max(_LEAST_NAME, room)
    for row in cells:
        if len(row[0]) > limit:
            row[0] = "…" + row[0][1 - limit :]
    widths[0] = min(widths[0], limit)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int] = ()) -> list[str]:
    """Return the lines of a table: the figures to the right; the first and the last column, and ``left``, to the left.

    What is printed on a terminal too narrow for it has its names, in the first column, shortened.
    """
    cells = [list(header), *map(list, rows)]
    words = {0, len(header) - 1, *left}
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    _fit(cells, widths)
    return [
        _GAP.join(
            cell.ljust(width) if i in words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
