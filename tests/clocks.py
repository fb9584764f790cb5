# SPDX-License-Identifier: MIT
"""A clock that the measured work itself moves on: what there is to find is known, whatever the machine does."""

from __future__ import annotations

import random

TICK = 2.0**-14  # seconds; sums of it are exact


class Clock:
    """Time that passes only where somebody says so, and a call of work that takes as long as is said.

    With a spread each call takes longer or shorter by up to that part, the same in every run.
    """

    def __init__(self, spread: float = 0.0) -> None:
        self.now = 1.0
        self._spread = spread
        self._random = random.Random(1)

    def __call__(self) -> float:
        return self.now

    def work(self, ticks: int = 1) -> None:
        part = 1.0 + self._random.uniform(-self._spread, self._spread) if self._spread else 1.0
        self.now += ticks * part * TICK
