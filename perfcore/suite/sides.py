# SPDX-License-Identifier: MIT
"""The two sides of ``perfcore ab`` as trees and interpreters: revisions, folders, the working tree.

Revisions are checked out with ``git worktree`` in a temporary folder, which the end of the `Workspace` removes, as far
as the process gets to its end at all.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from perfcore import __version__
from perfcore.errors import SuiteError
from perfcore.suite.process import Side

_INSTALL_S = 3600.0
_PROBE_S = 60.0


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _git(folder: Path, *arguments: str) -> str:
    """Run git; return what it printed."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise SuiteError(f"git cannot be run ({error.strerror}); install it, or name folders, not revisions") from error
    if done.returncode:
        raise SuiteError(f"git {arguments[0]} in {folder}: {_last_line(done.stderr)}")
    return done.stdout.strip()


class Workspace:
    """Makes sides, and removes what it made for them.

    Args:
        start: where the user stands.
        install: the command that installs the project; None for none.

    """

    def __init__(self, start: Path, install: str | None) -> None:
        self._start = start.resolve()
        self._install = install
        self._top: Path | None = None
        self._worktrees: list[Path] = []
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(prefix="perfcore-ab-", ignore_cleanup_errors=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for worktree in self._worktrees:
            # Best effort, and quiet: the temporary folder goes anyway, and `git worktree prune` forgets it.
            subprocess.run(
                ["git", "worktree", "remove", "--force", str(worktree)],
                cwd=self._top,
                capture_output=True,
                check=False,
            )
        if self._temporary is not None:
            self._temporary.cleanup()
        if self._worktrees:
            subprocess.run(["git", "worktree", "prune"], cwd=self._top, capture_output=True, check=False)

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

        """
        made = [
            self._side("base", base, base_python),
            self._side("head", head, head_python),
        ]
        roots = {side.root for side in made} | ({self._top} if self._top else set())
        sides = []
        for side in made:
            outside = () if side.installed else tuple(sorted(roots - {side.root}))
            sides.append(Side(side.name, side.label, side.folder, side.root, side.python, side.installed, outside))
        for side in sides:
            _probe(side)
        return sides

    def _side(self, name: str, what: str | None, python: str | None) -> Side:
        label, root, folder = self._tree(name, what)
        installed = python is not None
        if python is not None:
            label = f"{label} under {python}" if what else python
        elif self._install is not None:
            python = self._build(name, root)
            installed = True
        if not folder.is_dir():
            raise SuiteError(
                f"{name}: {label} has no folder {folder.relative_to(root)}; start where both sides have one"
            )
        return Side(name, label, folder, root, python or sys.executable, installed)

    def _tree(self, name: str, what: str | None) -> tuple[str, Path, Path]:
        """Return a label, the top of the tree, and the folder that stands for the user's own."""
        if what is None:
            top = self._find_top(required=False) or self._start
            return "working tree", top, self._start
        if Path(what).is_dir() and (os.sep in what or what.startswith(".") or self._commit(what) is None):
            folder = Path(what).resolve()
            return what, folder, folder
        top = self._find_top(required=True)
        commit = self._commit(what)
        if top is None or commit is None:
            raise SuiteError(f"{name}: {what!r} is no revision of {top or self._start}, and no folder")
        tree = self._home / name
        self._worktrees.append(tree)
        _git(top, "worktree", "add", "--quiet", "--force", "--detach", str(tree), commit)
        return f"{what} ({commit[:9]})", tree, tree / self._start.relative_to(top)

    def _find_top(self, *, required: bool) -> Path | None:
        if self._top is None:
            try:
                self._top = Path(_git(self._start, "rev-parse", "--show-toplevel")).resolve()
            except SuiteError:
                if required:
                    raise
        return self._top

    def _commit(self, what: str) -> str | None:
        try:
            return _git(self._start, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{what}^{{commit}}")
        except SuiteError:
            return None

    def _build(self, name: str, root: Path) -> str:
        """Install the project into a new environment; return its interpreter.

        What this process's environment has is there too, after what the command installs: pytest, perfcore.
        """
        venv = self._home / f"{name}-environment"
        done = subprocess.run(
            [sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            raise SuiteError(f"{name}: no environment can be made: {_last_line(done.stdout + done.stderr)}")
        python = venv / "bin" / "python"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        shared = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        lines = [f"import site; site.addsitedir({path!r})\n" for path in shared]
        (venv / "lib" / version / "site-packages" / "zz_perfcore_ab.pth").write_text("".join(lines), encoding="utf-8")
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PYTHONPATH")}
        environment |= {"VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
        command = shlex.split(self._install or "")
        try:
            built = subprocess.run(
                command,
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_INSTALL_S,
            )
        except subprocess.TimeoutExpired:
            raise SuiteError(f"{name}: `{self._install}` took more than {_INSTALL_S:g} s") from None
        except OSError as error:
            raise SuiteError(f"{name}: `{self._install}` cannot be run: {error.strerror}") from error
        if built.returncode:
            said = _last_line(built.stderr or built.stdout)
            raise SuiteError(f"{name}: `{self._install}` failed with exit code {built.returncode}: {said}")
        return str(python)


def _probe(side: Side) -> None:
    """Refuse an interpreter without this perfcore: pytest would run there as if nothing were."""
    program = "import perfcore.pytest_plugin.ab_worker, perfcore._core as c; c.judge_pairs; print(perfcore.__version__)"
    advice = "install this perfcore there too"
    try:
        done = subprocess.run(
            side.command("-c", program),
            cwd=side.folder,
            env=side.environment(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_PROBE_S,
        )
    except OSError as error:
        raise SuiteError(f"{side.name}: {side.python} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise SuiteError(f"{side.name}: {side.python} did not start in {_PROBE_S:g} s") from None
    if done.returncode:
        raise SuiteError(f"{side.name}: {side.python} cannot import perfcore; {advice}: {_last_line(done.stderr)}")
    if (found := done.stdout.strip()) != __version__:
        raise SuiteError(f"{side.name}: {side.python} has perfcore {found}, not {__version__}; {advice}")
