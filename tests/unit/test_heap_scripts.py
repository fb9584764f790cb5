# SPDX-License-Identifier: MIT
"""perfcore heap and scripts that do what scripts do: exit with anything, close streams, stop tracemalloc."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from perfcore.cli import main
from perfcore.report.flames import read_profile


@pytest.mark.parametrize(
    ("value", "code", "said"), [("[1, 2]", 1, "[1, 2]\n"), ("0.0", 1, "0.0\n"), ("False", 0, ""), ("True", 1, "")]
)
def test_what_a_script_exits_with(
    tmp_path: Path, value: str, code: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "script.py"
    path.write_text(f"raise SystemExit({value})\n", encoding="utf-8")
    assert main(["heap", str(path)]) == code
    assert capfd.readouterr().err.startswith(f"{said}at the end, since before the script:\n")


def test_names_that_no_file_can_hold(tmp_path: Path) -> None:
    path, out = tmp_path / "script.py", tmp_path / "heap.txt"
    path.write_text(
        "class Odd: pass\nOdd.__qualname__ = '\\ud800\\x1b'\nkept = [Odd() for _ in range(9000)]\n", encoding="utf-8"
    )
    assert main(["heap", "--top", "1000", "--output", str(out), str(path)]) == 0
    assert "__main__.\\ud800\\x1b " in out.read_text(encoding="utf-8")


def test_an_exception_is_shown_as_python_shows_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "script.py"
    path.write_text("def work():\n    raise LookupError('mine')\nwork()\n", encoding="utf-8")
    alone = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert main(["heap", str(path)]) == 1
    assert alone.stderr.startswith("Traceback ")
    assert capfd.readouterr().err.startswith(alone.stderr)


@pytest.mark.parametrize(
    ("hook", "code", "said"),
    [
        ("sys.exit(0)", 0, ""),
        ("sys.exit('gone')", 1, "gone\n"),
        ("1 / 0", 1, "Error in sys.excepthook:\nTraceback "),
    ],
)
def test_an_excepthook_that_exits_or_fails(
    tmp_path: Path, hook: str, code: int, said: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python does it; the tables come all the same."""
    path = tmp_path / "script.py"
    path.write_text(
        f"import sys\ndef hook(*_):\n    {hook}\nsys.excepthook = hook\nraise LookupError('mine')\n", encoding="utf-8"
    )
    alone = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert (alone.returncode, alone.stderr[: len(said)]) == (code, said)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    assert main(["heap", str(path)]) == code
    shown, mark, _ = capfd.readouterr().err.partition("at the end, since before the script:\n")
    assert (shown, bool(mark)) == (alone.stderr, True)


@pytest.mark.parametrize("code", ["sys.stdout.close()", "sys.stdout = None", "sys.stdout = sys.stderr = io.StringIO()"])
def test_a_script_leaves_its_streams_as_it_likes(tmp_path: Path, code: str) -> None:
    path = tmp_path / "script.py"
    path.write_text(f"import io, sys\n{code}\n", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "perfcore", "heap", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("at the end, since before the script:\n")


@pytest.mark.parametrize(("code", "said"), [("sys.stderr.close()", ""), ("sys.stderr = None", "gone\n")])
@pytest.mark.parametrize("option", ["--output", "--flamegraph"])
def test_a_script_without_stderr_exits_with_a_text(tmp_path: Path, code: str, said: str, option: str) -> None:
    """As Python does: its text is lost, or goes where stderr was; what is written to a file is written."""
    path, out = tmp_path / "script.py", tmp_path / "heap.svg"
    path.write_text(f"import sys\nkept = bytearray(99)\n{code}\nsys.exit('gone')\n", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "perfcore", "heap", option, str(out), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr[: len(said) or None]) == (1, "", said)
    assert out.stat().st_size > 0


def test_stacks_that_a_report_reads_while_the_script_runs(tmp_path: Path) -> None:
    path, out = tmp_path / "script.py", tmp_path / "heap.txt"
    path.write_text(
        textwrap.dedent(
            """
            import threading, time
            kept = bytearray(5_000_000)
            looks = next(one for one in threading.enumerate() if one.name == "perfcore-heap")._target.__self__
            while looks._snapshot is None:
                time.sleep(0.01)
            """
        ),
        encoding="utf-8",
    )
    assert main(["heap", "--flamegraph", str(out), str(path)]) == 0
    assert read_profile(out)["total"][0] >= 5_000_000


@pytest.mark.parametrize(("code", "expected"), [("stop()", 2), ("start()", 0)])
def test_a_script_that_stops_tracemalloc(
    tmp_path: Path, code: str, expected: int, capfd: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "script.py", tmp_path / "heap.svg"
    path.write_text(f"import tracemalloc\ntracemalloc.{code}\n", encoding="utf-8")
    assert main(["heap", "--flamegraph", str(out), str(path)]) == expected
    assert ("nothing to draw" in capfd.readouterr().err) == (expected == 2)
    assert out.exists() == (expected == 0)


@pytest.mark.parametrize("option", ["--output", "--flamegraph"])
def test_an_output_without_a_folder_is_told_before_the_script_runs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], option: str
) -> None:
    path = tmp_path / "script.py"
    path.write_text("print('measured for nothing')\n", encoding="utf-8")
    assert main(["heap", option, str(tmp_path / "none" / "heap.txt"), str(path)]) == 2
    assert capfd.readouterr() == ("", f"perfcore: error: {tmp_path / 'none'}: no such folder\n")


def test_a_script_that_restarts_tracemalloc(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What it holds from before is in no trace any more, and that is said."""
    path, out = tmp_path / "script.py", tmp_path / "heap.svg"
    code = "import tracemalloc\ntracemalloc.stop()\ntracemalloc.start()\nkept = bytearray(99)\n"
    path.write_text(code, encoding="utf-8")
    assert main(["heap", "--flamegraph", str(out), str(path)]) == 0
    assert "flame graph by tracemalloc, Python frames, in part: the program has stopped it" in capfd.readouterr().err
