# SPDX-License-Identifier: MIT
"""The scripts of benchmarks/: those that are doors to the command line, and what the run script leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from results_files import benchmark, write

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks"


def script(name: str, *arguments: str, cwd: Path, scripts: Path = SCRIPTS) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(scripts / f"{name}.py"), *arguments]
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "old.json", benchmark("a", median=1e-6))
    write(tmp_path / "new.json", benchmark("a", median=2e-6))
    return tmp_path


@pytest.fixture
def scripts(folder: Path) -> Path:
    """The scripts in a checkout without results."""
    (folder / "checkout/benchmarks").mkdir(parents=True)
    for path in SCRIPTS.glob("*.py"):
        shutil.copy(path, folder / "checkout/benchmarks")
    return folder / "checkout/benchmarks"


def test_scripts_take_the_newest_results_when_none_are_named(folder: Path, scripts: Path) -> None:
    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return script(name, *arguments, cwd=folder, scripts=scripts)

    none = run("ci_integration", "--check-regression")
    assert (none.returncode, none.stderr.count("\n")) == (2, 1)
    assert str(scripts / "results/latest.json") in none.stderr
    shutil.copy(folder / "old.json", folder / "benchmark_results.json")
    first = run("ci_integration", "update-baseline", "--results", "benchmark_results.json")
    assert first.returncode == 0, first.stderr
    shutil.copy(folder / "new.json", folder / "benchmark_results.json")
    found = run("ci_integration", "--fail-on-regression")
    assert (found.returncode, found.stderr) == (1, "results: benchmark_results.json\n")
    assert "+100.0 %" in run("regression_report", "--format", "markdown").stdout
    # Whichever was written last.
    shutil.copy(folder / "old.json", scripts / "results/latest.json")
    os.utime(folder / "benchmark_results.json", (1, 1))
    found = run("ci_integration", "--check-regression", "--fail-on-regression")
    assert (found.returncode, found.stderr) == (0, f"results: {scripts / 'results/latest.json'}\n")


def test_generate_dashboard_writes_one_file(folder: Path, scripts: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return script("generate_dashboard", *arguments, cwd=folder, scripts=scripts)

    shutil.copy(folder / "old.json", folder / "benchmark_results.json")
    assert run("--output", "performance_dashboard.html").returncode == 0
    page = (folder / "performance_dashboard.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert script("ci_integration", "--update-baseline", cwd=folder, scripts=scripts).returncode == 0
    shutil.copy(folder / "new.json", folder / "benchmark_results.json")
    done = run("--output", "-", "--format", "csv")  # beside the baseline, where there is one
    assert "critical" in done.stdout, done.stderr
    assert run("old.json", "--output", "public").returncode == 0
    assert [path.name for path in (folder / "public").iterdir()] == ["report.html"]
    assert run("--no-such-option").returncode == 2
    assert "usage: perfcore report" in run("--help").stdout


def test_heap_analysis_without_a_script_is_of_agents(folder: Path) -> None:
    pytest.importorskip("pymdp")
    done = script("heap_analysis", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "100 agents after 20 steps each:" in done.stdout
    assert "perfcore.suite.gridworld.GridAgent" in done.stdout
    assert "gridworld.py:" in done.stdout


def test_ci_integration(folder: Path) -> None:
    files = ["--results-file", "new.json", "--baseline", "old.json"]
    assert script("ci_integration", *files, cwd=folder).returncode == 0
    # The seeds' workflow has this line as its only gate.
    for gate in ("--check-regression", "check-regression"):
        failed = script("ci_integration", gate, *files, cwd=folder)
        assert failed.returncode == 1
        assert "critical" in failed.stdout
    for first in ([], ["check-regression"]):  # the command's own options, with their values
        lenient = [*first, *files, "--warning", "150%", "--critical", "200%", "--fail-on-regression"]
        assert script("ci_integration", *lenient, cwd=folder).returncode == 0
    assert script("ci_integration", "--update-baseline", *files, cwd=folder).returncode == 1, "a slower run is refused"
    assert script("ci_integration", "update-baseline", "--results", *files[1:], "--force", cwd=folder).returncode == 0
    assert script("ci_integration", *files, "--fail-on-regression", cwd=folder).returncode == 0
    missing = script("ci_integration", "--results-file", "none.json", cwd=folder)
    assert missing.returncode == 2
    assert missing.stderr.count("\n") == 1
    wrong = script("ci_integration", *files, "updat-baseline", cwd=folder)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_ci_integration_by_the_history(folder: Path) -> None:
    pytest.importorskip("sqlalchemy")
    for options in (["--history", "--database", "h.db"], ["--database=h.db"]):
        checked = script("ci_integration", "--results-file", "new.json", *options, cwd=folder)
        assert "no history yet" in checked.stderr, "there is no baseline that it could be judged by besides"
    both = script("ci_integration", "--results-file", "new.json", "--history", "--baseline", "old.json", cwd=folder)
    assert "by a baseline or by the history" in both.stderr


def test_compare_results_and_regression_report(folder: Path) -> None:
    shown = script("compare_results", "--baseline", "old.json", "--current", "new.json", cwd=folder)
    assert shown.returncode == 0
    assert "2 µs" in shown.stdout
    files = ["--results-file", "new.json", "--baseline", "old.json"]
    report = script("regression_report", "--format", "markdown", *files, cwd=folder)
    assert report.returncode == 0
    assert "+100.0 %" in report.stdout
    assert "critical" in report.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["new.json", "old.json"], "nothing but stdout"


def test_analyze_trends_without_a_history(folder: Path) -> None:
    none = script("analyze_trends", "--days", "30", cwd=folder)
    assert none.returncode == 2
    assert "history" in none.stderr


# What stands for installing and building, and for a Python that measures.
LIBRARY = """\
say() { printf '%s\\n' "$*"; }
note() { say "$@"; }
die() { say "$@" >&2; exit 2; }
install_build_packages() { :; }
python_path() { printf '%s\\n' "$1"; }
python_complete() { :; }
make_venv() { :; }
fingerprint() { echo same; }
"""
PYTHON = """\
#!/bin/sh
case " $* " in
*" perfcore.suite.passes "*) while [ "$1" != --output ]; do shift; done; cp measured.json "$2" ;;
esac
"""


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_run_of_a_tagged_commit_is_kept_as_a_release_s(folder: Path) -> None:
    results = folder / "benchmarks/results"
    now = datetime.now(UTC).isoformat()  # of a run of long ago the history would keep nothing
    for name, text in {
        ".ci/lib.sh": LIBRARY,
        ".venv/bin/python": PYTHON,
        ".venv/bin/perfcore": f'#!/bin/sh\nexec {sys.executable} -P -m perfcore "$@"\n',
        ".venv/.built": "same",
        ".gitignore": "results\n",
        "benchmarks/run.sh": (SCRIPTS / "run_performance_benchmarks.sh").read_text(),
        "measured.json": write(folder / "now.json", benchmark("a"), datetime=now).read_text(),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    def git(*words: str) -> None:
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)

    def releases(*flags: str) -> list[str]:
        done = subprocess.run(["benchmarks/run.sh", *flags], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return sorted(path.name for path in results.glob("releases/*"))

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    for few in (["--quick"], ["--passes", "3"], ["--filter", "a"]):
        assert releases(*few) == []
    assert not (results / "history.db").exists(), "whole runs make the history"
    assert releases() == []
    listed = [sys.executable, "-P", "-m", "perfcore", "history", "list", "--database", results / "history.db", "--json"]
    shown = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    assert [run["benchmarks"] for run in json.loads(shown)["runs"]] == [1]
    git("tag", "v1.0.0")
    assert releases("--quick") == releases("--filter", "a") == []
    assert releases() == ["v1.0.0_results.json"]
    assert (results / "releases/v1.0.0_results.json").read_bytes() == (folder / "measured.json").read_bytes()
    git("commit", "-qm", "two", "--allow-empty")
    git("tag", "next/v2")
    (folder / "new.json").write_text("{}")
    assert releases() == ["v1.0.0_results.json"], "with changes it is no release's"
    git("checkout", "-q", "new.json")
    assert releases() == ["next-v2_results.json", "v1.0.0_results.json"]
