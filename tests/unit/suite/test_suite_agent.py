# SPDX-License-Identifier: MIT
"""What counts as an agent, and how agents are made and let go."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from perfcore.errors import SuiteError
from perfcore.suite.agent import Agent, Wrapped, dismiss, is_async, spawn, spawn_async, wrap
from perfcore.suite.drive import drive


class Whole:
    name = "whole"

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.closed = False

    def step(self) -> int:
        return 7

    def send(self) -> dict[str, Any]:
        return {"sender": self.name, "text": "hello"}

    def receive(self, message: dict[str, Any]) -> None:
        self.got.append(message)

    def memory(self) -> int:
        return 42

    def close(self) -> None:
        self.closed = True


class Bare:
    def step(self) -> int:
        return 8


def test_an_agent_stays_as_it_is() -> None:
    agent = Whole()
    assert wrap(agent, 0) is agent


def test_a_function_becomes_an_agent() -> None:
    agent = wrap(lambda: 9, 3)
    assert isinstance(agent, Agent)
    assert (agent.name, agent.step(), agent.memory()) == ("agent-003", 9, None)
    assert [agent.send()["number"] for _ in range(2)] == [1, 2]
    agent.receive({"sender": "x"})
    assert isinstance(agent, Wrapped)
    assert (agent.received, list(agent.inbox)) == (1, [{"sender": "x"}])


def test_what_an_object_has_is_used() -> None:
    class Talking(Bare):
        name = "talker"

        def __init__(self) -> None:
            self.got: list[Any] = []

        def send(self) -> dict[str, Any]:
            return {"sender": "me"}

        def receive(self, message: dict[str, Any]) -> None:
            self.got.append(message)

    inner = Talking()
    agent = wrap(inner, 0)
    agent.receive({"a": 1})
    assert (agent.name, agent.step(), agent.send(), inner.got) == ("talker", 8, {"sender": "me"}, [{"a": 1}])


@pytest.mark.parametrize("thing", [None, 3, "text", {}])
def test_what_cannot_act_is_refused(thing: Any) -> None:
    with pytest.raises(SuiteError, match=r"agent 5 is .*has no method step\(\)"):
        spawn(lambda _: thing, 1, first=5)


def test_coroutine_functions_are_known() -> None:
    async def function(_: int = 0) -> None: ...

    class Method:
        async def step(self) -> None: ...

    class Called:
        async def __call__(self) -> None: ...

    for thing in (function, functools.partial(function, 1), Method(), Called()):
        assert is_async(wrap(thing, 0)), thing
    for thing in (Whole(), Bare(), print):
        assert not is_async(wrap(thing, 0)), thing


def test_a_factory_gets_the_numbers() -> None:
    numbers: list[int] = []

    def make(number: int) -> Bare:
        numbers.append(number)
        return Bare()

    assert len(spawn(make, 3, first=4)) == 3
    assert numbers == [4, 5, 6]


def test_an_asynchronous_factory_makes_agents_at_the_same_time() -> None:
    waiting = 0
    most = 0

    async def make(_: int) -> Whole:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await asyncio.sleep(0)
        waiting -= 1
        return Whole()

    agents = spawn(make, 5)
    assert [agent.step() for agent in agents] == [7] * 5
    assert most == 5

    async def inside() -> int:
        with pytest.raises(SuiteError, match="spawn_async"):
            spawn(make, 2)
        return len(await spawn_async(make, 2))

    assert asyncio.run(inside()) == 2


def test_agents_that_can_be_closed_are() -> None:
    class Async(Bare):
        closed = False

        async def close(self) -> None:
            await asyncio.sleep(0)
            self.closed = True

    whole, inner = Whole(), Async()
    dismiss([whole, wrap(inner, 1), wrap(print, 2)])
    assert whole.closed
    assert inner.closed


def test_the_thread_keeps_its_own_event_loop() -> None:
    class Async:
        async def step(self) -> None: ...

        async def close(self) -> None: ...

    async def make(_: int) -> Async:
        return Async()

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        agents = spawn(make, 2)
        drive(agents, 1)
        dismiss(agents)
        assert asyncio.get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()
