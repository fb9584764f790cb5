# SPDX-License-Identifier: MIT
"""compare, merge and export: what they show, what they refuse, that nothing is written then."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from results_files import MACHINE, benchmark, write

from perfcore.cli import main
from perfcore.record.results import load_results


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.json", benchmark("x"), benchmark("gone"))
    write(tmp_path / "b.json", benchmark("x", 1.2e-6), benchmark("new"))
    write(tmp_path / "c.json", benchmark("x", 0.5e-6), machine_info=MACHINE | {"python_version": "3.11.7"})
    write(tmp_path / "own.json", benchmark("y", 3e-6), perfcore={"schema": 1, "backend": "perfcore"})
    return tmp_path


def test_compare(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "a.json", "b.json", "c.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["benchmark", "a.json", "b.json", "c.json"]
    assert "1 µs  1.2 µs (+20.0 %)  500 ns (-50.0 %)" in lines[1]
    assert [line.split()[0].rpartition("::")[2] for line in lines[1:4]] == ["x", "gone", "new"]
    assert lines[5] == "c.json: another environment than a.json: Python version: 3.12.1 -> 3.11.7"
    assert lines[-1].startswith("evidence: medians of one run each")


def test_compare_as_json_and_across_backends(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "own.json", benchmark("x", 3e-6), perfcore={"schema": 1, "backend": "perfcore"})
    assert main(["compare", "a.json", "own.json", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["benchmarks"][0]["others"] == [
        {"median": 3e-6, "ratio": None, "low": None, "high": None, "comparable": False}
    ]
    assert report["notes"] == ["own.json: 1 not compared: measured by perfcore, the baseline by stock"]
    assert report["benchmarks"][1]["others"][0]["median"] is None
    assert main(["compare", "a.json", "own.json", "--json", "--allow-backend-mismatch"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["benchmarks"][0]["others"][0]["ratio"] == pytest.approx(3.0)
    assert main(["compare", "a.json", "none.json"]) == 2
    assert main(["compare", "a.json"]) == 2


def test_the_baseline_before_is_kept_beside_each(folder: Path) -> None:
    """Names with dots, as of versions, have one each; a name that ends in .json keeps its ending."""
    names = ("rel/v1.2", "rel/v1.3", "rel/v1", "rel/v1.json", "rel/a.b.json")
    for name in names:
        assert main(["baseline", "save", "a.json", "--baseline", name]) == 0
        (folder / name).write_bytes((folder / name).read_bytes() + b"\n" * len(name))  # so that each is another
    old = {name: (folder / name).read_bytes() for name in names}
    for name in names:
        assert main(["baseline", "update", "b.json", "--force", "--baseline", name]) == 0
    kept = ("v1.2.previous", "v1.3.previous", "v1.previous", "v1.previous.json", "a.b.previous.json")
    assert {name: (folder / "rel" / one).read_bytes() for name, one in zip(names, kept, strict=True)} == old


def test_merge(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "d.json", benchmark("x"), benchmark("more", stats={"data": [1e-6, 2e-6]}))
    assert main(["merge", "a.json", "d.json", "-o", "all.json"]) == 0  # the same figures twice are no conflict
    assert capsys.readouterr().out == "all.json: 3 benchmarks of 2 files\n"
    made = load_results("all.json")
    assert [one.name for one in made.benchmarks] == ["x", "gone", "more"]
    assert list(made.benchmarks[2].data or ()) == [1e-6, 2e-6]
    assert made.machine_info["python_version"] == "3.12.1"
    write(folder / "later.json", benchmark("later"), commit_info={"id": "fedcba9"})
    assert main(["merge", "a.json", "later.json", "-o", "all.json"]) == 0  # parts may be of several commits


def test_merge_of_files_that_contradict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", "a.json", "b.json", "-o", "all.json"]) == 2
    assert "tests/test_x.py::x (in a.json and b.json); say whose count with --keep" in capsys.readouterr().err
    assert main(["merge", "a.json", "c.json", "-o", "all.json"]) == 2
    assert "(Python version: 3.12.1 -> 3.11.7); merge files of one environment" in capsys.readouterr().err
    assert main(["merge", "a.json", "own.json", "-o", "all.json"]) == 2
    assert "(backend: stock -> perfcore)" in capsys.readouterr().err
    assert not (folder / "all.json").exists()
    for keep, median in (("first", 1e-6), ("last", 0.5e-6)):
        assert main(["merge", "a.json", "b.json", "c.json", "-o", "all.json", "--keep", keep, "--allow-mixed"]) == 0
        assert load_results("all.json").benchmarks[0].median == median
    assert main(["merge", "a.json", "-o", "missing/all.json"]) == 2


def test_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "odd.json", benchmark('p[a|b,"c"]', stats={"mean": None}))
    assert main(["export", "odd.json"]) == 0
    (row,) = csv.DictReader(capsys.readouterr().out.splitlines())
    assert (row["fullname"], row["median"], row["mean"]) == ('tests/test_x.py::p[a|b,"c"]', "1e-06", "")
    assert main(["export", "odd.json", "--format", "markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| benchmark | median | min | mean |")
    assert lines[2].startswith("| <code>tests/test_x.py::p&#91;a&#124;b,&#34;c&#34;&#93;</code> | 1 µs | 900 ns | - |")
    assert main(["export", "a.json", "--json", "-o", "out.json"]) == 0
    assert [row["rounds"] for row in json.loads((folder / "out.json").read_text())["benchmarks"]] == [100, 100]
    before = (folder / "a.json").read_bytes()
    capsys.readouterr()
    assert main(["export", "a.json", "--json", "-o", "./a.json"]) == 2
    assert "a.json: what is written is made of that file" in capsys.readouterr().err
    assert (folder / "a.json").read_bytes() == before, "what was measured"
    assert main(["export", "none.json", "-o", "none.out"]) == 2
    assert not (folder / "none.out").exists()


def test_history_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"perfcore": {"kernel": "unrolled", "metrics": {"peak_bytes": 900, "allocations": 5}}}
    write(folder / "odd.json", benchmark('p[a|b,"c"]', stats={"mean": None}), benchmark("=1+1", fullname="=1+1"))
    write(folder / "own.json", benchmark("m") | metrics, datetime="2024-01-02T00:00:00+00:00")
    assert main(["history", "add", "odd.json", "own.json", "--database", "h.db"]) == 0
    capsys.readouterr()
    assert main(["history", "export", "--database", "h.db"]) == 0
    formula, odd, own = csv.DictReader(capsys.readouterr().out.splitlines())
    assert formula["fullname"] == "'=1+1"  # or a spreadsheet would run it
    assert (odd["fullname"], odd["median"], odd["mean"]) == ('tests/test_x.py::p[a|b,"c"]', "1e-06", "")
    assert (odd["datetime"], odd["commit"], odd["peak_bytes"]) == ("2024-01-01T00:00:00+00:00", "0123abc", "")
    assert (own["peak_bytes"], own["allocations"], own["method"]) == ("900", "5", "unrolled/perf_counter")
    assert main(["history", "export", "--benchmark", "::m", "--json", "-o", "out.json", "--database", "h.db"]) == 0
    assert capsys.readouterr().out == "out.json: 1 rows\n"
    (row,) = json.loads((folder / "out.json").read_text())["rows"]
    assert (row["fullname"], row["rounds"], row["instructions"]) == ("tests/test_x.py::m", 100, None)
    for arguments, text in (
        (["--database", "none.db"], "no history yet"),
        (["--database", "h.db", "--days", "1"], "has nothing that was asked for"),
        (["--database", "h.db", "--benchmark", "none"], "has nothing that was asked for"),
        (["--database", "h.db", "-o", "missing/out.csv"], "cannot write"),
    ):
        assert main(["history", "export", *arguments]) == 2
        assert text in capsys.readouterr().err
    assert not (folder / "none.db").exists()


@pytest.mark.parametrize(
    "command",
    [
        "export odd.json --format action-benchmark",
        "report odd.json --format junit --output -",
        "history export --json --database h.db",
    ],
)
def test_what_a_program_reads_is_utf_8(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Whatever the locale is: XML says so of itself, and JSON knows no escape with an x."""
    write(folder / "odd.json", benchmark("naïve"))
    assert main(["history", "add", "odd.json", "--database", "h.db"]) == 0
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(command.split()) == 0
    stream.flush()
    text = stream.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]
    assert "naïve" in text
    if "junit" not in command:
        json.loads(text)


def test_a_check_loads_only_what_it_needs() -> None:
    program = (
        "import sys; from perfcore.cli import main\n"
        "code = main(['check', 'b.json', '--baseline', 'a.json'])\n"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "perfcore.judge.verdict" in loaded
    # Reading two files and comparing them needs none of these, and each takes its time to load.
    heavy = {
        "sqlalchemy",
        "rich",
        "pytest",
        "numpy",
        "json",
        "tempfile",
        "platform",
        "asyncio",
        "shutil",
        "bz2",
        "lzma",
    }
    assert not loaded & heavy
