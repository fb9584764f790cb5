# SPDX-License-Identifier: MIT
"""Write the dashboard of a results file: the same as ``perfcore report``, with its options.

Without a file it is that of the newest results, beside the baseline where there is one.
"""

from __future__ import annotations

import sys

from newest import BASELINE, newest

from perfcore.cli import main
from perfcore.cli.report_command import parser
from perfcore.errors import PerfcoreError


def files(words: list[str]) -> list[str]:
    """Return the files that the command line leaves out."""
    try:
        options = parser().parse_args(words)
    except PerfcoreError:
        return []  # the command says what is wrong
    if options.results is not None or options.lane is not None:
        return []
    judged = options.baseline is not None or options.history or options.database is not None
    return [str(newest()), *([] if judged or not BASELINE.exists() else ["--baseline", str(BASELINE)])]


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(main(["report", *files(words), *words]))
