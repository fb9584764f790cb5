# SPDX-License-Identifier: MIT
"""Where agents run: threads of one process, or processes of their own, with the same work and the same messages.

One `Placement` is measured by a fresh interpreter (`main`: a JSON document on its standard input, one on its output),
so that what was imported or allocated before decides nothing. Agents are dealt to the workers in turn. Every worker
makes its agents, says that it is ready, and begins when all are: start-up and steady state are told apart. At the end,
with all agents alive, the memory of the tree of processes (with the fork server and multiprocessing's own) is read as
PSS, which counts a page that several share once.

Workloads: ``exploration`` (each agent for itself), ``coordination`` (in each step every agent sends a message to the
next agent and waits for that of the one before, who lives in another worker), ``learning`` (as exploration, with a
model that is learned). Times are seconds of CLOCK_MONOTONIC, which all processes share.
"""

from __future__ import annotations

import importlib
import json
import math
import multiprocessing
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, get_args

from perfcore.errors import SuiteError
from perfcore.suite.agent import Agent, Factory, spawn

__all__ = ["WORKLOADS", "Place", "Placement", "Steady", "Workload", "measure_here"]

Place = Literal["threads", "spawn", "forkserver"]
Workload = Literal["exploration", "coordination", "learning"]
PLACES: tuple[Place, ...] = get_args(Place)
WORKLOADS: tuple[Workload, ...] = get_args(Workload)

LEAST_ROUNDS = 2  # fewer say nothing of how far they lie apart
SILENCE = 120.0  # seconds without a word from any worker, and the run is given up
FILLER = "x" * 1024  # of a message


@dataclass(frozen=True, slots=True)
class Placement:
    """What is measured.

    Attributes:
        place: ``threads``, or processes by their start method.
        agents: how many.
        workers: threads or processes.
        steps: of each agent, in each round of a workload.
        rounds: of each workload, with the same agents; at most, where there is a limit of time.
        workloads: one after another, on the same workers.
        size: of the grid world.
        factory: ``module:function`` that makes the user's agents from their numbers; None for the grid world's. The
            user's agents learn nothing, so ``learning`` is not for them.
        seconds: for the rounds of all workloads together; when its part of them is over, a workload gets no more
            rounds than two. None for no limit.

    """

    place: Place
    agents: int
    workers: int
    steps: int
    rounds: int = 3
    workloads: tuple[Workload, ...] = WORKLOADS
    size: int = 5
    factory: str | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Steady:
    """One workload's steady state.

    Attributes:
        workload: which.
        seconds: of the median round, from the common begin to the last worker's end.
        throughput: its steps of agents per second.
        slowest: the throughput of the slowest round.
        fastest: that of the fastest.
        p50: seconds of one agent's step, with its messages, over all rounds; so the others.
        messages: sent in a round.
        pss_bytes: of all processes, with all agents alive.
        rounds: how many there were.

    """

    workload: Workload
    seconds: float
    throughput: float
    slowest: float
    fastest: float
    p50: float
    p95: float
    p99: float
    messages: int
    pss_bytes: int
    rounds: int = 1


@dataclass(slots=True)
class Outcome:
    """One placement, measured: seconds until every worker was ready for the first workload, and the workloads."""

    placement: Placement
    startup: float
    processes: int
    steady: list[Steady] = field(default_factory=list)


# --- a worker: the same function in a thread and in a process ---


def _factory(placement: Placement, workload: Workload) -> Factory:
    if placement.factory is not None:
        module, _, name = placement.factory.partition(":")
        try:
            made: Factory = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise SuiteError(f"--agents {placement.factory!r}: {error}; write module:function") from None
        return made
    from perfcore.suite.gridworld import grid_agents

    return grid_agents(size=placement.size, learning=workload == "learning")


def _make(placement: Placement, workload: Workload, worker: int) -> dict[int, Agent]:
    factory = _factory(placement, workload)
    numbers = range(worker, placement.agents, placement.workers)
    return {number: spawn(factory, 1, first=number)[0] for number in numbers}


def _explore(agents: dict[int, Agent], steps: int) -> list[float]:
    times = []
    for _ in range(steps):
        for agent in agents.values():
            began = perf_counter()
            agent.step()
            times.append(perf_counter() - began)
    return times


def _coordinate(agents: dict[int, Agent], placement: Placement, inboxes: list[Any], own: int) -> list[float]:
    """Step and talk. A message may come a step too early: it waits until it is its turn."""
    times = []
    early: dict[tuple[int, int], Any] = {}
    for step in range(placement.steps):
        for number, agent in agents.items():
            began = perf_counter()
            agent.step()
            to = (number + 1) % placement.agents
            inboxes[to % placement.workers].put((to, step, {**agent.send(), "filler": FILLER}))
            times.append(perf_counter() - began)
        for place, (number, agent) in enumerate(agents.items()):
            began = perf_counter()
            while (number, step) not in early:
                receiver, sent, message = inboxes[own].get()
                early[receiver, sent] = message
            agent.receive(early.pop((number, step)))
            times[place - len(agents)] += perf_counter() - began
    return times


def _work(worker: int, placement: Placement, orders: Any, answers: Any, inboxes: list[Any]) -> None:
    """Follow orders until None: a workload's name makes its agents, "go" lets them act."""
    agents: dict[int, Agent] = {}
    workload: Any = None
    try:
        while (order := orders.get()) is not None:
            if order == "go":
                if workload == "coordination":
                    times = _coordinate(agents, placement, inboxes, worker)
                else:
                    times = _explore(agents, placement.steps)
                answers.put((worker, "done", (perf_counter(), times)))
            else:
                agents.clear()
                workload = order
                agents = _make(placement, order, worker)
                answers.put((worker, "ready", None))
    except SuiteError as error:
        answers.put((worker, "failed", str(error)))
    except Exception:  # noqa: BLE001 - an agent may raise anything; it is told with its traceback
        answers.put((worker, "failed", traceback.format_exc()))


# --- all workers ---


class _Crew:
    """The workers of one placement, and the ways to talk to them."""

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.workers: list[Any] = []
        context: SpawnContext | ForkServerContext | None = None
        if placement.place == "spawn":
            context = multiprocessing.get_context("spawn")
        elif placement.place == "forkserver":
            context = multiprocessing.get_context("forkserver")
            preload = ["perfcore.suite.preload"] if placement.factory is None else [placement.factory.partition(":")[0]]
            context.set_forkserver_preload(["perfcore.suite.placement", *preload])
        make: Any = queue.SimpleQueue if context is None else context.Queue
        self.answers = make()
        self.orders = [make() for _ in range(placement.workers)]
        # Held here: what is freed before a process has opened it is gone for it.
        self.inboxes = [make() for _ in range(placement.workers)]
        kind: Any = threading.Thread if context is None else context.Process
        for number, orders in enumerate(self.orders):
            worker = kind(target=_work, args=(number, placement, orders, self.answers, self.inboxes), daemon=True)
            worker.start()
            self.workers.append(worker)

    def order(self, what: str | None) -> None:
        for orders in self.orders:
            orders.put(what)

    def collect(self, what: str) -> Iterator[Any]:
        """Yield each worker's answer; an agent that raised, or a process that died, ends the run."""
        quiet_since = perf_counter()
        missing = set(range(len(self.workers)))
        while missing:
            try:
                worker, said, value = self.answers.get(timeout=1.0)
            except queue.Empty:
                dead = [number for number in missing if not self.workers[number].is_alive()]
                if dead and self.answers.empty():
                    code = getattr(self.workers[dead[0]], "exitcode", None)
                    raise SuiteError(
                        f"worker {dead[0]} ended by itself (exit code {code}) before it was {what}"
                    ) from None
                if perf_counter() - quiet_since > SILENCE:
                    raise SuiteError(f"no worker has said anything for {SILENCE:.0f} s; the run is given up") from None
                continue
            quiet_since = perf_counter()
            if said == "failed":
                raise SuiteError(f"an agent of worker {worker} failed: {value}")
            missing.discard(worker)
            yield value

    def end(self, *, orderly: bool) -> None:
        if orderly:
            self.order(None)
            for worker in self.workers:
                worker.join(30)
        for worker in self.workers:
            if hasattr(worker, "terminate") and worker.is_alive():
                worker.terminate()
                worker.join(10)


def pss_bytes(pids: list[int]) -> int:
    """Return the proportional set size of processes together, in bytes; milliseconds for each."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):  # it ended just now
            continue
        total += sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    return total


def measure_here(placement: Placement) -> Outcome:
    """Measure a placement in this process; for threads, what it has imported and allocated counts.

    Raises:
        SuiteError: an agent raised, a worker died, or the placement makes no sense.

    """
    from perfcore._core import Samples, process_tree
    from perfcore.judge.stats import summarize

    if not 1 <= placement.workers <= placement.agents or min(placement.steps, placement.rounds) < 1:
        raise SuiteError(
            f"{placement.agents} agents on {placement.workers} workers for {placement.steps} steps: "
            "at least one of each is needed, and no more workers than agents"
        )
    began = perf_counter()
    crew = _Crew(placement)
    orderly = False
    try:
        outcome = Outcome(placement, 0.0, 1)
        allowed = math.inf if placement.seconds is None else placement.seconds / len(placement.workloads)
        for workload in placement.workloads:
            crew.order(workload)
            list(crew.collect("ready"))
            outcome.startup = outcome.startup or perf_counter() - began
            rounds: list[float] = []
            times: list[float] = []
            end = perf_counter() + allowed
            while len(rounds) < placement.rounds and (len(rounds) < LEAST_ROUNDS or perf_counter() < end):
                start = perf_counter()
                crew.order("go")
                done = list(crew.collect("done"))
                rounds.append(max(ended for ended, _ in done) - start)
                times += [time for _, share in done for time in share]
            steps = placement.agents * placement.steps
            if len(times) != steps * len(rounds):
                raise SuiteError(f"{workload}: {steps * len(rounds)} steps were asked for, {len(times)} made")
            tree = sorted({os.getpid(), *process_tree(None)})
            outcome.processes = len(tree)
            found, median = summarize(Samples(times)), summarize(Samples(rounds)).median
            outcome.steady.append(
                Steady(
                    workload,
                    median,
                    steps / median,
                    steps / max(rounds),
                    steps / min(rounds),
                    found.p50,
                    found.p95,
                    found.p99,
                    steps if workload == "coordination" else 0,
                    pss_bytes(tree),
                    len(rounds),
                )
            )
        orderly = True
        return outcome
    finally:
        crew.end(orderly=orderly)


def main() -> int:
    """Measure the placement that standard input describes; print the outcome, or the error, as JSON."""
    document = json.load(sys.stdin)
    placement = Placement(**document | {"workloads": tuple(document["workloads"])})
    try:
        answer: dict[str, Any] = asdict(measure_here(placement))
    except SuiteError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))
    return 0
