# SPDX-License-Identifier: MIT
"""Router.send_many with a name for each message: any names, any kinds of endpoints, and changes on the way."""

from __future__ import annotations

import ctypes
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from perfcore.messaging import Closed, Empty, PriorityRing, Ring, RouteError, Router


def taken(ring: Ring[Any] | None) -> list[Any]:
    """Empty a ring."""
    assert ring is not None
    return ring.get_many() if len(ring) else []


def same_text(text: str) -> str:
    """Return another object of the same text."""
    return text.encode().decode()


ODD_NAMES = [
    "",
    *("x" * length for length in range(1, 41)),  # an endpoint keeps the short ones itself
    *("x" * length + "y" for length in range(40)),
    "\xe4",
    "\xe4" * 5,
    "\u20ac" * 5,
    "\u20ac" * 27,
    "\U0001f9ed" * 5,
    "x" * 254,
    "x" * 255,
    "x" * 256,
    "a\0b",
    "a\0c",
]


def test_every_kind_of_name() -> None:
    router = Router()
    for name in ODD_NAMES:
        router.add(name)
    for _ in range(2):
        names = [same_text(name) for name in ODD_NAMES]
        assert router.send_many(names, ODD_NAMES) == len(ODD_NAMES)
        assert all(router.send(name, name) == 1 for name in names)
    for name in ODD_NAMES:
        assert taken(router[name].mailbox) == [name] * 4
    for name in ("y" * 27, "x" * 41, "x" * 27 + "\xe4", "\xe4" * 4, "a\0d"):
        with pytest.raises(RouteError):
            router.send_many([name], [1])
        with pytest.raises(RouteError):
            router.send(name, 1)


def test_names_that_come_and_go() -> None:
    """Thousands of names added and removed in any order: each message goes to who has the name at that time."""
    router, rng = Router(), random.Random(4)
    there: dict[str, list[int]] = {}
    names = [f"agent-{number}" for number in range(3000)]
    for step in range(60):
        for name in rng.sample(names, 200):
            if name in there:
                assert taken(router.remove(name).mailbox) == there.pop(name)
                with pytest.raises(RouteError):
                    router.send_many([name], [step])
            else:
                router.add(same_text(name))
                there[name] = []
        chosen = rng.choices(list(there), k=100) if there else []
        assert router.send_many([same_text(name) for name in chosen], range(100)) == len(chosen)
        for number, name in enumerate(chosen):
            there[name].append(number)
    assert {one.name: taken(one.mailbox) for one in router.endpoints} == there
    assert [one.delivered for one in router.endpoints] == [len(held) for held in there.values()]


class Name(str):
    """A name that is no exact str."""

    __slots__ = ()


def test_names_that_are_not_exact_strs() -> None:
    router = Router()
    router.add(Name("a"))
    router.add("b")
    assert router.send_many(["a", "b", Name("a"), Name("b")], [1, 2, 3, 4]) == 4
    assert router.send("a", 5) == router.send(Name("b"), 6) == 1
    assert (taken(router["a"].mailbox), taken(router["b"].mailbox)) == ([1, 3, 5], [2, 4, 6])
    router.remove("a")
    router.remove(Name("b"))
    for name in ("a", "b", Name("a"), Name("b")):
        with pytest.raises(RouteError):
            router.send_many([name], [1])


def test_a_key_that_says_itself_whom_it_equals_is_not_asked() -> None:
    class Alias(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            return other == "a"

        def __hash__(self) -> int:
            names.clear()
            messages.clear()
            return hash("a")

    router, key = Router(), Alias("b")
    for name in "ab":
        router.add(name)
    names, messages = [key, "b"], [1, 2]
    assert router.send_many(names, messages) == 2
    assert router.send(key, 3) == 1
    assert (names, messages) == ([key, "b"], [1, 2])
    assert [taken(one.mailbox) for one in router.endpoints] == [[], [1, 2, 3]]


def test_names_are_compared_as_text() -> None:
    """What a subclass of str has for an equality is not asked where one is added."""
    router = Router()
    compared: list[object] = []

    class Busy(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            compared.append(other)
            return False

        __hash__ = str.__hash__

    router.add(Busy("b"))
    with pytest.raises(ValueError, match="'b' already"):
        router.add("b")
    with pytest.raises(ValueError, match="'b' already"):
        router.add(Busy("b"))
    assert router.send_many(["b"], [1]) == 1
    assert not compared
    assert [taken(one.mailbox) for one in router.endpoints] == [[1]]


def with_hash_of(text: str, other: str) -> str:
    """Return a new str with another one's hash, as if they collided: CPython keeps it behind the length."""
    made = same_text(text)
    ctypes.c_ssize_t.from_address(id(made) + 3 * ctypes.sizeof(ctypes.c_ssize_t)).value = hash(other)
    assert hash(made) == hash(other)
    return made


def test_names_with_one_hash() -> None:
    texts = [
        "aa",
        "ab",
        "bb",
        "x" * 30,
        "x" * 29 + "y",
        "\ue4e4\ue4e4",
        "\xe4\xe4",
        "\xe4b",
        "\u6161\u6262",
        "\U00010061b",
        "abc",
    ]
    names = [with_hash_of(text, "collides") for text in texts]
    router = Router()
    for number, name in enumerate(names[:-1]):
        router.add(name)
        assert router.send_many(names[: number + 1], range(number + 1)) == number + 1
        with pytest.raises(RouteError):
            router.send_many(names[number + 1 :], range(len(names) - number - 1))
    kept = [[number] * (len(texts) - 1 - number) for number in range(len(texts) - 1)]
    assert [taken(one.mailbox) for one in router.endpoints] == kept
    while len(router):
        router.remove(names.pop(len(router) // 2))
        assert router.send_many(names[:-1], range(len(names) - 1)) == len(router)


MIXED = ("box", "small", "handler", "ring", "bad", "missing")


@pytest.mark.parametrize("shape", [list, tuple, iter])
@pytest.mark.parametrize("seed", range(6))
def test_quick_and_slow_deliveries_in_any_order(seed: int, shape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mailboxes, full ones, handlers and rings' own put, mixed: as one by one."""
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)

    def build() -> tuple[Router, list[tuple[str, int]]]:
        router, order = Router(), list[tuple[str, int]]()
        router.add("box")
        router.add("small", maxsize=3, policy="drop_oldest")
        router.add("handler", lambda message: order.append(("handler", message)))
        router.add("ring", Ring[int]().put)
        router.add("bad", lambda message: 1 // 0)
        return router, order

    rng = random.Random(seed)
    count = rng.choice((5, 40, 300))
    weights = [rng.choice((0, 1, 10, 100)) for _ in MIXED[:-1]]
    names = rng.choices(MIXED, [*weights, rng.random() if sum(weights) else 1], k=count)

    def state(router: Router, order: list[Any]) -> list[Any]:
        ring = router["ring"].handler
        assert ring is not None
        rings = [router["box"].mailbox, router["small"].mailbox, ring.__self__]  # type: ignore[attr-defined]
        counters = [(one.delivered, one.dropped, one.failed) for one in router.endpoints]
        return [order, counters, [(each.unfinished_tasks, taken(each)) for each in rings]]

    together, seen = build()
    singly, expected = build()
    made: int | None = 0
    for number, name in enumerate(names):
        try:
            made += singly.send(name, number)  # type: ignore[operator]
        except RouteError:
            made = None
            break
    if made is None:
        with pytest.raises(RouteError):
            together.send_many(shape(names), shape(range(count)))
    else:
        assert together.send_many(shape(names), shape(range(count))) == made
    assert state(together, seen) == state(singly, expected)


def test_a_handler_may_change_everything() -> None:
    """The lists, the endpoints, its own: what was given is what is routed, to who is there at the time."""
    router = Router()
    names, messages = ["a", "b", "change", "a", "b", "c"], list(range(6))

    def change(_: Any) -> None:
        names.clear()
        messages.clear()
        gone.append(router.remove("b"))
        gone.append(router.remove("change"))
        router.add("b")
        router.add("c")

    gone: list[Any] = []
    router.add("a")
    router.add("b")
    router.add("change", change)
    assert router.send_many(names, messages) == 6
    assert [taken(router[name].mailbox) for name in "abc"] == [[0, 3], [4], [5]]
    assert taken(gone[0].mailbox) == [1]


def test_an_iterator_may_change_the_other_argument() -> None:
    router = Router()
    router.add("a")
    router.add("b")
    names = ["a", "b"]

    def messages() -> Iterator[int]:
        yield 1
        names[:] = ["b", "b", "b"]
        yield 2

    assert router.send_many(names, messages()) == 2
    assert [taken(one.mailbox) for one in router.endpoints] == [[1], [2]]
    for given in (([], []), ((), []), (iter(()), ())):
        assert router.send_many(*given) == 0
    with pytest.raises(ValueError, match="3 keys for 2 messages"):
        router.send_many(names, (1, 2))
    assert [one.queued for one in router.endpoints] == [0, 0]


@pytest.mark.parametrize("method", ["put", "put_nowait"])
def test_the_put_of_a_ring_is_a_handler_like_any(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared by endpoints, full, closed, sorted, or waited for: it does what a call of it does."""
    reported: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda args: reported.append(args.exc_type))
    router, ring = Router(), Ring[int](30)
    for name in "ab":
        router.add(name, getattr(ring, method))
    assert router["a"].mailbox is None
    assert router["a"].handler == getattr(ring, method)
    assert router.send_many(["a", "b"] * 10, range(20)) == 20
    assert router.broadcast(20) == 2
    assert taken(ring) == [*range(20), 20, 20]
    assert ring.unfinished_tasks == 22

    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(ring.get()))
    thread.start()
    assert router.send("a", 1) == 1
    thread.join(30)
    assert got == [1]

    ring.close()
    assert router.send_many(["a", "b"], [1, 2]) == 0
    assert reported == [Closed, Closed]
    assert [(one.delivered, one.failed, one.dropped) for one in router.endpoints] == [(12, 1, 0), (11, 1, 0)]

    ordered = PriorityRing[int]()
    router.add("sorted", getattr(ordered, method))
    assert router.send_many(["sorted"] * 3, [3, 1, 2]) == 3
    assert taken(ordered) == [3, 1, 2]

    class Counting(Ring[int]):
        """Its put is not Ring's."""

        puts = 0

        def put(self, item: int, block: bool = True, timeout: float | None = None) -> None:
            self.puts += 1
            super().put(item, block, timeout)

        put_nowait = put

    counting = Counting()
    router.add("counting", getattr(counting, method))
    assert router.send_many(["counting"] * 3, [1, 2, 3]) == 3
    assert (counting.puts, taken(counting)) == (3, [1, 2, 3])


def test_a_removed_endpoint_leaves_the_ring_behind_its_handler_alone() -> None:
    router, ring = Router(), Ring[int]()
    endpoint = router.add("a", ring.put)
    router.send_many(["a"], [1])
    assert router.remove("a") is endpoint
    with pytest.raises(RouteError):
        router.send_many(["a"], [2])
    assert not ring.closed
    assert ring.get() == 1
    with pytest.raises(Empty):
        ring.get_nowait()


def test_an_endpoint_that_is_removed_on_the_way_gets_nothing_more() -> None:
    router, ring = Router(), Ring[int]()
    router.add("first", lambda _: router._remove("second"))
    router.add("second", ring.put)
    ring.put(0)  # now there is room for the next at once
    ring.get()
    for name in ("first", "second"):
        router.subscribe(name, "t")
    assert router.publish("t", 1) == 1
    assert ring.empty()


def test_other_methods_of_a_ring_are_called() -> None:
    router, ring, other = Router(), Ring[Any](), Ring[Any]()
    router.add("many", ring.put_many)
    router.add("room", other.put)
    assert router.send_many(["many", "room", "many"], [[1, 2], [3, 4], [5]]) == 3
    assert (taken(ring), taken(other)) == ([1, 2, 5], [[3, 4]])


def test_a_full_ring_behind_a_handler_blocks_until_there_is_room() -> None:
    router, ring = Router(), Ring[int](2)
    for number in range(3):
        router.add(f"agent-{number}", ring.put)
    names = [f"agent-{number % 3}" for number in range(300)]
    thread = threading.Thread(target=router.send_many, args=(names, range(300)), daemon=True)
    thread.start()
    assert [ring.get(timeout=30) for _ in range(300)] == list(range(300))
    thread.join(30)
    assert not thread.is_alive()
