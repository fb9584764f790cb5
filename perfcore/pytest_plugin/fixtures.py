# SPDX-License-Identifier: MIT
"""Fixtures about memory and processes. Nothing is loaded for a test that does not ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from perfcore.measure.memory import MemoryTracker
    from perfcore.measure.metrics import MetricsCollector


@pytest.fixture
def memory_tracker(request: pytest.FixtureRequest) -> Iterator[MemoryTracker]:
    """Track this process's resident memory during the test: a running `perfcore.MemoryTracker`."""
    from perfcore.measure.memory import MemoryTracker

    with MemoryTracker(request.node.name) as tracker:
        yield tracker


@pytest.fixture
def metrics_collector() -> Iterator[MetricsCollector]:
    """Sample this process during the test, every 10 ms: a running `perfcore.MetricsCollector`."""
    from perfcore.measure.metrics import MetricsCollector

    with MetricsCollector() as collector:
        yield collector
