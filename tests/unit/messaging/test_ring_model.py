# SPDX-License-Identifier: MIT
"""Ring and PriorityRing against models: any sequence of calls does what a deque, or a sorted list, would."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from perfcore.messaging import Closed, Empty, Full, PriorityRing, Ring


class AgainstModel(RuleBasedStateMachine):
    """Any sequence of calls does what a deque would."""

    def __init__(self) -> None:
        super().__init__()
        self.limit = 5
        self.ring: Ring[int] = Ring(self.limit)
        self.model: deque[int] = deque()
        self.unfinished = 0
        self.closed = False

    @rule(items=st.lists(st.integers(), max_size=8))
    def put_many(self, items: list[int]) -> None:
        room = self.limit - len(self.model)
        if items and (self.closed or not room):
            with pytest.raises(Closed if self.closed else Full):
                self.ring.put_many(items, block=False)
            return
        fits = items[:room]
        assert self.ring.put_many(items, False) == len(fits)
        self.model.extend(fits)
        self.unfinished += len(fits)

    @rule(item=st.integers())
    def put(self, item: int) -> None:
        if self.closed or len(self.model) == self.limit:
            with pytest.raises(Closed if self.closed else Full):
                self.ring.put_nowait(item)
            return
        self.ring.put(item)
        self.model.append(item)
        self.unfinished += 1

    @rule(limit=st.none() | st.integers(1, 8))
    def get_many(self, limit: int | None) -> None:
        if not self.model:
            with pytest.raises(Closed if self.closed else Empty):
                self.ring.get_many(limit, block=False)
            return
        wanted = [self.model.popleft() for _ in range(min(len(self.model), limit or 100))]
        assert self.ring.get_many(limit) == wanted

    @rule()
    @precondition(lambda self: self.model)
    def get(self) -> None:
        assert self.ring.get() == self.model.popleft()

    @rule()
    @precondition(lambda self: self.unfinished)
    def task_done(self) -> None:
        self.ring.task_done()
        self.unfinished -= 1

    @rule(sure=st.integers(0, 9))
    def close(self, sure: int) -> None:
        if sure == 0:
            self.ring.close()
            self.closed = True

    @invariant()
    def same(self) -> None:
        assert (len(self.ring), self.ring.empty(), self.ring.full()) == (
            len(self.model),
            not self.model,
            len(self.model) == self.limit,
        )
        assert (self.ring.unfinished_tasks, self.ring.closed) == (self.unfinished, self.closed)


TestAgainstModel = AgainstModel.TestCase
TestAgainstModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


class PriorityAgainstModel(RuleBasedStateMachine):
    """Any sequence of calls does what a list that is sorted by priority and turn would."""

    @initialize(limit=st.sampled_from([0, 1, 6, 40]))
    def begin(self, limit: int) -> None:
        self.limit = limit
        self.ring: PriorityRing[int] = PriorityRing(limit)
        self.model: list[tuple[float, int]] = []
        self.turn = 0
        self.closed = False

    def room(self) -> int:
        return self.limit - len(self.model) if self.limit else 1 << 20

    @rule(priority=st.sampled_from([-1.5, 0.0, 0, 2, 2.0, float("inf"), float("-inf")]) | st.floats(allow_nan=False))
    def put(self, priority: float) -> None:
        if self.closed or not self.room():
            with pytest.raises(Closed if self.closed else Full):
                self.ring.put_nowait(self.turn, priority)
            return
        self.ring.put(self.turn, priority=priority)
        self.model.append((float(priority), self.turn))
        self.model.sort()
        self.turn += 1

    @rule(count=st.integers(1, 25), priority=st.integers(-2, 2))
    def put_many(self, count: int, priority: int) -> None:
        items = range(self.turn, self.turn + count)
        if self.closed or not self.room():
            with pytest.raises(Closed if self.closed else Full):
                self.ring.put_many(items, block=False, priority=priority)
            return
        fits = min(count, self.room())
        assert self.ring.put_many(items, False, priority=priority) == fits
        self.model += [(float(priority), item) for item in items[:fits]]
        self.model.sort()
        self.turn += count

    @rule(count=st.integers(1, 9))
    def get_many(self, count: int) -> None:
        if not self.model:
            with pytest.raises(Closed if self.closed else Empty):
                self.ring.get_many(count, False)
            return
        wanted = [item for _, item in self.model[:count]]
        del self.model[:count]
        assert self.ring.get_many(count) == wanted

    @rule()
    def get(self) -> None:
        if not self.model:
            with pytest.raises(Closed if self.closed else Empty):
                self.ring.get_nowait()
            return
        assert self.ring.get() == self.model.pop(0)[1]

    @rule(sure=st.integers(0, 15))
    def close(self, sure: int) -> None:
        if sure == 0:
            self.ring.close()
            self.closed = True

    @invariant()
    def same(self) -> None:
        if hasattr(self, "model"):
            assert (len(self.ring), self.ring.full()) == (len(self.model), self.limit > 0 and not self.room())


TestPriorityAgainstModel = PriorityAgainstModel.TestCase
TestPriorityAgainstModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
