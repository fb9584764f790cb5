# SPDX-License-Identifier: MIT
"""A PostgreSQL server of the tests' own, on a socket in a folder; it refuses to run as root, so root becomes nobody."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest


def postgres_binaries() -> Path | None:
    found = [*Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), *filter(None, [shutil.which("pg_ctl")])]
    return Path(found[0]).resolve().parent if found else None


class PostgresServer:
    """Made and started by `with`; the test is skipped where that is impossible."""

    def __init__(self) -> None:
        pytest.importorskip("psycopg", reason="psycopg is not installed")
        binaries = postgres_binaries()
        if binaries is None:
            pytest.skip("no PostgreSQL server on this machine")
        self.binaries: Path = binaries
        self.user: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}

    def __enter__(self) -> PostgresServer:
        # Not below pytest's folder: the path of a socket is short, and nobody may not enter root's folders.
        self.folder = Path(tempfile.mkdtemp(prefix="perfcore-pg-", dir="/tmp"))
        self.url = f"postgresql://perf@/postgres?host={self.folder}"
        self.data = str(self.folder / "data")
        try:
            if self.user:
                shutil.chown(self.folder, **self.user)
            self._call("initdb", "-D", self.data, "-U", "perf", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        options = f"-k {self.folder} -h '' -F"
        self._call("pg_ctl", "-D", self.data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Let it go at once, as if the power went."""
        self._call("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop", check=False)

    def _call(self, *args: str, check: bool = True) -> None:
        done = subprocess.run(
            [str(self.binaries / args[0]), *args[1:]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self.user,
        )
        if check and done.returncode:
            pytest.skip(f"PostgreSQL does not start here: {done.stderr.strip()[-200:]}")
