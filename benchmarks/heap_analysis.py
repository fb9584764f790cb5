# SPDX-License-Identifier: MIT
"""Say what a script's heap holds, by type and by call site: the same as ``perfcore heap``, with its options."""

from __future__ import annotations

import sys

from perfcore.cli import main

if __name__ == "__main__":
    sys.exit(main(["heap", *sys.argv[1:]]))
