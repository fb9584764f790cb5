# SPDX-License-Identifier: MIT
"""tests/outside/workflow.py: that it does what GitHub does, and which steps of our workflows each event runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from results_files import benchmark, write

pytest.importorskip("ruamel.yaml")
ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ROOT / "tests/outside"
sys.path.insert(0, str(OUTSIDE))
import expressions  # noqa: E402
import runner  # noqa: E402
import workflow  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

CONTEXTS: dict[str, Any] = {
    "github": {"ref": "refs/heads/main", "event": {"pull_request": {"number": 7}}, "labels": ["bug", "Docs"]},
    "inputs": {"quick": False, "seconds": "0"},
    "matrix": {"python": "3.12", "os-name": "linux"},
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("github.ref == 'refs/heads/main' && github.event.pull_request.number == 7", True),
        ("github.event.head_commit.message", None),
        ("github.missing == ''", True),
        ("'MAIN' == 'main'", True),
        ("'it''s'", "it's"),
        ("inputs.quick || 'default'", "default"),
        ("inputs.seconds && inputs.seconds || '600'", "0"),
        ("!(1 < 2) || 2 >= 2.0", True),
        ("'abc' == 0", False),
        ("null == 0", True),
        ("contains(github.labels, 'docs') && startsWith(github.ref, 'refs/') && !endsWith(github.ref, 'x')", True),
        ("format('{0}-{1}', matrix.python, matrix['os-name'])", "3.12-linux"),
    ],
)
def test_expressions(source: str, value: Any) -> None:
    assert expressions.evaluate(source, CONTEXTS) == value


@pytest.mark.parametrize(
    ("source", "said"),
    [("nothing.of.that", "context nothing"), ("rm('x')", "function rm"), ("1 +", "cannot read"), ("(1", "expected )")],
)
def test_what_is_not_understood_is_an_error(source: str, said: str) -> None:
    with pytest.raises(expressions.ExpressionError, match=re.escape(said)):
        expressions.evaluate(source, CONTEXTS)


@pytest.mark.parametrize(
    ("condition", "succeeded", "failed"),
    [(None, True, False), ("always()", True, True), ("failure()", False, True), ("${{ 1 == 1 }}", True, False)],
)
def test_conditions(condition: str | None, succeeded: bool, failed: bool) -> None:
    assert expressions.holds(condition, CONTEXTS, "success") is succeeded
    assert expressions.holds(condition, CONTEXTS, "failure") is failed


WORKFLOW = """\
on: [push, pull_request]
env:
  LEVEL: workflow
jobs:
  first:
    strategy:
      matrix: {row: [a, b]}
    env: {ROW: "${{ matrix.row }}"}
    timeout-minutes: 1
    steps:
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}
      - run: |
          test "$LEVEL-$ROW-$CI" = "workflow-${{ matrix.row }}-true"
          test "$(git rev-parse HEAD)" = "$GITHUB_SHA"
          echo "SEEN=yes" >>"$GITHUB_ENV"
          printf 'text<<END\\none\\ntwo\\nEND\\n' >>"$GITHUB_OUTPUT"
        id: told
      - uses: ./action
        id: inner
        with: {word: "${{ steps.told.outputs.text }}"}
      - run: test "$SEEN" = yes && test "${{ steps.inner.outputs.back }}" = "two!"
      - uses: somebody/else@v1
      - if: matrix.row == 'b'
        run: exit 3
      - run: echo never >never-${{ matrix.row }}
      - if: always()
        uses: actions/upload-artifact@v4
        with: {name: "left-${{ matrix.row }}", path: "never-*", if-no-files-found: ignore}
"""
ACTION = """\
inputs:
  word: {default: none}
outputs:
  back: {value: "${{ steps.last.outputs.back }}"}
runs:
  using: composite
  steps:
    - shell: bash
      id: last
      env: {WORD: "${{ inputs.word }}"}
      run: |
        test -f "$GITHUB_ACTION_PATH/action.yml"
        echo "back=$(echo "$WORD" | tail -n 1)!" >>"$GITHUB_OUTPUT"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "action").mkdir(parents=True)
    (folder / "action/action.yml").write_text(ACTION)
    (folder / "flow.yml").write_text(WORKFLOW)
    for command in (
        "init --quiet --initial-branch=main",
        "add --all",
        "commit --quiet -m one",
        "commit --quiet -m two",
    ):
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
        words = [*command.split(), *(["--allow-empty"] if "two" in command else [])]
        subprocess.run(["git", *who, *words], cwd=folder, check=True)
    return folder


def test_a_whole_workflow(repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    work = repository.parent / "work"
    flow = str(repository / "flow.yml")
    code = workflow.main([flow, "--event", "pull_request", "--source", str(repository), "--work", str(work)])
    out = capfd.readouterr().out
    assert code == 1, out
    assert "first (row a): passed\nfirst (row b): FAILED\n" in out
    assert out.count("somebody/else@v1: not run here") == 2
    assert "6 run: FAILED (exit code 3" in out
    assert "7 run: skipped" in out
    assert [path.name for path in (work / "shared/artifacts").rglob("never*")] == ["never-a"]
    assert "refs/pull/7/merge, all of its history" in out
    # A second run keeps the caches of the first, not its artifacts.
    (work / "shared/caches/kept").mkdir()
    again = [flow, "--source", str(repository), "--work", str(work / "again"), "--shared", str(work / "shared")]
    assert workflow.main([*again, "--matrix", "row=a"]) == 0
    assert [path.name for path in (work / "shared/caches").iterdir()] == ["kept"]
    assert [path.name for path in (work / "shared").glob("*.md")] == ["summary-first-a.md"]


def test_wrong_usage(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flow = str(repository / "flow.yml")
    for arguments in (["--event", "schedule"], ["--job", "second"], ["--head", "nowhere"], ["--input", "a=b"]):
        assert workflow.main([flow, "--source", str(repository), "--list", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1


# --- our own workflows ---------------------------------------------------------------------------------------------


def steps(name: str, event: str, repository: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """Return which steps run, on one line each; every expression of the workflow has been evaluated then."""
    path = str(ROOT / ".github/workflows" / name)
    assert workflow.main([path, "--event", event, "--source", str(repository), "--list", *more]) == 0
    return re.sub(r"@[0-9a-f]{40}", "", capsys.readouterr().out)


def test_performance_by_event(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = {
        event: steps("performance.yml", event, repository, capsys)
        for event in ("push", "pull_request", "schedule", "workflow_dispatch")
    }
    for event, said in seen.items():
        for python in ("3.11", "3.12"):
            assert f"== benchmark (python {python})\n" in said
            # The A/B against the commit before decides, where there is one.
            decides = event in {"push", "pull_request"}
            assert (f"== compare (python {python})\n" in said) is decides
        # Like is compared with like: quick runs with a baseline, whole ones in the history. What is stored is main's;
        # the dashboard is kept where it is asked for.
        whole = event in {"schedule", "workflow_dispatch"}
        assert ("5 What the stored baseline says: runs" in said) is not whole
        assert ("6 Baseline: runs" in said) is (event == "push")
        assert ("7 History: runs" in said) is whole
        assert ("8 actions/cache/save: runs" in said) is (event != "pull_request")
        assert ("10 actions/upload-artifact: runs" in said) is whole
    for given in ("quick", "update_baseline"):
        said = steps("performance.yml", "workflow_dispatch", repository, capsys, "--input", f"{given}=true")
        assert "6 Baseline: runs" in said
        assert "7 History: skipped" in said
    for event, step in (("push", "6 Baseline"), ("workflow_dispatch", "7 History")):
        said = steps("performance.yml", event, repository, capsys, "--branch", "develop", "--job", "benchmark")
        assert f"{step}: skipped" in said
        assert "8 actions/cache/save: skipped" in said


def test_no_push_takes_another_s_place() -> None:
    """GitHub keeps one waiting run of a group: each push is judged; of a pull request only its newest state."""

    def group(event: str, ref: str, sha: str) -> str:
        github = {"event_name": event, "ref": ref, "sha": sha}
        return expressions.fill(runner.load(path)["concurrency"]["group"], {"github": github})

    path = ROOT / ".github/workflows/performance.yml"
    main, change = "refs/heads/main", "refs/pull/7/merge"
    assert len({group("push", main, sha) for sha in ("a", "b", "c")} | {group("schedule", main, "c")}) == 4
    assert group("pull_request", change, "a") == group("pull_request", change, "b")
    # These write the history, one after the other.
    assert group("schedule", main, "a") == group("workflow_dispatch", main, "b")


@pytest.mark.parametrize(
    ("name", "event", "jobs"),
    [
        ("ci.yml", "push", 2),
        ("ci.yml", "pull_request", 2),
        ("sanitize.yml", "schedule", 4),
        ("sanitize.yml", "workflow_dispatch", 4),
        ("wheels.yml", "pull_request", 3),
        ("performance-comment.yml", "workflow_run", 1),
    ],
)
def test_the_others_by_event(
    name: str, event: str, jobs: int, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = steps(name, event, repository, capsys)
    assert said.count("\n== ") == jobs
    kept = re.sub(r"\d actions/upload-artifact: skipped", "", said)  # sanitize keeps what failed
    assert "skipped" not in kept


# What stands for a checkout after its benchmarks: their script only notes how it was called.
SCRIPT = """\
#!/bin/sh
printf '%s\\n' "$*"
mkdir -p benchmarks/results/dashboard && touch benchmarks/results/dashboard/report.html
cp measured.json benchmarks/results/latest.json
"""


def test_the_steps_of_the_benchmark_job(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step of performance.yml after the measuring, with the real perfcore: each event, and what it leaves."""
    monkeypatch.setitem(runner.STAND_INS, "actions/setup-python", lambda job, given: "this Python")
    folder, shared = tmp_path / "repository", tmp_path / "shared"
    for name, content in {
        ".venv/bin/perfcore": f'#!/bin/sh\nexec {sys.executable} -P -m perfcore "$@"\n',
        "benchmarks/run_performance_benchmarks.sh": SCRIPT,
    }.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(content)
        (folder / name).chmod(0o755)

    def run(median: float, event: str, *more: str) -> str:
        number = len(list(tmp_path.glob("work-*")))
        write(folder / "measured.json", benchmark("a", median=median), benchmark("b"))
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
        for words in (
            ["init", "-q", "-b", "main"],
            ["add", "-A"],
            ["commit", "-qm", "Faster [profile]", "--allow-empty"],
        ):
            subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
        arguments = ["--event", event, "--job", "benchmark", "--matrix", "python=3.12", "--shared", str(shared)]
        arguments += ["--source", str(folder), "--work", str(tmp_path / f"work-{number}"), "--base", "HEAD", *more]
        code = workflow.main([str(ROOT / ".github/workflows/performance.yml"), *arguments])
        out = capfd.readouterr().out
        assert code == 0, out
        return out

    def stored() -> str:
        newest = max((shared / "caches").glob("performance-quick-3.12-*"), key=lambda path: path.stat().st_mtime)
        return (newest / "baseline.json").read_text()

    out = run(1e-6, "push")
    assert "--python 3.12 --quick --profile\n" in out
    assert "no stored baseline yet" in out
    first = stored()
    run(1.01e-6, "push")
    assert (slightly := stored()) != first, "what passes on main is the next baseline"
    out = run(2e-6, "push")
    assert "the check FAILED, so the baseline stays as it is" in out
    assert stored() == slightly
    out = run(1e-6, "schedule")
    assert "--python 3.12\n" in out
    assert "1 run added" in out
    assert stored() == slightly, "the nightly run is longer than those that are checked against it"
    (kept,) = (shared / "caches").glob("performance-whole-3.12-*")
    assert [path.name for path in kept.iterdir()] == ["history.db"]
    given = ["--input", "filter=a", "--input", "update_baseline=true"]
    out = run(2e-6, "workflow_dispatch", *given)
    assert "--python 3.12 --quick --filter a\n" in out
    assert "::warning::slower than the stored baseline" in out
    assert stored() == slightly, "a filtered run makes no baseline"
    assert (shared / "artifacts/dashboard-3.12/report.html").exists()
    out = run(2e-6, "pull_request")
    assert "--python 3.12 --quick\n" in out
    assert "6 Baseline: skipped" in out
    assert "7 History: skipped" in out
    assert len(list((shared / "caches").iterdir())) == 5
    run(2e-6, "workflow_dispatch", "--input", "update_baseline=true")
    assert stored() == (folder / "measured.json").read_text()
