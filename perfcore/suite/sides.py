# SPDX-License-Identifier: MIT
"""The two sides of ``perfcore ab`` as trees and interpreters: revisions, folders, the working tree.

Revisions are checked out with ``git worktree`` in a temporary folder, which the end of the `Workspace` removes, as far
as the process gets to its end at all.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from types import TracebackType
from typing import Self

from perfcore import __version__
from perfcore.config import find_pyproject
from perfcore.errors import SuiteError
from perfcore.suite.interrupts import put_off
from perfcore.suite.process import Side, last_lines, run_program

_INSTALL_S = 3600.0
_PROBE_S = 60.0


_GIT_S = 600.0
# What git tells its hooks of the repository that they run in; `perfcore ab` may be run by one.
_GIT_VARIABLES = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"}
)


def _git(folder: Path, *arguments: str) -> str:
    """Run git, without the user's hooks; return what it printed."""
    environment = {key: value for key, value in os.environ.items() if key not in _GIT_VARIABLES}
    command = ["git", "-c", f"core.hooksPath={os.devnull}", *arguments]
    try:
        done = run_program(command, folder=folder, environment=environment, timeout=_GIT_S)
    except OSError as error:
        raise SuiteError(f"git cannot be run ({error.strerror}); install it, or name folders, not revisions") from error
    except subprocess.TimeoutExpired:
        raise SuiteError(f"git {arguments[0]} in {folder}: not done after {_GIT_S:g} s") from None
    if done.code:
        raise SuiteError(f"git {arguments[0]} in {folder}: {last_lines(done.errors)}")
    return done.output.strip()


class Workspace:
    """Makes sides, and removes what it made for them.

    Args:
        start: where the user stands.
        install: the command that installs the project; None for none.

    """

    def __init__(self, start: Path, install: str | None) -> None:
        self._start = start.resolve()
        self._install = install
        self._pyproject = find_pyproject(self._start)
        self._top: Path | None = None
        self._worktrees: list[Path] = []
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        with put_off():
            self._temporary = tempfile.TemporaryDirectory(prefix="perfcore-ab-", ignore_cleanup_errors=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with put_off():
            if self._top is not None:
                for worktree in self._worktrees:
                    # Best effort, and quiet: the temporary folder goes anyway, and the last line forgets the tree then.
                    self._try_git("worktree", "remove", "--force", "--force", str(worktree))
            if self._temporary is not None:
                self._temporary.cleanup()
            if self._worktrees:
                self._try_git("worktree", "prune")

    def _try_git(self, *arguments: str) -> None:
        with contextlib.suppress(SuiteError):
            _git(self._top or self._start, *arguments)

    @property
    def _home(self) -> Path:
        assert self._temporary is not None, "a Workspace is used in a with statement"  # noqa: S101
        return Path(self._temporary.name).resolve()

    def sides(self, base: str | None, head: str | None, base_python: str | None, head_python: str | None) -> list[Side]:
        """Make both sides.

        Args:
            base: a revision or a folder; None for the working tree.
            head: the same.
            base_python: an interpreter in whose environment the project is installed; None for this one.
            head_python: the same.

        Raises:
            SuiteError: there is no such revision or interpreter, or the project does not build there.
            KeyboardInterrupt: whenever it comes; what was made is known, and goes with the workspace.

        """
        made = [self._side("base", base, base_python), self._side("head", head, head_python)]
        roots = {side.root for side in made}
        if self._top is not None:
            roots.add(self._top)
        sides = [side if side.installed else replace(side, outside=tuple(sorted(roots - {side.root}))) for side in made]
        for side in sides:
            _probe(side)
        return sides

    def _side(self, name: str, what: str | None, python: str | None) -> Side:
        label, root, folder = self._tree(name, what)
        if not folder.is_dir():
            raise SuiteError(
                f"{name}: {label} has no folder {folder.relative_to(root)}; start where both sides have one"
            )
        project = root if folder == root else self._project(root)  # a folder that was named is the project itself
        installed = python is not None
        if python is not None:
            label = f"{label} under {python}"
            python = self._find_python(name, python)
        elif self._install is not None:
            python = self._build(name, label, project)
            installed = True
        return Side(name, label, folder, root, python or sys.executable, installed, project=project)

    def _project(self, root: Path) -> Path:
        """Return the folder of a tree where the nearest pyproject.toml of the user's own is; else the tree's top."""
        home = self._pyproject.parent if self._pyproject is not None else None
        if home is None or self._top is None or not home.is_relative_to(self._top):
            return root
        folder = root / home.relative_to(self._top)
        return folder if folder.is_dir() else root

    def _find_python(self, name: str, python: str) -> str:
        """Return the path of an interpreter, which works from any folder; its links are the environment's, so kept."""
        found = os.path.abspath(self._start / python) if os.sep in python else shutil.which(python)
        if found is None or not os.access(found, os.X_OK) or not os.path.isfile(found):
            raise SuiteError(f"{name}: there is no interpreter {python}")
        return found

    def _tree(self, name: str, what: str | None) -> tuple[str, Path, Path]:
        """Return a label, the top of the tree, and the folder that stands for the user's own."""
        if what is None:
            top = self._find_top(required=False)
            return self._label_of_tree(top), top or self._start, self._start
        folder = (self._start / what).resolve()
        if folder.is_dir() and (os.sep in what or what.startswith(".") or self._commit(what) is None):
            return what, folder, folder
        top = self._find_top(required=True)
        commit = self._commit(what)
        if top is None or commit is None:
            raise SuiteError(f"{name}: {what!r} is no revision of {top or self._start}, and no folder")
        tree = self._home / name
        self._worktrees.append(tree)
        _git(top, "worktree", "add", "--quiet", "--force", "--detach", str(tree), commit)
        return f"{what} ({commit[:9]})", tree, tree / self._start.relative_to(top)

    def _label_of_tree(self, top: Path | None) -> str:
        """Say what the working tree is: a revision, and whether it was changed since."""
        commit = self._commit("HEAD") if top else None
        if top is None or commit is None:
            return f"working tree {self._start}"
        changed = _git(top, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules")
        return f"working tree ({commit[:9]}{' with uncommitted changes' if changed else ''})"

    def _find_top(self, *, required: bool) -> Path | None:
        if self._top is None:
            try:
                self._top = Path(_git(self._start, "rev-parse", "--show-toplevel")).resolve()
            except SuiteError:
                if required:
                    raise
        return self._top

    def _commit(self, what: str) -> str | None:
        if what.startswith("-"):  # never an option: rev-parse has --end-of-options only from git 2.30 on
            return None
        try:
            return _git(self._start, "rev-parse", "--verify", "--quiet", f"{what}^{{commit}}")
        except SuiteError:
            return None

    def _build(self, name: str, label: str, project: Path) -> str:
        """Install the project into a new environment; return its interpreter.

        What this process's environment has is there too, after what the command installs: pytest, perfcore.
        """
        venv = self._home / f"{name}-environment"
        environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONHOME", "PYTHONPATH"}}
        environment |= {"VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
        shared_pip = any(distributions(name="pip"))  # find_spec() would wake what setuptools does when pip starts
        flags = ["--without-pip"] if shared_pip else []
        made = run_program(
            [sys.executable, "-m", "venv", *flags, str(venv)],
            folder=project,
            environment=dict(os.environ),
            timeout=_INSTALL_S,
        )
        if made.code:
            raise SuiteError(f"{name}: no environment can be made: {last_lines(made.errors)}")
        python = venv / "bin" / "python"
        if shared_pip:  # seconds faster than a copy of it
            for pip in (venv / "bin" / "pip", venv / "bin" / "pip3"):
                pip.write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} -m pip "$@"\n', encoding="utf-8")
                pip.chmod(0o755)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        shared = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        # With site's own record of what is there, an isolated build (pip's) finds these folders and leaves them out: an
        # old setuptools of this process's would else stand before the one that the build asks for.
        lines = [f"import site; site.addsitedir({path!r}, locals().get('known_paths'))\n" for path in shared]
        (venv / "lib" / version / "site-packages" / "zz_perfcore_ab.pth").write_text("".join(lines), encoding="utf-8")
        try:
            built = run_program(
                shlex.split(self._install or ""), folder=project, environment=environment, timeout=_INSTALL_S
            )
        except subprocess.TimeoutExpired:
            raise SuiteError(f"{name}: `{self._install}` took more than {_INSTALL_S:g} s") from None
        except OSError as error:
            raise SuiteError(f"{name}: `{self._install}` cannot be run: {error.strerror}") from error
        if built.code:
            said = last_lines(built.errors.partition("[end of output]")[0], 6)  # below it pip speaks of itself
            raise SuiteError(f"{name}: {label}: `{self._install}` failed with exit code {built.code}: {said}")
        return str(python)


def _probe(side: Side) -> None:
    """Refuse an interpreter without this perfcore: pytest would run there as if nothing were."""
    program = "import perfcore.pytest_plugin.ab_worker; print(perfcore.__version__)"
    advice = "install this perfcore there too"
    try:
        done = run_program(
            side.command("-c", program), folder=side.folder, environment=side.environment(), timeout=_PROBE_S
        )
    except OSError as error:
        raise SuiteError(f"{side.name}: {side.python} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise SuiteError(f"{side.name}: {side.python} did not start in {_PROBE_S:g} s") from None
    if done.code:
        raise SuiteError(f"{side.name}: {side.python} cannot import perfcore; {advice}: {last_lines(done.errors)}")
    if (found := last_lines(done.output)) != __version__:
        raise SuiteError(f"{side.name}: {side.python} has perfcore {found}, not {__version__}; {advice}")
