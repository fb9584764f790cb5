# SPDX-License-Identifier: MIT
"""Running the battery: comparisons of a suite with itself, slowed down by a known factor, on a quiet or a busy machine.

Every comparison is one line of JSON in a log, written when it is through: a battery that was cut off goes on where it
was. A line that was cut off in the middle is left out. What is kept is the measuring, all pairs of all benchmarks;
`benchmarks.noise.decisions` gives it to the rule, whichever one asks about. Or each comparison ends where `perfcore ab`
ends it: sooner, and what is kept is what a user would have been told, by the one rule.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from perfcore import __version__
from perfcore.errors import SuiteError
from perfcore.judge.pairs import PairRule, Track
from perfcore.record.environment import COMPARED, environment
from perfcore.suite.ab import Plan, compare_sides
from perfcore.suite.sides import Workspace

WORKLOADS = Path(__file__).resolve().parent / "workloads.py"
KINDS = ("cpu", "alloc", "memory", "text")
# "busy" makes the load itself; "given" is what else runs on the machine, and the caller's to start.
LOADS = ("quiet", "busy", "given")
Record = dict[str, Any]
# Keeps a processor busy for as long as the battery is there, even where that is killed.
_SPIN = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(100_000):
        pass
"""


def environment_here() -> dict[str, Any]:
    """Return what of the machine and the interpreter decides how fast code runs."""
    found = environment()
    return {name: found[name] for name in COMPARED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all that is in a log has in common.

    Attributes:
        kinds: of workloads, of `KINDS`.
        small: whether only the smallest size of each workload runs.
        perfcore: its version.
        environment: the machine and the interpreter.

    """

    kinds: tuple[str, ...] = KINDS
    small: bool = False
    perfcore: str = __version__
    environment: dict[str, Any] = field(default_factory=environment_here)

    def arguments(self) -> list[str]:
        """Return pytest's arguments that select the workloads."""
        wanted = " or ".join(f"test_{kind}_" for kind in self.kinds)
        return ["-k", f"({wanted}) and 0400" if self.small else wanted, "-p", "no:cacheprovider"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSettings(Settings):
    """Of comparisons.

    Attributes:
        pairs: of processes in each; at most, where a rule ends it.
        as_used: the rule that ends each; None to measure all benchmarks in all pairs.

    """

    pairs: int = 48
    as_used: PairRule | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What a comparison is made under: how much more head does (0.05 is 5 %), and the machine's load, of `LOADS`."""

    slowdown: float
    load: str


def rule_for(rule: PairRule, slowdown: float) -> PairRule:
    """Return the rule for benchmarks that are slowed down so much: past its threshold, with one of their own size."""
    return replace(rule, threshold=max(rule.threshold, slowdown))


class LogError(Exception):
    """A log that cannot be gone on with; the text says why."""


class Log:
    """What was measured so far, in a file: comparisons, or runs. Single owner.

    Args:
        path: of the file.
        settings: what all of it has in common.

    Raises:
        LogError: the file holds something else.

    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._settings = json.loads(json.dumps(asdict(settings)))
        self.records: list[Record] = []
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for number, line in enumerate(text.splitlines(), 1):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if not isinstance(record, dict) or not isinstance(record.get("settings"), dict):
                raise LogError(f"{path}:{number}: no comparison of the battery; name another log")
            if record["settings"] != self._settings:
                differ = [name for name, value in self._settings.items() if record["settings"].get(name) != value]
                raise LogError(f"{path}:{number}: measured with other settings ({', '.join(differ)}); name another log")
            self.records.append(record)
        self._broken_end = bool(text) and not text.endswith("\n")

    def count(self, condition: Condition) -> int:
        """Return how many there are under this condition."""
        return sum(record["condition"] == asdict(condition) for record in self.records)

    def add(self, record: Record) -> None:
        """Keep one."""
        record = {"settings": self._settings, **record}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._broken_end + json.dumps(record) + "\n")
        self._broken_end = False
        self.records.append(record)


@contextlib.contextmanager
def load(name: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keep every processor busy with a process of its own, where the load is "busy"; they end with the block."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        if name == "busy":
            words = [sys.executable, "-I", "-S", "-c", _SPIN, str(os.getpid())]
            processes.extend(subprocess.Popen(words) for _ in os.sched_getaffinity(0))
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _kind(track: Track) -> str:
    return track.name.partition("::test_")[2].partition("_")[0]


def compare_once(condition: Condition, settings: PairSettings) -> Record | None:
    """Run one comparison; None when it was interrupted."""
    seed = random.SystemRandom().randrange(2**32)
    with tempfile.TemporaryDirectory(prefix="perfcore-noise-") as name:
        folders = [Path(name) / side for side in ("base", "head")]
        for folder, factor in zip(folders, (1.0, 1.0 + condition.slowdown), strict=True):
            folder.mkdir()
            shutil.copy(WORKLOADS, folder / "test_workloads.py")
            (folder / "slowdown.py").write_text(f"FACTOR = {factor!r}\n", encoding="utf-8")
            (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        with Workspace(Path(name), None) as workspace, load(condition.load):
            sides = workspace.sides(*map(str, folders), None, None)
            to_the_end = settings.as_used is None
            rule = rule_for(settings.as_used or PairRule(max_pairs=settings.pairs), condition.slowdown)
            report = compare_sides(sides, Plan(rule, tuple(settings.arguments()), seed=seed, to_the_end=to_the_end))
    if report.interrupted:
        return None
    if lost := [track for track in report.tracks if track.given_up]:
        raise SuiteError(f"{lost[0].name} could not be measured: {lost[0].reason}")
    return {
        "condition": asdict(condition),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seed": seed,
        "seconds": report.seconds,
        "notes": report.notes,
        "benchmarks": [
            {
                "name": track.name.partition("::")[2],
                "kind": _kind(track),
                "seconds": track.spent,
                "effects": track.effects,
                "base_s": track.base,
                **({} if to_the_end else {"status": track.status}),
            }
            for track in report.tracks
        ],
    }


def run(
    log: Log, conditions: list[Condition], runs: int, measure: Callable[[Condition], Record | None]
) -> Iterator[tuple[Condition, Record]]:
    """Measure what the log lacks, the conditions in turns; yield each as it is kept.

    Raises:
        KeyboardInterrupt: the one that was running is lost.

    """
    for number in range(runs):
        for condition in conditions:
            if log.count(condition) > number:
                continue
            record = measure(condition)
            if record is None:
                raise KeyboardInterrupt
            log.add(record)
            yield condition, record
