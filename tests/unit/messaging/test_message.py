# SPDX-License-Identifier: MIT
"""Message: what it holds, that it never changes, its ids, and its way through every codec and the router."""

from __future__ import annotations

import copy
import enum
import gc
import os
import pickle
import sys
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.codecs import DecodeError, EncodeError, Extension, get_codec
from perfcore.messaging import Message, MessageHistory, RouteError, Router

FIELDS = ("sender", "recipient", "topic", "payload", "id", "timestamp")
BINARY = ["json", "msgpack", "pickle"]


def fields(message: Message) -> tuple[Any, ...]:
    return tuple(getattr(message, name) for name in FIELDS)


def test_fields_and_defaults() -> None:
    payload = {"step": 1}
    before = time.time_ns()
    message = Message("a", "b", "t", payload)
    assert before <= message.timestamp <= time.time_ns()
    assert fields(message)[:4] == ("a", "b", "t", payload)
    assert message.payload is payload
    assert fields(Message("a", id=7, timestamp=-5)) == ("a", None, None, None, 7, -5)
    assert fields(Message("a", None, None, None, None, 3))[5] == 3
    given_by_name = Message(timestamp=1, id=2, payload=3, topic="4", recipient="5", sender="6")
    assert fields(given_by_name) == ("6", "5", "4", 3, 2, 1)
    assert fields(Message.__new__(Message, "a", id=1, timestamp=2)) == ("a", None, None, None, 1, 2)


def test_it_is_small() -> None:
    assert sys.getsizeof(Message("a", "b")) <= 80
    assert not hasattr(Message("a"), "__dict__")


class Name(enum.StrEnum):
    AGENT = "agent"


def test_texts_are_kept_as_what_they_derive_from() -> None:
    message = Message(Name.AGENT, Name.AGENT, Name.AGENT)
    assert {type(message.sender), type(message.recipient), type(message.topic)} == {str}
    assert message.topic == "agent"


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({}, TypeError, "missing required argument 'sender'"),
        ({"sender": None}, TypeError, "a message's sender is a str, not NoneType"),
        ({"sender": "a", "recipient": 3}, TypeError, "a message's recipient is a str or None, not int"),
        ({"sender": "a", "topic": b"t"}, TypeError, "a message's topic is a str or None, not bytes"),
        ({"sender": "a", "id": "1"}, TypeError, "a message's id is an int, not str"),
        ({"sender": "a", "id": True}, TypeError, "a message's id is an int, not bool"),
        ({"sender": "a", "id": -1}, ValueError, r"a message's id lies between 0 and 2\*\*63 - 1, not at -1"),
        ({"sender": "a", "id": 2**63}, ValueError, "a message's id lies between 0"),
        ({"sender": "a", "timestamp": 1.5}, TypeError, "a message's timestamp is an int, not float"),
        ({"sender": "a", "timestamp": -(2**63) - 1}, ValueError, r"a message's timestamp lies between -2\*\*63"),
        ({"sender": "a", "when": 1}, TypeError, "unexpected keyword argument 'when'"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Message(**arguments)


@pytest.mark.parametrize("name", FIELDS)
def test_it_cannot_be_changed(name: str) -> None:
    message = Message("a")
    with pytest.raises(AttributeError):
        setattr(message, name, "x")
    with pytest.raises(AttributeError):
        delattr(message, name)
    with pytest.raises(AttributeError):
        message.other = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        type("Sub", (Message,), {})


def test_equality_and_hash() -> None:
    one = Message("a", "b", "t", [1, {}], 5, 6)
    assert one == Message("a", "b", "t", [1, {}], 5, 6)
    assert hash(one) == hash(Message("a", "b", "t", [1, {}], 5, 6))
    assert len({one, Message("a", "b", "t", [1, {}], 5, 6)}) == 1  # also with a payload that has no hash
    for place, other in enumerate(("x", "x", None, [1], 50, 60)):
        values: list[Any] = list(fields(one))
        values[place] = other
        assert one != Message(*values)
        assert not one == Message(*values)  # noqa: SIM201 - another slot than !=
    assert one != fields(one)
    with pytest.raises(TypeError):
        one < one  # type: ignore[operator]  # noqa: B015

    class Awkward:  # noqa: PLW1641
        def __eq__(self, other: object) -> bool:
            raise LookupError

    with pytest.raises(LookupError):
        assert Message("a", payload=Awkward(), id=1, timestamp=2) == Message("a", payload=1, id=1, timestamp=2)


def test_repr_match_copy() -> None:
    message = Message("a", "b", payload=[1], id=1, timestamp=2)
    assert repr(message) == "Message(sender='a', recipient='b', topic=None, payload=[1], id=1, timestamp=2)"
    assert eval(repr(message)) == message  # noqa: S307
    match message:
        case Message("a", "b", None, [step], 1, 2):
            assert step == 1
        case _:
            pytest.fail("it does not match")
    assert copy.copy(message) is message
    deep = copy.deepcopy(message)
    assert deep == message
    assert deep.payload is not message.payload


def test_ids_are_unlike_each_other_in_all_threads() -> None:
    made: list[list[int]] = [[] for _ in range(4)]

    def make(mine: list[int]) -> None:
        mine += [Message("a").id for _ in range(2000)]

    threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [number for mine in made for number in mine]
    assert len(set(ids)) == 8000
    assert all(0 <= number < 2**53 for number in ids)
    assert all(mine == sorted(mine) for mine in made) or max(ids) - min(ids) > 2**52  # it counts up, and may wrap


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_counts_from_elsewhere() -> None:
    Message("a")
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, b" ".join(b"%d" % Message("a").id for _ in range(100)))
        os._exit(0)
    os.close(writing)
    mine = {Message("a").id for _ in range(100)}
    with os.fdopen(reading, "rb") as file:
        theirs = set(map(int, file.read().split()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(theirs) == 100
    assert not mine & theirs
    assert min(abs(one - other) for one in mine for other in theirs) > 1000  # not the next ones either


def test_only_what_can_be_in_a_cycle_is_tracked() -> None:
    assert not gc.is_tracked(Message("a", payload="text"))
    assert gc.is_tracked(Message("a", payload=[]))


def test_a_chain_of_a_million_messages_ends() -> None:
    message = Message("a")
    for _ in range(1_000_000 if "asan" not in os.environ.get("LD_PRELOAD", "") else 50_000):
        message = Message("a", payload=message)
    del message


# --- codecs ---

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
payloads = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, min_size=0, max_size=4),
    max_leaves=8,
)
simple = st.builds(
    Message,
    texts,
    st.none() | texts,
    st.none() | texts,
    payloads,
    st.integers(0, 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
)
messages = simple | st.builds(Message, texts, payload=simple | st.lists(simple, max_size=2))


@pytest.mark.parametrize("name", BINARY)
@given(message=messages)
def test_round_trip(name: str, message: Message) -> None:
    codec = get_codec(name)
    back = codec.loads(codec.dumps(message))
    assert back == message
    assert type(back) is Message
    assert list(map(type, fields(back))) == list(map(type, fields(message)))
    assert codec.loads(codec.dumps([message, {"k": message, "l": 1}])) == [message, {"k": message, "l": 1}]


FIXED = Message("a", None, "t", {"x": [1.5]}, 2, 3)
FORMS = {
    "json": b'{"perfcore.Message":{"sender":"a","recipient":null,"topic":"t",'
    b'"payload":{"x":[1.5]},"id":2,"timestamp":3}}',
    "msgpack": bytes.fromhex("c7154d 96 a161 c0 a174 81a17891cb3ff8000000000000 02 03"),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str) -> None:
    assert get_codec(name).dumps(FIXED) == FORMS[name]
    assert get_codec(name).loads(FORMS[name]) == FIXED


@pytest.mark.parametrize("length", [0, 1, 5, 9, 230, 240, 248, 249, 250, 251, 300, 65_000, 65_530, 65_540, 70_000])
def test_messagepack_takes_the_shortest_head(length: int) -> None:
    codec, message = get_codec("msgpack"), Message("a" * length, id=1, timestamp=2)
    data = codec.dumps(message)
    body = len(codec.dumps([*fields(message)]))
    heads = {1: 2, 2: 2, 4: 2, 8: 2, 16: 2}
    head = heads.get(body, 3 if body < 2**8 else 4 if body < 2**16 else 6)
    assert (len(data), data[head - 1]) == (head + body, 77)
    assert codec.loads(data) == message


def test_order_of_the_fields_in_json_does_not_matter() -> None:
    fields_first = '{"timestamp": 3, "id": 2, "payload": {"x": [1.5]}, "topic": "t", "recipient": null, "sender": "a"}'
    text = '{"perfcore.Message": ' + fields_first + "}"
    assert get_codec("json").loads(text) == FIXED


@pytest.mark.parametrize(
    "text",
    [
        '{"perfcore.Message":1}',
        '{"perfcore.Message":{}}',
        '{"perfcore.Message":{"sender":"a","recipient":null,"topic":"t","payload":1,"id":2}}',
        '{"perfcore.Message":{"sender":"a","recipient":null,"topic":"t","payload":1,"id":2,"other":3}}',
        '{"perfcore.Message":{"sender":"a","recipient":null,"topic":"t","payload":1,"id":2,"timestamp":3,"x":1}}',
        '{"perfcore.Message":{"sender":1,"recipient":null,"topic":"t","payload":1,"id":2,"timestamp":3}}',
        '{"perfcore.Message":{"sender":"a","recipient":[],"topic":"t","payload":1,"id":2,"timestamp":3}}',
        '{"perfcore.Message":{"sender":"a","recipient":null,"topic":"t","payload":1,"id":null,"timestamp":3}}',
        '{"perfcore.Message":{"sender":"a","recipient":null,"topic":"t","payload":1,"id":true,"timestamp":3}}',
        '{"perfcore.Message":{"sender":"a","recipient":null,"topic":"t","payload":1,"id":2.0,"timestamp":3}}',
        '{"perfcore.Message":{"sender":"a","recipient":null,"topic":"t","payload":1,"id":-2,"timestamp":3}}',
        '{"perfcore.Message":{"sender":"a","recipient":null,"topic":"t","payload":1,"id":2,"timestamp":9223372036854775808}}',
    ],
)
def test_json_that_is_no_message(text: str) -> None:
    with pytest.raises(
        DecodeError, match=r"^line 2, column 2: an object with the key perfcore.Message is no message$"
    ) as caught:
        get_codec("json").loads("[\n " + text + "]")
    assert (caught.value.offset, caught.value.line, caught.value.column) == (3, 2, 2)
    two = text[:-1] + ',"other":1}'
    assert set(get_codec("json").loads(two)) == {"perfcore.Message", "other"}  # only the one key makes a message


NO_MESSAGE = "an extension of type 77 that is not a Message"


@pytest.mark.parametrize(
    ("body", "offset", "reason"),
    [
        ("", 0, NO_MESSAGE),
        ("c0", 0, NO_MESSAGE),
        ("95 a161 c0 c0 c0 01", 0, NO_MESSAGE),
        ("97 a161 c0 c0 c0 01 02 03", 0, NO_MESSAGE),
        ("96 a161 c0 c0 c0 01 02 c0", 0, NO_MESSAGE),  # a byte behind the array
        ("96 01 c0 c0 c0 01 02", 0, NO_MESSAGE),
        ("96 a161 01 c0 c0 01 02", 0, NO_MESSAGE),
        ("96 a161 c0 c0 c0 c0 02", 0, NO_MESSAGE),
        ("96 a161 c0 c0 c0 c3 02", 0, NO_MESSAGE),
        ("96 a161 c0 c0 c0 ff 02", 0, NO_MESSAGE),
        ("96 a161 c0 c0 c0 01 cf8000000000000000", 0, NO_MESSAGE),
        ("96 a1ff c0 c0 c0 01 02", 4, "invalid UTF-8|UTF-8"),
        ("96 a161 c0 c0 c1 01 02", 8, "0xC1"),
        ("96 a161 c0 c0 c0 01", 10, "the data end"),  # and what follows the extension is not read as its rest
    ],
)
def test_messagepack_that_is_no_message(body: str, offset: int, reason: str) -> None:
    inner = bytes.fromhex(body)
    data = b"\x92\xc7" + bytes([len(inner), 77]) + inner + b"\x05"
    with pytest.raises(DecodeError, match=reason) as caught:
        get_codec("msgpack").loads(data)
    assert caught.value.offset == offset + 1


def test_what_would_come_back_as_a_message_is_refused() -> None:
    from collections import OrderedDict

    for value in ({"perfcore.Message": 1}, OrderedDict([("perfcore.Message", {})])):
        with pytest.raises(EncodeError, match=r"would come back as a Message, at \[0\]\['perfcore.Message'\]"):
            get_codec("json").dumps([value])
    assert get_codec("json").loads(b'{"perfcore.Message":1,"x":2}') == {"perfcore.Message": 1, "x": 2}
    with pytest.raises(EncodeError, match="extension type 77 is the message's; use Message"):
        get_codec("msgpack").dumps(Extension(77, b""))
    with pytest.raises(EncodeError, match=r"^JSON has no type for .*Message; convert it first$"):
        get_codec("cjson").dumps(FIXED)


def test_errors_say_where_in_the_message() -> None:
    for name in ("json", "msgpack"):
        with pytest.raises(EncodeError, match=r", at \[0\].payload\['k'\]\[1\]$"):
            get_codec(name).dumps([Message("a", payload={"k": [1, object()]})])
        with pytest.raises(EncodeError, match=r"lone surrogate.*, at .topic$"):
            get_codec(name).dumps(Message("a", topic="\ud800"))


@pytest.mark.parametrize("name", ["json", "msgpack"])
def test_what_is_nested_as_deep_as_can_be_comes_back(name: str) -> None:
    codec, message = get_codec(name), Message("a")
    deepest = None
    for _ in range(250):
        try:
            data = codec.dumps(message)
        except EncodeError as error:
            assert "nested more than 200 levels deep" in str(error)  # noqa: PT017
            break
        assert codec.loads(data) == message
        deepest = message
        message = Message("a", payload=message)
    assert deepest is not None
    assert message.payload is deepest
    with pytest.raises(DecodeError, match="nested more than 200 levels deep"):
        codec.loads(b'[{"perfcore.Message":{"payload":' * 150 if name == "json" else nested(300))


def nested(levels: int) -> bytes:
    """Return messages within each other, deeper than our own writer goes."""
    body = bytes.fromhex("96a161c0c0c00102")
    for _ in range(levels):
        inner = b"\xc9" + len(body).to_bytes(4, "big") + b"\x4d" + body
        body = bytes.fromhex("96a161c0c0") + inner + b"\x01\x02"
    return b"\xc9" + len(body).to_bytes(4, "big") + b"\x4d" + body


def test_every_changed_byte_is_a_message_or_an_error() -> None:
    for name, data in FORMS.items():
        codec = get_codec(name)
        for place in range(len(data)):
            for value in (0, 0x22, 0x7F, 0x91, 0xC1, 0xC7, 0xFF, data[place] ^ 1):
                changed = data[:place] + bytes([value]) + data[place + 1 :]
                try:
                    back = codec.loads(changed)
                except DecodeError:
                    continue
                again = codec.dumps(back)
                assert codec.dumps(codec.loads(again)) == again


def test_pickles_name_the_public_module() -> None:
    assert b"perfcore.messaging" in pickle.dumps(FIXED)
    assert Message.__module__ == "perfcore.messaging"


# --- the router ---


def test_a_router_sends_it_where_it_says() -> None:
    router, history = Router(), MessageHistory()
    for name in ("a", "b"):
        router.add(name)
        router.subscribe(name, "t/#")
    router.add("log", history.append)
    direct, published = Message("x", "b", "t/1"), Message("x", topic="t/1")
    assert router.route(direct) == 1
    assert router.route_many([published, direct]) == 3
    boxes = {name: router[name].mailbox for name in ("a", "b")}
    assert boxes["a"] is not None
    assert boxes["b"] is not None
    assert boxes["a"].get_many() == [published]
    assert boxes["b"].get_many() == [direct, published, direct]
    assert router.send("log", direct) == 1
    assert list(history) == [direct]
    with pytest.raises(RouteError, match="neither recipient nor topic"):
        router.route(Message("x"))
    with pytest.raises(RouteError, match="no endpoint is called 'nobody'"):
        router.route(Message("x", "nobody"))
    with pytest.raises(TypeError, match="only a Message says where it goes, not dict"):
        router.route({})  # type: ignore[arg-type]
