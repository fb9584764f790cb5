# SPDX-License-Identifier: MIT
"""The command line in a process of its own: how it is called, and what an error looks like."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def clean_environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "TERM")}
    return kept | {"PYTHONUTF8": "1"} | more


def runner(folder: Path) -> Run:
    """Return what runs the command line in a folder."""

    def call(*args: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "perfcore", *map(str, args)],
            cwd=folder,
            env=clean_environment(**environment),
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )

    return call


def assert_error(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, one line on stderr that holds the words, nothing on stdout."""
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("perfcore: error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
