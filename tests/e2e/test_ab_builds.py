# SPDX-License-Identifier: MIT
"""The environments of ``perfcore ab`` for what pip builds: isolated builds stay so, and failures are quoted."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from pathlib import Path

import pytest

from perfcore.errors import SuiteError
from perfcore.suite.sides import Workspace

# Not by find_spec("pip"): setuptools' hook on 3.11 takes that for pip's start, and test_build.py cannot import it then.
pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or not any(importlib.metadata.distributions(name="pip")),
    reason="git or pip is not installed",
)

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
# An isolated build sees what it requires, and nothing of the environment that pip runs in.
BACKEND = """\
import importlib.util, pathlib, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    if pathlib.Path("broken").exists():
        raise ValueError("the project cannot be built")
    seen = [name for name in ("pytest", "pytest_benchmark") if importlib.util.find_spec(name)]
    if seen:
        raise RuntimeError(f"the build is not isolated: {seen}")
    with zipfile.ZipFile(f"{folder}/tiny-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return "tiny-1-py3-none-any.whl"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(BACKEND)
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=one"]):
        subprocess.run(["git", *who, *words], cwd=folder, check=True)
    return folder


def test_an_isolated_build_sees_nothing_of_ours(project: Path) -> None:
    with Workspace(project, "pip install --quiet --no-index .") as workspace:
        base, head = workspace.sides("HEAD", None, None, None)
        for side in (base, head):
            command = side.command("-c", "import pytest, tiny; print(tiny.__file__)")
            where = subprocess.check_output(command, cwd=side.folder, env=side.environment(), text=True)
            assert f"{side.name}-environment" in where


def test_one_of_several_projects(project: Path) -> None:
    """Started in or below the folder of a pyproject.toml: it is built there, or it and its src are on the path."""
    home = project / "packages" / "tiny"
    (home / "src").mkdir(parents=True)
    (home / "benchmarks").mkdir()
    for name in ("pyproject.toml", "backend.py"):
        (project / name).rename(home / name)
    (home / "src" / "mine.py").write_text("")
    (home / "benchmarks" / "test_it.py").write_text("")
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    for words in (["add", "--all"], ["commit", "--quiet", "--message=two"]):
        subprocess.run(["git", *who, *words], cwd=project, check=True)
    for install, module in (("pip install --quiet --no-index .", "tiny"), (None, "mine")):
        with Workspace(home / "benchmarks", install) as workspace:
            for side in workspace.sides("HEAD", None, None, None):
                command = side.command("-c", f"import pytest, {module}; print({module}.__file__)")
                where = subprocess.check_output(command, cwd=side.folder, env=side.environment(), text=True)
                own = side.root / "packages" / "tiny" / "src" / "mine.py"
                assert where.strip() == str(own) if install is None else f"{side.name}-environment" in where


def test_a_folder_that_is_named_is_the_project_itself(project: Path) -> None:
    """Also where it holds one of its own name, as that of a project's package mostly is."""
    home = project / "tiny"
    (home / "tiny").mkdir(parents=True)
    (home / "tiny" / "queue.py").write_text("raise ImportError('nobody meant this one')\n")
    (project / "pyproject.toml").rename(home / "pyproject.toml")
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    for words in (["add", "--all"], ["commit", "--quiet", "--message=two"]):
        subprocess.run(["git", *who, *words], cwd=project, check=True)
    with Workspace(home, None) as workspace:
        base, head = workspace.sides("HEAD", ".", None, None)
        assert (base.project, head.project) == (base.root / "tiny", home)


def test_what_the_build_said_is_quoted(project: Path) -> None:
    (project / "broken").touch()
    with (
        Workspace(project, "pip install --no-index .") as workspace,
        pytest.raises(SuiteError, match=r"failed with exit code 1: .*ValueError: the project cannot be built$"),
    ):
        workspace.sides(str(project), None, None, None)
