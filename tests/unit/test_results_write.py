# SPDX-License-Identifier: MIT
"""Results files with many samples are written as pytest-benchmark writes them, to the byte."""

from __future__ import annotations

import json
import math
import random
import struct
import sys
from typing import Any

import pytest
from pytest_benchmark.utils import safe_dumps

from perfcore import _core
from perfcore.record.write import FEW, results_dumps, strict

LAYOUT = {"ensure_ascii": True, "indent": 4}


def document(*arrays: Any) -> dict[str, Any]:
    benchmarks = [{"name": f"é{i}", "stats": {"min": 1, "data": data, "max": None}} for i, data in enumerate(arrays)]
    return {"machine_info": {"node": "ü"}, "benchmarks": benchmarks, "other": [[1.5], set()]}


class Counted:
    """pytest-benchmark's function, and how many samples it was given."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, obj: Any, **options: Any) -> str:
        lists = [one["stats"]["data"] for one in obj["benchmarks"]]
        self.seen += sum(len(data) for data in lists if isinstance(data, list))
        return safe_dumps(obj, **options)


def any_double(source: random.Random) -> float:
    return float(struct.unpack("<d", source.randbytes(8))[0])


def test_the_text_is_the_same() -> None:
    source = random.Random(12)
    odd = [0.0, -0.0, 5e-324, 1e300, 1e22, 123456789012345680.0, 1e16, 0.1, math.inf, -math.inf, math.nan, 1e-47] * 8
    arrays = [[any_double(source) for _ in range(3000)], [1e-6 * source.random() for _ in range(FEW)], odd]
    made = document(*arrays)
    stock = Counted()
    assert results_dumps(stock)(made, **LAYOUT) == safe_dumps(made, **LAYOUT)
    assert stock.seen == 0
    assert made["benchmarks"][0]["stats"]["data"] is arrays[0]  # nothing was changed
    read = json.loads(results_dumps(stock)(made, **LAYOUT))["benchmarks"][0]["stats"]["data"]
    assert [struct.pack("<d", one) for one in read if one == one] == [
        struct.pack("<d", one) for one in arrays[0] if one == one
    ]


class Real(float):
    """A number that json.dumps writes as a float, and our function leaves to it."""


@pytest.mark.parametrize("data", [[1.5] * FEW + [1], [1.5] * FEW + [None], [0.5] * FEW + [Real(1.5)]])
def test_with_other_things_among_floats_all_is_left_to_stock(data: Any) -> None:
    made = document(data, [0.5] * FEW)
    assert results_dumps(safe_dumps)(made, **LAYOUT) == safe_dumps(made, **LAYOUT)


@pytest.mark.parametrize(
    "data",
    [
        [1.5] * (FEW - 1),
        [],
        [1] * FEW + [1.5],
        [Real(1.5)] * FEW,
        tuple([1.5] * FEW),
        None,
        {"a": 1},
    ],
)
def test_what_is_not_many_floats_is_left_to_stock(data: Any) -> None:
    stock = Counted()
    made = document(data, [0.5] * FEW)
    assert results_dumps(stock)(made, **LAYOUT) == safe_dumps(made, **LAYOUT)
    assert stock.seen == (len(data) if isinstance(data, list) else 0)


@pytest.mark.parametrize(
    "made",
    [
        None,
        [1.5] * FEW,
        {"benchmarks": {}},
        {"benchmarks": [None, {"stats": None}, {"stats": {}}, {}]},
        {"benchmarks": []},
    ],
)
def test_what_is_no_results_document_is_left_to_stock(made: Any) -> None:
    assert results_dumps(safe_dumps)(made, **LAYOUT) == safe_dumps(made, **LAYOUT)


@pytest.mark.parametrize(
    "options", [{}, {"indent": 4}, {"ensure_ascii": True, "indent": 2}, LAYOUT | {"sort_keys": True}]
)
def test_another_layout_is_left_to_stock(options: dict[str, Any]) -> None:
    stock = Counted()
    made = document([1.5] * FEW)
    assert results_dumps(stock)(made, **options) == safe_dumps(made, **options)
    assert stock.seen == FEW


def test_an_encoder_that_hides_the_marks_is_asked_again() -> None:
    def upper(obj: Any, **options: Any) -> str:
        return safe_dumps(obj, **options).upper()

    made = document([1.5] * FEW)
    assert results_dumps(upper)(made, **LAYOUT) == upper(made, **LAYOUT)


def test_what_strict_json_lacks_is_saved_as_text() -> None:
    class Odd(float):
        def __repr__(self) -> str:
            return "?"

    most = 2**1024 - 2**970 - 1
    assert float(most) == sys.float_info.max
    given = {
        "inf": [math.inf, (-math.inf, Odd("nan"))],
        "a\0b": "a\0é\ud800\udc00",
        "huge": [10**400, -(10**5000), most + 1],
        "fine": most,
        1: {"x": None},
    }
    made = strict(given)
    assert made == {
        "inf": ["inf", ["-inf", "nan"]],
        "a\\u0000b": "a\\u0000é\\ud800\\udc00",
        "huge": [hex(10**400), hex(-(10**5000)), hex(most + 1)],
        "fine": most,
        1: {"x": None},
    }
    assert made[1] is given[1]  # what lacks nothing is not copied
    assert strict(made) is made
    assert _core.load_results(json.dumps(made).encode()) == json.loads(json.dumps(made))
    other = object()
    for value in (other, True, b"\0", 1.5, "é", [1, "a", other], None):
        assert strict(value) is value


def test_splice_doubles() -> None:
    around = ("<", ", ", ">")
    assert _core.splice_doubles(["a", "b", ""], [[1.5, -0.0, 1e300], []], *around) == "a<1.5, -0.0, 1e+300>b<>"
    assert _core.splice_doubles(["a"], [], *around) == "a"
    assert _core.splice_doubles([""], [], *around) == ""
    assert _core.splice_doubles(["", ""], [[1.5]], "", "", "") == "1.5"
    assert _core.splice_doubles(["", ""], [[1.5, 2]], *around) is None
    assert _core.splice_doubles(["", ""], [(1.5,)], *around) is None  # type: ignore[list-item]
    for wrong, text in (
        ((["a"], [[1.5]], *around), "one piece of text more"),
        ((["a", "é"], [[1.5]], *around), "pieces must be ASCII"),
        ((["a", 1], [[1.5]], *around), "pieces must be ASCII"),
        ((["a", "b"], [[1.5]], "<", "é", ">"), "between and after must be ASCII"),
    ):
        with pytest.raises(ValueError, match=text):
            _core.splice_doubles(*wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _core.splice_doubles(("a",), [], *around)  # type: ignore[arg-type]
