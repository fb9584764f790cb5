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

    def pull_request(self, calls: int) -> tuple[str, str, str]:
        """Check out what GitHub does: a change merged into its target. Return where they parted, and both tips."""
        start = self.commit(1000)
        self.git("checkout", "--quiet", "-b", "change")
        change = self.commit(calls)
        self.git("checkout", "--quiet", "main")
        target = self.commit(1000)
        self.git("checkout", "--quiet", "--detach")
        self.git("merge", "--quiet", "--no-ff", "change")
        return start, target, change

    def compare(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Begin and compare as the action does, without other plugins: importing them takes longer than comparing."""
        plugins = "-p pytest_benchmark.plugin -p perfcore.pytest_plugin"
        given = {
            "BASE": "",
            "TARGET": "",
            "CHANGE": "",
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
        given = {**os.environ, **given, **environment}
        subprocess.run([str(ACTION / "begin.sh")], env=given, check=True, timeout=60)
        return subprocess.run(
            [str(ACTION / "compare.sh")],
            cwd=self.folder,
            env=given,
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
    """It counts against the target as it was merged with, which is later than the one that the event knows."""
    start, target, change = checkout.pull_request(4000)
    done = checkout.compare(TARGET=start, CHANGE=change, NUMBER="7", THRESHOLD="10%")  # as 10
    assert done.returncode == 1, done.stdout + done.stderr
    assert "::error::slower than" in done.stdout
    assert checkout.left("output") == "verdict=regression\n"
    assert checkout.left("perfcore/number.txt") == "7\n"
    comment = checkout.left("perfcore/comment.md")
    assert "test_work" in comment
    assert "regression" in comment
    assert checkout.left("summary") == comment
    found = json.loads(checkout.left("perfcore/ab.json"))
    assert target[:9] in found["base"]
    assert [one["status"] for one in found["benchmarks"]] == ["regression"]


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
    (checkout.runner / "perfcore/comment.md").write_text("of another comparison in this job\n")
    broken = checkout.compare(BEFORE="HEAD")
    assert broken.returncode == 2
    assert "::error::perfcore ab could not judge" in broken.stdout
    assert "nothing_of_that_name" in broken.stderr
    assert not (checkout.runner / "perfcore/comment.md").exists()


def test_which_commit_it_compares_with(checkout: Checkout) -> None:
    """With what stands for perfcore and says what it was given."""
    python = checkout.runner / "python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)

    def base(**environment: str) -> str:
        done = checkout.compare(**environment, PATH=f"{checkout.runner}:{os.environ['PATH']}")
        if done.returncode:
            assert (done.returncode, done.stdout.count("::error::")) == (2, 1), done.stdout + done.stderr
            return done.stdout
        return checkout.left("perfcore/ab.json").partition(" -- ")[0].rpartition(" ")[2]

    start, target, change = checkout.pull_request(4000)
    merged = checkout.git("rev-parse", "HEAD")
    assert base(TARGET=start, CHANGE=change) == target
    assert base(BASE="main", TARGET=target, CHANGE=change) == "main"
    assert base(BASE=start, TARGET=target, CHANGE=change) == start
    checkout.git("update-ref", "refs/remotes/origin/main", "main")
    checkout.git("branch", "--quiet", "-D", "main")
    assert base(BASE="main", TARGET=target, CHANGE=change) == "origin/main"
    assert "::error::base: the checkout has no revision mian" in base(BASE="mian", BEFORE=start)
    checkout.git("checkout", "--quiet", "change")
    assert base(TARGET=target, CHANGE=change) == start, "of the change alone, where it branched off"
    assert base(BEFORE=start) == start
    assert f"::error::the commit before the push, {'1' * 40}, cannot be fetched" in base(BEFORE="1" * 40)
    # GitHub hands out a commit that a forced push has left behind.
    checkout.git("clone", "--quiet", "--bare", ".", "../origin.git")
    checkout.git("push", "--quiet", "../origin.git", f"{merged}:refs/heads/old")
    checkout.git("remote", "add", "origin", "../origin.git")
    checkout.git("reflog", "expire", "--expire=all", "--all")
    checkout.git("prune", "--expire=now")
    assert base(BEFORE=merged) == merged


def test_words_of_all_lines_are_given_to_pytest(checkout: Checkout) -> None:
    """As a block of YAML gives them; a line that is left out would be benchmarks that nobody judges."""
    python = checkout.runner / "python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    before = checkout.commit(1000)
    words = {"BENCHMARKS": "bench\n  more  'odd'\n-x *\n", "PATH": f"{checkout.runner}:{os.environ['PATH']}"}
    assert checkout.compare(BEFORE=before, **words).returncode == 0
    assert checkout.left("perfcore/ab.json").partition(" -- ")[2] == "bench more 'odd' -x *\n"


def test_a_pull_request_that_cannot_be_installed_has_its_number(tmp_path: Path) -> None:
    """By which the comment finds it, and says so; else it goes on with the report of the commit before."""
    document = pytest.importorskip("ruamel.yaml").YAML(typ="safe").load(ACTION / "action.yml")
    (tmp_path / "python").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "python").chmod(0o755)
    environment = {
        "PERFCORE": "perfcore",
        "NUMBER": "7",
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_ACTION_PATH": str(ACTION),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }
    scripts = (step["run"] for step in document["runs"]["steps"] if "run" in step)
    codes = (subprocess.run(["bash", "-c", one], env=environment, check=False).returncode for one in scripts)
    assert next(filter(None, codes)) == 3, "as it is installed"
    assert [path.name for path in (tmp_path / "perfcore").iterdir()] == ["number.txt"]
    assert (tmp_path / "perfcore/number.txt").read_text() == "7\n"


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


SOURCES = (
    *(".", ".[test]", "./sub[a,b]", "../perfcore", "/somewhere/perfcore", "git+https://example.org/x"),
    *("perfcore @ git+https://example.org/x", "perfcore[test] @ git+https://example.org/x"),
)


@pytest.mark.parametrize(
    ("what", "from_source"),
    [
        *((source, True) for source in SOURCES),
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
