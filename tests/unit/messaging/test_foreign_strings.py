# SPDX-License-Identifier: MIT
"""Names, filters and topics that are subclasses of str, with an equality of their own or code that runs in it."""

from __future__ import annotations

import gc
from enum import StrEnum
from typing import Any

import pytest

from perfcore.messaging import Message, MessageHistory, RouteError, Router


class Caseless(str):
    """Equal whatever the case."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and str.lower(self) == str.lower(other)

    def __hash__(self) -> int:
        return hash(str.lower(self))


class Colour(StrEnum):
    RED = "red"


@pytest.fixture
def got() -> list[Any]:
    return []


@pytest.fixture
def router(got: list[Any]) -> Router:
    router = Router()
    router.add("a", handler=got.append)
    return router


def test_a_filter_is_its_text(router: Router, got: list[Any]) -> None:
    router.subscribe("a", Caseless("News/x"))
    with pytest.raises(RouteError, match="no subscription to 'news/x'"):
        router.unsubscribe("a", Caseless("news/x"))
    router.subscribe("a", Caseless("news/x"))
    assert sorted(router["a"].filters) == ["News/x", "news/x"]
    assert all(type(one) is str for one in router["a"].filters)
    assert [router.publish(topic, topic) for topic in ("News/x", "news/x", "NEWS/x")] == [1, 1, 0]
    router.unsubscribe("a", Caseless("News/x"))
    assert router.publish("News/x", 2) == 0
    assert got == ["News/x", "news/x"]


def test_nothing_of_an_endpoint_stays_when_it_goes(got: list[Any]) -> None:
    for _ in range(50):
        router = Router()
        router.add("a", handler=got.append)
        router.subscribe("a", Caseless("News/x"))
        router.subscribe("a", Caseless("news/x"))
        router.remove("a")
        gc.collect()
        assert [router.publish(topic, 1) for topic in ("News/x", "news/x")] == [0, 0]
    assert got == []


def test_a_name_is_its_text(router: Router, got: list[Any]) -> None:
    capital: list[Any] = []
    router.add(Caseless("A"), handler=capital.append)
    assert [endpoint.name for endpoint in router.endpoints] == ["a", "A"]
    assert router.send(Caseless("A"), 1) + router.send("a", 2) == 2
    assert router.send_many([Caseless("A"), Caseless("a")], [6, 7]) == 2
    router.subscribe(Caseless("A"), "t")
    assert (router.publish("t", 8), capital, got) == (1, [1, 6, 8], [2, 7])
    router.unsubscribe(Caseless("A"), "t")
    assert router[Caseless("A")] is router["A"] is router.remove(Caseless("A"))
    assert len(router) == 1
    added = router.add(Colour.RED, handler=got.append)
    assert type(added.name) is str
    assert [router.send(name, 3) for name in ("red", Colour.RED)] == [1, 1]
    assert router.send_many([Colour.RED, "red"], [4, 5]) == 2
    assert got == [2, 7, 3, 3, 4, 5]
    assert router.remove(Colour.RED) is added
    for missing in ("red", Colour.RED, Caseless("A")):
        with pytest.raises(RouteError):
            router.send(missing, 1)


@pytest.mark.parametrize("change", ["subscribe", "remove"])
def test_an_equality_that_changes_the_router(router: Router, got: list[Any], change: str) -> None:
    keep = []

    class Meddles(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            if change == "subscribe":
                router.subscribe("a", "other")
            elif len(router) == 1:
                router.remove("a")
            keep.extend({"t": 12345} for _ in range(100))  # takes the place of what was freed
            return str.__eq__(self, other)

    router.subscribe("a", "t")
    for _ in range(10):
        router.publish("t", 1)
        router.publish(Meddles("t"), 2)
    for use in (router.send, router.unsubscribe):
        try:
            use(Meddles("a"), Meddles("t"))
        except RouteError:
            assert change == "remove"
    assert got[:2] == [1, 2]


def test_an_equality_that_publishes(router: Router, got: list[Any]) -> None:
    """What is found for a topic while a subscription changes is not what is found from then on."""

    class Publishes(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            router.publish("t", "in between")
            return str.__eq__(self, other)

    router.subscribe(Publishes("a"), "t")
    assert router.publish("t", 1) == 1
    router.unsubscribe(Publishes("a"), "t")
    assert router.publish("t", 2) == 0
    assert got == [1]


@pytest.mark.parametrize("wrong", [3, b"t", None, ["t"]])
def test_what_is_no_text(router: Router, wrong: Any) -> None:
    for use, what in (
        (lambda: router.subscribe("a", wrong), "a topic filter is a str"),
        (lambda: router.unsubscribe("a", wrong), "a topic filter is a str"),
        (lambda: router.publish(wrong, 1), "a topic is a str"),
        (lambda: router.add(wrong), "the name of an endpoint is a str"),
    ):
        with pytest.raises(TypeError, match=what):
            use()
    with pytest.raises(RouteError, match="no endpoint is called"):
        router.send(wrong, 1)


def test_an_equal_object_is_no_filter_or_name(router: Router) -> None:
    class Equal:
        def __eq__(self, other: object) -> bool:
            return other == "x/y"

        def __hash__(self) -> int:
            return hash("x/y")

    router.subscribe("a", "x/y")
    with pytest.raises(TypeError, match="a topic filter is a str"):
        router.unsubscribe("a", Equal())  # type: ignore[arg-type]
    assert router["a"].filters == {"x/y"}
    router.add("x/y")
    with pytest.raises(RouteError, match="no endpoint is called"):
        router.send(Equal(), 1)  # type: ignore[arg-type]


def test_a_topic_that_is_no_filter_is_found() -> None:
    history = MessageHistory()
    for topic in ("c#", "c++", "c", "c/d"):
        history.append(Message("a", topic=topic))
    for topic in ("c#", "c++", "c"):
        assert [one.topic for one in history.query(topic=topic)] == [topic]
    assert len(history.query(topic="#")) == 4
    with pytest.raises(ValueError, match="'d#' is no topic filter"):
        history.query(topic="d#")


@pytest.fixture
def garbage() -> Any:
    """Return what makes the next list or tuple that is allocated collect garbage, with a finalizer; 3.11 does so."""
    before = gc.get_threshold()

    def arm(work: Any) -> None:
        class Ends:
            def __del__(self) -> None:
                work()

        gc.collect()
        gc.disable()
        end: Any = Ends()
        end.itself = end
        del end
        hold = [[] for _ in range(100)]  # none is left in the free list
        gc.set_threshold(1, 1000, 1000)
        gc.enable()
        del hold[:50]

    yield arm
    gc.set_threshold(*before)
    gc.enable()


def test_an_endpoint_that_a_finalizer_adds_gets_the_broadcast(garbage: Any) -> None:
    router = Router()
    for number in range(25):
        router.add(str(number), handler=lambda _: None)
    garbage(lambda: router.add("late", handler=lambda _: None))
    router.broadcast(1)
    gc.collect()
    assert len(router) == len(router.endpoints) == router.broadcast(2) == 26
