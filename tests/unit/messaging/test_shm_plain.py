# SPDX-License-Identifier: MIT
"""ShmRing's faster way for plain data: what comes back is what pickle would give, to the type and the identity."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore import _core
from perfcore.messaging import ShmRing


class Text(str):
    __slots__ = ()


class Number(int):
    __slots__ = ()


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(), st.just("\ud800")
)
KEYS = st.one_of(st.text(), st.integers(), st.none())
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(KEYS, inner), st.tuples(inner, inner), st.builds(lambda one: [one, one], inner)
    ),
    max_leaves=20,
)


def shape(item: Any, seen: dict[int, int] | None = None) -> Any:
    """The value with all its types, and with a number for each list and dict in place of its identity."""
    seen = {} if seen is None else seen
    if isinstance(item, (list, dict)):
        if id(item) in seen:
            return seen[id(item)]
        seen[id(item)] = len(seen)
    if isinstance(item, dict):
        return type(item), [(shape(key, seen), shape(value, seen)) for key, value in item.items()]
    if isinstance(item, (list, tuple)):
        return type(item), [shape(one, seen) for one in item]
    return type(item), repr(item)


@settings(max_examples=100, deadline=None)
@given(st.lists(TREES, min_size=1, max_size=4))
def test_any_tree_is_as_pickle_gives_it(items: list[Any]) -> None:
    with ShmRing[Any](size=1 << 18) as ring:
        for item in items:
            ring.put(item)
        ring.put_many(items)
        wanted = [shape(pickle.loads(pickle.dumps(item, 5))) for item in items]  # noqa: S301
        assert [shape(ring.get()) for _ in items] == wanted
        assert [shape(ring.get()) for _ in items] == wanted


def circle() -> list[Any]:
    inner: dict[str, Any] = {}
    inner["inner"] = [inner]
    return [1, inner]


def deep(levels: int) -> list[Any]:
    item: list[Any] = []
    for _ in range(levels):
        item = [item]
    return item


@pytest.mark.parametrize(
    "item",
    [
        Text("x"),
        [Number(5)],
        {"a": OrderedDict(b=1)},
        {Text("k"): 1},
        2**64,
        -(2**63) - 1,
        ["\ud800"],
        {"a": (1, 2)},
        {"a": {1, 2}, "b": bytearray(b"c")},
        deep(31),
        deep(32),
        deep(300),
        [[] for _ in range(100)],
    ],
)
def test_what_is_not_plain_after_all(item: Any) -> None:
    with ShmRing[Any]() as ring:
        ring.put(item)
        assert shape(ring.get()) == shape(item)


def test_what_occurs_twice_is_one_thing() -> None:
    twice = ["x"]
    many = [[number] for number in range(20)]
    with ShmRing[Any]() as ring:
        ring.put({"a": twice, "b": [twice]})
        got = ring.get()
        assert got["a"] is got["b"][0]
        ring.put(circle())
        got = ring.get()
        assert got[1]["inner"][0] is got[1]
        ring.put([*many, many[7]])
        got = ring.get()
        assert got[7] is got[20]
        ring.put({"a": twice})  # once here, though it is somebody else's too
        assert ring.get() == {"a": ["x"]}


def test_plain_data_take_the_other_codec() -> None:
    ring: _core.ShmRing[Any] = _core.ShmRing()
    asked: list[Any] = []

    def dumps(item: Any) -> bytes:
        asked.append(item)
        return b"general"

    ring._bind(dumps, None, bytes.decode, _core.msgpack_dumps, _core.msgpack_loads)
    shared = ["shared"]
    for plain in (1, [1, {"a": None}], {"a": shared}):
        ring.put(plain)
        assert ring.get() == plain
    assert not asked
    for general in ((1,), 1 << 70, [shared, shared], deep(40), {1: 2}):
        ring.put(general)
        assert ring.get() == "general"
        assert asked.pop() is general
    ring.detach()


def test_what_is_too_large_for_the_ring_is_tried_by_pickle() -> None:
    text = "x" * 10_000
    with ShmRing[Any](size=1 << 16) as ring:
        for item in ([text] * 10, {"a": text, "b": [text] * 8}):
            assert len(_core.msgpack_dumps(item)) > ring.size
            ring.put(item)
            assert ring.get() == item
        assert ring.put_many([[text] * 10, [text] * 2]) == 2  # that which is plain stays so
        assert ring.get_many() == [[text] * 10, [text] * 2]
        with pytest.raises(ValueError, match="bytes is more than the ring's 65528"):
            ring.put([text + str(number) for number in range(10)])
