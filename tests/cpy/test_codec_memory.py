# SPDX-License-Identifier: MIT
"""The codecs as C: leaks, failing allocations, sub-interpreters."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

from perfcore.codecs import DecodeError, EncodeError, Extension, Timestamp, codec_names, get_codec

Flat = Callable[[Callable[[], object]], None]
Failing = Callable[[Callable[[], object]], int]

OURS = [name for name in ("json", "cjson", "msgpack") if name in codec_names()]

VALUE: dict[str, Any] = {
    "sender": "agent-03",
    "naïve": ["€😀", '"\n', "a" * 5000],
    "numbers": [1, -5, 10**15, 0.1, 1e300, 2.5e-300, 1e16, *range(300)],
    "nested": [{"k": [OrderedDict(a=1, b=(1, 2))]}, {}, [], None, True, False],
}
VALUES: dict[str, Any] = {
    "json": VALUE | {"big": 10**40},
    "cjson": VALUE | {"big": 10**40},
    "msgpack": VALUE | {"t": Timestamp(-5, 7), "e": Extension(3, b"x"), "b": b"bytes", "n": 2**64 - 1},
}

# One for each way out of the walk.
UNENCODABLE = [{"a": [1, {"b": object()}]}, ["\ud800"], {"k": 10**5000}, OrderedDict(a={1})]
UNDECODABLE = {
    "json": [
        b"",
        b'{"a": [1, 2, {"b": "c"}',
        b'{"a": 1, "a": [2]}',
        b'{"a": "b\\u0041\\ud800"}',
        b'[["\xff"]]',
        b"[" * 300,
        b"[1, 2] 3",
        b"[[1.5, 12345678901234567890, tru]]",
    ],
    "msgpack": [
        b"",
        b"\x82\xa1a\x01\xa1a\x91\x02",
        b"\x92\x91\xa1b\xc1",
        b"\x91" * 300,
        b"\x91\xa1\xff",
        b"\x81\x90\x01",
    ],
}
UNDECODABLE["cjson"] = UNDECODABLE["json"]


@pytest.mark.parametrize("name", OURS)
def test_round_trips_are_flat(assert_flat: Flat, name: str) -> None:
    codec, value = get_codec(name), VALUES[name]
    data = codec.dumps(value)
    codec.loads(bytearray(data))
    assert_flat(lambda: codec.loads(codec.dumps(value)))


@pytest.mark.parametrize("name", OURS)
def test_refusals_are_flat(assert_flat: Flat, name: str) -> None:
    codec = get_codec(name)

    def encode() -> None:
        for value in UNENCODABLE:
            with pytest.raises(EncodeError):
                codec.dumps(value)

    def decode() -> None:
        for data in UNDECODABLE[name]:
            with pytest.raises(DecodeError):
                codec.loads(data)
        with pytest.raises(TypeError):
            codec.loads(3)

    assert_flat(encode)
    assert_flat(decode)


@pytest.mark.parametrize("name", OURS)
def test_each_allocation_may_fail(each_allocation_fails: Failing, name: str) -> None:
    codec, value = get_codec(name), VALUES[name]
    data = codec.dumps(value)
    # CPython itself crashes where there is no memory to go through the items of an OrderedDict.
    small = {key: value[key] for key in value if key != "numbers"} | {"nested": [{"k": [{"b": (1, 2)}]}, {}, [], None]}
    short = codec.dumps(small)
    assert each_allocation_fails(lambda: codec.dumps(small)) >= 1
    assert each_allocation_fails(lambda: codec.loads(short)) >= 10  # dicts, lists, strings, numbers
    assert codec.dumps(value) == data
    assert codec.dumps(codec.loads(data)) == codec.dumps(value)


@pytest.mark.parametrize("name", OURS)
def test_each_allocation_may_fail_while_refusing(each_allocation_fails: Failing, name: str) -> None:
    codec = get_codec(name)

    def refused(call: Callable[[Any], Any], argument: Any, error: type[Exception]) -> None:
        try:
            call(argument)
        except error:
            return
        raise AssertionError("not refused")

    for value in UNENCODABLE:
        assert each_allocation_fails(lambda value=value: refused(codec.dumps, value, EncodeError)) >= 2  # type: ignore[misc]
    for data in UNDECODABLE[name]:
        assert each_allocation_fails(lambda data=data: refused(codec.loads, data, DecodeError)) >= 2  # type: ignore[misc]


def test_keys_of_one_interpreter_are_its_own() -> None:
    code = f"""
import _xxsubinterpreters as interpreters
from perfcore.codecs import get_codec
assert get_codec("json").loads('{{"key": 1}}') == {{"key": 1}}
script = '''
import sys
sys.path[:] = {sys.path!r}
from perfcore._core import json_dumps, json_loads, msgpack_dumps, msgpack_loads
for _ in range(3):
    assert json_loads(json_dumps({{"key": [1.5, "x"]}})) == {{"key": [1.5, "x"]}}
    assert msgpack_loads(msgpack_dumps({{"key": [1.5, "x"]}})) == {{"key": [1.5, "x"]}}
'''
for _ in range(3):
    interpreter = interpreters.create(isolated=True)
    interpreters.run_string(interpreter, script)
    interpreters.destroy(interpreter)
assert get_codec("json").loads('{{"key": 1}}') == {{"key": 1}}
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_import_that_is_interrupted_is_not_gone_on_with() -> None:
    """What the encoder looks up for values of unknown types; a debug build of Python would end at the second import."""
    code = """
import sys
from perfcore import _core

class Interrupt:
    tried = 0

    def find_spec(self, name, path, target=None):
        if name == "perfcore.codecs":
            self.tried += 1
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
try:
    _core.msgpack_dumps(object())
except KeyboardInterrupt:
    assert sys.meta_path.pop(0).tried == 1
try:
    _core.msgpack_dumps(object())
except ValueError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "refused\n", "")
