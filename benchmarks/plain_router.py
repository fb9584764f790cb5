# SPDX-License-Identifier: MIT
"""Routing with the standard library alone, as the counterpart of perfcore.messaging's Router in the benchmarks."""

from __future__ import annotations

from collections import deque
from itertools import cycle
from typing import Any

Message = dict[str, Any]

ENDPOINTS = 10


class Router:
    """Ten inboxes, and five ways to choose among them."""

    def __init__(self) -> None:
        self.inboxes: list[deque[Message]] = [deque() for _ in range(ENDPOINTS)]
        self.by_name = {f"agent-{number:02d}": inbox for number, inbox in enumerate(self.inboxes)}
        self.turn = cycle(self.inboxes)
        # Every inbox listens to one prefix of topics; two listen to all of them.
        prefixes = [
            "world.",
            "world.sensor.",
            "team.",
            "team.plan",
            "log",
            "world.time",
            "team.",
            "world.sensor.v",
            "",
            "",
        ]
        self.subscriptions = list(zip(prefixes, self.inboxes, strict=True))

    def direct(self, messages: list[Message]) -> None:
        """Deliver each message to its receiver."""
        for message in messages:
            self.by_name[message["receiver"]].append(message)

    def round_robin(self, messages: list[Message]) -> None:
        """Deliver to each inbox in turn."""
        for message in messages:
            next(self.turn).append(message)

    def hashed(self, messages: list[Message]) -> None:
        """Deliver all messages of one sender to one inbox."""
        for message in messages:
            self.inboxes[hash(message["sender"]) % ENDPOINTS].append(message)

    def topic(self, messages: list[Message]) -> None:
        """Deliver to every inbox that subscribes to a prefix of the message's topic."""
        for message in messages:
            topic = message["topic"]
            for prefix, inbox in self.subscriptions:
                if topic.startswith(prefix):
                    inbox.append(message)

    def broadcast(self, messages: list[Message]) -> None:
        """Deliver every message to every inbox."""
        for message in messages:
            for inbox in self.inboxes:
                inbox.append(message)

    def drain(self) -> list[int]:
        """Empty the inboxes; return how many messages each held."""
        counts = [len(inbox) for inbox in self.inboxes]
        for inbox in self.inboxes:
            inbox.clear()
        return counts


def expected_counts(way: str, messages: list[Message]) -> list[int]:
    """Say what each inbox must hold, worked out per inbox instead of per message."""
    router = Router()
    if way == "direct":
        return [sum(message["receiver"] == name for message in messages) for name in router.by_name]
    if way == "round_robin":
        return [len(messages) // ENDPOINTS] * ENDPOINTS
    if way == "hashed":
        places = [hash(message["sender"]) % ENDPOINTS for message in messages]
        return [places.count(number) for number in range(ENDPOINTS)]
    if way == "topic":
        return [sum(message["topic"].startswith(prefix) for message in messages) for prefix, _ in router.subscriptions]
    return [len(messages)] * ENDPOINTS
