# SPDX-License-Identifier: MIT
"""The build: what is missing is named in one line, whether setup.py is run or pip runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("setuptools")

ROOT = Path(__file__).resolve().parents[2]
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def environment(**changes: str) -> dict[str, str]:
    # A preloaded sanitizer must not reach a compiler.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PERFCORE_", "LD_PRELOAD"))}
    return {**kept, **changes}


def fake_pkg_config(folder: Path, *, missing: str) -> str:
    """Write a pkg-config that knows every library but one."""
    tool = folder / "pkg-config"
    tool.write_text(f'#!/bin/sh\nfor word; do [ "$word" != "{missing}" ] || exit 1; done\n', encoding="ascii")
    tool.chmod(0o755)
    return str(tool)


def setup_py(folder: Path, *, prologue: str = "", **changes: str) -> list[str]:
    """Run setup.py's build until it fails; return the lines of stderr."""
    arguments = ["setup.py", "-q", "build_ext", "-b", str(folder / "build"), "-t", str(folder / "build")]
    code = f"{prologue}\nimport runpy, sys\nsys.argv = {arguments}\nrunpy.run_path('setup.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("library", "debian", "fedora"),
    [("libproc2", "libproc2-dev", "procps-ng-devel"), ("libcjson", "libcjson-dev", "cjson-devel")],
)
def test_a_missing_library_is_one_line(tmp_path: Path, library: str, debian: str, fedora: str) -> None:
    lines = setup_py(tmp_path, PKG_CONFIG=fake_pkg_config(tmp_path, missing=library))
    assert lines == [
        f"perfcore: {library} not found; install it with `apt-get install {debian}` or `dnf install {fedora}`"
    ]


@pytest.mark.parametrize("kind", ["absent", "not executable"])
def test_a_missing_pkg_config_is_one_line(tmp_path: Path, kind: str) -> None:
    tool = tmp_path / "pkg-config"
    if kind == "not executable":
        tool.write_text("", encoding="ascii")
    (line,) = setup_py(tmp_path, PKG_CONFIG=str(tool))
    assert line.startswith(f"perfcore: {tool} ")
    assert "`apt-get install pkg-config` or `dnf install pkgconf`" in line


def test_missing_python_headers_are_one_line(tmp_path: Path) -> None:
    prologue = (
        "import sysconfig\n"
        "real = sysconfig.get_paths\n"
        f"sysconfig.get_paths = lambda *args, **kwargs: {{**real(*args, **kwargs), 'include': {str(tmp_path)!r}}}"
    )
    lines = setup_py(tmp_path, prologue=prologue)
    assert lines == [
        f"perfcore: {tmp_path / 'Python.h'} not found; install it with `apt-get install python{VERSION}-dev` "
        f"or `dnf install python{VERSION}-devel`"
    ]


def test_a_missing_compiler_is_one_line(tmp_path: Path) -> None:
    (line,) = setup_py(tmp_path, CC=str(tmp_path / "no-such-cc"))
    assert line.startswith("perfcore: ")
    assert "no-such-cc" in line
    assert "`apt-get install build-essential` or `dnf install gcc`" in line


def test_pip_shows_the_line(tmp_path: Path) -> None:
    pytest.importorskip("pip")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-build-isolation",
            "--no-deps",
            "-w",
            str(tmp_path),
            str(ROOT),
        ],
        env=environment(PKG_CONFIG=fake_pkg_config(tmp_path, missing="libcjson")),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if "perfcore:" in line]
    assert len(said) == 1
    assert "perfcore: libcjson not found; install it with `apt-get install libcjson-dev`" in said[0]


def test_files_are_compiled_side_by_side_and_one_that_fails_ends_the_build(tmp_path: Path) -> None:
    """With a compiler that notes what it is given, and makes nothing."""
    tool = tmp_path / "cc"
    tool.write_text(
        f"""#!/bin/sh
echo "$*" | grep -o '[^ ]*[.]c ' >>{tmp_path}/begun
case "$*" in *pc_bootstrap.c*) sleep 0.2; echo 'pc_bootstrap.c:1: error: such' >&2; exit 1 ;; esac
""",
        encoding="ascii",
    )
    tool.chmod(0o755)
    lines = setup_py(tmp_path, CC=str(tool))
    assert "pc_bootstrap.c:1: error: such" in lines
    assert lines[-1].startswith("error: ")
    begun = [Path(line.strip()).name for line in (tmp_path / "begun").read_text(encoding="ascii").splitlines()]
    assert len(begun) == len(set(begun))
    after = sorted(path.name for path in (ROOT / "csrc/core/judge").glob("*.c"))[1:]
    if len(os.sched_getaffinity(0)) > 1:
        assert set(begun) & set(after)  # while the other one took its time
