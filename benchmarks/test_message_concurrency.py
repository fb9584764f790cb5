# SPDX-License-Identifier: MIT
"""Message passing between threads and tasks: many senders and receivers, latency, event loops, publishing.

The threads wait for work before the clock runs (see ThreadTeam); every benchmark counts what arrived.
"""

from __future__ import annotations

import asyncio
import queue
import sys
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ThreadTeam, finished
from plain_router import Router, expected_counts

from perfcore.messaging import Ring
from perfcore.messaging import Router as CRouter

Message = dict[str, Any]
Throughput = Callable[[int], None]


# --- threads: 4 send 1000 messages each, 4 receive; a message and its answer ---


def sink(channel: Any, count: int) -> Callable[[], int]:
    """Return a job that gets messages one by one and returns how many."""

    def get_all() -> int:
        return sum(channel.get() is not None for _ in range(count))

    return get_all


@pytest.mark.benchmark(group="4 threads send 1000 messages each to 4 threads")
@pytest.mark.parametrize("kind", [queue.Queue, queue.SimpleQueue, Ring], ids=lambda kind: kind.__name__)
def test_concurrent_queue(
    benchmark: Any, throughput: Throughput, messages: list[Message], team: ThreadTeam, kind: Any
) -> None:
    """One call puts 4000 messages from 4 threads on one queue, from which 4 threads get 1000 each."""
    channel = kind()

    def source() -> int:
        for message in messages:
            channel.put(message)
        return 0

    jobs = [source] * 4 + [sink(channel, len(messages))] * 4
    throughput(4 * len(messages))
    assert sum(benchmark(team.run, jobs)) == 4 * len(messages)
    assert channel.empty()


@pytest.mark.benchmark(group="4 threads send 1000 messages each to 4 threads")
@pytest.mark.parametrize("batch", [1, 100], ids="batch-{}".format)
def test_concurrent_router(
    benchmark: Any,
    throughput: Throughput,
    messages: list[Message],
    team: ThreadTeam,
    message_router: CRouter,
    batch: int,
) -> None:
    """One call sends 4000 messages from 4 threads through a router to 4 mailboxes, each emptied by a thread."""
    names = [f"agent-{number}" for number in range(4)]
    mailboxes = [endpoint.mailbox for endpoint in map(message_router.add, names) if endpoint.mailbox is not None]
    parts = [messages[start : start + batch] for start in range(0, len(messages), batch)]

    def source(name: str) -> Callable[[], int]:
        def send() -> int:
            if batch == 1:
                for message in messages:
                    message_router.send(name, message)
            else:
                for part in parts:
                    message_router.send_many([name] * len(part), part)
            return 0

        return send

    def drain(mailbox: Ring[Message]) -> Callable[[], int]:
        def get_all() -> int:
            got = 0
            while got < len(messages):
                got += len(mailbox.get_many())
            return got

        return get_all

    jobs = [*map(source, names), *map(drain, mailboxes)]
    throughput(4 * len(messages))
    assert sum(benchmark(team.run, jobs)) == 4 * len(messages)


@pytest.mark.benchmark(group="a message to another thread and its answer")
@pytest.mark.parametrize("kind", [queue.Queue, queue.SimpleQueue, Ring], ids=lambda kind: kind.__name__)
def test_latency(benchmark: Any, throughput: Throughput, messages: list[Message], team: ThreadTeam, kind: Any) -> None:
    """One call sends one message to another thread, which sends it back."""
    there, back = kind(), kind()

    def echo() -> int:
        answered = 0
        while (message := there.get()) is not None:
            back.put(message)
            answered += 1
        return answered

    def round_trip() -> Message:
        there.put(messages[0])
        return back.get()

    with team.background(echo, lambda: there.put(None)):
        throughput(1)
        assert benchmark(round_trip) == messages[0]


# --- an event loop: 1000 messages to 10 tasks ---


@pytest.mark.benchmark(group="route 1000 messages to 10 tasks of an event loop")
@pytest.mark.parametrize("kind", [asyncio.Queue, Ring], ids=["asyncio.Queue", "Ring"])
def test_async_routing(
    benchmark: Any, throughput: Throughput, messages: list[Message], kind: Any, request: pytest.FixtureRequest
) -> None:
    """One call routes 1000 messages to the queues of 10 tasks, which get them one by one (Ring: what is there)."""
    if request.config.getoption("perfcore", "off") == "off" and not benchmark.disabled:
        pytest.skip("pytest-benchmark alone cannot time a coroutine function")
    expected = expected_counts("direct", messages)

    async def receive(channel: Any, count: int) -> int:
        got = 0
        while got < count:
            if kind is Ring:
                got += len(await channel.aget_many())
            else:
                await channel.get()
                got += 1
        return got

    async def route() -> list[int]:
        channels = {name: kind() for name in Router().by_name}
        tasks = [
            asyncio.ensure_future(receive(channel, count))
            for channel, count in zip(channels.values(), expected, strict=True)
        ]
        for message in messages:
            channels[message["receiver"]].put_nowait(message)
        return list(await asyncio.gather(*tasks))

    throughput(len(messages))
    assert finished(benchmark(route)) == expected


# --- publishing: 100 agents, 20 topics with 5 subscribers each ---


@pytest.mark.benchmark(group="publish 10 000 messages to 5 subscribers each")
def test_publish(benchmark: Any, throughput: Throughput, messages: list[Message], message_router: CRouter) -> None:
    """One call publishes 10 000 messages on 20 topics, each to 5 of 100 agents, and empties the mailboxes."""
    endpoints = [message_router.add(f"agent-{number}") for number in range(100)]
    for number, endpoint in enumerate(endpoints):
        message_router.subscribe(endpoint.name, f"world/sensor/{number % 20}")
    many = messages * 10
    topics = [f"world/sensor/{number % 20}" for number in range(len(many))]
    mailboxes = [endpoint.mailbox for endpoint in endpoints if endpoint.mailbox is not None]

    def publish() -> tuple[int, int]:
        return message_router.publish_many(topics, many), sum(len(mailbox.get_many()) for mailbox in mailboxes)

    throughput(len(many))
    assert benchmark(publish) == (5 * len(many), 5 * len(many))


if __name__ == "__main__":
    from summary import main

    sys.exit(main(__file__))
