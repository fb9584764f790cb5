# SPDX-License-Identifier: MIT
"""The folder of one run of a lane: what was asked for, every iteration as it ended, its output, and the results.

    benchmarks/results/lanes/standard/20261121T083012Z/
        run.json             what runs, how often, on what system; "running" until the end
        iteration-0001.json  one iteration: status, seconds, resources, time line
        iteration-0001.log   what it printed, within bounds
        results.json         all of it as a results file, brought up to date every second and at the end

Every file is replaced whole, so whatever is there can be read at any moment, and a kill loses the running iteration
alone. Whoever works in a folder holds a lock on it, which ends with the process.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perfcore.errors import ResultsError
from perfcore.record.atomic import write_atomic
from perfcore.suite.lane import Lane

SCHEMA = 1
FOLDER = "benchmarks/results/lanes"
RUN, RESULTS = "run.json", "results.json"
_ANEW = "start anew, without --resume"
_NAME = re.compile(r"(\d{8}T\d{6}Z)(?:-(\d+))?")

_REAL = (int, float, type(None))
_MOST = 1e300  # with larger figures, sums and squares are infinite
# What later steps take from the two files: a key's type, or of an object its keys.
_RUN_SHAPE: dict[str, Any] = {
    "status": str,
    "started": str,
    "lane": {"digest": str, "words": str},
    "system": {
        "machine_info": dict,
        "commit_info": dict,
        "version": str,
        "environment": {"cores": int},
        "memory_bytes": int,
    },
}
_ITERATION_SHAPE: dict[str, Any] = {"index": int, "status": str, "reason": str}
_COMPLETED_SHAPE: dict[str, Any] = {"seconds": (int, float), "resources": {"sampled": dict}}


def _misshapen(document: Mapping[str, Any], shape: Mapping[str, Any], place: str = "") -> str:
    """Return the first key that is missing or of a wrong type; nothing where all is well."""
    for key, wanted in shape.items():
        value = document.get(key)
        nested = isinstance(wanted, dict)
        if not isinstance(value, dict if nested else wanted) or isinstance(value, bool):
            return place + key
        if nested and (found := _misshapen(value, wanted, f"{place}{key}.")):
            return found
    return ""


def _wrong_figure(report: Mapping[str, Any]) -> str:
    """Return which key of a completed iteration is missing or no figure; nothing where all is well."""
    if report["status"] != "completed":
        return ""
    if wrong := _misshapen(report, _COMPLETED_SHAPE):
        return wrong
    resources = dict(report["resources"])
    sampled = resources.pop("sampled")
    resources |= {f"sampled.{name}": one.get("max") if isinstance(one, dict) else "" for name, one in sampled.items()}
    for name, value in resources.items():
        if not isinstance(value, _REAL) or isinstance(value, bool) or (value is not None and not abs(value) < _MOST):
            return f"resources.{name}"
    if not isinstance(report.get("timeline") or {}, dict):
        return "timeline"
    return "" if 1e-9 <= report["seconds"] < _MOST else "seconds"


def _read(path: Path, shape: Mapping[str, Any]) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ResultsError(f"{path}: no such file; {_ANEW}") from None
    except OSError as error:
        raise ResultsError(f"{path}: cannot read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path}: not JSON: {error}; {_ANEW}") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ResultsError(f"{path}: not of this version of perfcore; {_ANEW}")
    if wrong := _misshapen(document, shape) or (_wrong_figure(document) if shape is _ITERATION_SHAPE else ""):
        raise ResultsError(f"{path}: damaged: {wrong} is missing or wrong; {_ANEW}")
    return document


def began(path: Path) -> tuple[float, int] | None:
    """Return when a run began and which of that second it is; None for what is no run's folder."""
    found = _NAME.fullmatch(path.name)
    if found is None or path.is_symlink() or not (path / RUN).is_file():
        return None
    try:
        moment = datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:  # a thirteenth month
        return None
    return moment.timestamp(), int(found[2] or 1)


def _runs(folder: Path) -> list[Path]:
    """Return the folders of a lane's runs, the oldest first."""
    if not folder.is_dir():
        return []
    found = sorted((at, path) for path in folder.iterdir() if (at := began(path)) is not None)
    return [path for _, path in found]


def latest_results(root: Path, lane: str) -> Path | None:
    """Return the results file of a lane's newest run that has one."""
    found = [path / RESULTS for path in _runs(root / lane) if (path / RESULTS).is_file()]
    return found[-1] if found else None


class RunFolder:
    """A run's folder, locked; :meth:`create` and :meth:`reopen` make it, :meth:`close` gives it back."""

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        self.path = path
        self.run = run
        self._lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise ResultsError(f"{path}: another perfcore is running this lane; wait for it, or end it") from None

    @classmethod
    def create(cls, root: Path, lane: Lane, system: Mapping[str, Any]) -> RunFolder:
        """Make the folder of a new run.

        Raises:
            ResultsError: it cannot be made or written.

        """
        now = datetime.now(UTC)
        stamp, number = now.strftime("%Y%m%dT%H%M%SZ"), 1
        try:
            (root / lane.name).mkdir(parents=True, exist_ok=True)
            while True:
                path = root / lane.name / (stamp if number == 1 else f"{stamp}-{number}")
                try:
                    path.mkdir()
                    break
                except FileExistsError:
                    number += 1
        except OSError as error:
            raise ResultsError(f"{root / lane.name}: cannot write: {error.strerror}; choose --folder") from error
        run = {
            "schema": SCHEMA,
            "status": "running",
            "started": now.isoformat(),
            "lane": {"name": lane.name, "words": lane.words, "digest": lane.digest},
            "system": dict(system),
        }
        made = cls(path, run)
        made.save_run()
        return made

    @classmethod
    def reopen(cls, root: Path, lane: Lane) -> RunFolder | None:
        """Return the lane's newest run if it was cut off, to go on with it; None if there is nothing to go on with.

        Raises:
            ResultsError: another process is at it, the lane is no longer the same, or a file is damaged.

        """
        runs = _runs(root / lane.name)
        if not runs:
            return None
        run = _read(runs[-1] / RUN, _RUN_SHAPE)
        if run["status"] != "running":
            return None
        if run["lane"]["digest"] != lane.digest:
            raise ResultsError(
                f"{runs[-1]}: lane {lane.name!r} was {run['lane']['words']!r} there, with its own environment and "
                f"folder, and has changed since; {_ANEW}"
            )
        return cls(runs[-1], run)

    def close(self) -> None:
        """Let go of the lock; allowed twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _save(self, name: str, document: Mapping[str, Any]) -> None:
        write_atomic(self.path / name, json.dumps(document, allow_nan=False).encode() + b"\n")

    def save_run(self, **changes: Any) -> None:
        """Write what is asked for, and how far it is."""
        self.run |= changes
        self._save(RUN, self.run)

    def output_of(self, index: int, *, warmup: bool = False) -> Path:
        """Return where an iteration's output goes."""
        return self.path / f"{'warmup' if warmup else 'iteration'}-{index:04}.log"

    def save_iteration(self, index: int, report: Mapping[str, Any]) -> None:
        """Write an iteration that has ended."""
        self._save(f"iteration-{index:04}.json", {"schema": SCHEMA, "index": index, **report})

    def iterations(self) -> dict[int, dict[str, Any]]:
        """Return the iterations that have ended, by number, without their time lines."""
        found = {}
        for path in sorted(self.path.glob("iteration-*.json")):
            report = _read(path, _ITERATION_SHAPE)
            report.pop("timeline", None)
            if path.name != f"iteration-{report['index']:04}.json":
                raise ResultsError(f"{path}: damaged: index is another one's; {_ANEW}")
            found[report["index"]] = report
        return found

    def timeline(self, index: int) -> dict[str, Any]:
        """Return the time line of an iteration; empty if it has none."""
        return dict(_read(self.path / f"iteration-{index:04}.json", _ITERATION_SHAPE).get("timeline") or {})

    def save_results(self, document: Mapping[str, Any]) -> Path:
        """Write the results file, and return where."""
        path = self.path / RESULTS
        write_atomic(path, json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")
        return path
