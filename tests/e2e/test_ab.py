# SPDX-License-Identifier: MIT
"""``perfcore ab`` on real git repositories: what it says of them, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcore.cli import main
from perfcore.errors import SuiteError
from perfcore.suite import sides
from perfcore.suite.sides import Workspace

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

# Workers start three times as fast without the other plugins of the environment.
PLUGINS = ("-p", "pytest_benchmark.plugin", "-p", "perfcore.pytest_plugin")
PATIENCE_S = 60.0

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # which git knows everywhere

WORK = """\
def spin(n):
    total = 0
    for i in range(n):
        total += i
    return total
"""


class Repository:
    """A git repository, and ``perfcore ab`` run in it with a temporary folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.temporary = folder / "tmp"
        self.folder.mkdir()
        self.temporary.mkdir()
        self.git("init", "--quiet")
        self.git("symbolic-ref", "HEAD", "refs/heads/main")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.strip()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name.replace("__", ".")).write_text(text, encoding="utf-8")

    def commit(self, **files: str) -> str:
        self.write(**files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=next")
        return self.git("rev-parse", "HEAD")

    def start(self, *arguments: object, plugins: tuple[str, ...] = PLUGINS) -> subprocess.Popen[str]:
        environment = os.environ | {
            "TMPDIR": str(self.temporary),
            "PYTHONUTF8": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        command = [sys.executable, "-P", "-m", "perfcore", "ab", *map(str, arguments), "--", *plugins]
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def ab(self, *arguments: object, plugins: tuple[str, ...] = PLUGINS) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, plugins=plugins)
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def assert_clean(self) -> None:
        """No worktree and no temporary file is left."""
        assert len(self.git("worktree", "list").splitlines()) == 1
        assert list(self.temporary.iterdir()) == []


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path)
    yield made
    made.assert_clean()


def judged(done: subprocess.CompletedProcess[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the document, and its benchmarks by the name of their test."""
    assert done.stderr == "", done
    document = json.loads(done.stdout)
    return document, {one["fullname"].rpartition("::")[2]: one for one in document["benchmarks"]}


BASE_TESTS = """\
import pytest
import work

def test_same(benchmark):
    benchmark(work.spin, 2000)

def test_slower(benchmark):
    assert benchmark(work.changed, 2000) == 1999000

def test_pedantic(benchmark):
    benchmark.pedantic(work.changed, args=(2000,), rounds=60, warmup_rounds=1)

def test_fails_on_head(benchmark):
    benchmark(work.spin, 10)

def test_fails_on_both(benchmark):
    benchmark(work.spin, 10)
    raise RuntimeError("on both")

def test_hangs(benchmark):
    benchmark(work.spin, 10)

def test_dies(benchmark):
    benchmark(work.spin, 10)

def test_skipped(benchmark):
    pytest.skip("not today")

@pytest.mark.parametrize("size", [1, 2])
def test_size(benchmark, size):
    benchmark(work.spin, 10)

def test_benchmarks_nothing(benchmark):
    pass

def test_plain():
    raise AssertionError("a test without a benchmark is not run")
"""
HEAD_TESTS = (
    BASE_TESTS.replace(
        "benchmark(work.spin, 10)\n\ndef test_fails_on_both", 'assert not "today"\n\ndef test_fails_on_both'
    )
    .replace("def test_hangs(benchmark):\n", "def test_hangs(benchmark):\n    import time; time.sleep(600)\n")
    .replace("def test_dies(benchmark):\n", "def test_dies(benchmark):\n    import os; os._exit(7)\n")
    .replace("[1, 2]", "[2, 3]")
)
SAME = WORK + "changed = spin\n"
SLOWER = WORK + "def changed(n):\n    spin(n * 2)\n    return spin(n)\n"  # thrice: found beside any other load


def test_a_suite_with_everything_in_it(repository: Repository) -> None:
    repository.commit(work__py=SAME, test_work__py=BASE_TESTS)
    repository.write(work__py=SLOWER, test_work__py=HEAD_TESTS)  # uncommitted: the working tree is head

    done = repository.ab("main", "--json", "--threshold", "20%", "--max-pairs", 8, "--timeout", 4)

    document, found = judged(done)
    assert done.returncode == document["exit_code"] == 1
    assert document["verdict"] == "regression"
    assert document["head"].endswith("with uncommitted changes)")
    assert document["base"].startswith("main (")
    assert [name.rpartition("::")[2] for name in document["new"]] == ["test_size[3]"]
    assert [name.rpartition("::")[2] for name in document["gone"]] == ["test_size[1]"]
    assert "test_plain" not in found

    for name in ("test_slower", "test_pedantic"):
        slower = found[name]
        assert slower["status"] == "regression", slower
        assert 1.5 < slower["ratio"] < 5
        assert slower["low"] < slower["ratio"] < slower["high"]
        assert len(slower["effects"]) == slower["pairs"] >= 4
    for name in ("test_same", "test_size[2]"):
        assert found[name]["status"] in {"ok", "undecided"}, found[name]
        assert found[name]["pairs"] >= 4

    reasons = {name: (one["failed"], one["reason"]) for name, one in found.items() if one["pairs"] == 0}
    assert reasons == {
        "test_fails_on_head": (["head"], "failed on head: AssertionError: assert not 'today'"),
        "test_fails_on_both": (
            ["base", "head"],
            "failed on base: RuntimeError: on both; failed on head: RuntimeError: on both",
        ),
        "test_hangs": (["head"], "head: no answer for 4 s"),
        "test_dies": (["head"], reasons["test_dies"][1]),
        "test_skipped": ([], "skipped on base: Skipped: not today; skipped on head: Skipped: not today"),
        "test_benchmarks_nothing": ([], "the test benchmarks nothing that can be run in blocks on base"),
    }
    assert reasons["test_dies"][1].startswith("head: its process ended with exit code 7")


def test_two_revisions(repository: Repository) -> None:
    test = "import work\ndef test_same(benchmark): benchmark(work.spin, 2000)\n"
    first = repository.commit(work__py=SAME, test_work__py=test)
    second = repository.commit(test_work__py=test + "def test_new(benchmark): pass\n")
    done = repository.ab("HEAD~1", second[:8], "--threshold", "30%", "--max-pairs", 4)

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"base: HEAD~1 ({first[:9]})"
    assert lines[1] == f"head: {second[:8]} ({second[:9]})"
    assert lines[3].split() == ["benchmark", "base", "head", "change", "interval", "pairs", "verdict"]
    assert lines[4].startswith("test_work.py::test_same ")
    at = lines.index("new, only in head (1):")
    assert lines[at + 1] == "  test_work.py::test_new"
    assert lines[-1].endswith(": passed")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # an orphan of a container without an init stays a zombie


def wait_for(what: Callable[[], bool], why: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(repository: Repository, tmp_path: Path, number: int) -> None:
    """In the middle of a benchmark that has started a process of its own: both are gone, and so are the trees."""
    note = tmp_path / "pids"
    repository.commit(
        test_work__py=f"""\
import os, pathlib, subprocess, time
def test_waits(benchmark):
    child = subprocess.Popen(["sleep", "600"])
    note = pathlib.Path({str(note)!r})
    note.with_suffix(".part").write_text(f"{{os.getpid()}} {{child.pid}}")
    note.with_suffix(".part").rename(note)
    time.sleep(600)
"""
    )
    process = repository.start("main")
    try:
        wait_for(lambda: note.exists() or process.poll() is not None, "no worker came to the benchmark")
        assert process.poll() is None, process.communicate()
        pids = [int(word) for word in note.read_text().split()]
        assert len(repository.git("worktree", "list").splitlines()) == 2
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (130, "", "perfcore: interrupted\n")
    wait_for(lambda: not any(map(alive, pids)), "a process was left behind")


def test_refusals(repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, one line on stderr with the words, nothing on stdout."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(tempfile, "tempdir", str(repository.temporary))
    monkeypatch.chdir(repository.folder)

    def refused(*arguments: str) -> str:
        assert main(["ab", *arguments, *(() if "--" in arguments else ("--", *PLUGINS))]) == 2
        done = capsys.readouterr()
        assert done.out == ""
        assert done.err.startswith("perfcore: error: ")
        assert done.err.count("\n") == 1
        repository.assert_clean()
        return done.err

    repository.commit(test_work__py="def test_a(benchmark): pass\n", other__py="")
    repository.git("tag", "first")
    repository.commit(test_work__py="def test_b(benchmark): pass\n")
    assert "name a base" in refused()
    assert "base: 'v9.9' is no revision of" in refused("v9.9")
    assert "head: 'v9.9' is no revision of" in refused("first", "v9.9")
    assert "there is no interpreter no/such" in refused("first", "--base-python", "no/such")
    assert "base: /bin/true has perfcore it said nothing" in refused("first", "--base-python", "/bin/true")
    monkeypatch.setattr(sides, "_probe", lambda _side: None)  # the rest needs no probing, which takes most of the time
    assert "'3' is no number of pairs; give 4 to 100" in refused("first", "--max-pairs", "3")
    assert "in common: base has 1 benchmarks of its own and head 1" in refused("first")
    off = refused("first", "--", *PLUGINS, "--perfcore=off")
    assert "perfcore does not run the benchmarks: --perfcore=off" in off
    unknown = refused("first", "--", *PLUGINS, "--no-such-option")
    assert "base: first" in unknown
    assert "exit code 4: " in unknown
    assert "--no-such-option" in unknown
    repository.commit(test_work__py="def test_a(): pass\n")
    assert "no benchmark on either side; name their folder" in refused("HEAD")
    repository.write(test_work__py="def test_a(\n")
    broken = refused("first")
    assert "in common: head: cannot collect test_work.py: " in broken
    assert "SyntaxError" in broken
    repository.write(pyproject__toml="[tool.perfcore.ab]\ninstall = 3\n")
    assert "tool.perfcore.ab.install: must be a command, not 3" in refused("first")


def test_trees(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a subfolder, out of a hook of git's, with hooks of the user's own; folders in the place of revisions."""
    (repository.folder / "sub").mkdir()
    first = repository.commit(work__py=SAME, **{"sub/test_work__py": "one\n"})
    repository.commit(**{"sub/test_work__py": "two\n"})
    hook = repository.folder / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    repository.git("tag", "main", first)  # so that the name is ambiguous, which git warns of
    hook.write_text("#!/bin/sh\necho hooked >&2; exit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(repository.temporary))
    monkeypatch.setattr(sides, "_probe", lambda _side: None)
    with Workspace(repository.folder / "sub", None) as workspace:
        monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
        base, head = workspace.sides("main", None, None, sys.executable)
        monkeypatch.delenv("GIT_DIR")
        assert base.label == f"main ({first[:9]})"
        assert base.folder == base.root / "sub"
        assert base.root.is_relative_to(repository.temporary)
        assert (base.folder / "test_work.py").read_text() == "one\n"
        assert set(base.outside) == {repository.folder}
        assert (head.folder, head.root) == (repository.folder / "sub", repository.folder)
        assert (head.python, head.installed, head.outside) == (sys.executable, True, ())
    repository.assert_clean()
    empty = repository.git("commit-tree", "-m", "empty", EMPTY_TREE)
    missing = r"base: .* has no folder sub; start where both sides have one"
    with Workspace(repository.folder / "sub", None) as workspace, pytest.raises(SuiteError, match=missing):
        workspace.sides(empty, None, None, None)
    repository.assert_clean()
    with Workspace(repository.temporary.parent, None) as workspace:
        base, head = workspace.sides("./repository", str(repository.folder / "sub"), None, None)
        assert (base.label, base.root) == ("./repository", repository.folder)
        assert head.root == head.folder == repository.folder / "sub"
        with pytest.raises(SuiteError, match=r"git rev-parse in .*: fatal: not a git repository"):
            workspace.sides("main", None, None, None)


INSTALL = """\
import pathlib, shutil, sys, sysconfig
if pathlib.Path("broken").exists():
    print("compiling", file=sys.stderr)
    sys.exit("work.py:1: it does not build")
shutil.copy("work.py", sysconfig.get_path("purelib") + "/installed_work.py")
"""


def test_install_command(repository: Repository) -> None:
    """Each side runs what its own tree installs, in an environment of its own; a build that fails is quoted."""
    test = "import installed_work\ndef test_work(benchmark): benchmark(installed_work.changed, 2000)\n"
    files = {"install__py": INSTALL, "test_work__py": test}
    repository.commit(**files, work__py=SAME)
    repository.write(work__py=SLOWER, pyproject__toml="[tool.perfcore.ab]\ninstall = 'python install.py'\n")
    _, found = judged(repository.ab("main", "--json", "--threshold", "20%", "--max-pairs", 4))
    assert found["test_work"]["ratio"] > 1.1

    repository.write(broken="")
    done = repository.ab("main")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("perfcore: error: head: working tree (")
    assert done.stderr.endswith(
        "`python install.py` failed with exit code 1: compiling | work.py:1: it does not build\n"
    )


@pytest.mark.parametrize("as_used", [False, True], ids=["all-pairs", "as-used"])
def test_the_battery_runs(tmp_path: Path, as_used: bool) -> None:
    """One real comparison of ``python -m benchmarks.noise``, which the log keeps; counts of it."""
    root = str(Path(__file__).resolve().parents[2])  # at the path's end: an installed perfcore wins over the tree's
    program = f"import sys; sys.path.append({root!r}); from benchmarks.noise.cli import main; sys.exit(main())"
    options = ["--quick", "--pairs", "5", "--kind", "text", "--slowdown", "50%", *["--as-used"] * as_used]
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *options, "--log", tmp_path / "log", "--json", tmp_path / "counts"],
        env=os.environ
        | {
            "PYTHONUTF8": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": ",".join(PLUGINS[1::2]),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done
    (line,) = (tmp_path / "log").read_text().splitlines()
    benchmarks = json.loads(line)["benchmarks"]
    assert [one["name"] for one in benchmarks] == [f"test_text_{name}[0400]" for name in ("count", "render", "bytes")]
    if as_used:
        assert {one["status"] for one in benchmarks} <= {"regression", "undecided"}
        assert all(len(one["effects"]) == 5 for one in benchmarks if one["status"] == "undecided")
    else:
        assert [len(one["effects"]) for one in benchmarks] == [5, 5, 5]  # also of those that are decided
    (_, row) = json.loads((tmp_path / "counts").read_text())["rows"]
    assert row["benchmarks"] == 3
    assert row["ok"]["count"] == 0
    assert "+50 %" in done.stdout
