# SPDX-License-Identifier: MIT
"""The engine of ``perfcore ab``: pairs of pytest processes, one for each side, that run the same benchmarks in turns.

Both processes of a pair are fresh, share a hash seed of the pair's own and one processor, another after every second
pair; whole suites run in one process, so that imports are paid once. Inside each test the sides alternate in blocks,
A B B A A B …; only one of them ever runs at a time. Base is started first, and comes to each test first, in one pair,
head in the next: with base always first, head came out 0.37 ± 0.09 % slower than itself.
After each pair the decided benchmarks are left out of the next.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from perfcore.errors import SuiteError
from perfcore.judge.pairs import PairRule, Track, common_shift, settle, suite_verdict
from perfcore.suite.interrupts import put_off
from perfcore.suite.process import Side, Worker, WorkerLostError

_BLOCK_S = 0.005
_BLOCKS = 6
_LONG_BLOCK_S = 0.05  # from here on two blocks a side make a pair

Event = dict[str, Any]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run.

    Attributes:
        rule: when to decide.
        arguments: of pytest, the same for both sides.
        timeout: seconds that a worker may take to answer: a whole fixture, or a block.
        pin: whether both sides of a pair are kept on one processor.
        seed: of the pairs' hash seeds; None for a random one.
        to_the_end: whether decided benchmarks too are measured in every pair, up to the rule's `max_pairs`.

    """

    rule: PairRule = field(default_factory=PairRule)
    arguments: tuple[str, ...] = ()
    timeout: float = 120.0
    pin: bool = True
    seed: int | None = None
    to_the_end: bool = False


@dataclass(slots=True)
class Report:
    """What came out.

    Attributes:
        base: label of the base side.
        head: label of the head side.
        rule: the rule used.
        tracks: the benchmarks that both sides have, in base's order.
        new: ids that only head has.
        gone: ids that only base has.
        broken: what head cannot collect and base can (or lacks).
        notes: what the reader should know of how it was measured.
        shift: what the whole suite moved by: ratio, low, high; None for no such thing.
        pairs: pairs of processes that were run to their end.
        seconds: how long it all took.
        interrupted: whether Ctrl-C ended it; the tracks then stand where they stood.

    """

    base: str
    head: str
    rule: PairRule
    tracks: list[Track] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shift: tuple[float, float, float] | None = None
    pairs: int = 0
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def verdict(self) -> str:
        """The verdict on the suite, one of `suite_verdict`'s."""
        return suite_verdict(self.tracks, broken=bool(self.broken))

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True, slots=True)
class Blocks:
    """How one benchmark is cut into blocks in one pair.

    Attributes:
        count: blocks on each side.
        rounds: rounds in a block.
        iterations: calls in a round, for base and head.

    """

    count: int
    rounds: int
    iterations: tuple[int, int]

    @classmethod
    def of(cls, base: Event, head: Event) -> Blocks:
        """Choose from what the two workers calibrated."""
        ready = (base, head)
        free = all(event["capacity"] is None for event in ready)
        most = max(event["iterations"] for event in ready)
        iterations = [most if free else event["iterations"] for event in ready]
        round_s = max(
            event["duration"] / event["iterations"] * count for event, count in zip(ready, iterations, strict=True)
        )
        rounds = max(1, math.ceil(_BLOCK_S / round_s)) if round_s > 0 else 1
        count = 2 if rounds * round_s > _LONG_BLOCK_S else _BLOCKS
        capacities = [event["capacity"] for event in ready if event["capacity"] is not None]
        if capacities:
            count = min(count, *capacities)
            rounds = max(1, min(rounds, min(capacities) // max(1, count)))
        return cls(count, rounds, (iterations[0], iterations[1]))


def _turns(number: int) -> tuple[int, int]:
    """Return the sides in the order of their turns: base (0) first, the next time head (1)."""
    return (0, 1) if number % 2 == 0 else (1, 0)


class PairedRun:
    """Runs pairs until every benchmark is decided."""

    def __init__(self, sides: Sequence[Side], plan: Plan, progress: Progress = lambda _line: None) -> None:
        self._base, self._head = sides
        self._plan = plan
        self._progress = progress
        self._random = random.Random(plan.seed)  # noqa: S311 - hash seeds, not secrets
        self._tracks: dict[str, Track] | None = None
        self._report = Report(self._base.label, self._head.label, plan.rule)
        self._cpus = sorted(os.sched_getaffinity(0))
        if not plan.pin:
            self._report.note("not pinned to one processor, as asked: expect wider intervals")
        elif len(self._cpus) == 1:
            self._report.note("one processor only, so all pairs ran on it")

    def run(self) -> Report:
        """Run it all.

        Raises:
            SuiteError: a side cannot be started or collected, or nothing can be compared.
            KeyboardInterrupt: before the first pair was through; later, the report says that it came.

        """
        started = time.monotonic()
        try:
            for pair in range(self._plan.rule.max_pairs):
                self._run_pair(pair)
                self._report.pairs = pair + 1
                settle(self._report.tracks, self._plan.rule)
                waiting = self._active()
                if not waiting:
                    break
                self._progress(f"pair {pair + 1}: {len(waiting)} of {len(self._report.tracks)} undecided")
        except KeyboardInterrupt:
            if not self._report.pairs:
                raise
            self._report.interrupted = True
            settle(self._report.tracks, self._plan.rule)
        self._report.shift = common_shift(self._report.tracks)
        self._report.seconds = time.monotonic() - started
        return self._report

    def _active(self) -> list[str]:
        go_on = self._plan.to_the_end
        return [track.name for track in self._report.tracks if not (track.given_up if go_on else track.final)]

    def _run_pair(self, pair: int) -> None:
        """Run one pair of processes; a new one for what is left, where a worker is lost on the way."""
        seed = self._random.randrange(1, 2**32)
        left: list[str] | None = None
        while left is None or left:
            with self._workers(pair, seed) as workers:
                collected = [self._collect(worker) for worker in workers]
                self._compare_lists(*collected)
                both = set(collected[0]["ids"]).intersection(collected[1]["ids"])
                left = [name for name in (self._active() if left is None else left) if name in both]
                self._run_benchmarks(pair, workers, left)

    @contextmanager
    def _workers(self, pair: int, seed: int) -> Iterator[list[Worker]]:
        """Start both sides; end them however this ends."""
        workers: list[Worker] = []
        done = False
        try:
            sides = (self._base, self._head)
            for place in _turns(pair):
                with put_off():
                    worker = Worker(sides[place], list(self._plan.arguments), seed=seed, timeout=self._plan.timeout)
                    workers.append(worker)
                if self._plan.pin:
                    self._pin(worker, self._cpus[pair // 2 % len(self._cpus)])
            yield [workers[place] for place in _turns(pair)]
            done = True
        except WorkerLostError as error:
            raise SuiteError(f"{error.side.name}: {error.side.label}: pytest did not get far: {error}") from None
        finally:
            with put_off():
                for worker in workers:
                    worker.close(kill=not done)

    def _pin(self, worker: Worker, cpu: int) -> None:
        try:
            worker.pin(cpu)
        except OSError as error:
            self._report.note(
                f"no permission to pin processes to a processor ({error.strerror}): expect wider intervals"
            )

    def _collect(self, worker: Worker) -> Event:
        event = worker.ask(None)
        side = worker.side
        if event["event"] == "finished":
            raise SuiteError(f"{side.name}: {side.label}: pytest collected nothing: {worker.tail()}")
        if event["reason"] is not None:
            raise SuiteError(f"{side.name}: {side.label}: perfcore does not run the benchmarks: {event['reason']}")
        return event

    def _compare_lists(self, base: Event, head: Event) -> None:
        """Make the tracks, of the first pair's lists."""
        if self._tracks is not None:
            return
        lists = set(base["ids"]), set(head["ids"])
        self._tracks = {name: Track(name) for name in base["ids"] if name in lists[1]}
        self._report.tracks = list(self._tracks.values())
        self._report.gone = [name for name in base["ids"] if name not in lists[1]]
        self._report.new = [name for name in head["ids"] if name not in lists[0]]
        self._report.broken = [place or "the suite" for place in head["errors"] if place not in base["errors"]]
        for side, event in ((self._base, base), (self._head, head)):
            for place, message in event["errors"].items():
                self._report.note(f"{side.name}: cannot collect {place or 'the suite'}: {message}")
        if not self._tracks:
            if not self._report.notes and not base["ids"] and not head["ids"]:
                raise SuiteError(
                    "pytest collects no benchmark on either side; name their folder, as for pytest "
                    "(perfcore ab REVISION -- benchmarks), and see what -k leaves"
                )
            why = "; ".join(self._report.notes) or (
                f"base has {len(self._report.gone)} benchmarks of its own and head {len(self._report.new)}"
            )
            raise SuiteError(f"the two sides have no benchmark in common: {why}")

    def _run_benchmarks(self, pair: int, workers: list[Worker], left: list[str]) -> None:
        """Walk both workers through `left`, taking each name off it once it is through."""
        command: Event = {"do": "select", "ids": list(left)}
        assert self._tracks is not None  # noqa: S101
        while left:
            track = self._tracks[left[0]]
            began = time.monotonic()
            try:
                self._run_benchmark(pair, workers, track, command)
            except WorkerLostError as error:
                track.give_up((error.side.name,), f"{error.side.name}: {error}")
                for worker in workers:
                    worker.close(kill=True)
                del left[0]
                return
            finally:
                track.spent += time.monotonic() - began
            del left[0]
            command = {"do": "go"}
        for worker in workers:
            try:
                self._check_code(worker, worker.ask(command))
            except WorkerLostError as error:
                # The figures are in; what comes after them is not the benchmarks' business.
                self._report.note(f"{worker.side.name}: pytest did not end well: {error}")
                worker.close(kill=True)

    def _run_benchmark(self, pair: int, workers: list[Worker], track: Track, command: Event) -> None:
        """Run one benchmark on both sides, up to the end of its test."""
        found = {side: workers[side].ask(command) for side in _turns(pair)}
        events = [found[0], found[1]]
        times: tuple[list[float], list[float]] = ([], [])
        if all(event["event"] == "ready" for event in events):
            blocks = Blocks.of(events[0], events[1])
            for number in range(blocks.count):
                # The one that was asked last begins: then each has as many blocks behind one of its own, which find the
                # processor's caches as it left them.
                for side in _turns(pair + 1 + number):
                    block = {"do": "block", "rounds": blocks.rounds, "iterations": blocks.iterations[side]}
                    events[side] = workers[side].ask(block)
                    if events[side]["event"] == "block":
                        times[side].append(events[side]["quartile"])
                if any(event["event"] != "block" for event in events):
                    break
        never = [worker.side for worker, event in zip(workers, events, strict=True) if event["event"] == "done"]
        for side, worker in enumerate(workers):
            while events[side]["event"] != "done":
                events[side] = worker.ask({"do": "next"})
            if events[side]["id"] != track.name:
                raise SuiteError(
                    f"{worker.side.name}: ran {events[side]['id']} in the place of {track.name}; "
                    "leave out the plugin that changes the order of tests (-- -p no:NAME)"
                )
        self._record(workers, track, events, times, never)

    def _record(
        self,
        workers: list[Worker],
        track: Track,
        events: list[Event],
        times: tuple[list[float], list[float]],
        never: list[Side],
    ) -> None:
        """Take over the times of one benchmark in one pair, if its test was good on both sides."""
        bad = [side for side in (0, 1) if events[side]["outcome"] != "passed"]
        if bad:
            texts = [f"{events[i]['outcome']} on {workers[i].side.name}: {events[i]['message']}" for i in bad]
            failed = tuple(workers[i].side.name for i in bad if events[i]["outcome"] == "failed")
            track.give_up(failed, "; ".join(texts))
        elif never:
            track.give_up((), f"the test benchmarks nothing that can be run in blocks on {never[0].name}")
        else:
            track.add(*times)

    def _check_code(self, worker: Worker, event: Event) -> None:
        """Refuse figures of a side that ran the other's code."""
        if event.get("outside"):
            raise SuiteError(
                f"{worker.side.name}: {worker.side.label}: it imported {event['outside'][0]}, which is not in its own "
                "tree; the project is installed in this environment, so give [tool.perfcore.ab] install in "
                "pyproject.toml, or --base-python and --head-python"
            )


def compare_sides(sides: Sequence[Side], plan: Plan, progress: Progress = lambda _line: None) -> Report:
    """Run the comparison of two sides.

    Args:
        sides: base and head.
        plan: how to run it.
        progress: receives a line after each pair that leaves something undecided.

    Raises:
        SuiteError: a side cannot be started or collected, or nothing can be compared.

    """
    return PairedRun(sides, plan, progress).run()
