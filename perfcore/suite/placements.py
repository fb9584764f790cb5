# SPDX-License-Identifier: MIT
"""Threads against processes: measures placements, tabulates them, and concludes from the figures alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter

from perfcore.errors import SuiteError
from perfcore.suite.placement import PLACES, WORKLOADS, Outcome, Place, Placement, Steady, Workload
from perfcore.units import format_bytes, format_seconds

__all__ = ["Expectation", "compare_places", "conclusions", "expectations", "measure", "table"]

LIMIT = 600.0  # seconds for one placement


def measure(placement: Placement) -> Outcome:
    """Measure a placement in a fresh interpreter, in which numeric libraries use one thread.

    Raises:
        SuiteError: an agent raised, a worker died, or it took over ten minutes.

    """
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    # -P: the user's own modules come from PYTHONPATH or are installed, not from wherever this runs.
    command = [sys.executable, "-P", "-c", "from perfcore.suite.placement import main; raise SystemExit(main())"]
    pipe, environment = subprocess.PIPE, os.environ | single
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, env=environment, text=True, start_new_session=True
    ) as process:
        try:
            out, _ = process.communicate(json.dumps(asdict(placement)), LIMIT)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise SuiteError(f"{placement}: not done after {LIMIT:.0f} s") from None
            raise
    try:
        answer = json.loads(out)
    except ValueError:
        raise SuiteError(f"{placement}: ended with exit code {process.returncode}; its own message says why") from None
    if "error" in answer:
        raise SuiteError(f"{placement.place}, {placement.agents} agents: {answer['error']}")
    return Outcome(placement, answer["startup"], answer["processes"], [Steady(**one) for one in answer["steady"]])


def _end(process: subprocess.Popen[str]) -> None:
    """End the interpreter and its workers, which are its session."""
    import signal

    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def compare_places(
    agent_counts: Sequence[int],
    *,
    steps: int = 100,
    rounds: int = 3,
    places: Sequence[Place] = PLACES,
    workers: int | None = None,
    workloads: Sequence[Workload] = WORKLOADS,
    size: int = 5,
    factory: str | None = None,
    max_time: float | None = None,
    progress: Callable[[str], object] | None = None,
) -> list[Outcome]:
    """Measure every place with every number of agents.

    With a limit of time the largest number comes first, as most is concluded from it, and is never left out; any other
    number is where the last one's time is no longer there, so that a loaded machine measures less, and not for longer.

    Args:
        agent_counts: such as 1, 5, 10, 30.
        steps: of each agent in each round.
        rounds: of each workload.
        places: threads, processes by start method.
        workers: at most so many; None for the processors there are.
        workloads: which.
        size: of the grid world.
        factory: ``module:function`` of the user's agents; `learning` is left out for them.
        max_time: seconds for all of it; None for no limit. What is being measured when they are over is completed.
        progress: called with a line before each placement.

    """
    most = workers or len(os.sched_getaffinity(0))
    chosen = tuple(one for one in workloads if factory is None or one != "learning")
    counts = list(dict.fromkeys(agent_counts))
    ordered = counts if max_time is None else sorted(counts, key=lambda count: (count != max(counts), count))
    found: dict[int, list[Outcome]] = {}
    began, taken = perf_counter(), 0.0
    for done, count in enumerate(ordered):
        so_far = perf_counter() - began
        if max_time is not None and so_far + taken > max_time:
            if progress is not None:
                progress(f"{count} agents: left out, as what is left of {max_time:.0f} s would not do")
            continue
        # Half of what is left for each placement: making its agents takes time, too.
        share = None if max_time is None else (max_time - so_far) / (len(ordered) - done) / len(places) / 2
        found[count] = []
        for place in places:
            placement = Placement(place, count, min(count, most), steps, rounds, chosen, size, factory, share)
            if progress is not None:
                progress(f"{place}: {count} agents on {placement.workers} workers, {rounds} rounds of {steps} steps")
            found[count].append(measure(placement))
        taken = perf_counter() - began - so_far
    return [outcome for count in counts for outcome in found.get(count, ())]


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the lines of a table of all outcomes."""
    yield (
        f"{'workload':<13} {'agents':>6} {'place':<11} {'workers':>7} {'start-up':>9} {'steps/s':>9} {'p50':>9} "
        f"{'p95':>9} {'p99':>9} {'efficiency':>10} {'PSS':>8} {'PSS/agent':>9}"
    )
    for workload in dict.fromkeys(steady.workload for outcome in outcomes for steady in outcome.steady):
        for outcome, steady in _of(outcomes, workload):
            placement = outcome.placement
            efficiency = scaling_efficiency(outcomes, outcome, workload)
            yield (
                f"{workload:<13} {placement.agents:>6} {placement.place:<11} {placement.workers:>7} "
                f"{format_seconds(outcome.startup):>9} {steady.throughput:>9,.0f} {format_seconds(steady.p50):>9} "
                f"{format_seconds(steady.p95):>9} {format_seconds(steady.p99):>9} "
                f"{'-' if efficiency is None else f'{efficiency:.0%}':>10} {format_bytes(steady.pss_bytes):>8} "
                f"{format_bytes(steady.pss_bytes / placement.agents):>9}"
            )


def _of(outcomes: Sequence[Outcome], workload: str) -> Iterator[tuple[Outcome, Steady]]:
    for outcome in outcomes:
        for steady in outcome.steady:
            if steady.workload == workload:
                yield outcome, steady


def _steady(outcome: Outcome, workload: str) -> Steady | None:
    return next((steady for steady in outcome.steady if steady.workload == workload), None)


def scaling_efficiency(outcomes: Sequence[Outcome], outcome: Outcome, workload: str) -> float | None:
    """Return the throughput over that of one agent in the same place, per worker; None without one agent alone."""
    now = _steady(outcome, workload)
    for other, steady in _of(outcomes, workload):
        if other.placement.place == outcome.placement.place and other.placement.agents == 1 and now is not None:
            return now.throughput / steady.throughput / outcome.placement.workers
    return None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is commonly expected of threads, and what was measured at the largest number of agents.

    ``value`` is how many times better threads are than the better kind of processes (below 1: worse).
    """

    what: str
    expected: str
    low: float
    value: float

    @property
    def holds(self) -> bool:
        """Whether it is so here."""
        return self.value >= self.low


def _largest(outcomes: Sequence[Outcome]) -> dict[Place, Outcome]:
    most = max(outcome.placement.agents for outcome in outcomes)
    return {outcome.placement.place: outcome for outcome in outcomes if outcome.placement.agents == most}


def message_seconds(outcome: Outcome) -> float | None:
    """Return what a message adds to a step, in seconds of a worker: coordination against exploration.

    None when it cannot be told: without one of the two, or where coordination was not slower.
    """
    talking, silent = _steady(outcome, "coordination"), _steady(outcome, "exploration")
    if talking is None or silent is None or not talking.messages:
        return None
    added = (talking.seconds - silent.seconds) * outcome.placement.workers / talking.messages
    return added if added > 0 else None


def expectations(outcomes: Sequence[Outcome]) -> list[Expectation]:
    """Hold what is commonly expected of threads against what was measured."""
    places = _largest(outcomes)
    threads = places.get("threads")
    processes = [outcome for place, outcome in places.items() if place != "threads"]
    if threads is None or not processes:
        return []
    found = []
    for workload in WORKLOADS:
        own = _steady(threads, workload)
        others = [steady.throughput for one in processes if (steady := _steady(one, workload)) is not None]
        if own is not None and others:
            found.append(Expectation(f"{workload}: threads are faster", "2 times", 2.0, own.throughput / max(others)))
    pss = min(max(steady.pss_bytes for steady in one.steady) for one in processes)
    own_pss = max(steady.pss_bytes for steady in threads.steady)
    found.append(Expectation("threads take less memory", "3 times", 3.0, pss / own_pss))
    startup = min(one.startup for one in processes)
    found.append(Expectation("threads start faster", "2 times", 2.0, startup / threads.startup))
    mine = message_seconds(threads)
    theirs = [seconds for one in processes if (seconds := message_seconds(one)) is not None]
    if mine is not None and theirs:
        found.append(Expectation("messages between threads are cheaper", "10 times", 10.0, min(theirs) / mine))
    return found


def conclusions(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield what the figures say, workload by workload, and which common expectations hold here."""
    for workload in dict.fromkeys(steady.workload for outcome in outcomes for steady in outcome.steady):
        rows = list(_of(outcomes, workload))
        for count in sorted({outcome.placement.agents for outcome, _ in rows}):
            ranked = sorted(
                (row for row in rows if row[0].placement.agents == count), key=lambda row: -row[1].throughput
            )
            if len(ranked) > 1:
                yield f"{workload}, {count} agents: {_verdict(ranked)}"
    if (line := _messages(outcomes)) is not None:
        yield line
    for one in expectations(outcomes):
        factor = f"{one.value:.2f} times" if one.value >= 1 else f"the opposite, {1 / one.value:.2f} times"
        yield f"{one.what} ({one.expected} or more is expected): {'yes' if one.holds else 'no'}, {factor} here"


def _messages(outcomes: Sequence[Outcome]) -> str | None:
    """Say what a message costs in each place, at the largest number of agents; None where none were sent."""
    largest = _largest(outcomes).values()
    talking = [one for one in largest if _steady(one, "coordination") and _steady(one, "exploration")]
    if not talking:
        return None
    costs = []
    for one in talking:
        seconds = message_seconds(one)
        costs.append(f"{one.placement.place} {'not to be told' if seconds is None else format_seconds(seconds)}")
    return f"a message adds to a step, {talking[0].placement.agents} agents: {', '.join(costs)}"


def _verdict(ranked: list[tuple[Outcome, Steady]]) -> str:
    (best, fast), (second, slow) = ranked[0], ranked[1]
    ratio = fast.throughput / slow.throughput
    if fast.slowest <= slow.fastest:
        return (
            f"{best.placement.place} and {second.placement.place} cannot be told apart: their rounds overlap "
            f"(medians {ratio:.2f} times)"
        )
    text = f"{best.placement.place} is fastest, {ratio:.2f} times {second.placement.place}"
    threads = next(((outcome, steady) for outcome, steady in ranked if outcome.placement.place == "threads"), None)
    if threads is None or best.placement.place == "threads" or best.startup <= threads[0].startup:
        return text
    # What they start later, they have to win back: so many steps of each agent.
    agents = best.placement.agents
    gain = agents / threads[1].throughput - agents / fast.throughput
    later = best.startup - threads[0].startup
    return f"{text}; it starts {format_seconds(later)} later, won back after {later / gain:,.0f} steps of each agent"
