# SPDX-License-Identifier: MIT
"""Message and MessageHistory as C types: leaks, cycles, failing allocations, sub-interpreters."""

from __future__ import annotations

import contextlib
import copy
import gc
import operator
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from perfcore.codecs import DecodeError, EncodeError, get_codec
from perfcore.messaging import Message, MessageHistory, RouteError, Router

Flat = Callable[..., None]
Failing = Callable[[Callable[[], object]], int]


class Text(str):
    __slots__ = ()


FIELDS = operator.attrgetter(*Message.__match_args__)
MANY = [Message(f"agent-{i}", f"agent-{i + 1}", f"w/{i}/x") for i in range(8)]


# No function is made in what follows, nor in what it calls: 3.12.1 frees its code twice when that fails.
def use_messages() -> None:
    message = Message(Text("sender"), recipient=Text("recipient"), topic="t" * 3, payload=[object()])
    assert message == Message(*FIELDS(message))
    assert message.__reduce__()[1] == FIELDS(message)
    repr(message)
    hash(message)
    for wrong in ((1,), ("a", 2), ("a", "b", 3), ("a", None, None, None, "x"), ("a", None, None, None, 1, 2**70)):
        with contextlib.suppress(TypeError, ValueError):
            Message(*wrong)  # type: ignore[arg-type]


def use_history() -> None:
    history = MessageHistory(5)
    history.extend(iter(MANY))
    history.append(Message(Text("me"), payload=[object()]))
    for query in ({"agent": Text("me")}, {"topic": "w/+/x"}, {"topic": Text("w/7/x")}, {"limit": 2}, {"since": 1}):
        assert history.query(**query)  # type: ignore[arg-type]
    for wrong in ({"agent": 1}, {"topic": "a+"}, {"topic": "+", "sender": 3}, {"limit": 0}):
        with contextlib.suppress(TypeError, ValueError):
            history.query(**wrong)  # type: ignore[arg-type]
    assert len(list(history)) == 5
    next(iter(history))
    sys.getsizeof(history)
    repr(history)
    history.clear()


def test_messages_are_flat(assert_flat: Flat) -> None:
    assert_flat(use_messages)

    def copies() -> None:
        message = Message("a", payload=[1, {}])
        assert copy.deepcopy(message) == message == pickle.loads(pickle.dumps(message))  # noqa: S301

    assert_flat(copies)


def test_a_history_is_flat(assert_flat: Flat) -> None:
    assert_flat(use_history)


@pytest.mark.parametrize("name", ["json", "msgpack"])
def test_codecs_are_flat(assert_flat: Flat, name: str) -> None:
    codec, message = get_codec(name), Message("sender", "recipient", "topic", [Message("inner", payload={"k": 2.5})])
    data = codec.dumps(message)

    def operation() -> None:
        assert codec.loads(codec.dumps(message)) == message
        with contextlib.suppress(EncodeError):
            codec.dumps(Message("a", payload=[object()]))
        for wrong in (data[:-9], data.replace(b"sender", b"sende\xff"), data.replace(b"k", b"\xc1")):
            with contextlib.suppress(DecodeError):
                codec.loads(wrong)
        no_message = b'[{"perfcore.Message":{"sender":[1.5]}}]' if name == "json" else b"\xd5\x4d\x96\xa0"
        with contextlib.suppress(DecodeError):
            codec.loads(no_message)

    assert_flat(operation)


def test_routing_is_flat(assert_flat: Flat) -> None:
    router = Router()
    router.add("a", maxsize=1, policy="drop_oldest")
    router.subscribe("a", "t/+")

    def operation() -> None:
        router.route_many([Message("x", "a"), Message("x", topic="t/1")])
        with contextlib.suppress(RouteError):
            router.route(Message("x"))
        with contextlib.suppress(RouteError):
            router.route(Message("x", "nobody"))
        with contextlib.suppress(TypeError):
            router.route(3)  # type: ignore[arg-type]

    assert_flat(operation)


def test_failing_allocations_of_messages(each_allocation_fails: Failing) -> None:
    use_messages()
    assert each_allocation_fails(use_messages) > 10


def test_failing_allocations_of_a_history(each_allocation_fails: Failing) -> None:
    use_history()
    assert each_allocation_fails(use_history) > 20


def test_an_append_that_fails_changes_nothing(each_allocation_fails: Failing) -> None:
    messages = [Message(f"s{i}", f"r{i}", f"t{i}") for i in range(70)]  # more than the first slots
    history = MessageHistory()

    def operation() -> None:
        while len(history) < 70:
            before = len(history)
            try:
                history.append(messages[before])
            except MemoryError:
                assert len(history) == before
                raise
        history.clear()

    assert each_allocation_fails(operation) > 3
    history.extend(messages)
    for message in messages:
        assert history.query(sender=message.sender, recipient=message.recipient, topic=message.topic) == [message]


@pytest.mark.parametrize("name", ["json", "msgpack"])
def test_failing_allocations_of_codecs(each_allocation_fails: Failing, name: str) -> None:
    codec, message = get_codec(name), Message("sender", "recipient", "topic", [Message("inner", payload={"k": 2.5})])
    data = codec.dumps(message)
    assert each_allocation_fails(lambda: codec.dumps(message)) >= 1
    assert each_allocation_fails(lambda: codec.loads(data)) >= 4  # texts met before are not made again
    assert codec.loads(data) == message


def test_cycles_are_collected() -> None:
    class Node(list[Any]):
        pass

    node, history = Node(), MessageHistory()
    history.append(Message("a", payload=node))
    node += [history, iter(history), Message("b", payload=node)]
    seen = weakref.ref(node)
    del node, history
    gc.collect()
    assert seen() is None


def test_an_interpreter_has_messages_of_its_own() -> None:
    code = f"""
import _xxsubinterpreters as interpreters
from perfcore.codecs import get_codec
from perfcore.messaging import Message
script = '''
import sys
sys.path[:] = {sys.path!r}
from perfcore._core import Message, MessageHistory, json_dumps, json_loads
history = MessageHistory()
history.append(Message("a", payload=[history]))
message = Message("a", "b", "t", [1.5])
assert json_loads(json_dumps(message)) == message
'''
for _ in range(3):
    interpreter = interpreters.create(isolated=True)
    interpreters.run_string(interpreter, script)
    interpreters.destroy(interpreter)
message = Message("a", payload=[1.5])
assert get_codec("json").loads(get_codec("json").dumps(message)) == message
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
