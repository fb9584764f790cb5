# SPDX-License-Identifier: MIT
"""Show two results files side by side: ``perfcore compare`` with the files named by flags."""

from __future__ import annotations

import argparse
import sys

from perfcore.cli import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline", required=True, metavar="FILE", help="the earlier results")
    parser.add_argument("--current", required=True, metavar="FILE", help="the later results")
    options, more = parser.parse_known_args()
    sys.exit(main(["compare", options.baseline, options.current, *more]))
