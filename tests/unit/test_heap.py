# SPDX-License-Identifier: MIT
"""The heap by type and by call site, differences, flame graphs, and the command."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import textwrap
import tracemalloc
import types
import xml.dom.minidom
from pathlib import Path
from unittest import mock

import pytest

import perfcore
from perfcore import HeapSnapshot, MeasureError, heap_snapshot
from perfcore._core import heap_types
from perfcore.cli import main
from perfcore.measure.stacks import HeapStacks
from perfcore.report.icicle import render_svg
from perfcore.units import format_bytes

MODULE = __name__


class Thing:
    def __init__(self, number: int) -> None:
        self.number = [number]


class Broken:
    def __sizeof__(self) -> int:
        raise LookupError("mine")


class Liar:
    def __sizeof__(self) -> int:
        return sys.maxsize - 100


class Unequal:
    """Cannot be compared."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise LookupError("mine")


class Meddler:
    """Changes the heap while it is looked at."""

    kept: list[object] = []  # noqa: RUF012

    def __sizeof__(self) -> int:
        Meddler.kept.clear()
        gc.collect()
        return 64


def use_of(snapshot: HeapSnapshot, name: str) -> tuple[int, int]:
    return next((use[1:] for use in snapshot.types if use.name == name), (0, 0))


def test_by_type() -> None:
    kept = [Thing(number) for number in range(500)]
    found = use_of(heap_snapshot(), f"{MODULE}.Thing")
    assert found == (500, sum(map(sys.getsizeof, kept)))
    assert heap_snapshot().bytes > 100_000
    types = heap_snapshot().types
    assert list(types) == sorted(types, key=lambda use: (-use.bytes, use.name))


def test_what_the_collector_does_not_know_is_found() -> None:
    kept = {"a": [(str(number) * 3, float(number)) for number in range(1000)]}
    gc.collect()  # tuples of strings and floats leave the collector's care
    found = {kind: (count, size) for kind, count, size in heap_types([kept])}
    assert found[tuple] == (1000, sum(map(sys.getsizeof, kept["a"])))
    assert found[float][0] == 1000
    assert found[str][0] == 1001
    assert found[dict] == (1, sys.getsizeof(kept))


def test_hostile_objects() -> None:
    Meddler.kept = [Thing(number) for number in range(100)]
    found = {kind: (count, size) for kind, count, size in heap_types([Broken(), Meddler(), Broken()])}
    assert found[Broken] == (2, 2 * Broken.__basicsize__)
    assert found[Meddler] == (1, sys.getsizeof(Meddler()))
    assert (Liar, 3, sys.maxsize) in heap_types([Liar(), Liar(), Liar()])
    with pytest.raises(TypeError, match="takes a list, not tuple"):
        heap_types(())  # type: ignore[arg-type]
    names = [type("Odd", (), {"__module__": 3})(), type("Elsewhere", (), {"__module__": Unequal()})()]
    names.append(eval("type('Nowhere', (), {})()", {}))  # noqa: S307 - where there is no __name__ a class has no __module__
    found = heap_snapshot()
    assert [use_of(found, name)[0] for name in ("Odd", "Elsewhere", "Nowhere")] == [1, 1, 1]
    del names


def test_what_is_made_while_it_looks_is_not_of_the_heap() -> None:
    """The size of a MagicMock is asked of another one, which is made for that, and so on: it would never end."""
    objects = [mock.MagicMock(), mock.AsyncMock()]
    found = [count for kind, count, _ in heap_types(objects) if issubclass(kind, mock.NonCallableMock)]
    assert 2 <= sum(found) < 1000  # those of other tests among them


def test_differences_by_type_and_site() -> None:
    with perfcore.track_allocations(sites=True) as tracker:
        before = heap_snapshot(tracker)
        kept = [Thing(number) for number in range(300)]
        line = Thing.__init__.__code__.co_firstlineno + 1
        after = heap_snapshot(tracker)
        change = after.diff(before)
        back = before.diff(after)
    assert change.types[0].bytes > 0
    assert next(use for use in change.types if use.name.endswith(".Thing")).objects == 300
    assert change.sites is not None
    blocks = next(use for use in change.sites if use[:2] == (__file__, line)).blocks
    assert blocks > 450  # a list and its array, less what is used again
    assert not [use for use in change.sites if use.file.endswith(("measure/heap.py", "measure/allocations.py"))]
    assert (back.objects, back.bytes) == (-change.objects, -change.bytes)
    assert after.diff(after).types == ()
    assert str(after.diff(after)).startswith("heap: 0 objects, 0 B")
    assert "+300" in str(change)
    assert repr(after) == f"<HeapSnapshot: {after.objects} objects, {after.bytes} bytes>"
    assert repr(change).startswith("<HeapDiff: ")
    assert f"{__file__}:{line}" in change.text(3)
    assert json.loads(json.dumps(change.as_dict()))["types"][0].keys() == {"name", "objects", "bytes"}
    assert heap_snapshot().diff(before).sites is None
    with pytest.raises(MeasureError, match="not with int"):
        after.diff(3)  # type: ignore[arg-type]
    del kept


# --- flame graphs


def test_stacks_of_the_largest_heap() -> None:
    def spike() -> None:
        kept = bytearray(20 << 20)
        HeapStacks._take(stacks)  # what the watching thread does when it looks
        del kept

    with HeapStacks() as stacks:
        spike()
    found = stacks.largest
    assert sum(found.values()) >= 20 << 20
    assert max(found, key=found.__getitem__)[-1].startswith(__file__)
    assert not tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        with pytest.raises(MeasureError, match="runs already"), HeapStacks():
            pass
    finally:
        tracemalloc.stop()


def test_the_program_may_stop_tracemalloc() -> None:
    with HeapStacks() as stacks:
        tracemalloc.stop()
    assert (stacks.largest, stacks.whole) == ({}, False)
    with HeapStacks() as stacks:
        pass
    assert stacks.whole


def test_what_the_caller_below_the_program_holds_has_no_stack() -> None:
    with HeapStacks(below=__file__) as stacks:
        kept = bytearray(1 << 20)
    assert kept
    assert () not in stacks.largest


HOSTILE = '</title><script>alert(1)</script>&"\x1b[31m\udc80'


def test_svg_is_well_formed_and_says_what_it_was_given() -> None:
    deep = tuple(f"frame{depth}.py:1" for depth in range(2000))
    stacks = {("a.py:1", HOSTILE): 700, ("a.py:1", "b.py:2"): 300, ("gone",): 0, deep: 100}
    text = render_svg(stacks, HOSTILE, format_bytes)
    document = xml.dom.minidom.parseString(text.encode())  # noqa: S318
    assert "<script" not in text
    tips = [node.firstChild.data for node in document.getElementsByTagName("title")]  # type: ignore[union-attr]
    assert "all: 1.10 kB (100 %)" in tips
    assert "a.py:1: 1.00 kB (90.9 %)" in tips
    assert "b.py:2: 300 B (27.3 %)" in tips
    widths = [float(node.getAttribute("width")) for node in document.getElementsByTagName("rect")[1:]]
    assert max(widths) == 1200
    assert "gone" not in text
    assert xml.dom.minidom.parseString(render_svg({}, "nothing", format_bytes).encode())  # noqa: S318


# --- the command

SCRIPT = """
import sys
class Thing: pass
kept = [Thing() for _ in range(1000)]
assert sys.modules["__main__"].kept is kept and __name__ == "__main__"
print(sys.argv[1:])
if sys.argv[1:] == ["fail"]: raise LookupError("mine")
sys.exit({"exit": 3, "text": "a text"}.get(sys.argv[-1], 0))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


def test_command(script: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = (sys.argv, sys.modules["__main__"], sys.path[:])
    out = tmp_path / "heap.json"
    assert main(["heap", "--json", "--top", "1000", "-o", str(out), str(script), "--top", "own"]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert (found["command"], found["failed"]) == ("heap", False)
    # Beside it, whatever this process has begun to hold meanwhile.
    assert {one["name"]: one["objects"] for one in found["change"]["types"]}["__main__.Thing"] == 1000
    assert str(script) in {one["file"] for one in found["change"]["sites"]}
    assert capfd.readouterr().out == "['--top', 'own']\n"  # what follows the script is the script's
    for argument, words in (("fail", "LookupError: mine"), ("exit", "__main__.Thing"), ("text", "a text")):
        assert main(["heap", "--top", "1000", str(script), argument]) == 1
        captured = capfd.readouterr().err
        assert words in captured
        assert "__main__.Thing" in captured  # also what a failed script has left
    assert (sys.argv, sys.modules["__main__"]) == before[:2]
    assert sys.path == before[2]


def test_command_of_a_module_and_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "perfcore_heap_case"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "__main__.py").write_text("from . import part\nprint(__package__, part.here)\n", encoding="utf-8")
    (package / "part.py").write_text("here = 1\nif __name__ == '__main__': print('alone')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, words in (("perfcore_heap_case", "perfcore_heap_case 1\n"), ("perfcore_heap_case.part", "alone\n")):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "perfcore", "heap", "-m", name],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, words), done.stderr
        assert "call site" in done.stderr


@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_command_with_a_flame_graph(script: Path, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from perfcore.cli import heap_command

    monkeypatch.setattr(heap_command, "_has_memray", lambda: False)
    out = tmp_path / f"flame.{suffix}"
    assert main(["heap", "--flamegraph", str(out), str(script)]) == 0
    text = out.read_text(encoding="utf-8")
    assert "the heap at its largest: " in text
    assert f"{script}:4" in text
    assert "heap_command" not in text


@pytest.mark.parametrize(("suffix", "unit"), [("json", "bytes"), ("txt", "none")])
def test_command_with_the_stacks_for_a_report(script: Path, tmp_path: Path, suffix: str, unit: str) -> None:
    from perfcore.report.flames import read_profile

    out = tmp_path / f"heap.{suffix}"
    assert main(["heap", "--flamegraph", str(out), str(script)]) == 0
    found = read_profile(out)
    assert found["unit"] == unit
    assert f"{script}:4" in found["names"]
    assert found["total"][0] > 0


def test_command_with_memray(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """memray's part, played by a stand-in: what it is asked for, and what happens when it fails."""
    from perfcore.cli import heap_command

    asked: list[object] = []

    class Tracker:
        def __init__(self, path: str, *, native_traces: bool) -> None:
            asked.append(native_traces)
            self.path = path

        def __enter__(self) -> None:
            Path(self.path).write_bytes(b"x")

        def __exit__(self, *error: object) -> None:
            asked.append("ended")

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        assert command[1:4] == ["-m", "memray", "flamegraph"]
        assert Path(command[-1]).read_bytes() == b"x"
        code = 0 if asked.count("ended") == 1 else 1
        return subprocess.CompletedProcess(command, code, "", "usage\nno such thing\n")

    stand_in = types.ModuleType("memray")
    stand_in.Tracker = Tracker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "memray", stand_in)
    monkeypatch.setattr(heap_command, "_has_memray", lambda: True)
    monkeypatch.setattr(heap_command.subprocess, "run", run)
    target = ["heap", "--flamegraph", str(tmp_path / "x.html"), str(script)]
    assert main(target) == 0
    assert asked == [True, "ended"]
    assert "flame graph by memray" in capfd.readouterr().err
    assert main(target) == 2
    assert "memray could not write" in (captured := capfd.readouterr().err)
    assert "no such thing" in captured


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give a script"),
        (["/nonexistent.py"], "there is no script"),
        (["-m", "no.such.module"], "cannot be run"),
        (["-m", "no_such_module"], "there is no module"),
        (["-m", "sys"], "there is no module"),
        (["--flamegraph", "x.png", "y.py"], "writes .svg, .html, .json or .txt"),
        (["--flamegraph", "x.svg", "--json", "y.py"], "a picture alone"),
        (["--top", "0", "y.py"], "is no number of rows"),
    ],
)
def test_wrong_use(arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = sys.path[:]
    assert main(["heap", *arguments]) == 2
    captured = capfd.readouterr()
    assert captured.err.startswith("perfcore: error: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err
    assert sys.path == path


def test_a_script_that_is_no_python(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.py"
    path.write_text("def (:\n", encoding="utf-8")
    assert main(["heap", str(path)]) == 2
    assert "is no Python script: " in capfd.readouterr().err


def test_a_free_list_that_a_module_shows_the_collector_stays_whole() -> None:
    """_asyncio of 3.12 does (gh-122695); taking references to dead objects made its list a ring without an end."""
    code = """
        import asyncio, gc
        from perfcore import heap_snapshot

        loop = asyncio.new_event_loop()
        for _ in range(3):
            waiting = [iter(asyncio.Future(loop=loop)) for _ in range(5)]
            del waiting
            heap_snapshot()
            gc.collect()
        loop.close()
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
