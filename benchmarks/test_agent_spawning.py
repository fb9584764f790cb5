# SPDX-License-Identifier: MIT
"""Spawning agents: one, many, from threads, from an event loop, out of a pool; and what an agent costs in memory.

The agents are active-inference agents (pymdp) in a grid world, which all share one model of it; see
perfcore.suite.gridworld. Each benchmark checks that its agents can act.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ThreadTeam, finished

pytest.importorskip("pymdp", reason="needs pymdp: pip install 'perfcore[suites]'")

from perfcore.messaging import ObjectPool
from perfcore.suite.agent import Agent, spawn, spawn_async
from perfcore.suite.gridworld import GridAgent, GridWorld, grid_agents

Throughput = Callable[[int], None]

MANY = 10  # agents that are spawned at once, where a benchmark does not say otherwise


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """Import pymdp and make the world that all agents share, outside the clock."""
    assert walk(spawn(grid_agents(), 1), 1)


def walk(agents: list[Agent], steps: int = 3) -> bool:
    """Whether every agent can act: each step returns one of the five moves."""
    return all(agent.step() in range(5) for agent in agents for _ in range(steps))


@pytest.mark.benchmark(group="spawn one agent")
@pytest.mark.parametrize(
    "options",
    [{}, {"horizon": 2}, {"learning": True}, {"size": 10}, {"shared": False}],
    ids=["5x5", "horizon-2", "learning", "10x10", "own-world"],
)
def test_spawn_single(benchmark: Any, throughput: Throughput, options: dict[str, Any]) -> None:
    """One call spawns one agent; the world's matrices are there already, but for own-world."""
    factory = grid_agents(**options)
    spawn(factory, 1)
    throughput(1)
    (agent,) = benchmark(spawn, factory, 1)
    assert walk([agent])
    own_world = 0 if options.get("shared", True) else agent.world.nbytes
    benchmark.extra_info["perfcore"]["memory_bytes"] = agent.memory() + own_world


@pytest.mark.benchmark(group="spawn many agents, one after another")
@pytest.mark.parametrize("count", [1, 10, 50, 100])
def test_spawn_scaling(benchmark: Any, throughput: Throughput, count: int) -> None:
    """One call spawns that many agents: the curve that shows whether an agent costs more where there are many."""
    factory = grid_agents()
    throughput(count)
    agents = benchmark(spawn, factory, count)
    assert [agent.name for agent in agents] == [f"agent-{index:03d}" for index in range(count)]
    assert walk(agents, 1)


@pytest.mark.benchmark(group="spawn 10 agents")
def test_spawn_batch(benchmark: Any, throughput: Throughput) -> None:
    """One call spawns 10 agents one after another."""
    factory = grid_agents()
    throughput(MANY)
    assert walk(benchmark(spawn, factory, MANY))


@pytest.mark.benchmark(group="spawn 10 agents")
def test_spawn_parallel(benchmark: Any, throughput: Throughput, team: ThreadTeam) -> None:
    """One call spawns 10 agents in 4 threads that wait for it."""
    factory = grid_agents()
    shares = [range(number, MANY, 4) for number in range(4)]

    def spawn_in_threads() -> list[Agent]:
        agents: list[Agent] = []

        def job(share: range) -> Callable[[], int]:
            def make() -> int:
                for index in share:
                    agents.extend(spawn(factory, 1, first=index))
                return len(share)

            return make

        assert sum(team.run([job(share) for share in shares])) == MANY
        return agents

    throughput(MANY)
    agents = benchmark(spawn_in_threads)
    assert {agent.name for agent in agents} == {f"agent-{index:03d}" for index in range(MANY)}
    assert walk(agents)


@pytest.mark.benchmark(group="spawn 10 agents")
def test_spawn_concurrent(benchmark: Any, throughput: Throughput, request: pytest.FixtureRequest) -> None:
    """One call spawns 10 agents as tasks of an event loop, each of which gives way once, as if it asked a registry."""
    if request.config.getoption("perfcore", "off") == "off" and not benchmark.disabled:
        pytest.skip("pytest-benchmark alone cannot time a coroutine function")
    make = grid_agents()

    async def factory(index: int) -> GridAgent:
        await asyncio.sleep(0)
        return make(index)

    async def spawn_all() -> list[Agent]:
        return await spawn_async(factory, MANY)

    throughput(MANY)
    assert walk(finished(benchmark(spawn_all)))


@pytest.mark.benchmark(group="spawn 100 agents and let them go")
@pytest.mark.parametrize("shared", [True, False], ids=["one-world", "own-worlds"])
def test_memory_per_agent(benchmark: Any, throughput: Throughput, shared: bool, memory_tracker: Any) -> None:
    """One call spawns 100 agents and drops them; noted is what the process grew by for each of the 100."""
    factory = grid_agents(shared=shared)
    with memory_tracker.phase("agents"):
        agents = spawn(factory, 500)
    growth = memory_tracker.phases["agents"].growth_bytes
    world = GridWorld(5).nbytes
    own = max(agent.memory() or 0 for agent in agents) + (0 if shared else world)
    assert walk(agents, 1)
    del agents
    throughput(100)
    assert walk(benchmark(spawn, factory, 100), 1)
    # The process may have had free pages for some of them: then the growth is less than what they take.
    benchmark.extra_info["perfcore"]["memory_bytes"] = max((growth or 0) / 500, own)
    benchmark.extra_info["own_bytes"] = own


POOL = 5


def used(agent: GridAgent) -> bool:
    """Let an agent act, as one that is lent does; its move is the first of its walk each time."""
    return agent.step() in range(5) and agent.steps == 1


@pytest.mark.benchmark(group="an agent for one step")
@pytest.mark.parametrize("how", ["pool", "fresh"])
def test_agent_pool(benchmark: Any, throughput: Throughput, how: str) -> None:
    """One call takes an agent 10 times for one step each: from a pool of 5 whose agents are reset, or a fresh one."""
    make = grid_agents()
    pool: ObjectPool[GridAgent] = ObjectPool(POOL, lambda: make(0), reset=GridAgent.reset)

    def from_pool() -> int:
        done = 0
        for _ in range(MANY):
            with pool.lend() as agent:
                done += used(agent)
        return done

    def fresh() -> int:
        return sum(used(make(0)) for _ in range(MANY))

    throughput(MANY)
    assert benchmark(from_pool if how == "pool" else fresh) == MANY
    if how == "pool":
        assert (pool.created, pool.in_use, pool.discarded) == (1, 0, 0)


if __name__ == "__main__":
    from summary import main

    sys.exit(main(__file__))
