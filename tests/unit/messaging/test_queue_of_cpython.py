# SPDX-License-Identifier: MIT
"""CPython's own tests of its queues (Lib/test/test_queue.py of the running interpreter) with our rings in their place.

Each test of its classes is run or left out for a reason that stands here; one that a newer CPython adds fails the last
test until somebody looks at it.
"""

from __future__ import annotations

import types
import unittest
from typing import Any

import pytest

from perfcore.messaging import Empty, Full, PriorityRing, Ring

RUN = {
    "CQueueTest": [
        "test_queue_task_done",
        "test_queue_join",
        "test_basic",
        "test_negative_timeout_raises_exception",
        "test_nowait",
    ],
    "CSimpleQueueTest": [
        "test_basic",
        "test_negative_timeout_raises_exception",
        "test_order",
        "test_many_threads",
        "test_many_threads_nonblock",
        "test_many_threads_timeout",
        "test_references",
        "test_reentrancy",
    ],
}
LEFT_OUT = {
    "CQueueTest": {"test_shrinking_queue": "the maxsize of a ring cannot be set"},
    "CSimpleQueueTest": {"test_is_default": "that queue.SimpleQueue is the one of the module _queue"},
    # The whole class:
    "CLifoQueueTest": "there is no ring that gives the last item first",
    "CPriorityQueueTest": "a PriorityRing takes the priority beside the item and never compares items",
    "CFailingQueueTest": "its queue fails in _put and _get, hooks for subclasses that a ring does not have",
}


CASES = [(base, name, kind) for base, names in RUN.items() for name in names for kind in (Ring, PriorityRing)]
CASES.remove(
    ("CSimpleQueueTest", "test_references", PriorityRing)
)  # seconds of collecting; the same code lets items go


@pytest.mark.parametrize(("base", "name", "kind"), CASES)
def test_cpython(base: str, name: str, kind: Any) -> None:
    """Of a PriorityRing all items have one priority here: then it is a queue like any other."""
    stock = pytest.importorskip("test.test_queue")
    named = type("Queue", (kind,), {})  # the tests look the class's name up
    names = types.SimpleNamespace(Queue=named, SimpleQueue=kind, Full=Full, Empty=Empty)

    class OnRing(getattr(stock, base)):  # type: ignore[misc]
        queue = names

        def setUp(self) -> None:
            super().setUp()
            self.type2test = named
            if base == "CSimpleQueueTest":
                self.q = kind()

    result = unittest.TestResult()
    OnRing(name).run(result)
    assert (result.testsRun, result.failures, result.errors, result.skipped) == (1, [], [], [])


def test_no_test_of_cpython_goes_unseen() -> None:
    stock = pytest.importorskip("test.test_queue")
    loader = unittest.TestLoader()
    cases = {
        name: case
        for name, case in vars(stock).items()
        if isinstance(case, type) and issubclass(case, unittest.TestCase)
    }
    for name, case in cases.items():
        names = set(loader.getTestCaseNames(case))
        known = "C" + name.removeprefix("C").removeprefix("Py")  # the tests of the version in Python are the same
        if not names or isinstance(LEFT_OUT.get(known), str):
            continue
        unseen = names - set(RUN.get(known, ())) - set(LEFT_OUT.get(known, ()))
        assert not unseen, f"{name}: {sorted(unseen)}"
    assert set(RUN) <= set(cases)
