# SPDX-License-Identifier: MIT
"""Draw a profile that cProfile wrote, or profile a program: ``perfcore flamegraph``, which takes it by ``--stats``."""

from __future__ import annotations

import sys

from perfcore.cli import main

if __name__ == "__main__":
    words = sys.argv[1:]
    if words and words[0].endswith((".stats", ".prof")):
        words = ["--stats", *words]
    sys.exit(main(["flamegraph", *words]))
