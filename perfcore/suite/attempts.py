# SPDX-License-Identifier: MIT
"""What became of each attempt of an agent at a step, kept in arrays that are as large from the start as they must be.

A list of objects would grow by some 80 bytes with every attempt, which are in the memory of the process whose agents
are watched for growth. Belongs to the thread that drives the agents.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args, overload

__all__ = ["Attempt", "Attempts", "Outcome"]

Outcome = Literal["done", "failed", "timed_out", "stuck"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One agent's attempt at one step.

    Attributes:
        agent: the agent's place in the list.
        step: from 0.
        seconds: from its beginning, not from when it was queued.
        outcome: ``timed_out`` steps were cancelled and ended; ``stuck`` ones were cancelled and went on.
        error: the failure's type and text.

    """

    agent: int
    step: int
    seconds: float
    outcome: Outcome
    error: str = ""


class Attempts(Sequence[Attempt]):
    """All attempts, in the order in which they ended; one that is asked for is made then.

    Args:
        expected: how many there will be at least; so many take no more memory later.

    """

    __slots__ = ("_agent", "_count", "_error", "_outcome", "_seconds", "_step")

    def __init__(self, expected: int) -> None:
        self._agent, self._step = array("q", [0]) * expected, array("q", [0]) * expected
        self._seconds, self._outcome = array("d", [0.0]) * expected, bytearray(expected)
        self._error: dict[int, str] = {}
        self._count = 0

    def append(self, attempt: Attempt) -> None:
        """Add one."""
        at, outcome = self._count, OUTCOMES.index(attempt.outcome)
        if at < len(self._outcome):
            self._agent[at], self._step[at], self._seconds[at] = attempt.agent, attempt.step, attempt.seconds
            self._outcome[at] = outcome
        else:
            self._agent.append(attempt.agent)
            self._step.append(attempt.step)
            self._seconds.append(attempt.seconds)
            self._outcome.append(outcome)
        if attempt.error:
            self._error[at] = attempt.error
        self._count += 1

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Attempt: ...
    @overload
    def __getitem__(self, at: slice) -> list[Attempt]: ...
    def __getitem__(self, at: int | slice) -> Attempt | list[Attempt]:
        if isinstance(at, slice):
            return [self._at(index) for index in range(*at.indices(self._count))]
        return self._at(range(self._count)[at])

    def __iter__(self) -> Iterator[Attempt]:
        return map(self._at, range(self._count))

    def _at(self, index: int) -> Attempt:
        outcome = OUTCOMES[self._outcome[index]]
        return Attempt(self._agent[index], self._step[index], self._seconds[index], outcome, self._error.get(index, ""))
