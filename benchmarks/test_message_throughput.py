# SPDX-License-Identifier: MIT
"""Message passing: queues, processes, serialization, routing, with the standard library and with perfcore.messaging.

Nothing sleeps and nothing is mocked; set-up (processes, event loops, messages) stays outside the clock, and every
benchmark checks that its work was done.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import pickle
import queue
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from conftest import finished
from plain_router import Router, expected_counts

from perfcore.codecs import Codec
from perfcore.messaging import Closed, Ring, ShmRing
from perfcore.messaging import Router as CRouter

Message = dict[str, Any]
Throughput = Callable[[int], None]

batch_sizes = pytest.mark.parametrize("size", [1, 10, 50, 100], ids="batch-{}".format)


# --- queues in one process: put a batch, get it back ---


@pytest.mark.benchmark(group="queue round trip, one thread")
@batch_sizes
@pytest.mark.parametrize("kind", [queue.Queue, queue.SimpleQueue, Ring], ids=lambda kind: kind.__name__)
def test_queue(benchmark: Any, throughput: Throughput, messages: list[Message], kind: Any, size: int) -> None:
    """One call puts a batch of messages one by one, then gets each of them."""
    batch, channel = messages[:size], kind()

    def round_trip() -> list[Message]:
        for message in batch:
            channel.put(message)
        return [channel.get() for _ in batch]

    throughput(size)
    assert benchmark(round_trip) == batch
    assert channel.empty()


@pytest.mark.benchmark(group="queue round trip, one thread")
@batch_sizes
def test_ring_batched(
    benchmark: Any, throughput: Throughput, messages: list[Message], message_queue: Ring[Message], size: int
) -> None:
    """One call puts a batch of messages at once, then gets all of them at once."""
    batch = messages[:size]

    def round_trip() -> list[Message]:
        message_queue.put_many(batch)
        return message_queue.get_many()

    throughput(size)
    assert benchmark(round_trip) == batch
    assert message_queue.empty()


@pytest.mark.benchmark(group="queue round trip, one thread")
@batch_sizes
def test_deque(benchmark: Any, throughput: Throughput, messages: list[Message], size: int) -> None:
    """One call appends a batch of messages one by one, then pops each from the left."""
    batch: list[Message] = messages[:size]
    channel: deque[Message] = deque()

    def round_trip() -> list[Message]:
        for message in batch:
            channel.append(message)
        return [channel.popleft() for _ in batch]

    throughput(size)
    assert benchmark(round_trip) == batch
    assert not channel


@pytest.mark.benchmark(group="queue round trip, one thread")
@batch_sizes
def test_asyncio_queue(
    benchmark: Any, throughput: Throughput, messages: list[Message], size: int, request: pytest.FixtureRequest
) -> None:
    """One call awaits the putting of a batch of messages one by one, then the getting of each."""
    if request.config.getoption("perfcore", "off") == "off" and not benchmark.disabled:
        pytest.skip("pytest-benchmark alone cannot time a coroutine function")
    batch: list[Message] = messages[:size]
    channel: asyncio.Queue[Message] = asyncio.Queue()

    async def round_trip() -> list[Message]:
        for message in batch:
            await channel.put(message)
        return [await channel.get() for _ in batch]

    throughput(size)
    assert finished(benchmark(round_trip)) == batch
    assert channel.empty()


# --- between processes: a batch goes out as one list, another process sends it back ---


def echo_pipe(connection: Any) -> None:
    """Send back whatever comes, until None does. Runs in the other process."""
    while (batch := connection.recv()) is not None:
        connection.send(batch)


def echo_queue(inbox: Any, outbox: Any) -> None:
    """Send back whatever comes, until None does. Runs in the other process."""
    while (batch := inbox.get()) is not None:
        outbox.put(batch)


def echo_ring(inbox: ShmRing[Any], outbox: ShmRing[Any]) -> None:
    """Send back whatever comes, until the inbox is closed. Runs in the other process."""
    with suppress(Closed):
        while True:
            outbox.put(inbox.get())


@pytest.fixture(scope="module")
def pipe_to_echo() -> Iterator[Any]:
    """Yield one end of a Pipe; a process at the other end echoes."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=echo_pipe, args=(there,), daemon=True)
    process.start()
    there.close()
    yield here
    here.send(None)
    process.join(30)
    here.close()
    assert process.exitcode == 0


@pytest.fixture(scope="module")
def queues_to_echo() -> Iterator[tuple[Any, Any]]:
    """Yield a Queue to a process that echoes, and the Queue back."""
    context = multiprocessing.get_context("spawn")
    out, back = context.Queue(), context.Queue()
    process = context.Process(target=echo_queue, args=(out, back), daemon=True)
    process.start()
    yield out, back
    out.put(None)
    process.join(30)
    for channel in (out, back):
        channel.close()
        channel.join_thread()
    assert process.exitcode == 0


@pytest.fixture(scope="module")
def rings_to_echo() -> Iterator[tuple[ShmRing[Any], ShmRing[Any]]]:
    """Yield a ShmRing to a process that echoes, and the ring back."""
    with ShmRing[Any]() as out, ShmRing[Any]() as back:
        process = multiprocessing.get_context("spawn").Process(target=echo_ring, args=(out, back), daemon=True)
        process.start()
        yield out, back
        out.close()
        process.join(30)
    assert process.exitcode == 0


@pytest.mark.benchmark(group="round trip between two processes")
@batch_sizes
def test_multiprocessing_pipe(
    benchmark: Any, throughput: Throughput, messages: list[Message], pipe_to_echo: Any, size: int
) -> None:
    """One call sends a batch as one list through a Pipe to another process and receives it back."""
    batch = messages[:size]
    pipe_to_echo.send(batch)  # the other process is up and warm
    assert pipe_to_echo.recv() == batch

    def round_trip() -> list[Message]:
        pipe_to_echo.send(batch)
        return pipe_to_echo.recv()

    throughput(size)
    assert benchmark(round_trip) == batch


def put_and_get_back(benchmark: Any, batch: list[Message], out: Any, back: Any) -> None:
    """Measure the way of a batch through one queue to the other process and back through another."""
    out.put(batch)  # the other process is up and warm
    assert back.get(timeout=60) == batch

    def round_trip() -> list[Message]:
        out.put(batch)
        return back.get()

    assert benchmark(round_trip) == batch


@pytest.mark.benchmark(group="round trip between two processes")
@batch_sizes
def test_multiprocessing_queue(
    benchmark: Any, throughput: Throughput, messages: list[Message], queues_to_echo: tuple[Any, Any], size: int
) -> None:
    """One call puts a batch as one list on a Queue to another process and gets it back from a second Queue."""
    throughput(size)
    put_and_get_back(benchmark, messages[:size], *queues_to_echo)


@pytest.mark.benchmark(group="round trip between two processes")
@batch_sizes
def test_shm_ring(
    benchmark: Any, throughput: Throughput, messages: list[Message], rings_to_echo: tuple[Any, Any], size: int
) -> None:
    """One call puts a batch as one list into a ring in shared memory and gets it back from a second one."""
    throughput(size)
    put_and_get_back(benchmark, messages[:size], *rings_to_echo)


# --- serialization of 100 messages, each on its own ---

CODECS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "json": (json.dumps, json.loads),
    "pickle": (pickle.dumps, pickle.loads),
}


@pytest.mark.benchmark(group="encode 100 messages")
@pytest.mark.parametrize("codec", CODECS)
def test_encode(benchmark: Any, throughput: Throughput, messages: list[Message], codec: str) -> None:
    """One call encodes 100 messages, each into a text or bytes of its own."""
    batch = messages[:100]
    encode, decode = CODECS[codec]

    def encode_all() -> list[Any]:
        return [encode(message) for message in batch]

    throughput(100)
    encoded = benchmark(encode_all)
    assert [decode(one) for one in encoded] == batch
    benchmark.extra_info["bytes_per_message"] = sum(map(len, encoded)) / len(encoded)


@pytest.mark.benchmark(group="decode 100 messages")
@pytest.mark.parametrize("codec", CODECS)
def test_decode(benchmark: Any, throughput: Throughput, messages: list[Message], codec: str) -> None:
    """One call decodes 100 messages from their own texts or bytes."""
    batch = messages[:100]
    encode, decode = CODECS[codec]
    encoded = [encode(message) for message in batch]

    def decode_all() -> list[Message]:
        return [decode(one) for one in encoded]

    throughput(100)
    assert benchmark(decode_all) == batch


perfcore_codecs = pytest.mark.parametrize(
    "codec", ["json", "cjson", "msgpack", "pickle"], indirect=True, ids="perfcore-{}".format
)


@pytest.mark.benchmark(group="encode 100 messages")
@perfcore_codecs
def test_codec_encode(benchmark: Any, throughput: Throughput, messages: list[Message], codec: Codec) -> None:
    """One call encodes 100 messages, each into bytes of its own, with a codec of perfcore."""
    batch, encode = messages[:100], codec.dumps

    def encode_all() -> list[bytes]:
        return [encode(message) for message in batch]

    throughput(100)
    encoded = benchmark(encode_all)
    assert [codec.loads(one) for one in encoded] == batch
    benchmark.extra_info["bytes_per_message"] = sum(map(len, encoded)) / len(encoded)


@pytest.mark.benchmark(group="decode 100 messages")
@perfcore_codecs
def test_codec_decode(benchmark: Any, throughput: Throughput, messages: list[Message], codec: Codec) -> None:
    """One call decodes 100 messages from their own bytes with a codec of perfcore."""
    batch, decode = messages[:100], codec.loads
    encoded = [codec.dumps(message) for message in batch]

    def decode_all() -> list[Message]:
        return [decode(one) for one in encoded]

    throughput(100)
    assert benchmark(decode_all) == batch


# --- routing of 1000 messages over 10 endpoints, each a deque ---


@pytest.mark.benchmark(group="route 1000 messages over 10 endpoints")
@pytest.mark.parametrize("way", ["direct", "round_robin", "hashed", "topic", "broadcast"])
def test_routing(benchmark: Any, throughput: Throughput, messages: list[Message], way: str) -> None:
    """One call routes 1000 messages to the inboxes of 10 endpoints and empties them."""
    router = Router()
    route = getattr(router, way)

    def route_and_drain() -> list[int]:
        route(messages)
        return router.drain()

    throughput(len(messages))
    counts = benchmark(route_and_drain)
    assert counts == expected_counts(way, messages)
    benchmark.extra_info["deliveries_per_call"] = sum(counts)


@pytest.mark.benchmark(group="route 1000 messages over 10 endpoints")
@pytest.mark.parametrize("way", ["direct", "round_robin", "hashed", "topic", "broadcast"])
def test_routing_by_router(
    benchmark: Any, throughput: Throughput, messages: list[Message], message_router: CRouter, way: str
) -> None:
    """One call routes 1000 messages to the mailboxes of 10 endpoints in one batch and empties them."""
    filters = ["world/#", "world/sensor/#", "team/#", "team/plan", "log", "world/time", "team/+", "+/sensor/visual"]
    endpoints = [message_router.add(name) for name in Router().by_name]
    for endpoint, topic_filter in zip(endpoints, [*filters, "#", "#"], strict=True):
        message_router.subscribe(endpoint.name, topic_filter)
    receivers = [message["receiver"] for message in messages]
    senders = [message["sender"] for message in messages]
    topics = [message["topic"].replace(".", "/") for message in messages]
    route: Callable[[], int] = {
        "direct": lambda: message_router.send_many(receivers, messages),
        "round_robin": lambda: message_router.send_next_many(messages),
        "hashed": lambda: message_router.send_hashed_many(senders, messages),
        "topic": lambda: message_router.publish_many(topics, messages),
        "broadcast": lambda: message_router.broadcast_many(messages),
    }[way]
    mailboxes = [endpoint.mailbox for endpoint in endpoints if endpoint.mailbox is not None]

    def route_and_drain() -> tuple[int, list[int]]:
        return route(), [len(mailbox.get_many()) if len(mailbox) else 0 for mailbox in mailboxes]

    throughput(len(messages))
    delivered, counts = benchmark(route_and_drain)
    assert sum(counts) == delivered
    if way != "hashed":  # a stable hash has other places than Python's
        assert counts == expected_counts(way, messages)
    else:
        assert delivered == len(messages)
    benchmark.extra_info["deliveries_per_call"] = delivered


if __name__ == "__main__":
    from summary import main

    sys.exit(main(__file__))
