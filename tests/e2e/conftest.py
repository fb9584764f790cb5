# SPDX-License-Identifier: MIT
"""What the tests of whole programs share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Run, runner
from results_files import benchmark, write

from perfcore.errors import ServiceError
from perfcore.suite.postgres import Cluster

# At the end: an installed perfcore must win over the source tree.
sys.path.append(str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.peers.chromium import Browser, BrowserError

# For pytest in child processes: Hypothesis takes most of a second to import, and none of them needs it.
os.environ.setdefault("PYTEST_ADDOPTS", "-p no:hypothesispytest")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Yield a PostgreSQL server on a port of its own, or skip where there is none."""
    try:
        with Cluster(listen=True, durable=False, max_connections=20) as running:
            yield running
    except ServiceError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Yield a Chromium, or skip where there is none."""
    try:
        with Browser() as made:
            made.call("Browser.getVersion")
            yield made
    except BrowserError as error:
        pytest.skip(f"chromium does not run here: {error}")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs the command line in this test's folder."""
    return runner(tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A baseline, and results with one benchmark of every verdict, one new, one gone."""
    names = ("critical", "warning", "undecided", "improvement", "ok")
    write(tmp_path / "base.json", *(benchmark(name) for name in names), benchmark("gone"))
    medians = (1.2e-6, 1.08e-6, 1.055e-6, 0.8e-6, 1.01e-6)
    write(
        tmp_path / "new.json",
        *(benchmark(name, median) for name, median in zip(names, medians, strict=True)),
        benchmark("fresh"),
    )
    write(tmp_path / "fine.json", *(benchmark(name) for name in (*names, "gone")))
    return tmp_path
