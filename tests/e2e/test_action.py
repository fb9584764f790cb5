# SPDX-License-Identifier: MIT
"""The action's steps: what is installed; the comparison in a real repository: what it decides and leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ACTION = Path(__file__).resolve().parents[2] / ".github/actions/perfcore"
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

SUITE = """\
from work import work

def test_work(benchmark):
    benchmark(work)
"""


class Checkout:
    """A repository as actions/checkout leaves it, and the action's environment."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runner = folder / "checkout", folder / "runner"
        for made in (self.folder / "bench", self.runner):
            made.mkdir(parents=True)
        (self.folder / "bench/test_work.py").write_text(SUITE)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
        command = ["git", *who, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, calls: int) -> str:
        (self.folder / "work.py").write_text(f"def work():\n    return sum(range({calls}))\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=next")
        return self.git("rev-parse", "HEAD")

    def compare(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run compare.sh as the action does; without other plugins, whose import takes longer than the comparison."""
        plugins = "-p pytest_benchmark.plugin -p perfcore.pytest_plugin"
        given = {
            "BASE": "",
            "TARGET": "",
            "BEFORE": "",
            "NUMBER": "",
            "BENCHMARKS": f"{plugins} bench",
            "FILTER": "",
            "THRESHOLD": "10",
            "MAX_TIME": "20",
            "NAME": "benchmarks",
            "RUNNER_TEMP": str(self.runner),
            "GITHUB_OUTPUT": str(self.runner / "output"),
            "GITHUB_STEP_SUMMARY": str(self.runner / "summary"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        return subprocess.run(
            [str(ACTION / "compare.sh")],
            cwd=self.folder,
            env={**os.environ, **given, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def left(self, name: str) -> str:
        return (self.runner / name).read_text(encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_pull_request_that_is_slower(checkout: Checkout) -> None:
    """The merge base counts, not the target's tip: that one is slower still."""
    checkout.commit(1000)
    checkout.git("checkout", "--quiet", "-b", "change")
    checkout.commit(4000)
    checkout.git("checkout", "--quiet", "main")
    target = checkout.commit(16000)
    checkout.git("checkout", "--quiet", "change")
    done = checkout.compare(TARGET=target, NUMBER="7")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "::error::slower than" in done.stdout
    assert checkout.left("output") == "verdict=regression\n"
    assert checkout.left("perfcore/number.txt") == "7\n"
    comment = checkout.left("perfcore/comment.md")
    assert "test_work" in comment
    assert "regression" in comment
    assert checkout.left("summary") == comment
    (judged,) = json.loads(checkout.left("perfcore/ab.json"))["benchmarks"]
    assert judged["status"] == "regression"


def test_a_push_that_changes_nothing(checkout: Checkout) -> None:
    before = checkout.commit(1000)
    checkout.commit(1000)
    done = checkout.compare(BEFORE=before, MAX_TIME="0.5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkout.left("output") == "verdict=ok\n"
    assert "test_work" in checkout.left("summary")
    assert not (checkout.runner / "perfcore/number.txt").exists()


def test_what_it_cannot_compare(checkout: Checkout) -> None:
    checkout.commit(1000)
    first = checkout.compare(BEFORE="0" * 40)  # what GitHub says of the first push to a branch
    assert (first.returncode, checkout.left("output")) == (0, "verdict=nothing to compare\n")
    assert "::notice::" in first.stdout
    shallow = checkout.compare(TARGET="1" * 40)
    assert shallow.returncode == 2
    assert "fetch-depth: 0" in shallow.stdout
    checkout.git("commit", "--quiet", "--allow-empty", "--message=next")
    (checkout.folder / "bench/test_work.py").write_text("import nothing_of_that_name\n")
    broken = checkout.compare(BEFORE="HEAD")
    assert broken.returncode == 2
    assert "::error::perfcore ab could not judge" in broken.stdout
    assert "nothing_of_that_name" in broken.stderr


def test_a_benchmark_that_fails_on_head_alone(checkout: Checkout) -> None:
    """It could not judge; what it measured, and why, is in the summary and the comment all the same."""
    checkout.commit(1000)
    (checkout.folder / "bench/test_work.py").write_text(
        SUITE.replace("    benchmark", "    assert not 'today'\n    benchmark")
    )
    checkout.commit(1000)
    done = checkout.compare(BEFORE=checkout.git("rev-parse", "HEAD~1"), MAX_TIME="0.5")
    assert done.returncode == 2
    assert "::error::perfcore ab could not judge" in done.stdout
    assert done.stderr.count("perfcore: error: could not judge: bench/test_work.py::test_work: failed on head: ") == 1
    comment = checkout.left("perfcore/comment.md")
    assert "could not judge" in comment
    assert "failed on head: AssertionError" in comment
    assert checkout.left("summary") == comment


@pytest.mark.parametrize(
    ("what", "from_source"),
    [
        *(
            (source, True)
            for source in (".", ".[test]", "./sub[a,b]", "/somewhere/perfcore", "git+https://example.org/x")
        ),
        *((wheel, False) for wheel in ("perfcore", "perfcore[test]", "perfcore==0.1.0")),
    ],
)
def test_what_is_installed(tmp_path: Path, what: str, from_source: bool) -> None:
    """A source needs the machine's libraries before pip builds it; a wheel brings them."""
    said = tmp_path / "said"
    for name in ("apt-get", "python", "sudo"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"{said}"\n')
        (tmp_path / name).chmod(0o755)
    (tmp_path / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    environment = {"PERFCORE": what, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run([str(ACTION / "install.sh")], env=environment, check=True, timeout=60)
    *apt, pip, version = said.read_text().splitlines()
    assert (pip, version) == (f"python -m pip install -q {what}", "python -P -m perfcore --version")
    if from_source:
        assert apt[0] == "apt-get update -q"
        assert {"build-essential", "pkg-config", "libproc2-dev", "libcjson-dev"} <= set(apt[1].split())
    assert len(apt) == (2 if from_source else 0)
