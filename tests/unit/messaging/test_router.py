# SPDX-License-Identifier: MIT
"""Router: five ways to an endpoint, policies, counters, and changes while messages are on their way."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.messaging import Closed, Endpoint, Full, RouteError, Router


def boxes(router: Router) -> dict[str, list[Any]]:
    """Empty every mailbox."""
    return {
        endpoint.name: endpoint.mailbox.get_many() if endpoint.queued else []
        for endpoint in router.endpoints
        if endpoint.mailbox is not None
    }


def test_many_at_once_and_one_by_one_are_the_same() -> None:
    """A limit, a handler or a waiting thread takes the slow way; what arrives does not differ."""
    for more in ({"maxsize": 100}, {"handler": lambda _: None}, {}):
        router = Router()
        router.add("a")
        other = router.add("b", **more)  # type: ignore[arg-type]
        for batch in ([1, 2, 3], [], range(4, 40)):
            assert router.broadcast_many(batch) == 2 * len(batch)
        assert boxes(router)["a"] == [1, 2, 3, *range(4, 40)]
        assert (router["a"].delivered, other.delivered) == (39, 39)


@pytest.fixture
def router() -> Router:
    router = Router()
    for name in ("a", "b", "c"):
        router.add(name)
    return router


def test_direct(router: Router) -> None:
    assert router.send("b", 1) == 1
    assert router.send_many("b", [2, 3]) == 2
    assert router.send_many(["a", "c"], (4, 5)) == 2
    assert boxes(router) == {"a": [4], "b": [1, 2, 3], "c": [5]}
    assert [endpoint.delivered for endpoint in router.endpoints] == [1, 3, 1]


def test_in_turn(router: Router) -> None:
    assert router.send_next(0) == 1
    assert router.send_next_many(range(1, 7)) == 6
    assert boxes(router) == {"a": [0, 3, 6], "b": [1, 4], "c": [2, 5]}


def test_broadcast(router: Router) -> None:
    assert router.broadcast("x") == 3
    assert router.broadcast_many(["y", "z"]) == 6
    assert boxes(router) == {name: ["x", "y", "z"] for name in "abc"}


HASHED = """
from perfcore.messaging import Router
router = Router()
names = [f"e{number}" for number in range(16)]
for name in names:
    router.add(name)
router.send_hashed_many([f"agent-{number}" for number in range(200)], range(200))
router.send_hashed(b"agent-7", "bytes")
print([router[name].mailbox.get_many() if router[name].queued else [] for name in names])
"""


def test_a_key_has_its_place_in_every_process() -> None:
    def places(seed: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-P", "-c", HASHED],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    first = places("1")
    assert first == places("2")
    spread = eval(first)  # noqa: S307 - our own output
    assert all(4 <= len(one) <= 26 for one in spread)
    assert [7 in one for one in spread] == ["bytes" in one for one in spread]  # str and its UTF-8 are the same key


def test_topics(router: Router) -> None:
    router.subscribe("a", "agents/+/move")
    router.subscribe("b", "agents/#")
    router.subscribe("b", "agents/1/move")
    router.subscribe("c", "#")
    assert router.publish("agents/1/move", 1) == 3  # b once, though two of its filters match
    assert router.publish("agents", 2) == 2
    assert router.publish("$SYS/x", 3) == 0
    assert router.publish_many("agents/2/move", [4, 5]) == 6
    assert router.publish_many(["x", "agents/3/say"], [6, 7]) == 3
    assert boxes(router) == {"a": [1, 4, 5], "b": [1, 2, 4, 5, 7], "c": [1, 2, 4, 5, 6, 7]}
    assert router["b"].filters == {"agents/#", "agents/1/move"}
    router.subscribe("b", "agents/#")  # twice is once
    router.unsubscribe("b", "agents/#")
    assert router.publish("agents/9/say", 8) == 1  # not from the cache


levels = st.lists(st.sampled_from(["a", "b", "", "+"]), min_size=1, max_size=4)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(levels, st.booleans()), max_size=8), st.lists(levels, max_size=8), st.data())
def test_topics_against_a_model(filters: Any, topics: Any, data: st.DataObject) -> None:
    """The trie and its cache deliver what matching level by level says, whatever is unsubscribed between."""

    def matches(wanted: list[str], topic: list[str]) -> bool:
        if wanted[:1] == ["#"]:
            return True
        if not wanted or not topic:
            return wanted == topic
        return wanted[0] in ("+", topic[0]) and matches(wanted[1:], topic[1:])

    router = Router()
    subscribed: dict[str, list[str]] = {}
    for number, (parts, rest) in enumerate(filters):
        wanted = parts + ["#"] * rest
        if wanted != [""]:
            subscribed[str(number)] = wanted
            router.add(str(number))
            router.subscribe(str(number), "/".join(wanted))
    for parts in topics:
        topic = ["x" if part == "+" else part for part in parts]
        if topic == [""]:
            continue
        for _ in range(2):  # found, then from the cache
            expected = sum(matches(wanted, topic) for wanted in subscribed.values())
            assert router.publish("/".join(topic), 0) == expected
        if subscribed and data.draw(st.booleans()):
            name, wanted = subscribed.popitem()
            router.unsubscribe(name, "/".join(wanted))


@pytest.mark.parametrize(
    ("policy", "kept", "made", "dropped"), [("drop_oldest", [3, 4], 5, 3), ("drop_new", [0, 1], 2, 3)]
)
def test_a_full_mailbox_drops(policy: Any, kept: list[int], made: int, dropped: int) -> None:
    router = Router()
    endpoint = router.add("a", maxsize=2, policy=policy)
    assert router.send_many("a", range(5)) == made
    assert endpoint.mailbox is not None
    assert (endpoint.delivered, endpoint.dropped, endpoint.queued) == (made, dropped, 2)
    assert endpoint.mailbox.unfinished_tasks == 2
    assert endpoint.mailbox.get_many() == kept
    assert repr(endpoint) == f"<perfcore.Endpoint 'a': {made} delivered, {dropped} dropped>"


def test_a_full_mailbox_raises_after_the_others_were_served() -> None:
    router = Router()
    for name in ("a", "b"):
        router.add(name, maxsize=1, policy="error")
    router.add("c")
    router.send("a", 0)
    with pytest.raises(Full, match="the mailbox of endpoint 'a' is full"):
        router.broadcast(1)
    assert boxes(router) == {"a": [0], "b": [1], "c": [1]}
    assert [endpoint.dropped for endpoint in router.endpoints] == [1, 0, 0]
    router.send("a", 0)
    with pytest.raises(Full, match="'a' is full"):
        router.send("a", 1)


def test_a_full_mailbox_blocks_until_there_is_room() -> None:
    router = Router()
    mailbox = router.add("a", maxsize=1).mailbox
    assert mailbox is not None
    thread = threading.Thread(target=router.send_many, args=("a", range(100)), daemon=True)
    thread.start()
    assert [mailbox.get(timeout=30) for _ in range(100)] == list(range(100))
    thread.join(30)
    assert not thread.is_alive()


def test_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    router = Router()
    seen: list[Any] = []
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: reported.append(args.exc_type))

    def fails(message: Any) -> None:
        if message == "interrupt":
            raise KeyboardInterrupt
        raise ValueError(message)

    router.add("bad", fails)
    good = router.add("good", seen.append)
    assert good.handler is not None
    assert good.mailbox is None
    assert router.broadcast_many([1, 2]) == 2
    assert seen == [1, 2]
    assert reported == [ValueError] * 2
    assert (router["bad"].failed, router["bad"].delivered, good.delivered) == (2, 0, 2)
    with pytest.raises(KeyboardInterrupt):
        router.broadcast("interrupt")


def test_changes_while_a_message_is_on_its_way() -> None:
    router = Router()
    seen: list[str] = []

    def first(_: Any) -> None:
        seen.append("first")
        if "third" in [endpoint.name for endpoint in router.endpoints]:
            router.remove("third")
            router.remove("first")
            router.add("late", lambda _: seen.append("late"))
            router.subscribe("late", "t")

    router.add("first", first)
    router.add("second", lambda _: seen.append("second"))
    router.add("third", lambda _: seen.append("third"))
    for name in ("first", "second", "third"):
        router.subscribe(name, "t")
    assert router.publish("t", None) == 2  # the removed one gets nothing more, the new one gets the next
    assert router.publish("t", None) == 2
    assert seen == ["first", "second", "second", "late"]


def test_removal_closes_the_mailbox(router: Router) -> None:
    router.subscribe("a", "t")
    router.send("a", 1)
    endpoint = router.remove("a")
    assert isinstance(endpoint, Endpoint)
    assert endpoint.mailbox is not None
    assert endpoint.mailbox.get() == 1
    with pytest.raises(Closed):
        endpoint.mailbox.get()
    assert (len(router), router.publish("t", 2), endpoint.filters) == (2, 0, frozenset())
    router.add("a")
    assert router.broadcast(3) == 3


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda router: router.send("x", 1), RouteError, "no endpoint is called 'x'; add it first"),
        (lambda router: router["x"], RouteError, "'x'"),
        (lambda router: router.remove("x"), RouteError, "'x'"),
        (lambda router: router.subscribe("x", "t"), RouteError, "'x'"),
        (lambda router: router.unsubscribe("a", "t"), RouteError, "no subscription to 't'"),
        (lambda router: Router().send_next(1), RouteError, "has no endpoint; add one"),
        (lambda router: Router().send_hashed("k", 1), RouteError, "has no endpoint; add one"),
        (lambda router: router.add("a"), ValueError, "called 'a' already"),
        (lambda router: router.add(5), TypeError, "is a str, not int"),
        (lambda router: router.add("d", policy="lose"), ValueError, "policy is 'lose'; it must be 'block'"),
        (lambda router: router.add("d", 5), TypeError, "neither a Ring nor callable"),
        (lambda router: router._add("d", router["a"].mailbox, "block"), ValueError, "is another's mailbox"),
        (lambda router: router.subscribe("a", "x/#/y"), ValueError, "'x/#/y' is no topic filter"),
        (lambda router: router.publish("x/+", 1), ValueError, "'x/\\+' is no topic"),
        (lambda router: router.publish(5, 1), TypeError, "a topic is a str, not int"),
        (lambda router: router.send_hashed(5, 1), TypeError, "a key is a str or bytes, not 5"),
        (lambda router: router.subscribe("a", 5), TypeError, "a topic filter is a str, not int"),
        (lambda router: router.send("a"), TypeError, r"send\(\) takes 2 positional arguments \(1 given\)"),
        (lambda router: router.send_many(["a"], [1, 2]), ValueError, "1 keys for 2 messages"),
        (lambda router: router.publish_many(["a"], [1, 2]), ValueError, r"publish_many\(\) got 1 keys for 2 messages"),
        (lambda router: router.send_many("a", 5), TypeError, "iterable"),
    ],
)
def test_wrong_calls(router: Router, call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call(router)


def test_routing_while_others_change_the_subscriptions() -> None:
    router = Router()
    for number in range(8):
        router.add(f"e{number}", policy="drop_new", maxsize=10)
        router.subscribe(f"e{number}", "t/#")
    stop = threading.Event()

    def change(number: int) -> None:
        while not stop.is_set():
            router.remove(f"e{number}")
            router.add(f"e{number}", policy="drop_new", maxsize=10)
            router.subscribe(f"e{number}", "t/#")

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=change, args=(number,), daemon=True) for number in range(3)]
    try:
        for thread in threads:
            thread.start()
        for number in range(3000):
            assert router.publish(f"t/{number % 50}", number) <= 8
            router.broadcast(number)
    finally:
        stop.set()
        sys.setswitchinterval(before)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    for number in range(8):
        assert router[f"e{number}"].queued <= 10


def test_names_that_were_looked_up_before() -> None:
    router, count = Router(), 3000  # more than the router remembers
    for number in range(count):
        router.add(f"agent-{number}")
    router.add("ägent")
    for _ in range(2):
        names = [f"agent-{number}" for number in range(count)]  # other objects each time
        assert router.send_many(names, range(count)) == count
        assert router.send("ägent", "x") == 1
    boxes = [router[f"agent-{number}"].mailbox for number in range(count)]
    assert [box.get_many() for box in boxes if box is not None] == [[number] * 2 for number in range(count)]
    old = router.remove("agent-7")
    with pytest.raises(RouteError):
        router.send("agent-7", "gone")
    new = router.add("agent-7")
    assert router.send("agent-7", "new") == 1
    assert (old.queued, new.queued) == (0, 1)


def test_a_name_whose_comparison_uses_the_router() -> None:
    router = Router()
    router.add("a")

    class Name(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            router.send("a", "meanwhile") if len(router) else None
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    router.remove(Name("a"))
    with pytest.raises(RouteError):
        router.send("a", "gone")
