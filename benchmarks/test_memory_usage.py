# SPDX-License-Identifier: MIT
"""Memory of agents and of what they pass: footprint, life cycle, compression, sharing, histories, leaks, pools.

The agents are those of perfcore.suite.gridworld. What an agent takes is told in two ways: its own arrays and messages
(``agent.memory()``), and what the whole process grew by, with the exact peak of perfcore.MemoryTracker.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing import get_context, shared_memory
from typing import Any

import pytest
from conftest import make_messages

pytest.importorskip("pymdp", reason="needs pymdp: pip install 'perfcore[suites]'")

import numpy as np

import perfcore
from perfcore.codecs import get_codec
from perfcore.messaging import Message as CompactMessage
from perfcore.messaging import MessageHistory, ObjectPool
from perfcore.suite.agent import Agent, spawn
from perfcore.suite.gridworld import GridAgent, GridWorld, compress_beliefs, expand_beliefs, grid_agents

Throughput = Callable[[int], None]
Message = dict[str, Any]

AGENTS = 100
HISTORY = 10_000
ARRAYS, DOUBLES = 10, 125_000  # 10 arrays of 1 MB
# Bytes that a call may seem to keep: free lists are refilled after each collection, with some 10 kB for 20 calls that
# use NumPy. An agent or a message that is really kept takes more.
FREE_LISTS = 600


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """Import pymdp and make the shared world before anything is counted."""
    spawn(grid_agents(), 1)[0].step()


# --- agents ---


@pytest.mark.benchmark(group="agents: footprint")
@pytest.mark.parametrize("size", [5, 10], ids="{0}x{0}".format)
def test_footprint(benchmark: Any, throughput: Throughput, memory_tracker: Any, size: int) -> None:
    """One call asks 100 agents that have walked 10 steps and got 10 messages for the memory that they hold."""
    with memory_tracker.phase("agents"):
        agents = spawn(grid_agents(size=size), AGENTS)
        for agent in agents:
            for _ in range(10):
                agent.step()
                agent.receive(agents[0].send())
    throughput(AGENTS)
    held = benchmark(lambda: sum(agent.memory() or 0 for agent in agents))
    assert held > AGENTS * size * size * 8
    usage = memory_tracker.phases["agents"]
    benchmark.extra_info["perfcore"]["memory_bytes"] = max(held, usage.growth_bytes or 0) / AGENTS
    benchmark.extra_info["own_bytes"] = held / AGENTS
    benchmark.extra_info["peak_growth_bytes"] = usage.peak_growth_bytes


@pytest.mark.benchmark(group="agents: life cycle")
def test_life_cycle(benchmark: Any, throughput: Throughput) -> None:
    """One call spawns 10 agents, lets each act, tells it of another, and lets go of all of them."""
    factory = grid_agents()
    alive: list[weakref.ref[Agent]] = []

    def live() -> int:
        agents = spawn(factory, 10)
        for agent in agents:
            agent.step()
            agent.receive(agents[0].send())
        alive[:] = map(weakref.ref, agents)
        return sum(agent.steps for agent in agents)  # type: ignore[attr-defined]

    throughput(10)
    assert benchmark(live) == 10
    gc.collect()
    assert not any(reference() for reference in alive)
    with perfcore.track_allocations() as tracker:
        live()
        alive.clear()
        gc.collect()
    benchmark.extra_info["perfcore"]["memory_bytes"] = tracker.peak / 10
    benchmark.extra_info["allocations"] = tracker.allocations


@pytest.fixture(scope="module")
def beliefs() -> list[Any]:
    """Return the beliefs of 100 agents in a world of 10 by 10 after 20 steps each."""
    agents = spawn(grid_agents(size=10), AGENTS)
    for agent in agents:
        for _ in range(20):
            agent.step()
    return [agent.beliefs for agent in agents]  # type: ignore[attr-defined]


@pytest.mark.benchmark(group="agents: beliefs of 100 agents over 100 cells")
@pytest.mark.parametrize("how", ["copy", "compress", "compress-and-expand"])
def test_belief_compression(benchmark: Any, throughput: Throughput, beliefs: list[Any], how: str) -> None:
    """One call copies, or makes smaller (and large again), the beliefs of 100 agents; at most 1 % of them is lost."""

    def copy() -> list[Any]:
        return [one.copy() for one in beliefs]

    def compress() -> list[Any]:
        return [compress_beliefs(one) for one in beliefs]

    def there_and_back() -> list[Any]:
        return [expand_beliefs(compress_beliefs(one)) for one in beliefs]

    throughput(AGENTS)
    result = benchmark({"copy": copy, "compress": compress}.get(how, there_and_back))
    if how == "compress":
        size = sum(cells.nbytes + shares.nbytes for _, cells, shares in result)
        assert size < sum(one.nbytes for one in beliefs)
        benchmark.extra_info["bytes_per_belief"] = size / AGENTS
        result = list(map(expand_beliefs, result))
    else:
        benchmark.extra_info["bytes_per_belief"] = beliefs[0].nbytes
    assert max(abs(one - other).sum() for one, other in zip(result, beliefs, strict=True)) < 0.01


@pytest.mark.benchmark(group="agents: matrices of 20 agents, world of 10 by 10")
@pytest.mark.parametrize("shared", [True, False], ids=["pooled", "own"])
def test_matrix_pooling(benchmark: Any, throughput: Throughput, memory_tracker: Any, shared: bool) -> None:
    """One call spawns 20 agents that share the matrices of one world, or have 0.5 MB of their own each."""
    factory = grid_agents(size=10, shared=shared)
    with memory_tracker.phase("agents"):
        agents = spawn(factory, 20)
    growth = memory_tracker.phases["agents"].growth_bytes or 0
    worlds = {id(agent.world): agent.world.nbytes for agent in agents}  # type: ignore[attr-defined]
    assert len(worlds) == (1 if shared else 20)
    held = sum(agent.memory() or 0 for agent in agents) + sum(worlds.values())
    del agents
    throughput(20)
    agents = benchmark.pedantic(spawn, (factory, 20), rounds=15, warmup_rounds=1)
    assert all(agent.step() in range(5) for agent in agents)
    benchmark.extra_info["perfcore"]["memory_bytes"] = max(held, growth) / 20
    benchmark.extra_info["matrices_bytes"] = sum(worlds.values())


@pytest.mark.benchmark(group="agents: 20 that come and go, world of 10 by 10")
@pytest.mark.parametrize("how", ["pool", "fresh"])
def test_pooling_gain(benchmark: Any, throughput: Throughput, how: str) -> None:
    """One call takes an agent with its own matrices 20 times: out of a pool of 5 that resets it, or a fresh one."""
    pool: ObjectPool[GridAgent] = ObjectPool(5, lambda: GridAgent(0, GridWorld(10)), reset=GridAgent.reset)

    def use() -> int:
        done = 0
        for _ in range(20):
            if how == "fresh":
                done += GridAgent(0, GridWorld(10)).goal >= 0
            else:
                with pool.lend() as agent:
                    done += agent.goal >= 0
        return done

    throughput(20)
    assert benchmark.pedantic(use, rounds=15, warmup_rounds=1) == 20
    assert how == "fresh" or (pool.created, pool.in_use, pool.discarded) == (1, 0, 0)
    with perfcore.MemoryTracker() as tracker:
        use()
    benchmark.extra_info["peak_growth_bytes"] = tracker.usage.peak_growth_bytes


# --- messages ---


def make_compact(count: int) -> list[CompactMessage]:
    """Return the messages as perfcore.messaging.Message, with what they say as the payload."""
    return [
        CompactMessage(one["sender"], one["receiver"], one["topic"], one["payload"], id=one["id"], timestamp=one["id"])
        for one in make_messages(count)
    ]


@pytest.mark.benchmark(group="history of 10 000 messages")
@pytest.mark.parametrize("how", ["unbounded", "bounded", "packed", "MessageHistory"])
def test_message_history(benchmark: Any, throughput: Throughput, how: str) -> None:
    """One call keeps 10 000 messages: in a list, the newest 1000 in a deque, as MessagePack, or in a MessageHistory."""
    make: Callable[[int], list[Any]] = make_compact if how == "MessageHistory" else make_messages
    pack = get_codec("msgpack").dumps if how == "packed" else None

    def record(messages: list[Any]) -> Any:
        history: Any = deque(maxlen=HISTORY // 10) if how == "bounded" else []
        if how == "MessageHistory":
            history = MessageHistory(HISTORY)
        for message in messages:
            history.append(message if pack is None else pack(message))
        return history

    throughput(HISTORY)
    messages = make(HISTORY)
    kept = list(benchmark.pedantic(record, (messages,), rounds=30, warmup_rounds=1))
    newest = messages[-len(kept) :]
    assert kept == newest if pack is None else kept[-1] == pack(messages[-1])
    assert len(kept) == (HISTORY // 10 if how == "bounded" else HISTORY)
    del kept, newest, messages
    with perfcore.track_allocations() as tracker:
        history = record(make(HISTORY))  # noqa: F841 - what is held is what counts
        gc.collect()
    benchmark.extra_info["perfcore"]["memory_bytes"] = tracker.live


def read_arrays(connection: Any) -> None:
    """Add up the arrays that come, as such or as the names of shared memory, until None does. In the other process."""
    blocks: dict[str, shared_memory.SharedMemory] = {}
    while (work := connection.recv()) is not None:
        total = 0.0
        for array in work:
            if isinstance(array, str):
                block = blocks.get(array) or shared_memory.SharedMemory(array)
                blocks[array] = block
                total += float(np.frombuffer(block.buf, dtype=np.float64, count=DOUBLES).sum())
            else:
                total += float(array.sum())
        connection.send(total)
    for block in blocks.values():
        block.close()


@pytest.fixture(scope="module")
def reader() -> Iterator[Any]:
    """Yield a pipe to a process that adds up arrays."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=read_arrays, args=(there,), daemon=True)
    process.start()
    there.close()
    yield here
    here.send(None)
    process.join(30)
    here.close()
    assert process.exitcode == 0


@pytest.mark.benchmark(group="10 arrays of 1 MB to another process")
@pytest.mark.parametrize("how", ["pickled", "shared"])
def test_shared_memory(benchmark: Any, throughput: Throughput, reader: Any, how: str) -> None:
    """One call fills 10 arrays of 1 MB and has another process add them up: sent by a pipe, or in shared memory."""
    blocks = (
        [shared_memory.SharedMemory(create=True, size=DOUBLES * 8) for _ in range(ARRAYS)] if how == "shared" else []
    )
    try:
        if blocks:
            arrays = [np.frombuffer(block.buf, dtype=np.float64, count=DOUBLES) for block in blocks]
        else:
            arrays = [np.zeros(DOUBLES) for _ in range(ARRAYS)]
        work = [block.name for block in blocks] or arrays

        def hand_over() -> float:
            for number, array in enumerate(arrays):
                array.fill(number)
            reader.send(work)
            return float(reader.recv())

        throughput(ARRAYS)
        assert benchmark(hand_over) == sum(range(ARRAYS)) * DOUBLES
        benchmark.extra_info["copied_bytes"] = 0 if blocks else ARRAYS * DOUBLES * 8
    finally:
        arrays = work = []
        gc.collect()  # a view of the memory keeps it from being closed
        for block in blocks:
            block.close()
            block.unlink()


# --- leaks ---


class Listeners:
    """Where agents register to be told of messages, and may forget to leave."""

    def __init__(self) -> None:
        self.strong: list[Callable[[Message], None]] = []
        self.weak: weakref.WeakSet[GridAgent] = weakref.WeakSet()


def registered(listeners: Listeners, tidy: bool) -> None:
    """Spawn an agent that listens; the untidy one is kept by those who talk to it."""
    agent = GridAgent(0)
    if tidy:
        listeners.weak.add(agent)
    else:
        listeners.strong.append(agent.receive)


def in_a_cycle(teams: list[Any], tidy: bool) -> None:
    """Spawn two agents that know each other: a cycle, which the collector frees unless somebody else holds it."""
    one, other = GridAgent(0), GridAgent(1)
    one.friend, other.friend = other, one  # type: ignore[attr-defined]
    if not tidy:
        teams.append(one)


def cached(cache: dict[int, Message], tidy: bool) -> None:
    """Keep a message under a key that is always another; the tidy one throws away the oldest."""
    number = max(cache, default=0) + 1
    cache[number] = {"sender": f"agent-{number}", "beliefs": [number / (cell + 1) for cell in range(50)]}
    if tidy and len(cache) > 10:
        del cache[min(cache)]


@pytest.mark.benchmark(group="leak check")
@pytest.mark.parametrize("tidy", [True, False], ids=["tidy", "leaking"])
@pytest.mark.parametrize("pattern", [registered, in_a_cycle, cached], ids=["listener", "cycle", "cache"])
def test_leak_patterns(benchmark: Any, throughput: Throughput, pattern: Any, tidy: bool) -> None:
    """One call checks a way to use agents for leaks: the tidy one has none, and that of the other is found."""
    places: dict[Any, Callable[[], Any]] = {registered: Listeners, in_a_cycle: list, cached: dict}

    def check() -> str:
        try:
            perfcore.assert_no_leaks(
                pattern, places[pattern](), tidy, calls=20, rounds=6, warmup=20, max_growth=FREE_LISTS
            )
        except perfcore.LeakError as error:
            return str(error)
        return ""

    throughput(1)
    gc.collect()
    gc.freeze()  # what pandas and matplotlib made is not looked through at each collection
    try:
        found = benchmark.pedantic(check, rounds=5)
    finally:
        gc.unfreeze()
    assert ("keeps" in found) is not tidy, found


if __name__ == "__main__":
    from summary import main

    sys.exit(main(__file__))
