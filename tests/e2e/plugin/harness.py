# SPDX-License-Identifier: MIT
"""Runs a scratch suite in a pytest of its own, with and without perfcore, and compares what was seen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases"
MODES = {
    "off": ["--perfcore=off"],
    "on": ["--perfcore=on"],
    "strict": ["--perfcore-strict"],
    "absent": ["-p", "no:perfcore"],
}
QUICK = ["--benchmark-max-time=0.004", "--benchmark-min-rounds=5"]


@dataclass
class Run:
    """One pytest run: its exit code, what it printed, what the observer wrote down, the files it left."""

    code: int
    out: str
    tests: dict[str, Any] = field(default_factory=dict)
    warnings: list[list[str]] = field(default_factory=list)
    folder: Path = Path()

    def outcomes(self) -> dict[str, Any]:
        """Return every test's outcome and the first line of its error, phase by phase."""
        return {name: test["phases"] for name, test in self.tests.items()}

    def facts(self, kind: str = "facts") -> dict[str, Any]:
        """Return what the tests noted."""
        return {name: test[kind] for name, test in self.tests.items() if test[kind]}

    def json(self, name: str = "out.json") -> Any:
        """Return the JSON of a file in the run's folder."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))


def command(folder: Path, mode: str, *options: str) -> list[str]:
    """Return the command of a scratch suite's run."""
    # Hypothesis takes most of a second to import, in each of some hundred runs.
    plugins = ["-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:hypothesispytest"]
    fixed = [*plugins, "--rootdir", str(folder), "-c", os.devnull]
    return [sys.executable, "-m", "pytest", *fixed, *MODES[mode], *options]


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a scratch suite's run."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    return {**kept, "OBSERVED": str(folder / "observed.json"), "COLUMNS": "200"}


def write_suite(folder: Path, **sources: str) -> None:
    """Write a suite: ``test_x="..."`` becomes test_x.py; the observer is its conftest."""
    folder.mkdir(parents=True, exist_ok=True)
    conftest = (CASES / "observer.py").read_text(encoding="utf-8") + "\n\n" + sources.pop("conftest", "")
    (folder / "conftest.py").write_text(conftest, encoding="utf-8")
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")


def run(folder: Path, mode: str, *options: str, timeout: float = 300) -> Run:
    """Run the suite in `folder`."""
    done = subprocess.run(
        command(folder, mode, *options),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    observed = folder / "observed.json"
    seen = json.loads(observed.read_text(encoding="utf-8")) if observed.exists() else {"tests": {}, "warnings": []}
    return Run(done.returncode, done.stdout, seen["tests"], seen["warnings"], folder)


def run_modes(base: Path, sources: dict[str, str], modes: tuple[str, ...], *options: str) -> dict[str, Run]:
    """Write and run one suite in every mode, each in a folder of its own name but the same base name."""
    runs = {}
    for mode in modes:
        folder = base / mode / "suite"
        if folder.exists():
            shutil.rmtree(folder)
        write_suite(folder, **sources)
        runs[mode] = run(folder, mode, *options)
    return runs


def case(name: str) -> str:
    """Return the source of a case file."""
    return (CASES / f"{name}.py").read_text(encoding="utf-8")


def keys(value: Any, path: str = "") -> set[str]:
    """Return the paths of all keys of nested dictionaries; lists are looked into."""
    if isinstance(value, dict):
        return {f"{path}/{key}" for key in value}.union(*(keys(item, f"{path}/{key}") for key, item in value.items()))
    if isinstance(value, list):
        return set().union(*(keys(item, f"{path}[]") for item in value))
    return set()
