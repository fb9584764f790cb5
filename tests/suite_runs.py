# SPDX-License-Identifier: MIT
"""Runs a benchmark file in a pytest of its own, watches it line by line, and finds what processes it has started."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from perfcore.suite.postgres import URL_VARIABLE

CHECKOUT = Path(__file__).parents[1]
SECONDS = 120.0
QUICK = ["--benchmark-max-time=0.05", "--benchmark-min-rounds=1", "-p", "no:cacheprovider", "-v", "-rs"]

GONE = (FileNotFoundError, ProcessLookupError)  # of a file of /proc: before it is opened, before it is read


def wait_for(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"no {what} in {SECONDS} s"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether a process has ended (one that nobody has waited for yet counts)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except GONE:
        return True


def descendants(pid: int) -> list[int]:
    try:
        children = [
            int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()
        ]
    except GONE:
        return []
    return children + [deeper for child in children for deeper in descendants(child)]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except GONE:
        return ""


def websocket_servers(pid: int) -> list[int]:
    return [one for one in descendants(pid) if "perfcore.suite.websocket" in command_line(one)]


def sockets(pid: int) -> int:
    """Return how many sockets a process has open."""
    count = 0
    with contextlib.suppress(*GONE):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            count += os.readlink(path).startswith("socket:")
    return count


class Suite:
    """A benchmark file that runs in a pytest of its own, in a session of its own, and is read line by line."""

    def __init__(self, name: str, *options: str, url: str = "", before: list[str] | None = None) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
        kept.pop(URL_VARIABLE, None)
        more = {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"} | ({URL_VARIABLE: url} if url else {})
        command = [
            *(before or []),
            sys.executable,
            "-P",
            "-m",
            "pytest",
            f"benchmarks/test_{name}.py",
            *QUICK,
            *options,
        ]
        self.process = subprocess.Popen(
            command, cwd=CHECKOUT, env=kept | more, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.lines = self.process.stdout
        self.out = ""

    def until(self, pattern: str) -> None:
        """Read until a line has a pattern."""
        for line in self.lines:
            self.out += line
            if re.search(pattern, line):
                return
        raise AssertionError(f"no {pattern} in:\n{self.out}")

    def end(self) -> int:
        watchdog = threading.Timer(SECONDS, self.process.kill)
        watchdog.start()
        with self.process:
            self.out += "".join(self.lines)
        watchdog.cancel()
        return self.process.returncode

    def outcomes(self) -> dict[str, str]:
        return dict(re.findall(r"::(\S+) (PASSED|FAILED|SKIPPED|ERROR)", self.out))
