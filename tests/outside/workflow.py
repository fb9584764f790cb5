# SPDX-License-Identifier: MIT
"""Runs a workflow of GitHub Actions on this machine: its jobs, every step in order, from a clean clone.

    python tests/outside/workflow.py .github/workflows/performance.yml --event push
    python tests/outside/workflow.py .github/workflows/performance.yml --event pull_request --head BRANCH --base main
    python tests/outside/workflow.py .github/workflows/ci.yml --job test --matrix python=3.12

What is committed counts, not the working tree. ``--list`` says which steps an event would run. apt-get is not called
(``--apt`` calls it); see `runner` for what else stands in for GitHub. Exit code: 0 every job passed, 1 one failed, 2
the workflow could not be run, with one line on stderr.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # for python -P

from expressions import ExpressionError, fill, holds, text
from runner import Job, StepError, load, plan

EVENTS = ("push", "pull_request", "schedule", "workflow_dispatch", "workflow_run")
NUMBER = 7


class UsageError(Exception):
    """One line that says what is wrong."""


def pairs(words: list[str]) -> dict[str, str]:
    """Return NAME=VALUE arguments as a dictionary."""
    for word in words:
        if "=" not in word:
            raise UsageError(f"{word}: expected NAME=VALUE")
    return dict(word.split("=", 1) for word in words)


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it prints."""
    who = ("-c", "user.name=workflow.py", "-c", "user.email=workflow@example.org")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UsageError(f"git {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def prepare(options: argparse.Namespace, work: Path) -> tuple[Path, dict[str, Any]]:
    """Make the repository that a checkout fetches from; return it with the context ``github`` of the event."""
    origin = work / "origin.git"
    git(work, "clone", "--quiet", "--bare", str(options.source.resolve()), str(origin))
    head = git(options.source, "rev-parse", "--verify", f"{options.head}^{{commit}}")
    git(origin, "fetch", "--quiet", str(options.source.resolve()), head)
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    base = git(options.source, "rev-parse", "--verify", f"{options.base or head + '^'}^{{commit}}")
    github: dict[str, Any] = {
        "event_name": options.event,
        "ref": f"refs/heads/{options.branch}",
        "sha": head,
        "head_ref": "",
        "base_ref": "",
        "run_id": str(time.time_ns() // 1_000_000),
        "token": "no-token",
        "repository": "somebody/perfcore",
        "event": {},
    }
    if options.event == "push":
        message = git(options.source, "log", "-1", "--format=%B", head)
        github["event"] = {"before": base, "after": head, "head_commit": {"id": head, "message": message}}
    elif options.event == "pull_request":
        # What GitHub checks out: the head merged into the target.
        tree = git(origin, "merge-tree", "--write-tree", base, head).splitlines()[0]
        merged = git(origin, "commit-tree", tree, "-p", base, "-p", head, "-m", f"Merge {head} into {base}")
        git(origin, "update-ref", f"refs/pull/{NUMBER}/merge", merged)
        github |= {"ref": f"refs/pull/{NUMBER}/merge", "sha": merged, "head_ref": "change", "base_ref": options.branch}
        github["event"] = {
            "number": NUMBER,
            "pull_request": {"number": NUMBER, "base": {"sha": base}, "head": {"sha": head}},
        }
    elif options.event == "workflow_run":
        github["event"] = {"workflow_run": {"event": "pull_request", "id": 1, "head_sha": head}}
    if options.event != "pull_request":
        git(origin, "update-ref", github["ref"], head)
    return origin, github


def inputs(workflow: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Return the context ``inputs``: of workflow_dispatch, what is given or the defaults; empty for other events."""
    given = pairs(options.input)
    if options.event != "workflow_dispatch":
        if given:
            raise UsageError("--input is for --event workflow_dispatch")
        return {}
    known = (workflow["on"].get("workflow_dispatch") or {}).get("inputs") or {}
    if unknown := given.keys() - known.keys():
        raise UsageError(f"the workflow has no input {', '.join(sorted(unknown))}")
    values = {name: given.get(name, about.get("default", "")) for name, about in known.items()}
    return {
        name: text(value).lower() == "true" if known[name].get("type") == "boolean" else value
        for name, value in values.items()
    }


def rows(job: dict[str, Any], wanted: dict[str, str]) -> list[dict[str, Any]]:
    """Return the rows of a job's matrix that agree with what is wanted; one empty row where there is none."""
    matrix = job.get("strategy", {}).get("matrix", {})
    if special := matrix.keys() & {"include", "exclude"}:
        raise UsageError(f"a matrix with {special.pop()} is not understood here")
    made = [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]
    return [row for row in made if all(text(row.get(name, value)) == value for name, value in wanted.items())]


def run(options: argparse.Namespace, work: Path) -> bool:
    """Run the jobs one after the other; return whether all passed."""
    workflow = load(options.workflow)
    triggers = workflow["on"] if isinstance(workflow["on"], dict | list) else [workflow["on"]]
    if options.event not in triggers:
        raise UsageError(f"{options.workflow.name} does not start on {options.event}")
    if unknown := set(options.job) - workflow["jobs"].keys():
        raise UsageError(f"there is no job {', '.join(sorted(unknown))}")
    origin, github = prepare(options, work)
    shared = (options.shared or work / "shared").resolve()
    if options.event != "workflow_run" and not options.list:  # that one takes what the run before it has left
        for old in (shared / "artifacts", *shared.glob("summary-*.md")):
            shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    (shared / "artifacts").mkdir(parents=True, exist_ok=True)
    (shared / "caches").mkdir(exist_ok=True)
    results: dict[str, bool] = {}
    for key, job in workflow["jobs"].items():
        if options.job and key not in options.job:
            continue
        for row in rows(job, pairs(options.matrix)):
            folder = work / "-".join([key, *map(text, row.values())])
            contexts: dict[str, Any] = {
                "github": github,
                "inputs": inputs(workflow, options),
                "matrix": row,
                "secrets": {},
                "env": {},
                "steps": {},
                "runner": {"temp": str(folder / "temp"), "os": "Linux"},
            }
            environment = {}
            for level in (workflow, job):
                environment |= {name: fill(value, contexts) for name, value in level.get("env", {}).items()}
                contexts["env"] = environment
            name = " ".join([key, *(f"({name} {value})" for name, value in row.items())])
            if "if" in job and not holds(job["if"], contexts, "success"):
                print(f"\n== {name}: skipped, {job['if']}")
                continue
            if options.list:
                print(f"\n== {name}")
                plan(job["steps"], contexts)
                continue
            environment |= {
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_EVENT_NAME": options.event,
                "GITHUB_REF": github["ref"],
                "GITHUB_REPOSITORY": github["repository"],
                "GITHUB_RUN_ID": github["run_id"],
                "GITHUB_SHA": github["sha"],
                "RUNNER_OS": "Linux",
                **pairs(options.env),
            }
            limit_s = 60.0 * job.get("timeout-minutes", 360)
            one = Job(
                name,
                job["steps"],
                contexts,
                folder,
                shared,
                origin,
                limit_s,
                pairs(options.with_),
                options.apt,
                environment,
            )
            results[name] = one.run()
    if not results and not options.list:
        raise UsageError("no job is left to run")
    if results:
        print(f"\nartifacts and summaries: {shared}")
        print("\n".join(f"{name}: {'passed' if passed else 'FAILED'}" for name, passed in results.items()))
    return all(results.values())


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(prog="workflow.py", description="Run a workflow of GitHub Actions on this machine.")
    made.add_argument(
        "workflow", type=Path, metavar="WORKFLOW", help="a file, such as .github/workflows/performance.yml"
    )
    made.add_argument("--event", choices=EVENTS, default="push", help="what starts it (push)")
    made.add_argument("--source", type=Path, default=Path(), help="the repository (the current folder's)")
    made.add_argument("--head", default="HEAD", help="the commit that is pushed, or the pull request's head (HEAD)")
    made.add_argument("--base", help="the commit before the push, or the pull request's target (the head's parent)")
    made.add_argument("--branch", default="main", help="the branch pushed to, or the target (main)")
    made.add_argument("--job", action="append", default=[], help="only this job; repeatable")
    made.add_argument(
        "--matrix", action="append", default=[], metavar="KEY=VALUE", help="only these rows of the matrix"
    )
    made.add_argument("--input", action="append", default=[], metavar="NAME=VALUE", help="of workflow_dispatch")
    made.add_argument(
        "--with",
        dest="with_",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="put over a local action's input",
    )
    made.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="one more variable for all steps"
    )
    made.add_argument("--work", type=Path, help="a folder for everything, which must not exist (a new one, kept)")
    made.add_argument(
        "--shared", type=Path, help="the folder of caches, artifacts and summaries, to use the caches of a run before"
    )
    made.add_argument("--apt", action="store_true", help="call apt-get and sudo where the steps do")
    made.add_argument("--list", action="store_true", help="only say which steps would run")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parser().parse_args(arguments)
    try:
        if options.list:
            with tempfile.TemporaryDirectory() as scratch:
                run(options, Path(scratch))
            return 0
        if options.work:
            options.work.mkdir(parents=True)
        work = options.work.resolve() if options.work else Path(tempfile.mkdtemp(prefix="workflow-"))
        return 0 if run(options, work) else 1
    except (UsageError, ExpressionError, StepError, OSError) as error:
        print(f"workflow.py: error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
