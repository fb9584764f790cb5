# SPDX-License-Identifier: MIT
"""Keeping the output of a command within bounds: its beginning and its end, and between them how much is missing.

The beginning goes to the file as it comes, so that something is there when everything is killed. A file that cannot be
written (a full disk) costs the output alone, never the measurement.
"""

from __future__ import annotations

import os
from pathlib import Path

_SHOWN = 4096  # bytes in which the last line is looked for


class Capture:
    """Keep output in a file.

    Args:
        path: the file; it is replaced.
        limit: bytes that are kept at most, half from the beginning and half from the end.

    Attributes:
        total: bytes that came.
        error: why the file could not be written; empty if it could.

    """

    def __init__(self, path: Path, limit: int) -> None:
        self.total = 0
        self.error = ""
        self._head = limit - limit // 2
        self._tail = limit // 2
        self._end = bytearray()  # the last bytes of all that came, whether written already or not
        self._file: int | None = None
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as error:
            self.error = error.strerror or str(error)

    def _write(self, data: bytes | bytearray) -> None:
        view = memoryview(data)
        while view and self._file is not None:
            try:
                view = view[os.write(self._file, view) :]
            except OSError as error:
                self.error = error.strerror or str(error)
                os.close(self._file)
                self._file = None

    def add(self, data: bytes) -> None:
        """Take what came."""
        left = self._head - self.total
        if left > 0:
            self._write(data[:left])
        self.total += len(data)
        self._end += data
        most = max(self._tail, _SHOWN)
        if len(self._end) > 2 * most + 2**16:  # not at every piece, because cutting off moves the rest
            del self._end[:-most]

    def last_line(self) -> str:
        """Return the last line that is not empty, shortened, to be shown where a command fails."""
        text = bytes(self._end[-_SHOWN:]).decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""

    def close(self) -> None:
        """Write the end, and before it how much is missing."""
        rest = max(0, self.total - self._head)
        kept = min(rest, self._tail)
        if rest > kept:
            self._write(f"\n[perfcore: {rest - kept} bytes of the output are left out here]\n".encode())
        if kept:
            self._write(self._end[-kept:])
        if self._file is not None:
            os.close(self._file)
            self._file = None
