# SPDX-License-Identifier: MIT
"""The reports: what they say, that hostile names stay text, that they stay small and come out the same."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from results_files import benchmark, write

from perfcore.cli import main
from perfcore.judge.verdict import check_results
from perfcore.record.results import load_results
from perfcore.report import model
from perfcore.report.comment import LIMIT, MARKER, escaped, render_comment
from perfcore.report.model import MOST_POINTS, describe, quantiles
from perfcore.report.page import render_html
from perfcore.report.table import COLUMNS, render_csv

HOSTILE = "</script><script>alert(1)</script><!-- & ` | [x](http://a/) @someone \n \u202e *b* _c_"


def documented(tmp_path: Path, *new: dict[str, Any], old: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    results = load_results(write(tmp_path / "new.json", *new))
    if not old:
        return describe(results)
    return describe(results, check_results(load_results(write(tmp_path / "old.json", *old)), results))


def data_of(page: str) -> Any:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_quantiles_are_the_samples_where_they_are_few(tmp_path: Path) -> None:
    path = write(tmp_path / "r.json", benchmark(stats={"data": [3e-6, 1e-6, 2e-6]}))
    assert quantiles(load_results(path).benchmarks[0], MOST_POINTS) == [1000, 2000, 3000]


def test_quantiles_of_many_samples_are_evenly_spaced(tmp_path: Path) -> None:
    path = write(tmp_path / "r.json", benchmark(stats={"data": [number * 1e-6 for number in range(1001, 0, -1)]}))
    assert quantiles(load_results(path).benchmarks[0], 5) == [1000, 251000, 501000, 751000, 1001000]


def test_all_distributions_share_the_room_that_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "ALL_POINTS", 400)
    item = benchmark("a", stats={"data": [1e-6 + number * 1e-9 for number in range(1000)]})
    items = [item | {"fullname": name} for name in "abcd"]
    for old, points in (((), 100), (tuple(items), 50)):
        for one in documented(tmp_path, *items, old=old)["benchmarks"]:
            assert len(one["quantiles_ns"]) == points
            assert len(one["baseline_quantiles_ns"]) == (points if old else 0)


def test_without_samples_the_quartiles_are_drawn(tmp_path: Path) -> None:
    one = documented(tmp_path, benchmark(median=1e-6, iqr=1e-7))["benchmarks"][0]
    assert one["quantiles_ns"] == [900, 950, 1000, 1050, 2000]
    assert not one["sampled"]


def test_without_quartiles_nothing_is_drawn(tmp_path: Path) -> None:
    one = documented(tmp_path, benchmark(stats={"q1": None}))["benchmarks"][0]
    assert one["quantiles_ns"] == []


def test_verdicts_and_both_distributions(tmp_path: Path) -> None:
    document = documented(tmp_path, benchmark("a", 2e-6), benchmark("b"), old=(benchmark("a"), benchmark("c")))
    slow, fresh = document["benchmarks"]
    assert slow["verdict"]["status"] == "critical"
    assert slow["verdict"]["ratio"] == pytest.approx(2)
    assert slow["baseline_quantiles_ns"]
    assert fresh["verdict"] is None
    assert document["check"]["new"] == ["tests/test_x.py::b"]
    assert document["check"]["gone"] == ["tests/test_x.py::c"]


def test_interrupted_rounds_are_flagged(tmp_path: Path) -> None:
    flagged = benchmark("a", perfcore={"kernel": "unrolled", "flags": {"interrupted_rounds": 11}})
    calm = benchmark("b", perfcore={"kernel": "unrolled", "flags": {"interrupted_rounds": 10}})
    assert [one["polluted"] for one in documented(tmp_path, flagged, calm)["benchmarks"]] == [True, False]


def test_a_hostile_name_cannot_leave_the_data(tmp_path: Path) -> None:
    page = render_html(documented(tmp_path, benchmark(HOSTILE, group=HOSTILE)))
    assert "<script>alert" not in page
    assert "<!--" not in page
    assert page.count("</script>") == 2
    assert data_of(page)["benchmarks"][0]["name"] == HOSTILE


def test_the_policy_names_the_script_and_the_style(tmp_path: Path) -> None:
    page = render_html(documented(tmp_path, benchmark()))
    for kind, pattern in (("script", r"<script>(.*)</script>"), ("style", r"<style>(.*)</style>")):
        found = re.search(pattern, page, re.DOTALL)
        assert found is not None
        digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href)=", page)


def test_a_hostile_name_is_one_table_cell_of_markdown() -> None:
    text = escaped(HOSTILE)
    inside = text.removeprefix("<code>").removesuffix("</code>")
    assert "&#64;<!-- -->someone" in inside
    assert not set("<>|`*[]@\n\u202e") & set(inside.replace("<!-- -->", ""))
    assert "://" not in inside
    for name in ("a www.example.com", "_www.example.com", "user@example.com", "mailto:user@example.com"):
        assert not re.search(r"www\.|(@|&#64;)\w", escaped(name)), "what GitHub makes a link"
    assert len(escaped("x" * 1000)) < 200


def test_long_names_stay_apart(tmp_path: Path) -> None:
    """Those of one parametrised test differ at their ends."""
    new = [benchmark(f"test_{'long_' * 40}[{size}]") for size in (1, 2)]
    text = render_comment(documented(tmp_path, *new))
    names = re.findall(r"<code>(.*?)</code>", text)
    assert len(set(names)) == 2
    assert all(name.startswith("tests/test_x.py::test_long_long_") for name in names)


def test_markdown_has_the_worst_first_and_folds_the_rest(tmp_path: Path) -> None:
    medians = {"fine": 1e-6, "slow": 1.2e-6, "slower": 2e-6, "warm": 1.08e-6}
    text = render_comment(
        documented(tmp_path, *(benchmark(*one) for one in medians.items()), old=tuple(map(benchmark, medians)))
    )
    assert text.startswith(MARKER + "\n### perfcore: 2 critical, 1 warning, 1 ok")
    places = [text.index(word) for word in ("::slower", "::slow<", "::warm", "<details>", "::fine")]
    assert places == sorted(places)
    assert text.count("<details>") == text.count("</details>") == 1


def test_a_thousand_benchmarks(tmp_path: Path) -> None:
    samples = [1e-6 + number * 1.2345e-10 for number in range(300)]
    names = [f"test_{'long_' * 15}{number}[{HOSTILE}]" for number in range(1000)]
    new = [benchmark(name, 2e-6, stats={"data": samples}) for name in names]
    document = documented(tmp_path, *new, old=tuple(benchmark(name, stats={"data": samples}) for name in names))
    text = render_comment(document)
    assert len(text) < LIMIT
    shown = len(re.findall(r"^\| \S+ ", text, re.MULTILINE)) - 1  # without the head
    assert f"\n{1000 - shown} more lines were left out" in text
    assert len(render_html(document)) < 4_000_000
    assert max(len(one["quantiles_ns"]) for one in document["benchmarks"]) <= MOST_POINTS


def test_what_there_is_no_room_for_is_not_begun(tmp_path: Path) -> None:
    names = [f"test_{'long_' * 26}{number}" for number in range(400)]
    calm = benchmark("calm" * 40)
    new = (*(benchmark(one, 2e-6) for one in names), calm)
    document = documented(tmp_path, *new, old=(*map(benchmark, names), calm))
    first, second, *_ = document["benchmarks"]
    for size in range(1, 160, 4):  # all that may be left behind the last line that there is room for
        first["fullname"] = second["fullname"] = "x" * size
        text = render_comment(document)
        assert "more lines were left out" in text
        assert "details>" not in text


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", " =1", "\t=1", "\r=1"])
def test_csv_guards_against_formulas(tmp_path: Path, name: str) -> None:
    text = render_csv(documented(tmp_path, benchmark(name, fullname=name)))
    assert next(csv.DictReader(io.StringIO(text, newline="")))["fullname"] == "'" + name


def test_csv_gives_the_figures_exactly(tmp_path: Path) -> None:
    text = render_csv(documented(tmp_path, benchmark('a\n,"b', 1.23456789012345e-6), old=(benchmark("other"),)))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == 1
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["fullname"] == 'tests/test_x.py::a\n,"b'
    assert float(rows[0]["median"]) == 1.23456789012345e-6
    assert rows[0]["verdict"] == ""


def test_no_benchmarks(tmp_path: Path) -> None:
    document = documented(tmp_path)
    assert data_of(render_html(document))["benchmarks"] == []
    assert "0 benchmarks" in render_comment(document)
    assert render_csv(document).count("\n") == 1


def test_the_command_writes_the_same_files_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, old = write(tmp_path / "new.json", benchmark(HOSTILE)), write(tmp_path / "old.json", benchmark(HOSTILE))
    folder = tmp_path / "out" / "deep"
    command = [
        "report",
        str(new),
        "--baseline",
        str(old),
        "--format",
        "html,csv,markdown,json",
        "--output",
        str(folder),
    ]
    seen = []
    for _ in range(2):
        assert main([*command, "--output", str(folder)]) == 0
        seen.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert sorted(seen[0]) == ["report.csv", "report.html", "report.json", "report.md"]
    assert seen[0] == seen[1]
    assert capsys.readouterr().out.splitlines()[0] == f"report: {folder / 'report.html'}"


def test_a_single_format_goes_to_a_file_with_its_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "new.json", benchmark())
    assert main(["report", "new.json", "--output", "deep/page.html"]) == 0
    assert capsys.readouterr().out == "report: deep/page.html\n"
    assert main(["report", "new.json", "--format", "html,csv", "--output", "site.html"]) == 0
    (tmp_path / "is.csv").mkdir()
    assert main(["report", "new.json", "--format", "csv", "--output", "is.csv"]) == 0
    assert main(["report", "new.json", "--format", "csv", "--output", "is.html"]) == 0
    made = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    two = ["site.html/report.csv", "site.html/report.html"]
    assert made == ["deep/page.html", "is.csv/report.csv", "is.html/report.csv", "new.json", *two]
    assert (tmp_path / "deep/page.html").read_bytes() == (tmp_path / "site.html/report.html").read_bytes()


def test_what_it_is_made_of_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also in a folder, where files have names of their own: report.json may be what was measured."""
    monkeypatch.chdir(tmp_path)
    before = [write(tmp_path / name, benchmark()).read_bytes() for name in ("new.json", "report.json")]
    command = ["report", "new.json", "--baseline", "report.json", "--format", "html,json"]
    assert main([*command, "--output", "."]) == 2
    told = "report.json: what is written is made of that file; name another one with --output"
    assert capsys.readouterr().err == f"perfcore: error: {told}\n"
    assert [(tmp_path / name).read_bytes() for name in sorted(os.listdir())] == before
    assert main([*command, "--output", "out"]) == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--format", "pdf"], "no format"),
        (
            ["--format", "json", "--output", "./new.json"],
            "new.json: what is written is made of that file; name another one",
        ),
        (["--baseline", "missing.json"], "no baseline yet"),
        (["--output", "new.json"], "cannot write"),
        (["--use", "none.json"], "none.json: no such file; make it with perfcore use"),
        (["--use", "."], "is a folder; give a USE report"),
        (["--use", "new.json"], "not what perfcore use --json writes"),
        (["--flamegraph", "none\n.txt"], "none\\n.txt: no such file; make it with perfcore flamegraph"),
        (["--flamegraph", "new.json"], "not what perfcore flamegraph writes"),
        (["--flamegraph", "/dev/null"], "is no regular file"),
        (["--flamegraph"], "expected one argument"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "new.json", benchmark())
    assert main(["report", "new.json", *more]) == 2
    errors = capsys.readouterr().err
    assert words in errors
    assert errors.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["new.json"]
