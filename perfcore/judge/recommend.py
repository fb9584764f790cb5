# SPDX-License-Identifier: MIT
"""OptimizationRecommender: what the measured figures of a lane suggest to improve.

Each rule looks at figures alone and says nothing where they say nothing; what it recommends comes with the numbers that
it rests on, and an estimate that is a bound (Amdahl's, mostly) and never a promise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from perfcore.judge.facts import Facts, gather
from perfcore.record.results import Benchmark
from perfcore.units import format_bytes, format_seconds

# When a rule speaks. Each is a figure that a lane of a healthy machine rarely reaches by chance.
BUSY = 0.85  # of one processor all the time
WAITING = 0.50  # of the time without a processor, at least
PARALLEL = 1.25  # processors in use on average
POOR_USE = 0.70  # of the processors that there are
SYSTEM_SHARE = 0.30  # of the CPU time, in the kernel
GROWTH = 0.20  # of memory, from the second to the last quarter of an iteration
IO_BYTES_PER_S = 20e6
SPREAD = 0.05  # MAD over median
SLOW_START = 1.20  # first iteration over the median of the others
MAJOR_FAULTS_PER_S = 10.0
PREEMPTIONS_PER_CPU_S = 200.0
MEMORY_SHARE = 0.80  # of the machine's
CROWDED = 0.90  # of the processors were busy
OTHERS = 0.25  # of them for other programs
LEAST_SECONDS = 0.05  # below, the figures of a process are those of its start


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, and why.

    Attributes:
        rule: its name, for programs.
        title: what to do.
        priority: from 1 to 5, the most important.
        effort: ``low``, ``medium`` or ``high``.
        finding: what the figures say.
        evidence: those figures, by name with their units.
        steps: how to go about it.
        estimate: what it may bring, and how that follows from the figures.
        gain: that bound as a share of the time (0.5: half of it at most); None where it is not about time.

    """

    rule: str
    title: str
    priority: int
    effort: str
    finding: str
    evidence: Mapping[str, float]
    steps: tuple[str, ...]
    estimate: str
    gain: float | None = None


def _crowded(facts: Facts) -> bool:
    """Whether other programs left the lane too few processors, so that its waiting may be for them."""
    others = facts.resources.get("others_busy", math.nan)
    return facts.cores > 0 and others >= OTHERS * facts.cores and others + facts.used >= CROWDED * facts.cores


def amdahl(share: float, processors: int) -> float:
    """Return the greatest speed-up where a share of the work is spread over processors (Amdahl 1967)."""
    return 1 / ((1 - share) + share / processors)


def _failures(facts: Facts) -> Iterator[Recommendation]:
    lane = facts.lane
    if lane is None:
        return
    total = sum(lane.counts.values())
    wrong = {status: count for status, count in lane.counts.items() if status != "completed" and count}
    if not wrong:
        return
    words = " and ".join(f"{count} {status.replace('_', ' ')}" for status, count in wrong.items())
    reason = next((str(one.get("reason")) for one in lane.outcomes if one.get("reason")), "")
    yield Recommendation(
        "failures",
        "Make every iteration finish before tuning anything",
        5,
        "medium",
        f"of {total} iterations {words}" + (f" ({reason})" if reason else ""),
        {"iterations": total, **wrong},
        (
            "read the output of the iterations that were not completed, beside the lane's results",
            "if the time-out is too short for the slowest healthy iteration, raise it; else find what hangs",
        ),
        "none: times of the iterations that finished say nothing of those that did not",
    )


def _quiet(facts: Facts) -> Iterator[Recommendation]:
    if not (_crowded(facts) and facts.used < POOR_USE * facts.cores):
        return
    others = facts.resources["others_busy"]
    yield Recommendation(
        "crowded",
        "Measure again with nothing else running",
        4,
        "low",
        f"other programs kept {others:.2f} of {facts.cores} processors busy meanwhile, and it had {facts.used:.2f}: it "
        "waited for them, and how it uses the machine cannot be told from these figures",
        {"others_busy": others, "processors_used": facts.used, "processors": facts.cores},
        (
            "end or move what else runs, or take a machine of its own for measuring",
            "see what this machine does to figures: perfcore doctor",
        ),
        "unknown: the figures are those of the machine as much as of the lane",
    )


def _one_processor(facts: Facts) -> Iterator[Recommendation]:
    if not (BUSY <= facts.used < PARALLEL and facts.cores > 1 and facts.summary.median >= LEAST_SECONDS):
        return
    share = min(1.0, facts.used)
    bound = amdahl(share, facts.cores)
    yield Recommendation(
        "one-processor",
        "Spread the work over more processors",
        4,
        "high",
        f"it keeps {facts.used:.2f} of {facts.cores} processors busy: it computes all the time, on one of them",
        {"processors_used": facts.used, "processors": facts.cores, "cpu_seconds": facts.cpu},
        (
            "profile it (perfcore flamegraph) and see whether one function takes most of the time",
            "make that cheaper first: a better algorithm helps on any number of processors",
            "run independent parts in processes, or in threads where the work releases the GIL",
        ),
        f"at most {bound:.1f} times as fast: by Amdahl's law, if all the {share:.0%} of the time in which it computes "
        f"could be spread over {facts.cores} processors; what must stay serial takes its share of that away",
        1 - 1 / bound,
    )


def _uneven_use(facts: Facts) -> Iterator[Recommendation]:
    if not (facts.cores > 1 and PARALLEL <= facts.used < POOR_USE * facts.cores) or _crowded(facts):
        return
    # Karp and Flatt 1990: the serial share that explains this use of these processors.
    serial = (1 / facts.used - 1 / facts.cores) / (1 - 1 / facts.cores)
    bound = facts.cores / facts.used
    yield Recommendation(
        "uneven-use",
        "Find what keeps the workers from running at the same time",
        3,
        "medium",
        f"{facts.used:.2f} of {facts.cores} processors are busy on average",
        {"processors_used": facts.used, "processors": facts.cores, "serial_share": serial},
        (
            "look at the CPU time line: where it falls to one processor, the others wait for something",
            "shorten what runs before and after the parallel part, and share the work in smaller pieces",
            "look for a lock, a queue or a slow last worker",
        ),
        f"at most {bound:.1f} times as fast, with all processors busy all the time; the use now is that of a program "
        f"{serial:.0%} of which is serial (Karp-Flatt)",
        1 - 1 / bound,
    )


def _waiting(facts: Facts) -> Iterator[Recommendation]:
    if not (facts.used <= 1 - WAITING and facts.summary.median >= LEAST_SECONDS) or _crowded(facts):
        return
    share = 1 - facts.used
    disk = facts.resources.get("disk_read_bytes", 0.0) + facts.resources.get("disk_write_bytes", 0.0)
    on_disk = disk / facts.summary.mean >= IO_BYTES_PER_S
    steps = (
        ("read and write less: cache, compress, or keep intermediate results in memory",)
        if on_disk
        else ("find what it waits for: sleeps, locks, the network, other services (perfcore flamegraph, strace -c -w)",)
    )
    yield Recommendation(
        "waiting-for-disk" if on_disk else "waiting",
        "Wait less for the disk" if on_disk else "Wait less, or for several things at the same time",
        4,
        "medium",
        f"at least {share:.0%} of the time no processor works for it"
        + (f", while it moves {format_bytes(disk)} to and from the disk" if on_disk else ""),
        {"processors_used": facts.used, "waiting_share": share, "disk_bytes": disk},
        (
            *steps,
            "start what takes long first, and do what does not depend on it meanwhile",
            "put requests that do not depend on each other side by side (asyncio, threads)",
        ),
        f"at most {share:.0%} less time, if all the waiting could overlap with the computing",
        share,
    )


def _kernel(facts: Facts) -> Iterator[Recommendation]:
    if not (facts.system >= SYSTEM_SHARE and facts.used >= WAITING and facts.cpu >= LEAST_SECONDS):
        return
    share = facts.system * min(1.0, facts.used)
    yield Recommendation(
        "system-time",
        "Call the kernel less",
        3,
        "medium",
        f"{facts.system:.0%} of its CPU time is the kernel's",
        {"system_share": facts.system, "system_seconds": facts.resources.get("system_s", math.nan)},
        (
            "see which calls: strace -c -f, or perf trace -s",
            "read and write in larger pieces; open files and connections once",
            "start fewer processes; allocate large buffers once and keep them (page faults count as the kernel's)",
        ),
        f"at most {share:.0%} less time, if none of it were needed",
        share,
    )


def _memory_growth(facts: Facts) -> Iterator[Recommendation]:
    if facts.lane is None:
        return
    line = facts.lane.timeline
    values = [value for value in line.get("rss_bytes", ()) if math.isfinite(value)]
    if len(values) < 16:
        return
    quarter = len(values) // 4
    early, late = median(values[quarter : 2 * quarter]), median(values[-quarter:])
    middle = median(values[2 * quarter : 3 * quarter])
    # Growing through all of it: one that is filled once and then stays is no leak.
    if not (late > early * (1 + GROWTH) and early < middle < late and late - early > 5e6):
        return
    seconds = line["times"][-1] if line.get("times") else facts.summary.median
    rate = (late - early) / (seconds * 0.5)  # between the middles of the two quarters
    yield Recommendation(
        "memory-growth",
        "Find out why memory keeps growing",
        4 if late > 2 * early else 3,
        "medium",
        f"resident memory grows from {format_bytes(early)} to {format_bytes(late)} within one iteration",
        {"early_bytes": early, "late_bytes": late, "bytes_per_s": rate, "peak_bytes": max(values)},
        (
            "see who keeps it: perfcore.track_allocations(sites=True) around the work, or perfcore.assert_no_leaks",
            "stream what is read piece by piece, rather than gathering it",
            "bound caches and histories",
        ),
        f"it takes {format_bytes(rate)} more each second; the time may not change, but an input twice as long needs "
        "more memory by that much",
    )


def _memory_pressure(facts: Facts) -> Iterator[Recommendation]:
    machine = facts.lane.memory_bytes if facts.lane is not None else 0
    peak = max(facts.lane.known("memory_max_bytes"), default=0.0) if facts.lane is not None else 0.0
    faults = facts.resources.get("major_faults", 0.0) / facts.summary.mean
    near = machine > 0 and peak >= MEMORY_SHARE * machine
    if not near and not (faults >= MAJOR_FAULTS_PER_S and facts.summary.median >= 1):
        return
    yield Recommendation(
        "memory-pressure",
        "Use less memory, or a machine with more",
        4 if near else 3,
        "medium",
        f"it takes up to {format_bytes(peak)}"
        + (f" of the machine's {format_bytes(machine)}" if machine else "")
        + f", and waits for {faults:.0f} pages a second that are not in memory",
        {"peak_bytes": peak, "machine_bytes": machine, "major_faults_per_s": faults},
        (
            "see what is kept: perfcore.track_allocations(sites=True).top()",
            "process the data in pieces, or with smaller types",
            "if the faults stop after the first iteration, they were a cold file cache: give the lane a warm-up",
        ),
        "none from these figures: how long a fault takes depends on the disk",
    )


def _slow_start(facts: Facts) -> Iterator[Recommendation]:
    times = facts.times
    if len(times) < 4:
        return
    rest = times[1:]
    if not (times[0] > SLOW_START * median(rest) and times[0] > max(rest)):
        return
    extra = times[0] - median(rest)
    warm = facts.lane is not None and facts.lane.warmup > 0
    yield Recommendation(
        "slow-start",
        "Look at what only the first iteration does",
        2,
        "low",
        f"the first iteration took {format_seconds(times[0])}, the others {format_seconds(median(rest))}",
        {"first_seconds": times[0], "rest_median_seconds": median(rest), "ratio": times[0] / median(rest)},
        (
            "if users meet the cold state (files not cached, nothing compiled), measure and tune that on its own",
            "if they do not, " + ("give the lane more warm-up" if warm else "give the lane a warm-up: warmup = 1"),
        ),
        f"up to {format_seconds(extra)} of each cold run; nothing of a warm one",
        extra / times[0],
    )


def _spread(facts: Facts) -> Iterator[Recommendation]:
    summary, count = facts.summary, len(facts.times)
    spread = summary.mad / summary.median if summary.median > 0 else 0.0
    if count < 5 or spread < SPREAD:
        return
    preempted = facts.resources.get("involuntary_switches", math.nan) / facts.cpu if facts.cpu > 0 else math.nan
    crowded = preempted > PREEMPTIONS_PER_CPU_S
    yield Recommendation(
        "spread",
        "Find out why the time varies",
        3 if spread > 3 * SPREAD else 2,
        "medium" if not crowded else "low",
        f"half of the iterations are more than {spread:.0%} away from the median of {format_seconds(summary.median)}"
        + (f"; it loses the processor {preempted:.0f} times in each second that it has it" if crowded else ""),
        {
            "relative_mad": spread,
            "min_seconds": summary.min,
            "median_seconds": summary.median,
            "max_seconds": summary.max,
        }
        | ({"preemptions_per_cpu_s": preempted} if crowded else {}),
        (
            "let nothing else run meanwhile, and see whether it stays (perfcore doctor)",
            "fix what differs between iterations: random seeds, inputs, caches, the order of work",
            "compare the time lines of a fast iteration and a slow one",
        ),
        f"its best iteration took {1 - summary.min / summary.median:.0%} less than the median one: that is what all "
        "could reach if the cause is outside the work",
        1 - summary.min / summary.median,
    )


def _outliers(facts: Facts) -> Iterator[Recommendation]:
    summary, count = facts.summary, len(facts.times)
    fence = summary.q3 + 1.5 * summary.iqr
    slow = [(index, value) for index, value in enumerate(facts.times, 1) if value > fence]
    # The first one is another rule's; and outliers are few, or they are the spread.
    slow = [one for one in slow if one[0] > 1]
    if count < 8 or not slow or len(slow) > count / 4 or max(v for _, v in slow) < 1.2 * summary.median:
        return
    lost = math.fsum(value - summary.median for _, value in slow) / math.fsum(facts.times)
    which = ", ".join(str(index) for index, _ in slow[:8])
    yield Recommendation(
        "outliers",
        "Explain the slow exceptions",
        2,
        "medium",
        f"{len(slow)} of {count} iterations are far slower than the rest (number {which}; the slowest took "
        f"{format_seconds(max(value for _, value in slow))} against {format_seconds(summary.median)})",
        {"outliers": len(slow), "iterations": count, "fence_seconds": fence, "slowest_seconds": max(facts.times)},
        (
            "read the output and the time line of these iterations",
            "look for what happens now and then: garbage collection, cron, log rotation, retries, cold caches",
        ),
        f"{lost:.0%} less time on average, and more at p99, if they were like the others",
        lost,
    )


RULES: tuple[Callable[[Facts], Iterator[Recommendation]], ...] = (
    _failures,
    _quiet,
    _one_processor,
    _uneven_use,
    _waiting,
    _kernel,
    _memory_growth,
    _memory_pressure,
    _slow_start,
    _spread,
    _outliers,
)


class OptimizationRecommender:
    """Recommends what to improve, from the figures of a benchmark.

    for advice in perfcore.OptimizationRecommender().recommend(benchmark):
        print(advice.priority, advice.title, advice.finding)
    """

    def recommend(self, benchmark: Benchmark) -> tuple[Recommendation, ...]:
        """Return what the figures suggest, the most important first; empty where they suggest nothing.

        Args:
            benchmark: of a results file: a lane, or any benchmark that was saved with its samples.

        """
        facts = gather(benchmark)
        if facts is None:
            return ()
        found = [advice for rule in RULES for advice in rule(facts)]
        return tuple(sorted(found, key=lambda advice: (-advice.priority, -(advice.gain or 0.0))))
