# SPDX-License-Identifier: MIT
"""perfcore.codecs: what is held, what is refused and where, and that what comes back equals what went in."""

from __future__ import annotations

import datetime
import enum
import json
import math
import pickle
import random
import struct
from collections import OrderedDict, UserDict, defaultdict, namedtuple
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.codecs import CodecError, DecodeError, EncodeError, codec_names, get_codec
from perfcore.errors import PerfcoreError

JSON_CODECS = [name for name in ("json", "cjson") if name in codec_names()]
JSON = get_codec("json")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(text, inner, max_size=6), max_leaves=30
)


def same(one: Any, other: Any) -> bool:
    """Equality that sees types and the sign of zero, and takes two NaN for one."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


# --- the interface ---


def test_names() -> None:
    assert {"json", "msgpack", "pickle"} <= set(codec_names())
    for name in codec_names():
        codec = get_codec(name)
        assert codec.name == name
        assert isinstance(codec.dumps({"a": [1, 2.5, None]}), bytes)
        assert codec.loads(codec.dumps({"a": [1, 2.5, None, "é"]})) == {"a": [1, 2.5, None, "é"]}
        assert codec.trusted_only == (name == "pickle")
    with pytest.raises(ValueError, match=r"no codec is called 'yaml'; there are json, msgpack"):
        get_codec("yaml")


def test_codecs_travel() -> None:
    for name in codec_names():
        assert pickle.loads(pickle.dumps(get_codec(name))).loads(get_codec(name).dumps(5)) == 5  # noqa: S301 - our own


def test_errors_are_of_the_family() -> None:
    assert issubclass(EncodeError, CodecError)
    assert issubclass(DecodeError, CodecError)
    assert issubclass(CodecError, PerfcoreError)
    assert issubclass(CodecError, ValueError)
    error = pickle.loads(pickle.dumps(DecodeError("line 1", 3, 1, 4)))  # noqa: S301 - our own
    assert (str(error), error.offset, error.line, error.column) == ("line 1", 3, 1, 4)


@pytest.mark.parametrize("name", ["json", "msgpack"])
def test_wrong_types_of_data(name: str) -> None:
    with pytest.raises(TypeError, match=r"loads\(\) wants bytes, a buffer.*, not int"):
        get_codec(name).loads(5)


@pytest.mark.parametrize("name", [*JSON_CODECS, "msgpack"])
def test_buffers(name: str) -> None:
    codec = get_codec(name)
    data = codec.dumps(["é", 1])
    for buffer in (data, bytearray(data), memoryview(data), memoryview(b"  " + data)[2:]):
        assert codec.loads(buffer) == ["é", 1]


# --- round trips ---


@pytest.mark.parametrize("name", JSON_CODECS)
@settings(deadline=None, max_examples=300)
@given(value=values)
def test_json_round_trip(name: str, value: Any) -> None:
    codec = get_codec(name)
    try:
        data = codec.dumps(value)
    except EncodeError as error:
        assert name == "cjson"
        assert "NUL" in str(error)  # noqa: PT017 - what may be refused
        return
    assert same(codec.loads(data), value)
    assert same(codec.loads(data.decode()), value)
    assert same(json.loads(data), value)


@settings(deadline=None, max_examples=300)
@given(value=values)
def test_json_text_is_the_standard_librarys(value: Any) -> None:
    assert JSON.dumps(value) == json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    for spaced in (json.dumps(value, indent=2), json.dumps(value)):  # with escapes for all that is not ASCII
        assert same(JSON.loads(spaced), value)
        assert same(JSON.loads(spaced.encode()), value)


def doubles() -> list[float]:
    draw = random.Random(5)
    found = [struct.unpack("d", draw.randbytes(8))[0] for _ in range(20000)]
    found += [round(draw.random() * 10 ** draw.randrange(-5, 12), draw.randrange(15)) for _ in range(20000)]
    found += [draw.random() * 10.0 ** draw.randrange(-60, 90) for _ in range(20000)]
    for power in range(-1074, 1024):  # every power of two, whose interval is lopsided, and its neighbours
        exact = math.ldexp(1.0, power)
        found += [exact, math.nextafter(exact, 0), math.nextafter(exact, math.inf)]
    for power in range(-320, 309):  # every power of ten, and its neighbours
        exact = float(f"1e{power}")
        found += [exact, math.nextafter(exact, 0), math.nextafter(exact, math.inf), float(f"5e{power}")]
    found += [float(2**53 + n) for n in range(-3, 4)] + [0.0, 1e15, 1e16, 1e17, 123456789012345680.0, 0.0001, 0.00001]
    return [value for value in found if math.isfinite(value)]


def test_doubles_are_written_as_repr_does() -> None:
    every = doubles()
    signed = every + [-value for value in every]
    assert len(signed) > 100_000
    assert JSON.dumps(signed) == ("[" + ",".join(map(repr, signed)) + "]").encode()
    assert same(JSON.loads(JSON.dumps(signed)), signed)


def test_integers_of_every_length() -> None:
    edges = [base**power + more for base in (2, 10) for power in range(0, 130) for more in (-1, 0, 1)]
    edges += [-edge for edge in edges] + [10**4299, 10**4300 - 1, -(10**4300) + 1]
    assert same(JSON.loads(JSON.dumps(edges)), edges)
    assert JSON.dumps(edges) == json.dumps(edges, separators=(",", ":")).encode()
    with pytest.raises(EncodeError, match=r"an integer of more digits than are converted .*, at \[1\]"):
        JSON.dumps([1, 10**4300])
    with pytest.raises(DecodeError, match="line 1, column 2: an integer of more digits than are converted"):
        JSON.loads("[1" + "0" * 4300 + "]")


@pytest.mark.parametrize("length", [*range(70), 4095, 4096, 4097, 100_000])
def test_strings_of_every_length(length: int) -> None:
    for codec in (JSON, get_codec("msgpack")):
        for fill in ("a", "é", "€", "😀", '"', "\n"):
            for middle in ("", "\\", '"', "\x00", "\x1f", "\x7f", "é", "😀"):
                value = fill * (length // 2) + middle + "z" * (length - length // 2)
                assert codec.loads(codec.dumps(value)) == value
                assert codec.loads(codec.dumps({value: [value]})) == {value: [value]}
                if length > 5000:
                    break


def test_subclasses_are_what_they_derive_from() -> None:
    class Colour(enum.IntEnum):
        RED = 3

    class Name(enum.StrEnum):
        A = "a"

    class Loud(int):
        def __repr__(self) -> str:
            return "loud"

        __str__ = __repr__

    class Real(float):
        def __repr__(self) -> str:
            return "real"

    point = namedtuple("point", "x y")
    turned = OrderedDict(a=1, b=2)
    turned.move_to_end("a")
    for name in ("json", "msgpack"):
        codec = get_codec(name)
        value = [Colour.RED, Name.A, Loud(7), Real(2.5), point(1, 2), turned, defaultdict(int, k=1), {Name.A: 1}]
        got = codec.loads(codec.dumps(value))
        assert same(got, [3, "a", 7, 2.5, [1, 2], {"b": 2, "a": 1}, {"k": 1}, {"a": 1}])
    assert JSON.loads(JSON.dumps(Loud(10**30))) == 10**30


# --- what cannot be encoded ---

REFUSED: list[tuple[Any, str]] = [
    (math.nan, "JSON has no NaN"),
    ({"a": [1, math.inf]}, "JSON has no Infinity, at ['a'][1]"),
    ([-math.inf], "JSON has no Infinity, at [0]"),
    ({1: 2}, "JSON has no keys of type int, only str, at [1]"),
    ({None: 2}, "JSON has no keys of type NoneType, only str, at [key of type NoneType]"),
    (OrderedDict({(): 2}), "JSON has no keys of type tuple, only str, at [key of type tuple]"),
    ({"x": (0, b"")}, "JSON has no type for bytes; convert it first, at ['x'][1]"),
    ({1, 2}, "JSON has no type for set; convert it first"),
    (datetime.date(2000, 1, 1), "JSON has no type for datetime.date; convert it first"),
    (UserDict(), "JSON has no type for UserDict; convert it first"),
    ([Fraction(1, 2)], "JSON has no type for Fraction; convert it first, at [0]"),
    (["a\ud800"], "a string with a lone surrogate, which UTF-8 does not have, at [0]"),
    ({"\udfff": 1}, "a string with a lone surrogate, which UTF-8 does not have, at ['\\udfff']"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED, ids=range(len(REFUSED)))
@pytest.mark.parametrize("name", JSON_CODECS)
def test_refused_by_json(name: str, value: Any, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        get_codec(name).dumps(value)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", [*JSON_CODECS, "msgpack"])
def test_depth(name: str) -> None:
    codec = get_codec(name)
    for wrap in (lambda value: [value], lambda value: {"k": value}, lambda value: OrderedDict(k=value)):
        value: Any = 1
        for _ in range(200):
            value = wrap(value)
        assert codec.loads(codec.dumps(value)) == value
        with pytest.raises(EncodeError, match="nested more than 200 levels deep"):
            codec.dumps(wrap(value))
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(EncodeError, match=r"does it contain itself\?\), at \[0\]\[0\]"):
        codec.dumps(circle)


@pytest.mark.parametrize("name", [*JSON_CODECS, "msgpack"])
def test_a_users_items_may_do_anything(name: str) -> None:
    codec = get_codec(name)
    outer: dict[str, Any] = {}
    inner: list[Any] = []

    class Grows(dict[str, Any]):
        def items(self) -> Any:
            outer[f"k{len(outer)}"] = 1
            return super().items()

    class Shrinks(dict[str, Any]):
        def items(self) -> Any:
            inner.clear()
            outer.clear()
            return super().items()

    class Raises(dict[str, Any]):
        def items(self) -> Any:
            raise KeyError("mine")

    class NoPairs(dict[str, Any]):
        def items(self) -> Any:
            return [1, 2]

    outer["a"] = Grows(x=1)
    with pytest.raises(RuntimeError, match=r"a (dict|list) changed "):
        codec.dumps(outer)
    outer["a"] = inner
    inner.extend([Shrinks(x=1), object(), object()])
    with pytest.raises(RuntimeError, match=r"a (dict|list) changed "):
        codec.dumps(outer)
    with pytest.raises(KeyError, match="mine"):
        codec.dumps([Raises()])
    with pytest.raises(TypeError, match="items"):
        codec.dumps([NoPairs()])
