# SPDX-License-Identifier: MIT
"""Texts and bytes that the decoders must take or refuse, and where they must say the fault is."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

from perfcore.codecs import DecodeError, EncodeError, Extension, Timestamp, codec_names, get_codec

JSON_CODECS = [name for name in ("json", "cjson") if name in codec_names()]
JSON = get_codec("json")
MSGPACK = get_codec("msgpack")

ACCEPTED: list[tuple[str, Any]] = [
    ("null", None),
    (" true ", True),
    ("\t\r\n false\n", False),
    ("0", 0),
    ("-0", 0),
    ("-0.0", -0.0),
    ("1E2", 100.0),
    ("1e+2", 100.0),
    ("1.5e-3", 0.0015),
    ("123456789012345678901234567890", 123456789012345678901234567890),
    ("0.1", 0.1),
    ("1e-400", 0.0),
    ("1.7976931348623157e308", 1.7976931348623157e308),
    ("5e-324", 5e-324),
    ('""', ""),
    ('"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'),
    ('"\\u00e9\\u20AC\\ud83d\\ude00"', "é€😀"),
    ('"é€😀\u007f\u2028"', "é€😀\u007f\u2028"),
    ("[]", []),
    ("[ ]", []),
    ("[1 , 2]", [1, 2]),
    ("{}", {}),
    ("{ }", {}),
    ('{"a":{"b":[{}]}}', {"a": {"b": [{}]}}),
    ('{"":0}', {"": 0}),
    ('{"a":1,"A":2}', {"a": 1, "A": 2}),
    ('{"\\u0061":1}', {"a": 1}),
    ("[" * 200 + "]" * 200, None),
]

REFUSED: list[tuple[str | bytes, str]] = [
    ("", "line 1, column 1: there is no text"),
    (" \n", "line 2, column 1: there is no text"),
    ("nul", "line 1, column 4: the text ends in the middle of a value"),
    ("nulL", "line 1, column 4: unexpected character"),
    ("True", "line 1, column 1: unexpected character"),
    ("[1", "line 1, column 3: the text ends in the middle of a value"),
    ("[1,", "line 1, column 4: the text ends in the middle of a value"),
    ("[1,]", "line 1, column 4: unexpected character"),
    ("[,1]", "line 1, column 2: unexpected character"),
    ("[1 2]", "line 1, column 4: unexpected character"),
    ("[1]]", "line 1, column 4: there is more text after the end of the value"),
    ("1 2", "line 1, column 3: there is more text after the end of the value"),
    ("]", "line 1, column 1: unexpected character"),
    ("{", "line 1, column 2: the text ends in the middle of a value"),
    ('{"a"', "line 1, column 5: the text ends in the middle of a value"),
    ('{"a":', "line 1, column 6: the text ends in the middle of a value"),
    ('{"a":1,}', "line 1, column 8: unexpected character"),
    ('{"a",1}', "line 1, column 5: unexpected character"),
    ("{a:1}", "line 1, column 2: unexpected character"),
    ("{'a':1}", "line 1, column 2: unexpected character"),
    ("{1:1}", "line 1, column 2: unexpected character"),
    ('{"a":1 "b":2}', "line 1, column 8: unexpected character"),
    ('{"a":1,\n "a":2}', "line 2, column 2: the same key twice in one object"),
    ('{"a":1,"\\u0061":2}', "line 1, column 8: the same key twice in one object"),
    ('"a', "line 1, column 3: the text ends in the middle of a value"),
    ('"\\', "line 1, column 2: the text ends in the middle of a value"),
    ('"\\x"', "line 1, column 2: an unknown escape in a string"),
    ('"\\u12g4"', "line 1, column 2: an unknown escape in a string"),
    ('"\\ud800"', "line 1, column 2: half of a surrogate pair in a string"),
    ('"é\\udc00"', "line 1, column 3: half of a surrogate pair in a string"),
    ('"\\ud800\\u0041"', "line 1, column 2: half of a surrogate pair in a string"),
    ('"\n"', "line 1, column 2: a control character in a string"),
    ('"\x00"', "line 1, column 2: a control character in a string"),
    ('"\x1f"', "line 1, column 2: a control character in a string"),
    ("\x00", "line 1, column 1: unexpected character"),
    ("[1\x00]", "line 1, column 3: unexpected character"),
    ("1\x00", "line 1, column 2: there is more text after the end of the value"),
    ("01", "line 1, column 1: a malformed number"),
    ("-01", "line 1, column 1: a malformed number"),
    ("[1.]", "line 1, column 2: a malformed number"),
    ("[1.e1]", "line 1, column 2: a malformed number"),
    ("[.5]", "line 1, column 2: unexpected character"),
    ("[+1]", "line 1, column 2: unexpected character"),
    ("[1e]", "line 1, column 2: a malformed number"),
    ("[1e+]", "line 1, column 2: a malformed number"),
    ("[-]", "line 1, column 2: a malformed number"),
    ("[--1]", "line 1, column 2: a malformed number"),
    ("[0x1]", "line 1, column 3: unexpected character"),
    ("[1_0]", "line 1, column 3: unexpected character"),
    ("1e400", "line 1, column 1: a number too large for a double"),
    ("[NaN]", "line 1, column 2: NaN or Infinity, which JSON does not have"),
    ("[Infinity]", "line 1, column 2: NaN or Infinity, which JSON does not have"),
    ("[-Infinity]", "line 1, column 2: NaN or Infinity, which JSON does not have"),
    ("\ufeff1", "line 1, column 1: the text begins with a byte order mark"),
    ("[1] // no", "line 1, column 5: there is more text after the end of the value"),
    ("[" * 201 + "]" * 201, "line 1, column 201: nested more than 200 levels deep"),
    ("[" * 100_000, "line 1, column 201: nested more than 200 levels deep"),
    ('{"a":' * 100_000, "line 1, column 1001: nested more than 200 levels deep"),
    (b'"\xff"', "line 1, column 2: the text is not UTF-8"),
    (b'"aa\xc3"', "line 1, column 4: the text is not UTF-8"),
    (b'"\xc0\x80"', "line 1, column 2: the text is not UTF-8"),
    (b'"\xed\xa0\x80"', "line 1, column 2: the text is not UTF-8"),
    (b'"\xf4\x90\x80\x80"', "line 1, column 2: the text is not UTF-8"),
    (b'"\\n\xff"', "line 1, column 4: the text is not UTF-8"),
    (b'{"k\xff":1}', "line 1, column 4: the text is not UTF-8"),
    (b"[\xff]", "line 1, column 2: the text is not UTF-8"),
]


@pytest.mark.parametrize(("text", "value"), ACCEPTED, ids=range(len(ACCEPTED)))
@pytest.mark.parametrize("name", JSON_CODECS)
def test_json_accepts(name: str, text: str, value: Any) -> None:
    for data in (text, text.encode()):
        got = get_codec(name).loads(data)
        assert repr(got) == repr(json.loads(text))
        if value is not None:
            assert got == value


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=range(len(REFUSED)))
def test_json_refuses(text: str | bytes, message: str) -> None:
    forms = [text] if isinstance(text, bytes) else [text, text.encode()]
    for data in forms:
        with pytest.raises(DecodeError) as caught:
            JSON.loads(data)
        error = caught.value
        assert str(error) == message
        assert message.startswith(f"line {error.line}, column {error.column}: ")
        assert 0 <= error.offset <= len(text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize("text", [text for text, _ in REFUSED], ids=range(len(REFUSED)))
@pytest.mark.parametrize("name", [name for name in JSON_CODECS if name != "json"])
def test_the_other_json_refuses_the_same(name: str, text: str | bytes) -> None:
    with pytest.raises(DecodeError):
        get_codec(name).loads(text)


def test_nul_and_surrogates_in_json() -> None:
    assert JSON.loads('["\\u0000"]') == ["\x00"]
    assert JSON.dumps("\x00") == b'"\\u0000"'
    with pytest.raises(DecodeError, match="lone surrogate"):
        JSON.loads('"\ud800"')


def test_every_cut_and_every_changed_byte_of_json() -> None:
    whole = '{"kéy": [1, -2.5e3, "a\\u00e9\\n\U0001f600", true, null], "b": {"c": 12345678901234567890123}}'.encode()
    assert JSON.loads(whole)["b"] == {"c": 12345678901234567890123}
    for cut in range(len(whole)):
        with pytest.raises(DecodeError) as caught:
            JSON.loads(whole[:cut])
        assert caught.value.offset <= cut
    draw = random.Random(3)
    agreed = 0
    for _ in range(5000):
        data = bytearray(whole)
        for _ in range(draw.randrange(1, 4)):
            data[draw.randrange(len(data))] = draw.choice(b'"\\{}[]:,0-e.tn \n\x00\xff\xc3u')
        try:
            got = JSON.loads(bytes(data))
        except DecodeError:
            continue
        assert repr(json.loads(bytes(data))) == repr(got)  # what we take, the standard library reads the same way
        agreed += 1
    assert agreed > 50


# --- MessagePack: the specification's formats, shortest form first ---

FORMATS: list[tuple[Any, str]] = [
    (None, "c0"),
    (False, "c2"),
    (True, "c3"),
    (0, "00"),
    (127, "7f"),
    (128, "cc80"),
    (255, "ccff"),
    (256, "cd0100"),
    (65535, "cdffff"),
    (65536, "ce00010000"),
    (2**32 - 1, "ceffffffff"),
    (2**32, "cf0000000100000000"),
    (2**63 - 1, "cf7fffffffffffffff"),
    (2**64 - 1, "cfffffffffffffffff"),
    (-1, "ff"),
    (-32, "e0"),
    (-33, "d0df"),
    (-128, "d080"),
    (-129, "d1ff7f"),
    (-32768, "d18000"),
    (-32769, "d2ffff7fff"),
    (-(2**31), "d280000000"),
    (-(2**31) - 1, "d3ffffffff7fffffff"),
    (-(2**63), "d38000000000000000"),
    (1.5, "cb3ff8000000000000"),
    (-0.0, "cb8000000000000000"),
    (math.inf, "cb7ff0000000000000"),
    ("", "a0"),
    ("é", "a2c3a9"),
    ("a" * 31, "bf" + "61" * 31),
    ("a" * 32, "d920" + "61" * 32),
    ("a" * 256, "da0100" + "61" * 256),
    ("a" * 65536, "db00010000" + "61" * 65536),
    (b"", "c400"),
    (b"\xff" * 255, "c4ff" + "ff" * 255),
    (b"\x00" * 256, "c50100" + "00" * 256),
    (b"\x00" * 65536, "c600010000" + "00" * 65536),
    ([], "90"),
    ([1] * 15, "9f" + "01" * 15),
    ([1] * 16, "dc0010" + "01" * 16),
    ([1] * 65536, "dd00010000" + "01" * 65536),
    ({}, "80"),
    ({"a": 1}, "81a16101"),
    ({n: n for n in range(16)}, "de0010" + "".join(f"{n:02x}{n:02x}" for n in range(16))),
    ({b"k": None, 2: True, -1.5: []}, "83c4016bc002c3cbbff800000000000090"),
    (Extension(5, b"a"), "d40561"),
    (Extension(-128, b"ab"), "d5806162"),
    (Extension(127, b"abcd"), "d67f61626364"),
    (Extension(0, b"a" * 8), "d700" + "61" * 8),
    (Extension(0, b"a" * 16), "d800" + "61" * 16),
    (Extension(0, b""), "c70000"),
    (Extension(0, b"a" * 3), "c70300" + "61" * 3),
    (Extension(0, b"a" * 256), "c8010000" + "61" * 256),
    (Extension(0, b"a" * 65536), "c90001000000" + "61" * 65536),
    (Timestamp(0), "d6ff00000000"),
    (Timestamp(2**32 - 1), "d6ffffffffff"),
    (Timestamp(2**32), "d7ff0000000100000000"),
    (Timestamp(1, 999999999), "d7ffee6b27fc00000001"),
    (Timestamp(2**34 - 1, 1), "d7ff00000007ffffffff"),
    (Timestamp(2**34), "c70cff000000000000000400000000"),
    (Timestamp(-1, 5), "c70cff00000005ffffffffffffffff"),
    (Timestamp(-(2**63), 0), "c70cff000000008000000000000000"),
]

LONGER: list[tuple[str, Any]] = [  # forms that are not the shortest
    ("cc00", 0),
    ("d3ffffffffffffffff", -1),
    ("d300000000000000ff", 255),
    ("ca3fc00000", 1.5),
    ("ca7f800000", math.inf),
    ("d90161", "a"),
    ("db0000000161", "a"),
    ("c6000000027879", b"xy"),
    ("dd0000000101", [1]),
    ("df00000001a16101", {"a": 1}),
    ("81d90161c0", {"a": None}),
    ("c9000000010561", Extension(5, b"a")),
    ("c704ff00000007", Timestamp(7)),
    ("c70cff000000000000000000000001", Timestamp(1)),
]

MSGPACK_REFUSED: list[tuple[str, int, str]] = [
    ("", 0, "there are no data"),
    ("c1", 0, "0xC1"),
    ("92c0c1", 2, "0xC1"),
    ("0000", 1, "more bytes after"),
    ("cd01", 0, "end in the middle"),
    ("cb00", 0, "end in the middle"),
    ("a261", 0, "end in the middle"),
    ("dbffffffff61", 0, "end in the middle"),
    ("c6ffffffff", 0, "end in the middle"),
    ("c9ffffffff01", 0, "end in the middle"),
    ("ddffffffff", 0, "end in the middle"),
    ("dfffffffff", 0, "end in the middle"),
    ("de0003c0c0", 0, "end in the middle"),
    ("dc", 0, "end in the middle"),
    ("91dd7fffffff00", 1, "end in the middle"),
    ("92a0", 0, "end in the middle"),
    ("9291c0", 3, "end in the middle"),
    ("d4ff00", 0, "not a timestamp"),
    ("d7ffffffffff00000000", 0, "not a timestamp"),
    ("c70cff3b9aca000000000000000000", 0, "not a timestamp"),
    ("a1ff", 0, "not UTF-8"),
    ("91a3eda080", 1, "not UTF-8"),
    ("8190c0", 1, "cannot hash"),
    ("81dc000000", 1, "cannot hash"),
    ("81de000000", 1, "cannot hash"),
    ("82a16101a16102", 4, "the same key twice"),
    ("82010101c3", 3, "the same key twice"),
    ("91" * 201 + "c0", 200, "nested more than 200"),
    ("81c0" * 201 + "c0", 400, "nested more than 200"),
]


@pytest.mark.parametrize(("value", "encoded"), FORMATS, ids=range(len(FORMATS)))
def test_msgpack_formats(value: Any, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert MSGPACK.dumps(value) == data
    got = MSGPACK.loads(data)
    assert got == value
    assert type(got) is type(value)
    for cut in range(min(len(data), 40)):
        with pytest.raises(DecodeError):
            MSGPACK.loads(data[:cut])


@pytest.mark.parametrize(("encoded", "value"), LONGER, ids=range(len(LONGER)))
def test_msgpack_longer_forms(encoded: str, value: Any) -> None:
    got = MSGPACK.loads(bytes.fromhex(encoded))
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(("encoded", "offset", "reason"), MSGPACK_REFUSED, ids=range(len(MSGPACK_REFUSED)))
def test_msgpack_refuses(encoded: str, offset: int, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason) as caught:
        MSGPACK.loads(bytes.fromhex(encoded))
    error = caught.value
    assert (error.offset, error.line, error.column) == (offset, None, None)
    assert str(error).startswith(f"at byte {offset}: ")


def test_msgpack_nan_and_keys() -> None:
    assert math.isnan(MSGPACK.loads(MSGPACK.dumps(math.nan)))
    stamp = {Timestamp(1): 1, Extension(1, b""): 2}
    assert MSGPACK.loads(MSGPACK.dumps(stamp)) == stamp
    for one in (bytearray(b"ab"), memoryview(b"ab"), memoryview(b"xaby")[1:3]):
        assert MSGPACK.loads(MSGPACK.dumps(one)) == b"ab"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**64, "an integer outside -2^63 to 2^64 - 1, which are MessagePack's limits"),
        ([-(2**63) - 1], "an integer outside -2^63 to 2^64 - 1, which are MessagePack's limits, at [0]"),
        (Extension(128, b""), "Extension.type is not an integer from -128 to 127"),
        (Extension(-1, b""), "extension type -1 is the timestamp's; use Timestamp"),
        (Extension(1, "x"), "Extension.data is str, not bytes"),  # type: ignore[arg-type]
        (Timestamp(2**63), f"Timestamp.seconds is not an integer from {-(2**63)} to {2**63 - 1}"),
        (Timestamp(1, 10**9), "Timestamp.nanoseconds is not an integer from 0 to 999999999"),
        (Timestamp(1.5), f"Timestamp.seconds is not an integer from {-(2**63)} to {2**63 - 1}"),  # type: ignore[arg-type]
        (memoryview(b"abcd")[::2], "a memoryview that is not contiguous; convert it first"),
        ({"a": {1}}, "MessagePack has no type for set; convert it first, at ['a']"),
        (["\ud800"], "a string with a lone surrogate, which UTF-8 does not have, at [0]"),
    ],
)
def test_refused_by_msgpack(value: Any, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        MSGPACK.dumps(value)
    assert str(caught.value) == message


def test_mutated_msgpack_is_read_or_refused() -> None:
    whole = MSGPACK.dumps(
        {"kéy": [1, -200, 2.5, "a" * 40, None, True, b"bin"], "e": Extension(4, b"abc"), "t": Timestamp(-5, 6), 7: {}}
    )
    draw = random.Random(4)
    taken = 0
    for _ in range(10_000):
        data = bytearray(whole)
        for _ in range(draw.randrange(1, 4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            got = MSGPACK.loads(bytes(data))
        except DecodeError as error:
            assert error.offset <= len(data)  # noqa: PT017 - either way is right
            continue
        taken += 1
        assert repr(MSGPACK.loads(MSGPACK.dumps(got))) == repr(got)
    assert taken > 100
