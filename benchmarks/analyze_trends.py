# SPDX-License-Identifier: MIT
"""Show how medians developed and where they changed: the same as ``perfcore trends`` (``--days 30``)."""

from __future__ import annotations

import sys

from perfcore.cli import main

if __name__ == "__main__":
    sys.exit(main(["trends", *sys.argv[1:]]))
