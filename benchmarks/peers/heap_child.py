# SPDX-License-Identifier: MIT
"""The fresh process of the row ``heap-by-type``: prints the milliseconds that counting and weighing all objects took.

``python -m benchmarks.peers.heap_child perfcore|pympler DICTS``. A process of its own, because pympler takes objects
of asyncio's free list for live ones, after which CPython's collector never ends (python/cpython#122695): after rows
with an event loop it would hang.
"""

from __future__ import annotations

import sys
from time import perf_counter


def main(who: str, size: int) -> int:
    """Measure and print."""
    kept = [{"name": str(number), "values": [float(number)]} for number in range(size)]
    if who == "perfcore":
        from perfcore import heap_snapshot

        start = perf_counter()
        heap_snapshot(collect=False)
    else:
        from pympler import muppy, summary  # type: ignore[import-untyped]

        start = perf_counter()
        summary.summarize(muppy.get_objects())
    print((perf_counter() - start) * 1e3)
    return 0 if len(kept) == size else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
