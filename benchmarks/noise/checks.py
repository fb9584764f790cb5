# SPDX-License-Identifier: MIT
"""How often `perfcore check` alarms falsely, and what it finds: runs of the battery's suite, judged as files are.

Each run is a pytest process of its own. Runs of the same code follow each other; each is judged by the one before it as
its baseline, and, from the eleventh on, by all before it as its history. Runs that are slowed down stand beside them:
each is judged by the last run of the same code before it, and by all of these, and joins neither.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.noise.battery import LOADS, WORKLOADS, Condition, Record, Settings, load
from benchmarks.noise.counts import head_label, proportion, share
from perfcore.errors import SuiteError
from perfcore.judge.detector import RegressionDetector
from perfcore.judge.history import MIN_RUNS, judge_history
from perfcore.judge.pace import pace_of_runs
from perfcore.judge.thresholds import Thresholds
from perfcore.judge.verdict import STATUSES, Verdict
from perfcore.record.pace import pace_of
from perfcore.record.results import Results, parse_results
from perfcore.report.text import table

AGAINST = ("baseline", "history")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings(Settings):
    """Of runs.

    Attributes:
        max_time: seconds for one benchmark, of pytest-benchmark's option.

    """

    max_time: float = 0.1


def run_once(condition: Condition, settings: RunSettings) -> Record:
    """Run the suite once, as a user would."""
    with tempfile.TemporaryDirectory(prefix="perfcore-noise-") as name:
        folder = Path(name)
        shutil.copy(WORKLOADS, folder / "test_workloads.py")
        (folder / "slowdown.py").write_text(f"FACTOR = {1.0 + condition.slowdown!r}\n", encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", *settings.arguments()]
        command += ["--benchmark-only", "--benchmark-json=results.json", f"--benchmark-max-time={settings.max_time}"]
        began = time.monotonic()
        with load(condition.load):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SuiteError(f"the suite failed: {done.stdout.strip().splitlines()[-1:] or done.stderr.strip()}")
        document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    for benchmark in document["benchmarks"]:
        benchmark["stats"].pop("data", None)
    return {
        "condition": asdict(condition),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": time.monotonic() - began,
        "results": document,
    }


def _results(record: Record, number: int) -> Results:
    return parse_results(f"run {number}", json.dumps(record["results"]).encode())


def _by_history(head: Results, earlier: Sequence[Results], thresholds: Thresholds) -> Iterator[Verdict]:
    runs = [{one.fullname: one for one in run.benchmarks} for run in earlier]
    for benchmark in head.benchmarks:
        name = benchmark.fullname
        series = [run[name] for run in runs if name in run]
        paces = pace_of_runs([pace_of(one)[0] for one in series]), pace_of(benchmark)
        medians = [one.median for one in series]
        yield judge_history(name, benchmark.median, medians, thresholds, paces=paces)


def judged(records: Iterable[Record], thresholds: Thresholds) -> Iterator[tuple[Condition, str, list[Verdict]]]:
    """Judge all runs in their order; yield condition, what it was judged by (of `AGAINST`), the suite's verdicts."""
    detector = RegressionDetector(thresholds)
    same: dict[str, list[Results]] = {}
    for number, record in enumerate(records, 1):
        condition = Condition(**record["condition"])
        earlier = same.setdefault(condition.load, [])
        head = _results(record, number)
        if earlier:
            yield condition, "baseline", list(detector.check(head, earlier[-1]).verdicts)
        if len(earlier) >= MIN_RUNS:
            yield condition, "history", list(_by_history(head, earlier, thresholds))
        if not condition.slowdown:
            earlier.append(head)


def tally(records: Iterable[Record], thresholds: Thresholds) -> dict[str, Any]:
    """Count verdicts, and runs in which anything is a warning or critical."""
    suites: dict[tuple[Condition, str], list[list[Verdict]]] = {}
    for condition, against, verdicts in judged(records, thresholds):
        suites.setdefault((condition, against), []).append(verdicts)
    rows = []
    order = sorted(suites, key=lambda one: (LOADS.index(one[0].load), one[0].slowdown, AGAINST.index(one[1])))
    for condition, against in order:
        runs = suites[condition, against]
        found = Counter(verdict.status for run in runs for verdict in run)
        alarmed = sum(any(verdict.status in {"critical", "warning"} for verdict in run) for run in runs)
        rows.append(
            {
                "slowdown": condition.slowdown,
                "load": condition.load,
                "against": against,
                "runs": len(runs),
                "verdicts": found.total(),
                **{status: proportion(found[status], found.total()) for status in STATUSES},
                "runs_with_alarm": proportion(alarmed, len(runs)),
            }
        )
    return {"warning": thresholds.warning, "critical": thresholds.critical, "rows": rows}


def lines(found: dict[str, Any]) -> list[str]:
    """Return the table."""
    header = ("head", "load", "judged by", "verdicts", *STATUSES, "runs with an alarm")
    rows = [
        (
            head_label(row["slowdown"]),
            row["load"],
            row["against"],
            str(row["verdicts"]),
            *(share(row[status]) for status in STATUSES),
            f"{row['runs_with_alarm']['count']} of {row['runs']}",
        )
        for row in found["rows"]
    ]
    limits = f"a warning from {found['warning']:.0%} on, critical from {found['critical']:.0%} on"
    independent = "(Clopper-Pearson, as if those of one run were independent)"
    return [*table(header, rows), f"{limits}; counts, and the 95 % interval of their share {independent}"]
