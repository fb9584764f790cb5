# SPDX-License-Identifier: MIT
"""The output of a command within bounds, and what a full disk does to it."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from perfcore.suite.capture import Capture


def keep(path: Path, data: bytes, limit: int, pieces: random.Random) -> Capture:
    capture = Capture(path, limit)
    at = 0
    while at < len(data):
        size = pieces.randrange(1, 3 * limit + 2)
        capture.add(data[at : at + size])
        at += size
    capture.close()
    return capture


@pytest.mark.parametrize("limit", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("length", [0, 1, 50, 99, 100, 101, 5000])
def test_head_and_tail(tmp_path: Path, limit: int, length: int) -> None:
    data = bytes(ord("a") + index % 26 for index in range(length))
    capture = keep(tmp_path / "log", data, limit, random.Random(limit * 10_000 + length))
    kept = (tmp_path / "log").read_bytes()
    assert (capture.total, capture.error) == (length, "")
    if length <= limit:
        assert kept == data
        return
    found = re.search(rb"\n\[perfcore: (\d+) bytes of the output are left out here\]\n", kept)
    assert found is not None
    head, tail = kept[: found.start()], kept[found.end() :]
    assert len(head) + len(tail) == limit
    assert int(found[1]) == length - limit
    assert data.startswith(head)
    assert data.endswith(tail)


def test_memory_stays_bounded(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "log", 1000)
    for _ in range(100):
        capture.add(b"x" * 100_000)
    assert len(capture._end) < 300_000
    capture.close()
    assert (tmp_path / "log").stat().st_size < 1100


def test_the_last_line(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "log", 10)  # more is looked at than is kept
    assert capture.last_line() == ""
    capture.add(b"Traceback\n  File\nValueError: no \xff\n\n  \n")
    assert capture.last_line() == "ValueError: no \ufffd"
    capture.add(b"y" * 1000)
    assert capture.last_line() == "y" * 300
    capture.close()


def test_a_file_that_cannot_be_written_costs_only_itself(tmp_path: Path) -> None:
    missing = Capture(tmp_path / "none" / "log", 10)
    missing.add(b"text\n")
    missing.close()
    assert (missing.error, missing.total, missing.last_line()) == ("No such file or directory", 5, "text")
    if os.path.exists("/dev/full"):
        full = Capture(Path("/dev/full"), 10)
        full.add(b"0123456789abc")
        full.close()
        assert (full.error, full.total) == ("No space left on device", 13)
