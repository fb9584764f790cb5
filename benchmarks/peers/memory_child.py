# SPDX-License-Identifier: MIT
"""The fresh process of the row ``memory``: prints how many bytes a benchmark's rounds made it grow, at their peak.

``python -m benchmarks.peers.memory_child perfcore|stock rounds|as_dict COUNT``. The peak is the kernel's own (VmHWM,
reset through clear_refs just before), so nothing is sampled and memory of whatever allocator counts.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from benchmarks.peers import contenders


def status(key: str) -> int:
    """Return a figure of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def main(who: str, phase: str, count: int) -> int:
    """Measure and print."""
    make = {"perfcore": contenders.ours_fixture, "stock": contenders.stock_fixture}[who]
    warm = make()
    warm.pedantic(len, args=("",), rounds=1000)
    warm.stats.as_dict()
    del warm
    gc.collect()
    fixture = make()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = status("VmRSS")
    fixture.pedantic(len, args=("",), rounds=count)
    if phase == "as_dict":
        fixture.stats.stats.as_dict()
    print(status("VmHWM") - before)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
