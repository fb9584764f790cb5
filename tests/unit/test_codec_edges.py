# SPDX-License-Identifier: MIT
"""Codecs at their limits: keys that would not come back, dicts that change unseen, integers hardly too long."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from perfcore.codecs import DecodeError, EncodeError, get_codec

JSON = get_codec("json")
MSGPACK = get_codec("msgpack")


@pytest.mark.parametrize("key", [(1, 2), ()])
@pytest.mark.parametrize("kind", [dict, type("Mapping", (dict,), {})])
def test_a_tuple_is_no_key_of_a_map(key: tuple[int, ...], kind: type[dict[Any, Any]]) -> None:
    """It would come back as a list."""
    with pytest.raises(EncodeError, match=r"a tuple as a key, .*\[0\]\[key of type tuple\]"):
        MSGPACK.dumps([kind({key: 3})])
    assert MSGPACK.loads(MSGPACK.dumps({1: (1, 2), b"x": ()})) == {1: [1, 2], b"x": []}


@pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=["json", "msgpack"])
@pytest.mark.parametrize("size", [1, 3, 200])
def test_a_dict_that_changes_and_keeps_its_size(codec: Any, size: int) -> None:
    """An item is taken out and another put in while one of the values is asked for its items.

    What is written is well formed or nothing; where a dict is laid out anew, it may be a mixture of before and after.
    """
    outer: dict[str, Any] = {f"a{n}": 1 for n in range(size)}

    class Changes(dict[str, int]):
        def items(self) -> Any:
            outer.pop("a0")
            outer["z"] = 1
            return [("k", 1)]

    outer["b"] = Changes()
    outer["c"] = 2
    if size == 3:  # five items are as many as fit: the sixth moves them
        assert len(codec.loads(codec.dumps(outer))) == size + 2
    else:
        with pytest.raises(RuntimeError, match="a dict changed while it was encoded"):
            codec.dumps(outer)
    with pytest.raises(KeyError, match="a0"):  # and the next one finds it in order
        codec.dumps(outer)


@pytest.fixture
def digits() -> Iterator[Any]:
    before = sys.get_int_max_str_digits()
    yield sys.set_int_max_str_digits
    sys.set_int_max_str_digits(before)


def test_the_longest_integer_in_json(digits: Any) -> None:
    digits(20_000)
    for longest in (10**4300 - 1, -(10**4300) + 1):
        assert JSON.loads(JSON.dumps(longest)) == longest
    for longer in (10**4300, -(10**4300)):
        with pytest.raises(EncodeError, match="an integer of more digits than are converted"):
            JSON.dumps(longer)


def test_an_interpreter_that_converts_less(digits: Any) -> None:
    digits(640)
    assert JSON.loads(b"1" * 640) == int("1" * 640)
    with pytest.raises(EncodeError, match="an integer of more digits than are converted"):
        JSON.dumps(10**640)
    with pytest.raises(DecodeError, match="line 1, column 3: an integer of more digits than are converted"):
        JSON.loads(b"[ " + b"1" * 641 + b"]")


def test_a_key_that_cannot_be_shown() -> None:
    with pytest.raises(EncodeError, match=r"an integer outside .*, at \[key of type int\]"):
        MSGPACK.dumps({10**5000: 1})


def test_errors_that_cannot_be_imported() -> None:
    """Another interpreter: here they have been."""
    code = """
        import sys
        from functools import partial
        from perfcore import _core

        sys.modules["perfcore.errors"] = None
        for call in (
            partial(_core.json_dumps, object()),
            partial(_core.json_dumps, [object()]),
            partial(_core.msgpack_dumps, object()),
            partial(_core.json_loads, b"{"),
            partial(_core.msgpack_loads, bytes([0xC1])),
        ):
            try:
                call()
            except ModuleNotFoundError as error:
                print(error.name)
        sys.modules["perfcore.codecs"] = module = type(sys)("perfcore.codecs")
        for name in ("Timestamp", "Extension"):
            try:
                _core.msgpack_dumps(object())
            except AttributeError as error:
                print(error.name)
            setattr(module, name, int)
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code)],
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},  # CPython's own at exit
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [*["perfcore.errors"] * 5, "Timestamp", "Extension"]
