# SPDX-License-Identifier: MIT
"""Code under the allocation tracker, here and in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from perfcore._memtrace import Tracker

SRC = "import gc, json, sys\nfrom perfcore._memtrace import Tracker\n"


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", SRC + code],
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0", **variables},  # CPython's own at exit; ours show here
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def counted(function, *args, **options):
    tracker = Tracker(**options)
    tracker.run(function, args)
    return tracker


def strings():
    return ["x" * i for i in range(2, 500)]
