# SPDX-License-Identifier: MIT
"""load_results and judge_medians as C: leaks, failing allocations, sub-interpreters."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from perfcore._core import JSONError, judge_medians, load_results

Flat = Callable[[Callable[[], object]], None]
Failing = Callable[[Callable[[], object]], int]

GOOD = json.dumps(
    {
        "machine_info": {"cpu": {"count": 2}, "é": "€😀"},
        "benchmarks": [
            {
                "fullname": f"t{i}",
                "params": {"n": [1, 2.5, None, True, False, 10**30]},
                "stats": {"median": 2.5e-7, "data": [i / 7 for i in range(300)]},
            }
            for i in range(3)
        ],
        **{f"key{i}": i for i in range(20)},
    }
).encode()

# One for each way out of the reader: in the scan, with samples captured, in the tree, in the conversion.
BAD = [
    b"",
    GOOD[:-1],
    b'{"benchmarks": [{"stats": {"data": [1.5, 2.5, NaN]}}]}',
    b'{"benchmarks": [{"stats": {"data": [1.5, 2.5]}}], "x": tru}',
    b'{"benchmarks": [{"stats": {"data": [1.5, 2.5]}}], "x": {"a": 1, "a": 2}}',
    b"{" + b",".join(b'"k%d": [1, 2]' % (i % 19) for i in range(20)) + b"}",
    b"[" * 300,
]


def test_reading_is_flat(assert_flat: Flat) -> None:
    assert_flat(lambda: load_results(GOOD))


@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
def test_refusing_is_flat(assert_flat: Flat, data: bytes) -> None:
    def operation() -> None:
        with pytest.raises(JSONError):
            load_results(data)

    assert_flat(operation)


def test_judging_is_flat(assert_flat: Flat) -> None:
    def operation() -> None:
        judge_medians((1.0, 0.1, 0.1), (1.1, 0.1, 0.1), 0.05, 0.1)
        with pytest.raises(ValueError, match="thresholds"):
            judge_medians((1.0, 0.1, 0.1), (1.1, 0.1, 0.1), 0.0, 0.1)
        with pytest.raises(TypeError):
            judge_medians((1.0, 0.1), (1.1, 0.1, 0.1), 0.05, 0.1)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            load_results(3)  # type: ignore[arg-type]

    assert_flat(operation)


def test_each_python_allocation_may_fail(each_allocation_fails: Failing) -> None:
    wanted = str(load_results(GOOD)["machine_info"])
    assert each_allocation_fails(lambda: load_results(GOOD)) >= 50  # dicts, lists, strings, numbers, Samples
    assert str(load_results(GOOD)["machine_info"]) == wanted
    assert each_allocation_fails(lambda: judge_medians((1.0, 0.1, 0.1), (1.1, 0.1, 0.1), 0.05, 0.1)) >= 2


def test_each_allocation_may_fail_while_refusing(each_allocation_fails: Failing) -> None:
    def operation() -> None:
        try:
            load_results(BAD[2])
        except JSONError:
            return
        raise AssertionError("not refused")

    assert each_allocation_fails(operation) >= 2


def test_errors_of_one_interpreter_are_its_own() -> None:
    code = """
import sys
import _xxsubinterpreters as interpreters
from perfcore._core import JSONError
script = f'''
import sys
sys.path[:] = {sys.path!r}
from perfcore._core import JSONError, load_results
assert id(JSONError) != {id(JSONError)}
try:
    load_results(b"[")
except JSONError as error:
    assert error.args[1:] == (1, 2, 1), error.args
else:
    raise SystemExit("not refused")
assert load_results(b'{{"benchmarks": [{{"stats": {{"data": [1.5]}}}}]}}')["benchmarks"][0]["stats"]["data"][0] == 1.5
'''
for _ in range(3):
    interpreter = interpreters.create(isolated=True)
    interpreters.run_string(interpreter, script)
    interpreters.destroy(interpreter)
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
