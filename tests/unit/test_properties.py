# SPDX-License-Identifier: MIT
"""What must hold for any figures and any order of calls: verdicts, estimates, ring, mailboxes, stores, by Hypothesis.

Rings and message histories have models of their own in ``messaging/``, the statistics theirs in test_stats.py.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from results_files import benchmark, document

from perfcore._core import judge_medians
from perfcore.errors import ResultsError, RouteError
from perfcore.judge.pairs import judge_blocks
from perfcore.judge.rank import rank_sum, shift
from perfcore.messaging import Closed, Empty, Full, Router, ShmRing
from perfcore.record.baseline import load_baseline, previous_path, write_baseline
from perfcore.record.merge import merge_results
from perfcore.record.results import parse_results

EXAMPLES = int(os.environ.get("PERFCORE_EXAMPLES", "20"))
few = settings(max_examples=EXAMPLES, deadline=None)
SEVERITY = ("improvement", "ok", "undecided", "warning", "critical")

medians = st.floats(1e-9, 1e3)
spreads = st.floats(0, 2)
fractions = st.floats(0.001, 0.5)
samples = st.lists(st.floats(1e-9, 1e3), min_size=3, max_size=12)


def side(median: float, spread: float) -> tuple[float, float, float]:
    return (median, math.nan, spread * median)


@few
@given(medians, medians, medians, spreads, spreads, fractions)
def test_a_slower_head_is_never_judged_better(
    base: float, one: float, other: float, first: float, second: float, warning: float
) -> None:
    found = [
        judge_medians(side(base, first), side(head, second), warning, 2 * warning)[0] for head in sorted((one, other))
    ]
    assert SEVERITY.index(found[0]) <= SEVERITY.index(found[1])


@few
@given(medians, medians, spreads, spreads, fractions, fractions)
def test_a_higher_threshold_never_alarms_more(
    base: float, head: float, first: float, second: float, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assume(head > base)
    strict, lax = (judge_medians(side(base, first), side(head, second), t, 2 * t)[0] for t in (low, high))
    assert SEVERITY.index(lax) <= SEVERITY.index(strict)


@few
@given(medians, medians, spreads, spreads)
def test_swapped_sides_give_the_inverse(base: float, head: float, first: float, second: float) -> None:
    assume(first + second < 100)
    _, _, ratio, low, high, allowance, _ = judge_medians(side(base, first), side(head, second), 0.05, 0.1)
    _, _, back, back_low, back_high, same, _ = judge_medians(side(head, second), side(base, first), 0.05, 0.1)
    assert math.isclose(back * ratio, 1)
    assert math.isclose(allowance, same)
    assert math.isclose(back_low * high, 1)
    assert math.isclose(back_high * low, 1)


@few
@given(medians, medians, spreads, spreads, st.integers(-20, 20))
def test_the_unit_does_not_matter(base: float, head: float, first: float, second: float, power: int) -> None:
    scale = 2.0**power  # exact, so the last bit is the same
    plain = judge_medians(side(base, first), side(head, second), 0.05, 0.1)
    scaled = judge_medians(side(base * scale, first), side(head * scale, second), 0.05, 0.1)
    assert scaled[0] == plain[0]
    assert scaled[2:6] == pytest.approx(plain[2:6], rel=1e-12)


@few
@given(samples, samples, st.integers(-20, 20))
def test_estimates_are_symmetric_and_follow_the_unit(x: list[float], y: list[float], power: int) -> None:
    scale = 2.0**power
    found, back = shift(x, y), shift(y, x)
    assert back.estimate == -found.estimate
    assert (back.interval is None) == (found.interval is None)
    if found.interval is not None and back.interval is not None:
        assert (back.interval.low, back.interval.high) == (-found.interval.high, -found.interval.low)
    assert shift([scale * one for one in x], [scale * one for one in y]).estimate == scale * found.estimate
    assert rank_sum(x, y).pvalue == pytest.approx(rank_sum(y, x).pvalue, rel=1e-9)


@few
@given(st.lists(st.floats(1, 1.01), min_size=8, max_size=12), st.floats(1.5, 100), fractions)
def test_the_ratio_of_what_is_far_apart(base: list[float], factor: float, threshold: float) -> None:
    verdict = judge_blocks(base, [factor * one for one in base], threshold, 0.95)
    assert verdict.low <= verdict.ratio <= verdict.high
    assert verdict.ratio == pytest.approx(factor, rel=0.02)


class ShmAgainstModel(RuleBasedStateMachine):
    """A ring in shared memory does what a deque would, whatever is put: small, large, none at all."""

    def __init__(self) -> None:
        super().__init__()
        self.ring: ShmRing[Any] = ShmRing(size=4096)
        self.model: deque[Any] = deque()
        self.closed = False

    @rule(item=st.binary(max_size=600) | st.integers() | st.text(max_size=200) | st.none())
    def put(self, item: Any) -> None:
        if self.closed:
            with pytest.raises(Closed):
                self.ring.put_nowait(item)
            return
        try:
            self.ring.put_nowait(item)
        except Full:
            assert self.model  # there is room for any of these in an empty ring
            return
        self.model.append(item)

    @rule(items=st.lists(st.binary(max_size=900), max_size=9))
    def put_many(self, items: list[bytes]) -> None:
        if self.closed:
            return
        try:
            count = self.ring.put_many(items, block=False)
        except Full:
            count = 0
        assert count == len(items) or self.model or count
        self.model.extend(items[:count])

    @rule()
    def get(self) -> None:
        if self.model:
            assert self.ring.get_nowait() == self.model.popleft()
        else:
            with pytest.raises(Closed if self.closed else Empty):
                self.ring.get_nowait()

    @rule(limit=st.none() | st.integers(1, 8))
    @precondition(lambda self: self.model)
    def get_many(self, limit: int | None) -> None:
        got = self.ring.get_many(limit, block=False)  # as many as come out at once, at least one
        assert 0 < len(got) <= (limit or len(self.model))
        assert got == [self.model.popleft() for _ in got]

    @rule(sure=st.integers(0, 9))
    def close(self, sure: int) -> None:
        if sure == 0:
            self.ring.close()
            self.closed = True

    @invariant()
    def same(self) -> None:
        assert (self.ring.qsize(), self.ring.empty(), self.ring.closed) == (
            len(self.model),
            not self.model,
            self.closed,
        )
        assert self.ring.recoveries == 0

    def teardown(self) -> None:
        self.ring.detach()


TestShmAgainstModel = ShmAgainstModel.TestCase
TestShmAgainstModel.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)

NAMES = ("a", "b", "c")


class RouterAgainstModel(RuleBasedStateMachine):
    """Endpoints with limits and policies have in their mailboxes what a few deques would."""

    def __init__(self) -> None:
        super().__init__()
        self.router = Router()
        self.boxes: dict[str, tuple[deque[int], int, str]] = {}
        self.dropped: dict[str, int] = {}
        self.next = 0

    @rule(name=st.sampled_from(NAMES), limit=st.integers(0, 4), policy=st.sampled_from(["drop_new", "drop_oldest"]))
    def add(self, name: str, limit: int, policy: Any) -> None:
        if name in self.boxes:
            with pytest.raises(ValueError, match=name):
                self.router.add(name)
            return
        self.router.add(name, maxsize=limit, policy=policy)
        self.boxes[name] = (deque(), limit, policy)
        self.dropped[name] = 0

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name: str) -> None:
        if name not in self.boxes:
            with pytest.raises(RouteError):
                self.router.remove(name)
            return
        endpoint, (box, _, _) = self.router.remove(name), self.boxes.pop(name)
        assert endpoint.mailbox is not None
        assert [endpoint.mailbox.get_nowait() for _ in box] == list(box)
        with pytest.raises(Closed):
            endpoint.mailbox.get_nowait()

    def deliver(self, name: str) -> int:
        """Return how many deliveries the model counts for the next message."""
        box, limit, policy = self.boxes[name]
        if not limit or len(box) < limit:
            box.append(self.next)
            return 1
        self.dropped[name] += 1
        if policy == "drop_new":
            return 0
        box.popleft()
        box.append(self.next)
        return 1

    @rule(name=st.sampled_from(NAMES))
    def send(self, name: str) -> None:
        if name not in self.boxes:
            with pytest.raises(RouteError):
                self.router.send(name, self.next)
            return
        assert self.router.send(name, self.next) == self.deliver(name)
        self.next += 1

    @rule(names=st.lists(st.sampled_from(NAMES), max_size=40))
    def send_many(self, names: list[str]) -> None:
        messages = range(self.next, self.next + len(names))
        made, unknown = 0, False
        for name in names:
            unknown = name not in self.boxes
            if unknown:
                break
            made += self.deliver(name)
            self.next += 1
        if unknown:
            with pytest.raises(RouteError):
                self.router.send_many(names, list(messages))
        else:
            assert self.router.send_many(names, list(messages)) == made

    @rule(count=st.integers(0, 5))
    def broadcast_many(self, count: int) -> None:
        made = self.router.broadcast_many(range(self.next, self.next + count))
        expected = 0
        for _ in range(count):
            expected += sum(map(self.deliver, self.boxes))
            self.next += 1
        assert made == expected

    @rule(name=st.sampled_from(NAMES), most=st.integers(1, 3))
    def drain(self, name: str, most: int) -> None:
        if name in self.boxes and self.boxes[name][0]:
            mailbox, box = self.router[name].mailbox, self.boxes[name][0]
            assert mailbox is not None
            assert mailbox.get_many(most) == [box.popleft() for _ in range(min(most, len(box)))]

    @invariant()
    def same(self) -> None:
        assert {one.name: (one.queued, one.dropped) for one in self.router.endpoints} == {
            name: (len(box), self.dropped[name]) for name, (box, _, _) in self.boxes.items()
        }


TestRouterAgainstModel = RouterAgainstModel.TestCase
TestRouterAgainstModel.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)


def contents(number: int) -> bytes:
    return json.dumps(
        document(
            *(benchmark(f"t{index}", 1e-6 * (1 + number)) for index in range(number % 4)),
            datetime=f"2024-01-{1 + number % 28:02}T{number // 28:02}:00:00+00:00",
        )
    ).encode()


class StoresAgainstModel(RuleBasedStateMachine):
    """A baseline, a history and merged files hold what a few variables would."""

    @initialize()
    def begin(self) -> None:
        pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
        from perfcore.record.history import History

        self.folder = Path(tempfile.mkdtemp(prefix="perfcore-test-"))
        self.base = self.folder / "base.json"
        self.kept: list[bytes] = []  # the baseline, and before it the previous one
        self.history = History(self.folder / "h.db", create=True)
        self.runs: dict[str, float] = {}

    def file(self, number: int) -> Path:
        path = self.folder / f"{number}.json"
        path.write_bytes(contents(number))
        return path

    @rule(number=st.integers(0, 40), replace=st.booleans(), keep=st.booleans())
    def write_baseline(self, number: int, replace: bool, keep: bool) -> None:
        path = self.file(number)
        if number % 4 == 0 or (self.kept and not replace):
            with pytest.raises(ResultsError):
                write_baseline(path, self.base, replace=replace, keep_previous=keep)
            return
        write_baseline(path, self.base, replace=replace, keep_previous=keep)
        if self.kept and keep:
            self.kept = [self.kept[-1], contents(number)]
        else:
            self.kept = [*self.kept[:-1], contents(number)]

    @rule(numbers=st.lists(st.integers(0, 40), max_size=4))
    def add(self, numbers: list[int]) -> None:
        from perfcore.record.history import make_run

        made = [make_run(parse_results(f"{n}.json", contents(n))) for n in numbers if n % 4]
        fresh = {run.key: run.at for run in made} | self.runs
        assert self.history.add(made) == len(fresh) - len(self.runs)
        self.runs = fresh

    @rule(number=st.integers(1, 40), dry=st.booleans())
    def prune(self, number: int, dry: bool) -> None:
        from perfcore.record.history import make_run

        assume(number % 4)
        now = make_run(parse_results("x", contents(number))).at
        old = {key for key, at in self.runs.items() if at < now - 86400}
        assert self.history.prune(1, now=now, dry_run=dry) == len(old)
        if not dry:
            self.runs = {key: at for key, at in self.runs.items() if key not in old}

    @rule(one=st.integers(0, 40), other=st.integers(0, 40), keep=st.sampled_from(["first", "last"]))
    def merge(self, one: int, other: int, keep: str) -> None:
        files = [self.file(one), self.file(other)]
        made = merge_results(files, self.folder / "all.json", keep=keep)
        figures: dict[str, float] = {}
        for number in (one, other):
            for index in range(number % 4):
                if keep == "last" or f"t{index}" not in figures:
                    figures[f"t{index}"] = 1e-6 * (1 + number)
        assert {found.name: found.median for found in made.benchmarks} == figures
        assert load_baseline(self.folder / "all.json").benchmarks == made.benchmarks

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "folder"):
            return
        found = [path.read_bytes() for path in (previous_path(self.base), self.base) if path.exists()]
        assert found == self.kept
        assert {run.key: run.at for run in self.history.runs()} == self.runs
        assert self.history.names() == sorted({name for run in self.history.runs() for name in self.names_of(run.key)})

    def names_of(self, key: str) -> list[str]:
        return [str(row["fullname"]) for row in self.history.find(key).figures]

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)


TestStoresAgainstModel = StoresAgainstModel.TestCase
TestStoresAgainstModel.settings = settings(max_examples=max(4, EXAMPLES // 8), stateful_step_count=12, deadline=None)
