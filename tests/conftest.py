# SPDX-License-Identifier: MIT
"""What all tests have in common."""

from __future__ import annotations

import gc

import pytest


@pytest.fixture(autouse=True, scope="module")
def _small_heap() -> None:
    """Keep the collector from what thousands of tests are made of: a full collection takes a quarter of a second then.

    What lives when a module begins is left out of collections for good; tests/cpy, which freezes by itself, brings it
    back at times.
    """
    gc.collect()
    gc.freeze()
