# SPDX-License-Identifier: MIT
"""perfcore flamegraph: real programs under both profilers, and the arithmetic on tables with known times."""

from __future__ import annotations

import json
import marshal
import re
import subprocess
import sys
import xml.dom.minidom
from pathlib import Path

import pytest

from perfcore.errors import MeasureError
from perfcore.measure.profile import _without_runner, find_py_spy, read_folded, read_stats
from perfcore.report.stacks import render_folded, render_speedscope

PROGRAM = """
import sys, time

def leaf(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass

def long():
    leaf(0.3)

def short():
    leaf(0.1)

long(); short()
print("out", *sys.argv[1:])
sys.exit(3)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def flamegraph(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "perfcore", "flamegraph", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def weight(stacks: dict[tuple[str, ...], int], name: str) -> int:
    return sum(one for stack, one in stacks.items() if any(frame.startswith(name) for frame in stack))


@pytest.mark.parametrize("profiler", ["cprofile", "py-spy"])
def test_a_program_is_profiled(folder: Path, profiler: str) -> None:
    if profiler == "py-spy" and find_py_spy() is None:
        pytest.skip("py-spy is not installed")
    done = flamegraph(folder, "--profiler", profiler, "-o", "out.txt", "program.py", "--flag", "-o")
    if profiler == "py-spy" and "py-spy saw nothing" in done.stderr:
        pytest.skip(f"not permitted here: {done.stderr}")
    assert (done.returncode, done.stdout) == (1, "out --flag -o\n"), "the program's output and failure come through"
    stacks = read_folded((folder / "out.txt").read_text())
    assert weight(stacks, "long") > weight(stacks, "short") > 0
    assert not any("runpy" in frame for stack in stacks for frame in stack)
    leaves = {stack: one for stack, one in stacks.items() if "leaf" in " ".join(stack)}
    assert sum(one for stack, one in leaves.items() if stack[0].startswith("<module>")) > 0.9 * sum(leaves.values())


@pytest.mark.parametrize(("ending", "code"), [("True", 1), ("False", 0), ("None", 0), ("'words'", 1)])
def test_how_a_program_ends_by_itself(tmp_path: Path, ending: str, code: int) -> None:
    """unittest.main() of Python 3.11 ends with a bool."""
    (tmp_path / "program.py").write_text(f"import sys; sum(range(10**5)); sys.exit({ending})")
    done = flamegraph(tmp_path, "--profiler", "cprofile", "-o", "out.txt", "program.py")
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr


def test_what_runs_the_program_is_left_out() -> None:
    runner, run = "<module> (<string>:2)", "_run_code (<frozen runpy>:88)"
    load = "_find_and_load (<frozen importlib._bootstrap>:1360)"
    stacks = {
        (runner, load, "<module> (<frozen runpy>:14)"): 1,
        (runner, run): 2,
        (runner, run, "<module> (program.py:1)", load, "<module> (<frozen runpy>:14)"): 4,
        (runner, run, load, "get_data (<frozen importlib._bootstrap_external>:1)"): 8,
    }
    assert sorted((stack[0], weight) for stack, weight in _without_runner(stacks).items()) == [
        ("<module> (program.py:1)", 4),
        (load, 8),
    ]


def test_the_files(folder: Path) -> None:
    assert flamegraph(folder, "--profiler", "cprofile", "-o", "out.svg", "program.py").returncode == 1
    minidom = xml.dom.minidom.parse(str(folder / "out.svg"))  # noqa: S318 - our own file
    assert "leaf" in minidom.toxml()
    subprocess.run([sys.executable, "-m", "cProfile", "-o", "p.stats", "program.py"], cwd=folder, check=False)
    assert flamegraph(folder, "--stats", "p.stats", "-o", "out.json").returncode == 0
    found = json.loads((folder / "out.json").read_text())
    (profile,) = found["profiles"]
    assert found["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert profile["unit"] == "microseconds"
    assert profile["endValue"] == sum(profile["weights"])
    assert {index for sample in profile["samples"] for index in sample} == set(range(len(found["shared"]["frames"])))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name a script"),
        (["none.py"], "none.py: no such script"),
        (["--", "none.py", "-x"], "none.py: no such script"),
        (["-o", "out.png", "program.py"], "the file's ending says its format"),
        (["-o", "none/out.svg", "program.py"], "no such folder"),
        (["--stats", "program.py"], "not a profile of cProfile"),
        (["--stats", "none.stats"], "cannot read"),
        (["--seconds", "1", "program.py"], "--seconds goes with --pid"),
    ],
)
def test_mistakes_are_one_line(folder: Path, arguments: list[str], words: str) -> None:
    done = flamegraph(folder, *arguments)
    assert done.returncode == 2
    assert re.fullmatch(rf"perfcore: error: .*{re.escape(words)}.*\n", done.stderr)
    assert [path.name for path in folder.iterdir()] == ["program.py"]


def test_times_are_divided_among_callers(tmp_path: Path) -> None:
    """A leaf of 4 s, 3 of them called by one branch; a recursion; what nobody calls is a root."""

    def key(name: str) -> tuple[str, int, str]:
        return ("f.py", 1, name)

    table = {
        key("main"): (1, 1, 1.0, 10.0, {}),
        key("one"): (1, 1, 0.5, 3.5, {key("main"): (1, 1, 0.5, 3.5)}),
        key("two"): (1, 1, 2.0, 3.0, {key("main"): (1, 1, 2.0, 3.0)}),
        key("leaf"): (4, 4, 4.0, 4.0, {key("one"): (3, 3, 3.0, 3.0), key("two"): (1, 1, 1.0, 1.0)}),
        key("again"): (9, 1, 2.5, 2.5, {key("main"): (1, 1, 0.5, 2.5), key("again"): (8, 8, 2.0, 2.0)}),
    }
    (tmp_path / "p.stats").write_bytes(marshal.dumps(table))
    stacks = {
        "/".join(frame.split(" ")[0] for frame in stack): n / 1e6
        for stack, n in read_stats(tmp_path / "p.stats").items()
    }
    assert stacks["main/one/leaf"] == 3.0
    assert stacks["main/two/leaf"] == 1.0
    assert stacks["main"] == 1.0
    assert stacks["main/again"] == pytest.approx(2.5)


@pytest.mark.parametrize(
    "content", [b"", b"no profile", marshal.dumps([1]), marshal.dumps({1: 2}), marshal.dumps({("f", 1, "x"): (1, 2)})]
)
def test_no_profile(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.stats").write_bytes(content)
    with pytest.raises(MeasureError, match="not a profile"):
        read_stats(tmp_path / "p.stats")


def test_hostile_names_stay_one_line() -> None:
    stacks = {("a;b", "c\nd \x1b[31m"): 3}
    assert render_folded(stacks) == "a:b;c\\nd \\x1b[31m 3\n"
    assert read_folded(render_folded(stacks)) == {("a:b", "c\\nd \\x1b[31m"): 3}
    assert "\n" not in render_speedscope(stacks, "t\n", "bytes").rstrip("\n")
