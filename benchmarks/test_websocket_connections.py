# SPDX-License-Identifier: MIT
"""WebSockets over loopback: set-up, many connections at once, echo, broadcast with the latency of each client.

The server is a process of its own (the websockets library, messages not compressed); the clients are real ones of the
same library, all on one event loop of this process, whose own work is in every figure: the latency of the last of 300
clients has in it that 299 others were served by this loop before it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from perfcore.errors import ServiceError
from perfcore.suite.websocket import GREETING, WebSocketServer, descriptors

Run = Callable[[Coroutine[Any, Any, Any]], Any]
State = Callable[[Iterable[int]], None]
Throughput = Callable[[int], None]

websockets = pytest.importorskip("websockets", minversion="15", reason="websockets 15 or newer is not installed")
connect = pytest.importorskip("websockets.asyncio.client").connect

ECHOES = 50
SECONDS = 60.0  # for anything that is waited for; then the benchmark fails


def opened(url: str) -> Any:
    """Return what opens a connection when it is awaited, and closes it at the end of an ``async with``."""
    return connect(url, compression=None, ping_interval=None, proxy=None, open_timeout=SECONDS, max_size=1 << 24)


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[[], WebSocketServer]]:
    """Yield what returns a running server: one that has died costs its benchmark, and not those after it."""
    running: list[WebSocketServer] = []
    with ExitStack() as stack:

        def current() -> WebSocketServer:
            if not running or not running[-1].alive:
                running.append(stack.enter_context(WebSocketServer()))
            return running[-1]

        yield current


@pytest.fixture
def server(start: Callable[[], WebSocketServer]) -> WebSocketServer:
    """Return a running server."""
    try:
        return start()
    except ServiceError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def run(server: WebSocketServer, complete: Run) -> Run:
    """Return what runs a coroutine on an event loop; where the server has died or is stuck, one line says so."""

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return complete(work)
        except TimeoutError as error:
            trouble = server.trouble() or f"the WebSocket server is stuck, and ended for that: {error}"
            server.kill()
        except (OSError, EOFError, websockets.WebSocketException):
            if not (trouble := server.trouble()):
                raise
        pytest.fail(trouble, pytrace=False)

    return run


@contextmanager
def room_for(count: int) -> Iterator[None]:
    """Have file descriptors for so many connections, or skip."""
    with ExitStack() as stack:
        try:
            stack.enter_context(descriptors(count))
        except ServiceError as error:
            pytest.skip(str(error))
        yield


@contextmanager
def opened_by(run: Run, url: str, count: int) -> Iterator[list[Any]]:
    """Open connections all at once, outside of the clock, and close them together at the end."""

    async def open_all() -> list[Any]:
        return await asyncio.gather(*(opened(url) for _ in range(count)))

    async def close_all() -> None:
        await asyncio.gather(*(connection.close() for connection in connections))

    connections = run(open_all())
    try:
        yield connections
    finally:
        run(close_all())


@pytest.mark.benchmark(group="websocket: set-up")
def test_set_up(benchmark: Any, throughput: Throughput, latencies: State, server: WebSocketServer, run: Run) -> None:
    """One call opens a connection, with its handshake, and closes it again; the latencies are those of the opening."""
    url, taken = server.url("/echo"), []

    async def open_and_close() -> int:
        began = time.perf_counter_ns()
        async with opened(url) as connection:
            taken.append(time.perf_counter_ns() - began)
        return int(connection.close_code)

    throughput(1)
    assert benchmark(lambda: run(open_and_close())) == 1000  # closed in good order
    latencies(taken)


@pytest.mark.benchmark(group="websocket: set-up")
@pytest.mark.parametrize("count", [10, 100, 300], ids="connections-{}".format)
def test_concurrent_connections(
    benchmark: Any, throughput: Throughput, latencies: State, server: WebSocketServer, run: Run, count: int
) -> None:
    """One call opens connections all at once, has a message echoed through each, and closes them."""
    url, taken = server.url("/echo"), []

    async def use(number: int, began: int) -> str:
        async with opened(url) as connection:
            taken.append(time.perf_counter_ns() - began)
            await connection.send(str(number))
            return str(await connection.recv())

    async def use_all() -> list[str]:
        began = time.perf_counter_ns()
        return await asyncio.gather(*(use(number, began) for number in range(count)))

    throughput(count)
    with room_for(count):
        assert benchmark(lambda: run(use_all())) == [str(number) for number in range(count)]
    latencies(taken)


@pytest.mark.benchmark(group="websocket: echo")
@pytest.mark.parametrize("size", [16, 1024, 65536], ids="bytes-{}".format)
def test_echo(
    benchmark: Any, throughput: Throughput, latencies: State, server: WebSocketServer, run: Run, size: int
) -> None:
    """One call sends 50 messages over one connection, each after the last has come back."""
    message, taken = bytes(number % 256 for number in range(size)), []

    async def echo_all(connection: Any) -> int:
        back = 0
        for _ in range(ECHOES):
            began = time.perf_counter_ns()
            await connection.send(message)
            back += await connection.recv() == message
            taken.append(time.perf_counter_ns() - began)
        return back

    throughput(ECHOES)
    connection = run(asyncio.wait_for(opened(server.url("/echo")), SECONDS))
    try:
        assert benchmark(lambda: run(echo_all(connection))) == ECHOES
    finally:
        run(connection.close())
    latencies(taken)


@pytest.mark.benchmark(group="websocket: one message each way on every connection")
@pytest.mark.parametrize("count", [10, 100, 300], ids="connections-{}".format)
def test_concurrent_echo(
    benchmark: Any, throughput: Throughput, latencies: State, server: WebSocketServer, run: Run, count: int
) -> None:
    """One call sends a message through every open connection at once and waits until all have come back."""
    taken = []

    async def echo(connection: Any, number: int) -> str:
        began = time.perf_counter_ns()
        await connection.send(str(number))
        message = await connection.recv()
        taken.append(time.perf_counter_ns() - began)
        return str(message)

    async def echo_all(connections: list[Any]) -> list[str]:
        return await asyncio.gather(*map(echo, connections, range(count)))

    throughput(count)
    with room_for(count), opened_by(run, server.url("/echo"), count) as connections:
        assert benchmark(lambda: run(echo_all(connections))) == [str(number) for number in range(count)]
    latencies(taken)


@pytest.mark.benchmark(group="websocket: broadcast")
@pytest.mark.parametrize("count", [10, 100, 300], ids="clients-{}".format)
def test_broadcast(
    benchmark: Any, throughput: Throughput, latencies: State, server: WebSocketServer, run: Run, count: int
) -> None:
    """One call sends a message to a room and waits until every client has it; the latencies are the clients'."""
    calls, taken = 0, []

    async def receive(connection: Any, began: int) -> str:
        message = await connection.recv()
        taken.append(time.perf_counter_ns() - began)
        return str(message)

    async def publish(connections: list[Any]) -> int:
        nonlocal calls
        calls += 1
        began = time.perf_counter_ns()
        await connections[0].send(f"message {calls}")
        got = await asyncio.gather(*(receive(connection, began) for connection in connections))
        return got.count(f"message {calls}")

    async def greet(connections: list[Any]) -> list[Any]:
        return await asyncio.gather(*(connection.recv() for connection in connections))

    throughput(count)
    with room_for(count), opened_by(run, server.url("/room"), count) as connections:
        assert run(greet(connections)) == [GREETING] * count
        assert benchmark(lambda: run(publish(connections))) == count
    assert len(taken) == calls * count
    latencies(taken)


if __name__ == "__main__":
    from summary import main

    sys.exit(main(__file__))
