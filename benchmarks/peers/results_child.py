# SPDX-License-Identifier: MIT
"""The fresh process of the row ``results-file``: prints how much memory reading a file takes.

``python -m benchmarks.peers.results_child perfcore|json|orjson FILE`` prints the bytes that the process grew by at its
peak (VmHWM, reset just before), and those that it still has while what was read is in use.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from benchmarks.peers.memory_child import status
from benchmarks.peers.results_files import readers


def main(who: str, path: Path) -> int:
    """Measure and print."""
    read = readers()[who]
    read(path.with_name("small.json"))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = status("VmRSS")
    kept = read(path)
    print(status("VmHWM") - before, status("VmRSS") - before)
    del kept
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
