# SPDX-License-Identifier: MIT
"""One job of a workflow, its steps in order, on this machine instead of GitHub's.

``run:`` steps are run as the runner does: in bash, with the environment of workflow, job and step, with the files
behind GITHUB_OUTPUT, GITHUB_ENV, GITHUB_PATH and GITHUB_STEP_SUMMARY, under the job's time limit. Local composite
actions are gone into. Other people's actions are never fetched: for those in ``STAND_INS`` there is one of ours that
does on this disk what the workflow counts on; every other one is skipped. Both are said.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from expressions import fill, holds, text
from ruamel.yaml import YAML

BASH = ["bash", "-e"]
BASH_OF_ACTIONS = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
KEPT = (
    "HOME",
    "LANG",
    "TZ",
    "USER",
    "SSL_CERT_FILE",
    "PIP_",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP",
    "NO_PROXY",
)


class StepError(Exception):
    """One line: why a step failed."""


def load(path: Path) -> Any:
    """Read a YAML file."""
    return YAML(typ="safe").load(path)


def assignments(path: Path) -> dict[str, str]:
    """Read what a step wrote to GITHUB_OUTPUT or GITHUB_ENV: ``name=value``, or ``name<<END`` and lines."""
    found: dict[str, str] = {}
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if long := re.fullmatch(r"([\w-]+)<<(\S+)", line):
            value = []
            for following in lines:
                if following == long[2]:
                    break
                value.append(following)
            found[long[1]] = "\n".join(value)
        elif line:
            name, _, found_value = line.partition("=")
            found[name] = found_value
    return found


@dataclass
class Job:
    """One job with one row of its matrix."""

    name: str
    steps: list[dict[str, Any]]
    contexts: dict[str, Any]
    folder: Path  # of this job alone
    shared: Path  # artifacts and caches, of all jobs
    origin: Path  # the repository that a checkout fetches from
    limit_s: float
    inputs: dict[str, str] = field(default_factory=dict)  # put in place of a local action's `with`
    apt: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    failed: bool = False

    def __post_init__(self) -> None:
        for name in ("workspace", "temp", "shims"):
            (self.folder / name).mkdir(parents=True)
        self.workspace = self.folder / "workspace"
        self.deadline = time.monotonic() + self.limit_s
        if not self.apt:
            for name in ("apt-get", "sudo"):
                shim = self.folder / "shims" / name
                action = 'exec "$@"' if name == "sudo" else 'echo "(not run here: apt-get $*)"'
                shim.write_text(f"#!/bin/sh\n{action}\n")
                shim.chmod(0o755)
            self.path.append(str(self.folder / "shims"))

    def run(self) -> bool:
        """Run all steps; return whether the job passed."""
        print(f"\n== {self.name}", flush=True)
        self.failed = self._run_steps(self.steps, self.contexts, "", None)
        print(f"== {self.name}: {'FAILED' if self.failed else 'passed'}", flush=True)
        return not self.failed

    def _run_steps(
        self, steps: list[dict[str, Any]], contexts: dict[str, Any], prefix: str, action: Path | None
    ) -> bool:
        """Run steps, and put their outputs into the contexts' ``steps``; return whether one failed."""
        failed = False
        contexts["steps"] = {}
        for number, step in enumerate(steps, 1):
            label = f"{prefix}{number} {step.get('name') or step.get('uses') or 'run'}"
            status = "failure" if failed else "success"
            if not holds(step.get("if"), contexts, status):
                print(f"-- {label}: skipped, {step.get('if', 'a step before it failed')}", flush=True)
                continue
            began, outputs, outcome = time.monotonic(), {}, "success"
            try:
                if "run" in step:
                    print(f"-- {label}", flush=True)
                    outputs = self._shell(step, contexts, action)
                    print(f"-- {label}: ok ({time.monotonic() - began:.0f} s)", flush=True)
                else:
                    outputs = self._use(step, contexts, label, f"{prefix}{number}.")
            except StepError as error:
                outcome = "failure"
                print(f"-- {label}: FAILED ({error}, {time.monotonic() - began:.0f} s)", flush=True)
                failed = failed or not step.get("continue-on-error", False)
            if "id" in step:
                contexts["steps"][step["id"]] = {"outputs": outputs, "outcome": outcome, "conclusion": outcome}
        return failed

    # --- run: --------------------------------------------------------------------------------------------------------

    def _shell(self, step: Mapping[str, Any], contexts: dict[str, Any], action: Path | None) -> dict[str, str]:
        script = self.folder / "temp" / "step.sh"
        script.write_text(fill(step["run"], contexts), encoding="utf-8")
        files = {name: self.folder / f"GITHUB_{name}" for name in ("OUTPUT", "ENV", "PATH")}
        for path in files.values():
            path.write_text("")
        summary = self.shared / f"summary-{self.folder.name}.md"
        summary.touch()
        environment = {
            **{name: value for name, value in os.environ.items() if name.startswith(KEPT)},
            **self.environment,
            **{name: fill(value, contexts) for name, value in step.get("env", {}).items()},
            **{f"GITHUB_{name}": str(path) for name, path in files.items()},
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "PATH": ":".join([*reversed(self.path), os.environ["PATH"]]),
            **({"GITHUB_ACTION_PATH": str(action)} if action else {}),
        }
        shell = BASH_OF_ACTIONS if step.get("shell") == "bash" else BASH
        folder = self.workspace / fill(step.get("working-directory", "."), contexts)
        process = subprocess.Popen(
            [*shell, str(script)], cwd=folder, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            code = process.wait(timeout=max(self.deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            raise StepError(f"the job took longer than {self.limit_s / 60:.0f} minutes") from None
        finally:
            if process.poll() is None:  # its time is over, or ours: Ctrl-C
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.environment |= assignments(files["ENV"])
        contexts["env"] = {**contexts["env"], **assignments(files["ENV"])}
        self.path += files["PATH"].read_text().split()
        outputs = assignments(files["OUTPUT"])
        if code != 0:
            raise StepError(f"exit code {code}")
        return outputs

    # --- uses: -------------------------------------------------------------------------------------------------------

    def _use(self, step: Mapping[str, Any], contexts: dict[str, Any], label: str, prefix: str) -> dict[str, str]:
        given = {name: fill(value, contexts) for name, value in step.get("with", {}).items()}
        if step["uses"].startswith("./"):
            return self._use_local(step["uses"], given, contexts, label, prefix)
        if (stand_in := STAND_INS.get(step["uses"].partition("@")[0])) is None:
            print(f"-- {label}: not run here", flush=True)
            return {}
        print(f"-- {label}: stood in for: {stand_in(self, given)}", flush=True)
        return {}

    def _use_local(
        self, where: str, given: dict[str, str], contexts: dict[str, Any], label: str, prefix: str
    ) -> dict[str, str]:
        folder = self.workspace / where
        if not (folder / "action.yml").is_file():
            raise StepError(f"{where} has no action.yml: is there a checkout before it?")
        action = load(folder / "action.yml")
        known = action.get("inputs", {})
        unknown = (given.keys() | self.inputs.keys()) - known.keys()
        if unknown:
            raise StepError(f"{where} has no input {', '.join(sorted(unknown))}")
        if self.inputs:
            print(f"-- {label}: with {self.inputs} for this run", flush=True)
        defaults = {name: text(about.get("default", "")) for name, about in known.items()}
        inner = {**contexts, "inputs": {**defaults, **given, **self.inputs}}
        failed = self._run_steps(action["runs"]["steps"], inner, prefix, folder)
        if failed:
            raise StepError("a step of the action failed")
        return {name: fill(about["value"], inner) for name, about in action.get("outputs", {}).items()}

    # --- stand-ins ---------------------------------------------------------------------------------------------------

    def git(self, *arguments: str) -> str:
        """Run git in the workspace and return what it prints."""
        done = subprocess.run(["git", *arguments], cwd=self.workspace, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StepError(f"git {arguments[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def check_out(self, given: Mapping[str, str]) -> str:
        depth = int(given.get("fetch-depth", "1"))
        github = self.contexts["github"]
        self.git("init", "--quiet")
        self.git("remote", "add", "origin", self.origin.as_uri())
        every = ["+refs/heads/*:refs/remotes/origin/*", "--tags"] if depth == 0 else [f"--depth={depth}"]
        self.git("fetch", "--quiet", "origin", *every, f"+{github['ref']}:refs/remotes/perfcore/here")
        self.git("-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", github["sha"])
        return f"{github['sha'][:9]} of {github['ref']}, {'all' if depth == 0 else depth} of its history"

    def set_up_python(self, given: Mapping[str, str]) -> str:
        version = given["python-version"]
        venv = self.folder / f"python-{version}"
        for candidate in (
            f"python{version}",
            *sorted(glob.glob(f"{Path.home()}/.pyenv/versions/{version}.*/bin/python")),
        ):
            probe = "import sys; print('%d.%d' % sys.version_info[:2])"
            if (found := shutil.which(candidate)) is None:
                continue
            said = subprocess.run([found, "-c", probe], capture_output=True, text=True, check=False)
            if said.stdout.strip() == version:
                subprocess.run([found, "-m", "venv", str(venv)], check=True)
                self.path.append(str(venv / "bin"))
                return f"a virtual environment of {found}"
        raise StepError(f"there is no Python {version} on this machine")

    def upload(self, given: Mapping[str, str]) -> str:
        into = self.shared / "artifacts" / given.get("name", "artifact")
        if into.exists():
            raise StepError(f"a second artifact is called {into.name}")
        hidden = given.get("include-hidden-files") == "true"
        found: dict[Path, Path] = {}
        for pattern in given["path"].split():
            for match in glob.glob(str(self.workspace / pattern), include_hidden=True):
                path = Path(match)
                top = path if path.is_dir() else path.parent
                for file in [path] if path.is_file() else path.rglob("*"):
                    name = file.relative_to(top)
                    if file.is_file() and (hidden or not any(part.startswith(".") for part in name.parts)):
                        found[name] = file
        if not found:
            if given.get("if-no-files-found", "warn") == "error":
                raise StepError(f"no files at {given['path']}")
            return f"no files at {given['path']}"
        for name, file in found.items():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, into / name)
        return f"{len(found)} files in artifact {into.name}, {given.get('retention-days', 'the default of')} days"

    def download(self, given: Mapping[str, str]) -> str:
        found = sorted((self.shared / "artifacts").glob(given.get("pattern", "*")))
        for folder in found:
            shutil.copytree(folder, self.workspace / given["path"] / folder.name)
        return ", ".join(folder.name for folder in found) or "no artifact"

    def restore(self, given: Mapping[str, str]) -> str:
        caches = sorted((self.shared / "caches").glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for prefix in (given["key"], *given.get("restore-keys", "").split()):
            for folder in caches:
                if folder.name.startswith(prefix):
                    shutil.copytree(folder, self.workspace / given["path"], dirs_exist_ok=True)
                    return f"restored {folder.name}"
        return "no cache"

    def save(self, given: Mapping[str, str]) -> str:
        if not (self.workspace / given["path"]).is_dir():
            raise StepError(f"nothing to keep at {given['path']}")
        shutil.copytree(self.workspace / given["path"], self.shared / "caches" / given["key"])
        return f"kept {given['key']}"


STAND_INS: dict[str, Callable[[Job, Mapping[str, str]], str]] = {
    "actions/checkout": Job.check_out,
    "actions/setup-python": Job.set_up_python,
    "actions/upload-artifact": Job.upload,
    "actions/download-artifact": Job.download,
    "actions/cache/restore": Job.restore,
    "actions/cache/save": Job.save,
}


def plan(steps: list[dict[str, Any]], contexts: dict[str, Any]) -> None:
    """Print which steps a job would run if none failed; the outputs of steps are empty then."""
    for number, step in enumerate(steps, 1):
        runs = holds(step.get("if"), {**contexts, "steps": {}}, "success")
        for value in (*step.get("env", {}).values(), *step.get("with", {}).values(), step.get("run", "")):
            fill(value, {**contexts, "steps": {}})
        print(f"-- {number} {step.get('name') or step.get('uses') or 'run'}: {'runs' if runs else 'skipped'}")
