# SPDX-License-Identifier: MIT
"""Write the dashboard of a results file: the same as ``perfcore report``, with its options."""

from __future__ import annotations

import sys

from perfcore.cli import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
