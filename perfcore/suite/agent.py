# SPDX-License-Identifier: MIT
"""Agents as the suites see them: spawned by a factory, stepped, sent messages, asked for the memory they hold.

Anything with a ``step`` method is an agent, and so is any callable: `spawn` wraps it, so that the suites can rely on
the rest. ``step`` and the factory may be coroutine functions.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

from perfcore.errors import SuiteError

R = TypeVar("R")

__all__ = ["Agent", "Factory", "Message", "Wrapped", "dismiss", "is_async", "spawn", "spawn_async", "wrap"]

Message: TypeAlias = dict[str, Any]
Factory: TypeAlias = Callable[[int], Any]
"""Called with the agent's number, from 0; returns an agent, a callable, or an awaitable of one."""

INBOX = 1000  # messages that an agent keeps, the newest


@runtime_checkable
class Agent(Protocol):
    """What the suites ask of an agent. Only ``step`` is the user's duty; `wrap` adds what is missing."""

    name: str

    def step(self) -> Any:
        """Act once; what it returns is the caller's. May be a coroutine function."""

    def send(self) -> Message:
        """Return what the agent has to tell others now; ``sender`` is its name."""

    def receive(self, message: Message) -> None:
        """Take a message. Called from any thread, also while the agent steps."""

    def memory(self) -> int | None:
        """Return the bytes that the agent's own state takes, without what it shares; None where it cannot say."""


class Wrapped:
    """A user's object or callable, with the methods that it lacks.

    Messages to an object without ``receive`` are kept here: the newest thousand, and how many there were.
    """

    def __init__(self, inner: Any, name: str) -> None:
        self.inner = inner
        self.name = str(getattr(inner, "name", name))
        step = getattr(inner, "step", None)
        self.step: Callable[[], Any] = step if callable(step) else inner
        self.received = 0
        self.inbox: deque[Message] = deque(maxlen=INBOX)
        self._sent = 0

    def send(self) -> Message:
        """Return the object's own message, or one with its name and a number."""
        if callable(own := getattr(self.inner, "send", None)):
            return cast(Message, own())
        self._sent += 1
        return {"sender": self.name, "number": self._sent}

    def receive(self, message: Message) -> None:
        """Hand the message on, or keep it."""
        if callable(own := getattr(self.inner, "receive", None)):
            own(message)
        else:
            self.inbox.append(message)
        self.received += 1

    def close(self) -> Any:
        """Close the object, if it can be closed."""
        return own() if callable(own := getattr(self.inner, "close", None)) else None

    def memory(self) -> int | None:
        """Return what the object says, None if it says nothing."""
        return cast(int, own()) if callable(own := getattr(self.inner, "memory", None)) else None


def wrap(thing: Any, index: int) -> Agent:
    """Return ``thing`` if it is an agent, and else a `Wrapped` one.

    Raises:
        SuiteError: it is neither callable nor has a method ``step``.

    """
    if isinstance(thing, Agent):
        return thing
    if not callable(getattr(thing, "step", thing)):
        raise SuiteError(
            f"agent {index} is {thing!r}, which has no method step() and cannot be called; "
            "let the factory return an object with step(), or a function"
        )
    return Wrapped(thing, f"agent-{index:03d}")


def is_async(agent: Agent) -> bool:
    """Whether the agent's ``step`` is a coroutine function, also as an object's ``__call__``."""
    step = agent.step
    return inspect.iscoroutinefunction(step) or inspect.iscoroutinefunction(getattr(step, "__call__", None))  # noqa: B004


def run_alone(main: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine on an event loop of its own, as `asyncio.run` does; the thread keeps the one that it has."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(main)


def spawn(factory: Factory, count: int, *, first: int = 0) -> list[Agent]:
    """Make agents number ``first`` to ``first + count - 1``.

    Where the factory is asynchronous, they are made concurrently on an event loop of their own.

    Raises:
        SuiteError: what the factory returned is no agent, or an event loop runs already: use `spawn_async` there.

    """
    made = [factory(index) for index in range(first, first + count)]
    if not any(inspect.isawaitable(thing) for thing in made):
        return [wrap(thing, index) for index, thing in enumerate(made, first)]
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run_alone(_gather(made, first))
    for thing in made:
        if inspect.iscoroutine(thing):
            thing.close()
    raise SuiteError("spawn() cannot await the factory where an event loop runs; use `await spawn_async(...)`")


async def spawn_async(factory: Factory, count: int, *, first: int = 0) -> list[Agent]:
    """Make agents as `spawn` does, on the running event loop."""
    return await _gather([factory(index) for index in range(first, first + count)], first)


async def _gather(made: list[Any], first: int) -> list[Agent]:
    async def settle(thing: Any) -> Any:
        return await thing if inspect.isawaitable(thing) else thing

    settled = await asyncio.gather(*map(settle, made))
    return [wrap(thing, index) for index, thing in enumerate(settled, first)]


def dismiss(agents: Iterable[Agent]) -> None:
    """Close the agents that have a method ``close``, also an asynchronous one."""
    closing = [close() for agent in agents if callable(close := getattr(agent, "close", None))]
    if waiting := [one for one in closing if inspect.isawaitable(one)]:

        async def close_all() -> None:
            await asyncio.gather(*waiting)

        run_alone(close_all())
