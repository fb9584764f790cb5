# SPDX-License-Identifier: MIT
"""What a results file tells of the passes it was made of, in a line; how far apart they lay is how noisy it was."""

from __future__ import annotations

from perfcore.record.kept import look_up
from perfcore.record.passes import counts_told, pass_count
from perfcore.record.results import Results
from perfcore.report.text import printable


def passes_line(results: Results) -> str:
    """Return the line; empty for a file that was not made of several passes."""
    counts = [pass_count(one) for one in results.benchmarks]
    if max(counts, default=1) < 2:
        return ""
    line = f"passes: of {counts_told(counts)}, the fastest counts for each benchmark"
    spreads = [
        (spread, one.fullname)
        for one in results.benchmarks
        if (spread := look_up("perfcore.pass_spread", (one.extra_info,))) is not None
    ]
    if not spreads:
        return line
    spreads.sort()
    (half, _), (most, name) = spreads[(len(spreads) - 1) // 2], spreads[-1]
    return (
        f"{line}; the slowest took up to {half * 100:.1f} % longer in half of the benchmarks, and "
        f"{most * 100:.1f} % at most ({printable(name)})"
    )
