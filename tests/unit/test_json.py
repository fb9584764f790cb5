# SPDX-License-Identifier: MIT
"""The C reader's JSON: what it accepts equals json's reading, what it refuses has a place and a reason."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore._core import JSONError, Samples, load_results

# Accepted, and read as Python's own reader does.
ACCEPTED = [
    "null",
    " true ",
    "false\n",
    "0",
    "-0",
    "-0.0",
    "1e5",
    "1E+5",
    "123456789012345678",
    "-1234567890123456789",
    "9007199254740993",
    "1" + "0" * 308,
    "-" + "9" * 300,
    "5e-324",
    "1e-4000",
    '""',
    r'"\"\\\/\b\f\n\r\t"',
    r'"\u20ac\ud83d\ude00"',
    '"€😀\u007f"',
    "[]",
    "[[],[[]],{}]",
    "{}",
    '{"":{"":""}}',
    '{"A":1,"a":2}',
    '{"a":[1,2.5,"x",null,true]}',
    "\t\r\n [ 1 , 2 ] \t\r\n",
    "[" * 200 + "]" * 200,
    '{"__proto__": 0, "\\u0061b": 1}',
]

# Refused: text, part of the reason, line, column.
REFUSED = [
    (b"", "empty", 1, 1),
    (b"  \n", "empty", 2, 1),
    (b'{"a": [1, 2', "truncated", 1, 12),
    (b'"abc', "truncated", 1, 5),
    (b"[1,]", "unexpected character", 1, 4),
    (b'{"a":1,}', "unexpected character", 1, 8),
    (b"{'a':1}", "unexpected character", 1, 2),
    (b"[1]x", "after the end", 1, 4),
    (b"[1][2]", "after the end", 1, 4),
    (b"<html>", "unexpected character", 1, 1),
    (b"// c\n[]", "unexpected character", 1, 1),
    (b"\xef\xbb\xbf{}", "byte order mark", 1, 1),
    ("{}".encode("utf-16"), "not UTF-8", 1, 1),
    (b'["\xff"]', "not UTF-8", 1, 3),
    ('["é'.encode("latin-1") + b'"]', "not UTF-8", 1, 3),
    (b'["\xc0\x80"]', "not UTF-8", 1, 3),
    (b'["\xed\xa0\x80"]', "not UTF-8", 1, 3),
    (b'["a\tb"]', "control character", 1, 4),
    (b'["a\x00b"]', "control character", 1, 4),
    (rb'["\q"]', "escape", 1, 3),
    (rb'["\u00"]', "escape", 1, 3),
    (rb'["\ud800"]', "surrogate", 1, 3),
    (rb'["\udc00\ud800"]', "surrogate", 1, 3),
    (rb'["\u0000"]', "NUL", 1, 3),
    (b"[01]", "malformed number", 1, 2),
    (b"[1.]", "malformed number", 1, 2),
    (b"[-.5]", "malformed number", 1, 2),
    (b"[+1]", "malformed number", 1, 2),
    (b"[0x10]", "unexpected character", 1, 3),
    (b"[NaN]", "NaN", 1, 2),
    (b"[-Infinity]", "NaN", 1, 2),
    (b"[1e309]", "too large", 1, 2),
    (b"1" + b"0" * 309, "too large", 1, 1),
    (b"[" * 201 + b"]" * 201, "200 levels", 1, 201),
    (b'{"a":1,"a":1}', "twice", 1, 8),
    ('{"é":1,\n "b":{},"\\u00e9":1}'.encode(), "twice", 2, 9),
]


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types, floats bit for bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepts_what_json_accepts(text: str) -> None:
    assert same(load_results(text.encode()), json.loads(text))


@pytest.mark.parametrize(("data", "reason", "line", "column"), REFUSED, ids=[repr(one[0][:20]) for one in REFUSED])
def test_refuses_with_a_place(data: bytes, reason: str, line: int, column: int) -> None:
    with pytest.raises(JSONError) as caught:
        load_results(data)
    said, *place, offset = caught.value.args
    assert reason in said
    assert place == [line, column]
    assert 0 <= offset <= len(data)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda below: st.lists(below) | st.dictionaries(texts, below),
    max_leaves=50,
)


@settings(max_examples=300, deadline=None)
@given(values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_reads_whatever_json_writes(value: Any, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert same(load_results(text.encode()), value)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | texts.map(str.encode))
def test_any_bytes_are_read_as_json_reads_them_or_refused(data: bytes) -> None:
    try:
        value = load_results(data)
    except JSONError:
        return
    assert same(value, json.loads(data))


def results_with(data: str) -> bytes:
    return b'{"benchmarks": [{"stats": {"data": ' + data.encode() + b"}}]}"


def samples_of(data: str) -> Any:
    return load_results(results_with(data))["benchmarks"][0]["stats"]["data"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)))
def test_samples_are_bit_exact(numbers: list[float]) -> None:
    samples = samples_of(json.dumps(numbers))
    assert isinstance(samples, Samples)
    assert samples.tolist() == [float(number) for number in numbers]
    assert bytes(memoryview(samples)) == struct.pack(f"{len(numbers)}d", *numbers)


# Decimals at and beside the middle between two doubles, where a wrong rounding shows.
@settings(max_examples=300, deadline=None)
@given(
    st.floats(min_value=1e-60, max_value=1e60),
    st.sampled_from(["", "1", "000000000000000000000000000001", "5"]),
)
def test_halfway_decimals_round_to_even(value: float, more: str) -> None:
    from decimal import Decimal, localcontext

    with localcontext() as context:
        context.prec = 400
        middle = (Decimal(value) + Decimal(math.nextafter(value, math.inf))) / 2
        text = format(middle, "f")
        text += more if "." in text else ""
        shorter = format(middle, ".18e")
    assert samples_of(f"[{text}, {shorter}]").tolist() == [float(text), float(shorter)]


def test_only_the_samples_of_benchmarks_become_samples() -> None:
    data = {
        "data": [1.5],
        "stats": {"data": [1.5]},
        "benchmarks": [
            {
                "stats": {"data": [1.5], "q": [1.5]},
                "data": [1.5],
                "extra_info": {"data": [1.5], "stats": {"data": [2]}},
            },
            {"stats": {"data": [1.5, None]}},
            {"stats": {"data": [[1.5]]}},
            {"stats": {"data": []}},
        ],
    }
    read = load_results(json.dumps(data).encode())
    first = read["benchmarks"][0]
    assert isinstance(first["stats"]["data"], Samples)
    first["stats"]["data"] = [1.5]
    last = read["benchmarks"][3]["stats"]
    assert isinstance(last["data"], Samples)
    assert len(last["data"]) == 0
    last["data"] = []
    assert read == data


def test_samples_that_are_read_can_grow() -> None:
    samples = samples_of("[1.5]")
    samples.append(2.5)
    assert samples.tolist() == [1.5, 2.5]


def test_wants_bytes() -> None:
    for wrong in ("{}", bytearray(b"{}"), memoryview(b"{}"), None):
        with pytest.raises(TypeError, match="wants bytes"):
            load_results(wrong)  # type: ignore[arg-type]


def test_too_many_values_are_refused_before_they_are_built() -> None:
    with pytest.raises(JSONError, match="10 million values"):
        load_results(b"[" + b"0," * 10_000_001 + b"0]")


def test_many_keys_are_searched_fast() -> None:
    count = 200_000  # quadratic search would take minutes
    data = json.dumps({f"k{i % (count - 1)}" if i else "first": 0 for i in range(count)}).encode()
    assert len(load_results(data)) == count
    with pytest.raises(JSONError) as caught:
        load_results(data[:-1] + b', "k7": 0}')
    assert caught.value.args[3] == len(data) - 1 + 2


def test_threads_read_at_the_same_time() -> None:
    data = results_with(json.dumps([i / 7 for i in range(20_000)]))
    wanted = [i / 7 for i in range(20_000)]
    right: list[bool] = []

    def work() -> None:
        for _ in range(20):
            right.append(load_results(data)["benchmarks"][0]["stats"]["data"].tolist() == wanted)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 80


def test_a_decimal_comma_changes_nothing(tmp_path: Path) -> None:
    if shutil.which("localedef") is None or not Path("/usr/share/i18n/locales/de_DE").exists():
        pytest.skip("no localedef or no locale sources")
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")], capture_output=True, check=False
    )
    assert (tmp_path / "de_DE.UTF-8").exists(), made.stderr
    code = """
import locale
from perfcore._core import load_results
locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
assert locale.localeconv()["decimal_point"] == ","
read = load_results(b'{"a": 1.5, "benchmarks": [{"stats": {"data": [2.5, 1.25e-300]}}]}')
assert read["a"] == 1.5, read
assert read["benchmarks"][0]["stats"]["data"].tolist() == [2.5, 1.25e-300]
"""
    environment = {**os.environ, "LOCPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_table_of_powers_of_five() -> None:
    import re

    header = Path(__file__).parents[2] / "csrc" / "core" / "record" / "pc_powers.h"
    rows = re.findall(r"\{0x(\w{16}), 0x(\w{16})\}, // (-?\d+)", header.read_text(encoding="utf-8"))
    assert [int(power) for _, _, power in rows] == list(range(-64, 65))
    for high, low, text in rows:
        power = int(text)
        found = int(high + low, 16)
        assert found >> 127 == 1
        if power >= 0:
            shift = (5**power).bit_length() - 128
            expected = 5**power >> shift if shift > 0 else 5**power << -shift
        else:
            divisor = 5**-power  # the reciprocal, scaled to 128 bits
            expected = (1 << (divisor.bit_length() + 127)) // divisor + (power >= -27)
        assert found == expected, power
