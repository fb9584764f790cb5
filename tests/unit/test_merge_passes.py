# SPDX-License-Identifier: MIT
"""Passes of one suite as one file: which counts, what the file says of them, what is refused; and how runs agree."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from results_files import MACHINE, benchmark, document, write

from perfcore.cli import main
from perfcore.errors import ResultsError
from perfcore.judge.verdict import EVIDENCE, evidence
from perfcore.record.kept import keep
from perfcore.record.merge import merge_results
from perfcore.record.passes import pass_count
from perfcore.record.results import load_results, parse_results
from perfcore.report.passes import passes_line


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(path: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in json.loads(Path(path).read_text())["benchmarks"] if one["name"] == name]
    extra: dict[str, Any] = found["extra_info"]["perfcore"]
    return extra


def three(folder: Path) -> list[Path]:
    """Three passes; `late` is only in the last two, `once` in the second."""
    items = {"extra_info": {"own": [1, {"a": None}], "perfcore": {"items_per_call": 4}}}
    data = {"data": [2e-6, 0.1 + 0.2, 5e-324, 1]}
    return [
        write(folder / "p1.json", benchmark("x", 4e-6, **items), benchmark("y", 1e-6)),
        write(
            folder / "p2.json",
            benchmark("x", 2e-6, stats=data, **items),
            benchmark("y", 3e-6),
            benchmark("late", 2e-3),
            benchmark("once"),
        ),
        write(folder / "p3.json", benchmark("x", 3e-6, **items), benchmark("y", 2e-6), benchmark("late", 1e-3)),
    ]


def test_the_fastest_pass_counts_and_the_file_says_which(folder: Path) -> None:
    made = merge_results(three(folder), "all.json", keep="fastest")
    assert [one.name for one in made.benchmarks] == ["x", "y", "late", "once"]
    assert [one.median for one in made.benchmarks] == [2e-6, 1e-6, 1e-3, 1e-6]
    assert list(made.benchmarks[0].data or ()) == [2e-6, 0.1 + 0.2, 5e-324, 1]
    assert made.benchmarks[0].extra_info["own"] == [1, {"a": None}]
    assert told("all.json", "x") == {
        "items_per_call": 4, "passes": 3, "pass": 2, "pass_spread": 1.0, "pass_medians": [4e-6, 2e-6, 3e-6],
    }  # fmt: skip
    late = told("all.json", "late")
    assert (late["passes"], late["pass"], late["pass_spread"]) == (2, 3, 1.0)
    assert late["pass_medians"] == [None, 2e-3, 1e-3]
    assert told("all.json", "once") == {"passes": 1, "pass": 2, "pass_medians": [None, 1e-6, None]}
    assert made.perfcore["passes"] == {"count": 3, "keep": "fastest", "files": ["p1.json", "p2.json", "p3.json"]}
    assert made.backend == "stock"
    assert [pass_count(one) for one in made.benchmarks] == [3, 3, 2, 1]
    kept = json.loads(keep(made.benchmarks[0]) or "")
    assert kept["extra_info"]["perfcore"] == {"items_per_call": 4, "passes": 3, "pass": 2, "pass_spread": 1.0}


def test_of_equal_passes_the_first_counts_and_one_file_is_one_pass(folder: Path) -> None:
    same = [write(folder / f"{n}.json", benchmark("x"), benchmark("zero", 0.0)) for n in range(3)]
    merge_results(same, "all.json", keep="fastest")
    assert told("all.json", "x") == {"passes": 3, "pass": 1, "pass_spread": 0.0, "pass_medians": [1e-6] * 3}
    assert "pass_spread" not in told("all.json", "zero"), "nothing is a multiple of zero"
    made = merge_results(same[:1], "one.json", keep="fastest")
    assert told("one.json", "x") == {"passes": 1, "pass": 1, "pass_medians": [1e-6]}
    assert passes_line(made) == ""


@settings(max_examples=40, deadline=None)
@given(
    medians=st.lists(st.dictionaries(st.sampled_from("abc"), st.floats(1e-9, 1e3), min_size=1), min_size=1, max_size=5),
    cut=st.integers(0, 5),
)
def test_it_makes_no_difference_in_which_steps_one_merges(medians: list[dict[str, float]], cut: int) -> None:
    files = [Path(f"{number}.json") for number in range(len(medians))]
    for file, found in zip(files, medians, strict=True):
        write(file, *(benchmark(name, value) for name, value in found.items()))
    merge_results(files, "at-once.json", keep="fastest")
    steps: list[Path] = files[cut:]
    if files[:cut]:
        merge_results(files[:cut], "some.json", keep="fastest")
        steps = [Path("some.json"), *steps]
    merge_results(steps, "in-steps.json", keep="fastest")
    assert Path("in-steps.json").read_text() == Path("at-once.json").read_text()
    for one in load_results("at-once.json").benchmarks:
        values = [found[one.name] for found in medians if one.name in found]
        extra = told("at-once.json", one.name)
        assert one.median == min(values)
        assert medians[extra["pass"] - 1][one.name] == one.median
        assert [value for value in extra["pass_medians"] if value is not None] == values


def changed(**options: Any) -> dict[str, Any]:
    made = benchmark("x", 2e-6)
    made["options"] |= options
    return made


@pytest.mark.parametrize(
    ("other", "head", "text"),
    [
        (changed(max_time=0.2), {}, "x: not measured as in a.json (max_time: 1.0 -> 0.2); passes are the same command"),
        (changed(timer="monotonic"), {}, "(timer: perf_counter -> monotonic)"),
        (changed() | {"perfcore": {"kernel": "coroutine"}}, {}, "(kernel: stock -> coroutine)"),
        (changed(), {"commit_info": {"id": "fedcba9876543"}}, "(commit: 0123abc -> fedcba987); merge passes of one"),
        (changed(), {"machine_info": MACHINE | {"python_version": "3.11.7"}}, "Python version: 3.12.1 -> 3.11.7"),
        (changed(), {"perfcore": {"backend": "perfcore"}}, "backend: stock -> perfcore"),
    ],
)
def test_what_is_no_pass_of_the_same_is_refused(other: Any, head: Any, text: str) -> None:
    write(Path("a.json"), benchmark("x"))
    write(Path("b.json"), other, **head)
    with pytest.raises(ResultsError) as caught:
        merge_results(["a.json", "b.json"], "all.json", keep="fastest")
    assert str(caught.value).startswith("b.json: ")
    assert text in str(caught.value)
    assert not Path("all.json").exists()
    made = merge_results(["a.json", "b.json"], "all.json", keep="fastest", allow_mixed=True)
    assert made.benchmarks[0].median == 1e-6


@pytest.mark.parametrize(
    "extra",
    [
        {"perfcore": "mine"},
        {"perfcore": {"pass_medians": "1", "pass": 1}},
        {"perfcore": {"pass_medians": [True], "pass": 1}},
        {"perfcore": {"pass_medians": [], "pass": 1}},
        {"perfcore": {"pass_medians": [1e-6], "pass": 2}},
        {"perfcore": {"pass_medians": [1e-6], "pass": 0}},
        {"perfcore": {"pass_medians": [None, 1e-6], "pass": 1}},
        {"perfcore": {"pass_medians": [1e-6]}},
    ],
)
def test_a_file_whose_passes_make_no_sense_is_refused(extra: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("a.json"), benchmark("x", extra_info=extra))
    assert main(["merge", "a.json", "-o", "all.json", "--keep", "fastest"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "a.json: tests/test_x.py::x: extra_info.perfcore" in error
    assert not Path("all.json").exists()


def test_a_pass_counts_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "a.json", benchmark("x"))
    (folder / "link.json").symlink_to("a.json")
    assert main(["merge", "a.json", "link.json", "-o", "all.json", "--keep", "fastest"]) == 2
    assert "link.json: given twice; a pass counts once" in capsys.readouterr().err
    assert main(["merge", "a.json", "link.json", "-o", "all.json"]) == 0  # the same figures twice, as ever


def test_rounds_of_many_calls_and_of_one_are_passes_of_the_same() -> None:
    write(Path("a.json"), benchmark("x") | {"perfcore": {"kernel": "unrolled"}})
    write(Path("b.json"), benchmark("x", 0.9e-6) | {"perfcore": {"kernel": "vectorcall"}})
    (made,) = merge_results(["a.json", "b.json"], "all.json", keep="fastest").benchmarks
    assert (made.perfcore or {})["kernel"] == "vectorcall"


@pytest.mark.parametrize("passes", ["3", 3, True, [], {"count": True}, {"count": -1}, {"count": "3"}, {"files": 1}])
def test_a_head_that_tells_nonsense_of_passes_tells_nothing(passes: Any) -> None:
    write(Path("a.json"), benchmark("x", extra_info=None), perfcore={"passes": passes})
    results = load_results("a.json")
    assert (pass_count(results.benchmarks[0]), passes_line(results)) == (1, "")
    made = merge_results(["a.json"], "all.json", keep="fastest")
    assert made.perfcore["passes"] == {"count": 1, "keep": "fastest", "files": ["a.json"]}


def test_a_file_without_a_head_or_benchmarks() -> None:
    Path("bare.json").write_text('{"benchmarks": []}')
    assert merge_results(["bare.json"], "all.json").benchmarks == ()
    assert json.loads(Path("all.json").read_text()) == {"benchmarks": []}


def test_the_command_says_how_far_apart_the_passes_lay(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(path) for path in three(folder)]
    assert main(["merge", *files, "-o", "all.json", "--keep", "fastest"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "all.json: 4 benchmarks of 3 files"
    assert out[1] == (
        "passes: of 1 to 3, the fastest counts for each benchmark; the slowest took up to 100.0 % longer in half of "
        "the benchmarks, and 200.0 % at most (tests/test_x.py::y)"
    )
    assert main(["merge", *files, "-o", "all.json", "--keep", "fastest", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passes"] == 3
    assert main(["merge", *files, "-o", "all.json"]) == 2
    assert "or with --keep fastest where the files are passes of one suite" in capsys.readouterr().err


def test_a_check_says_what_its_figures_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    merge_results(three(folder), "all.json", keep="fastest")
    one, many = load_results("p1.json"), load_results("all.json")
    assert evidence(one, one) == EVIDENCE
    assert evidence(many, many).startswith("medians of the fastest of 1 to 3 passes each; allowance from")
    assert "of the fastest of 3 passes (baseline) and of one run; on a noisy machine what was judged looks slower" in (
        evidence(many, one)
    )
    assert "of one run (baseline) and of the fastest of 3 passes; on a noisy machine the baseline looks slower" in (
        evidence(one, many)
    )
    assert main(["check", "all.json", "--baseline", "p1.json"]) == 0
    out = capsys.readouterr().out
    assert "the baseline looks slower for that alone" in out
    assert "passes: of 1 to 3, the fastest counts" in out
    assert main(["check", "p1.json", "--baseline", "p1.json"]) == 0
    assert "passes" not in capsys.readouterr().out.replace("passed", "")


def test_parts_of_which_one_is_of_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is said holds for each benchmark, whichever file is named first."""
    passes = merge_results([write(folder / f"p{n}.json", benchmark("x")) for n in range(2)], "p.json", keep="fastest")
    write(folder / "part.json", benchmark("y"))
    both = [merge_results(order, "all.json") for order in (["p.json", "part.json"], ["part.json", "p.json"])]
    for made in both:
        assert "passes" not in made.perfcore
        assert sorted(pass_count(one) for one in made.benchmarks) == [1, 2]
        assert passes_line(made).startswith("passes: of 1 to 2, the fastest counts for each benchmark; ")
        assert evidence(made, both[0]).startswith("medians of the fastest of 1 to 2 passes each; ")
        assert evidence(made, passes).startswith("medians of the fastest of 2 passes each; ")
        assert evidence(load_results("part.json"), made) == EVIDENCE
    single = load_results(write(folder / "single.json", benchmark("x"), benchmark("y")))
    assert "of the fastest of 1 to 2 passes (baseline) and of one run; on a noisy machine a side with fewer of a " in (
        evidence(both[0], single)
    )
    same = merge_results(["p.json", "p.json"], "same.json")
    assert same.perfcore["passes"] == passes.perfcore["passes"]
    assert main(["merge", "part.json", "p.json", "-o", "all.json", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passes"] == 2


def test_a_name_that_is_no_utf8(folder: Path) -> None:
    odd = os.fsdecode(b"a\xff.json")
    write(folder / odd, benchmark("x"))
    write(folder / "b.json", benchmark("x"))
    made = merge_results([odd, "b.json"], "all.json", keep="fastest")
    assert made.perfcore["passes"]["files"] == ["a\\udcff.json", "b.json"]


def test_how_many_medians_agree(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "a.json", *(benchmark(name) for name in "abcd"), benchmark("gone"), benchmark("zero", 0.0))
    write(
        folder / "b.json",
        benchmark("a", 1.04e-6), benchmark("b", 0.9e-6), benchmark("c", 2e-6), benchmark("d", 1e-6 / 1.04),
        benchmark("new"), benchmark("zero"),
    )  # fmt: skip
    assert main(["compare", "a.json", "b.json", "--within", "5%"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("b.json: 2 of 4 medians (50%) are within 5% of a.json's")
    assert lines[at + 1 : at + 3] == ["   +100.0 %  tests/test_x.py::c", "    -10.0 %  tests/test_x.py::b"]
    assert main(["compare", "a.json", "b.json", "a.json", "--within", "0.05", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["within"] == {
        "fraction": 0.05,
        "others": [
            {"compared": 4, "agree": 2, "apart": ["tests/test_x.py::c", "tests/test_x.py::b"]},
            {"compared": 5, "agree": 5, "apart": []},
        ],
    }
    assert main(["compare", "a.json", "b.json", "--json"]) == 0
    assert "within" not in json.loads(capsys.readouterr().out)
    assert main(["compare", "a.json", "b.json", "--within", "much"]) == 2


def test_what_is_written_is_read_by_others_too(folder: Path) -> None:
    """Numbers as they were, and nothing lost that is none of perfcore's business."""
    whole = document(
        benchmark("x", stats={"data": [1, 2.5e-7], "huge": 2**60}, extra_info={"né": "😀 \u2028"}),
        datetime="2024-01-01", more=[{"a": 1.0}],
    )  # fmt: skip
    (folder / "a.json").write_text(json.dumps(whole))
    merge_results(["a.json"], "all.json")
    assert json.loads((folder / "all.json").read_text()) == whole
    assert parse_results("x", (folder / "all.json").read_bytes()).benchmarks[0].extra_info == {"né": "😀 \u2028"}
