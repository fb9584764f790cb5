# SPDX-License-Identifier: MIT
"""The program itself as a user meets it: help, usage errors, signals, terminals, what stdout is."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Run, assert_error, clean_environment
from results_files import benchmark, write

import perfcore


def test_version_and_help(run: Run) -> None:
    from perfcore import __version__

    version = run("--version")
    assert (version.returncode, version.stdout, version.stderr) == (0, f"perfcore {__version__}\n", "")
    for args in (("--help",), ("check", "--help"), ("baseline", "-h"), ("baseline", "update", "--help")):
        done = run(*args)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("usage: perfcore")
    for args in (("--help",), ("check", "--help"), ("baseline", "-h")):
        assert "examples:" in run(*args).stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "no command"),
        (("chek", "x"), "unknown command 'chek'; did you mean 'check'?"),
        (("xyzzy",), "unknown command 'xyzzy'; there is: ab, check, baseline"),
        (("baseline",), "ACTION"),
        (("baseline", "shwo"), "unknown action 'shwo'; did you mean 'show'?"),
        (("check",), "RESULTS"),
        (("check", "a", "b"), "unrecognized arguments: b"),
        (("check", "a", "--fail"), "unrecognized arguments: --fail"),
        (("check", "a", "--warning", "5"), "'5' may mean 5% or 500%"),
        (("check", "a", "--max-size", "0"), "'0' is no size"),
        (("check", "a", "--max-size", "x"), "'x' is no size"),
        (("--frobnicate",), "unrecognized arguments: --frobnicate"),
    ],
)
def test_usage_errors(run: Run, args: tuple[str, ...], words: str) -> None:
    assert_error(run(*args), words, "--help")


def test_thresholds_in_the_wrong_order(run: Run, files: Path) -> None:
    done = run("check", "new.json", "--baseline", "base.json", "--warning", "20%")
    assert_error(done, "warning is 20% and critical 10%")


def test_ctrl_c(tmp_path: Path) -> None:
    """The signal comes while the file is read; a hook on opening it makes that moment certain."""
    write(tmp_path / "a.json", benchmark())
    code = """
import os, signal, sys
def hook(event, args):
    if event == "open" and str(args[0]).endswith("a.json"):
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(hook)
from perfcore.cli import main
sys.exit(main(["check", "a.json", "--baseline", "a.json"]))
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "perfcore: interrupted\n")


def test_a_reader_that_goes_away(files: Path) -> None:
    write(files / "many.json", *(benchmark(f"test_{i}") for i in range(3000)))
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "perfcore", "check", "many.json", "--baseline", "many.json"],
        cwd=files,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait() == 141


@pytest.mark.parametrize(
    ("closed", "options", "code"),
    [
        (">&-", (), 0),
        (">&-", ("--json",), 0),
        ("2>&-", ("--strict",), 2),  # an unknown option; what is said of it does not go to stdout
        (">&- 2>&-", ("--help",), 0),
        ("<&- >&- 2>&-", (), 0),
    ],
)
def test_a_stream_that_is_closed(files: Path, closed: str, options: tuple[str, ...], code: int) -> None:
    """A service manager may start a program so; nobody reads what it says, and the exit code is right all the same."""
    command = [sys.executable, "-P", "-m", "perfcore", "check", "fine.json", "--baseline", "base.json", *options]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command], cwd=files, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.parametrize("command", ["export fine.json", "merge fine.json base.json --keep last"])
def test_an_output_that_is_stdout(files: Path, command: str) -> None:
    """A pipe, and a file that has something already: what comes out is what --output FILE would have, and no more."""
    program = [sys.executable, "-P", "-m", "perfcore", *command.split(), "--output"]
    subprocess.run([*program, "plain"], cwd=files, check=True, capture_output=True)
    plain = (files / "plain").read_bytes()
    piped = subprocess.run([*program, "/dev/stdout"], cwd=files, check=True, capture_output=True)
    assert (piped.stdout, piped.stderr) == (plain, b"")
    with open(files / "out", "wb") as out:
        out.write(b"before\n")
        out.flush()
        subprocess.run([*program, "/dev/stdout"], cwd=files, check=True, stdout=out)
        out.write(b"after\n")
    assert (files / "out").read_bytes() == b"before\n" + plain + b"after\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_under_stdout(files: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "perfcore", "check", "fine.json", "--baseline", "base.json"],
            cwd=files,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "No space left" in done.stderr


def on_a_terminal(folder: Path, **environment: str) -> str:
    parent, child = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "perfcore", "check", "new.json", "--baseline", "base.json"],
            cwd=folder,
            env=clean_environment(**environment),
            stdout=child,
        ) as process:
            os.close(child)
            child = -1
            text = b""
            while True:
                try:
                    more = os.read(parent, 65536)
                except OSError:  # how a terminal says that the other side is closed
                    break
                if not more:
                    break
                text += more
        assert process.returncode == 0
        return text.decode()
    finally:
        os.close(parent)
        if child >= 0:
            os.close(child)


def test_colour_on_a_terminal_only(files: Path) -> None:
    assert "\x1b[31;1mtests/test_x.py::critical" in on_a_terminal(files, TERM="xterm", COLUMNS="200")
    assert "\x1b[31;1m…sts/test_x.py::critical" in on_a_terminal(files, TERM="xterm", COLUMNS="80")
    assert "\x1b[" not in on_a_terminal(files, TERM="xterm", NO_COLOR="1")
    assert "\x1b[" not in on_a_terminal(files, TERM="dumb")


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
from perfcore.cli import main
code = main(["--help"])
heavy = {"perfcore._core", "json", "tomllib", "difflib", "pytest", "pytest_benchmark", "inspect"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else code)
"""
    paths = [*sys.path, str(Path(perfcore.__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-P", "-S", "-c", f"import sys; sys.path[:0] = {paths}{code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_main_can_be_called(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from perfcore.cli import main

    arguments: list[Any] = ["check", str(files / "new.json"), "--baseline", str(files / "base.json")]
    assert main([*arguments, "--fail-on-regression"]) == 1
    assert "FAILED" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert main(["nonsense"]) == 2
    assert capsys.readouterr().err.startswith("perfcore: error: unknown command")
