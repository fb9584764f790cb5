# SPDX-License-Identifier: MIT
"""What the suites of this folder share: the messages they pass, and how a benchmark states its throughput."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

Message = dict[str, Any]

AGENTS = [f"agent-{number:02d}" for number in range(10)]
TOPICS = ["world.sensor.visual", "world.sensor.touch", "world.time", "team.plan", "team.status", "log"]


def make_messages(count: int) -> list[Message]:
    """Return messages as active-inference agents send them: routing fields, an observation, beliefs, an action.

    About 600 bytes each as JSON; the same ones in every run.
    """
    draw = random.Random(20240229)
    return [
        {
            "id": number,
            "sender": draw.choice(AGENTS),
            "receiver": draw.choice(AGENTS),
            "topic": draw.choice(TOPICS),
            "timestamp": 1_700_000_000.0 + number * 0.05,
            "priority": draw.randrange(5),
            "payload": {
                "observation": [draw.randrange(25), draw.randrange(4)],
                "beliefs": [round(draw.random(), 12) for _ in range(16)],
                "action": draw.choice(["up", "down", "left", "right", "stay"]),
                "free_energy": draw.gauss(4.0, 1.5),
                "note": "goal reached – naïve policy kept" if number % 10 == 0 else None,
                "done": number % 10 == 0,
            },
        }
        for number in range(count)
    ]


@pytest.fixture(scope="session")
def messages() -> list[Message]:
    """Return a thousand agent messages."""
    return make_messages(1000)


@pytest.fixture
def throughput(benchmark: Any) -> Callable[[int], None]:
    """State how many items one call of the benchmarked function handles; results then give items per second."""

    def state(items_per_call: int) -> None:
        benchmark.extra_info["perfcore"] = {"items_per_call": items_per_call}

    return state
