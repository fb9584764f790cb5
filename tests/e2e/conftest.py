# SPDX-License-Identifier: MIT
"""What the tests of whole programs share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from perfcore.errors import ServiceError
from perfcore.suite.postgres import Cluster

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
