# SPDX-License-Identifier: MIT
"""USE reports and flame graphs of the dashboard: what is read, what is refused, what of a file can reach the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from results_files import benchmark, write

from perfcore.cli import main
from perfcore.errors import ResultsError
from perfcore.measure.use import Figure, ResourceUse, UseReport
from perfcore.report import flames
from perfcore.report.flames import read_profile
from perfcore.report.stacks import render_folded, render_speedscope
from perfcore.report.use import read_use

HOSTILE = "</script><script>document.title = 'taken'</script>\u202e\n"


def use_document(*figures: tuple[str, Figure], **changes: Any) -> dict[str, Any]:
    kinds = {kind: tuple(one for of, one in figures if of == kind) for kind in ("utilisation", "saturation", "errors")}
    report = UseReport("a command", 10.0, 7, (ResourceUse("cpu", **kinds),))
    return {"schema": 1, "command": "use", "exit_code": 0} | report.as_dict() | changes


def use_file(path: Path, *figures: tuple[str, Figure], **changes: Any) -> Path:
    path.write_text(json.dumps(use_document(*figures, **changes)), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("kind", "figure", "status"),
    [
        ("utilisation", Figure("x", 0.89, "processors", limit=1), ""),
        ("utilisation", Figure("x", 0.9, "processors", limit=1), "warning"),
        ("utilisation", Figure("x", 99.0, "processors"), ""),
        ("saturation", Figure("x", 9.9, "percent"), ""),
        ("saturation", Figure("x", 10.0, "percent", "system"), "warning"),
        ("saturation", Figure("x", 0.09, "seconds"), ""),
        ("saturation", Figure("x", 0.11, "seconds"), "warning"),
        ("saturation", Figure("x", 0, "count"), ""),
        ("saturation", Figure("x", 1, "count", "cgroup"), "warning"),
        ("saturation", Figure("x", 1e6, "per_s"), ""),
        ("errors", Figure("x", 0, "count"), ""),
        ("errors", Figure("x", 1, "count"), "critical"),
    ],
)
def test_what_deserves_a_look(tmp_path: Path, kind: str, figure: Figure, status: str) -> None:
    (found,) = read_use(use_file(tmp_path / "use.json", (kind, figure)))["figures"]
    assert (found["resource"], found["kind"], found["shown"], found["status"]) == ("cpu", kind, str(figure), status)


def test_unknown_figures_are_left_out_and_a_target_of_no_time(tmp_path: Path) -> None:
    figures = ("errors", Figure("a", None, "count")), ("saturation", Figure("b", 0.0, "seconds"))
    found = read_use(use_file(tmp_path / "use.json", *figures, seconds=0, exit_code=None))
    assert [(one["name"], one["status"]) for one in found["figures"]] == [("b", "")]
    assert (found["source"], found["target"], found["exit_code"]) == ("use.json", "a command", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"command": "heap"},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"seconds": -1},
        {"seconds": 10**400},
        {"seconds": "1"},
        {"samples": None},
        {"target": 3},
        {"exit_code": "0"},
        {"resources": []},
        {"resources": {"cpu": {}}},
        {"resources": {"cpu": {"utilisation": [3], "saturation": [], "errors": []}}},
    ],
)
def test_what_is_no_use_report(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ResultsError, match=r"use\.json: not what perfcore use --json writes"):
        read_use(use_file(tmp_path / "use.json", **changes))


@pytest.mark.parametrize(
    "change", [{"unit": "<b>"}, {"scope": 3}, {"value": True}, {"value": -1}, {"limit": "x"}, {"name": None}]
)
def test_what_is_no_figure(tmp_path: Path, change: dict[str, Any]) -> None:
    document = use_document(("errors", Figure("x", 1, "count")))
    document["resources"]["cpu"]["errors"][0] |= change
    (tmp_path / "use.json").write_text(json.dumps(document))
    with pytest.raises(ResultsError, match="not what perfcore use --json writes"):
        read_use(tmp_path / "use.json")


STACKS = {("main", "a", "b"): 30, ("main", "a"): 10, ("main", "c"): 60, ("other",): 20}


def test_both_formats_are_the_same_tree(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text(render_folded(STACKS))
    (tmp_path / "p.json").write_text(render_speedscope(STACKS, "the title", "microseconds"))
    folded, speedscope = read_profile(tmp_path / "p.txt"), read_profile(tmp_path / "p.json")
    assert (folded["title"], folded["unit"]) == ("", "none")
    assert (speedscope["title"], speedscope["unit"]) == ("the title", "microseconds")
    for found in (folded, speedscope):
        names = [found["names"][index] for index in found["name"]]
        assert list(zip(names, found["depth"], found["total"], strict=True)) == [
            ("all", 0, 120),
            ("main", 1, 100),
            ("a", 2, 40),
            ("b", 3, 30),
            ("c", 2, 60),
            ("other", 1, 20),
        ]
        assert found["left_out"] == 0


def test_the_heaviest_are_kept_with_their_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flames, "MOST_BOXES", 4)
    (tmp_path / "p.txt").write_text(render_folded(STACKS))
    found = read_profile(tmp_path / "p.txt")
    assert [found["names"][index] for index in found["name"]] == ["all", "main", "a", "c"]
    assert (found["total"], found["left_out"]) == ([120, 100, 40, 60], 2)


def test_names_that_look_like_other_formats_and_deep_stacks(tmp_path: Path) -> None:
    deep = ";".join(f"f{number}" for number in range(5000))
    lines = ["<module> (x.py:1);f 1", "{built-in method x} 2", "a b;;c 3\r", "", "n" * 3000 + " 4", f"{deep} 5"]
    (tmp_path / "p.txt").write_text("\n".join(lines), encoding="utf-8-sig")
    found = read_profile(tmp_path / "p.txt")
    assert {"<module> (x.py:1)", "{built-in method x}", "a b", "c"} < set(found["names"])
    assert max(map(len, found["names"])) == 400
    assert (max(found["depth"]), found["total"][0]) == (200, 15)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no stacks"),
        (b"a;b 0\n", "holds no stacks"),
        (b"a 1\na;b\n", r"line 2: no folded stack"),
        (b"; 3\n", "line 1: no folded stack"),
        (b"a 1.5\n", "line 1: no folded stack"),
        (b"a " + b"9" * 5000, "line 1: no folded stack"),
        (b"a 9007199254740992\n", "too large to add up"),
        (b"a 1\n\xff 2\n", r"not text in UTF-8 \(at byte 4\)"),
        (b"\n<svg xmlns='x'><script>1</script></svg>", "a picture or a page"),
        (b"<?xml version='1.0'?>", "a picture or a page"),
        (b"{}", "KeyError"),
        (b'{"shared": ' + b"[" * 100_000, "not what perfcore flamegraph writes"),
    ],
)
def test_what_is_no_profile(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "p.txt").write_bytes(content)
    with pytest.raises(ResultsError, match=rf"p\.txt: .*{words}"):
        read_profile(tmp_path / "p.txt")


@pytest.mark.parametrize(
    "change",
    [
        {"type": "evented"},
        {"unit": "<b>"},
        {"weights": [1]},
        {"weights": [1, -1]},
        {"weights": [1, 1.5]},
        {"weights": [1, 2**53]},
        {"samples": [[0], [7]]},
        {"samples": [[0], [-1]]},
        {"samples": [[0], [True]]},
        {"samples": 3},
    ],
)
def test_what_is_no_profile_of_speedscope(tmp_path: Path, change: dict[str, Any]) -> None:
    document = json.loads(render_speedscope({("a",): 1, ("b",): 2}, "t", "bytes"))
    document["profiles"][0] |= change
    (tmp_path / "p.json").write_text(json.dumps(document))
    with pytest.raises(ResultsError, match="not what perfcore flamegraph writes"):
        read_profile(tmp_path / "p.json")


def test_the_command_adds_them_and_names_cannot_leave_the_data(tmp_path: Path) -> None:
    write(tmp_path / "new.json", benchmark())
    use = use_file(tmp_path / "use.json", ("errors", Figure(HOSTILE, 1, "count")), target=HOSTILE)
    profile = tmp_path / "<b>&.json"
    profile.write_text(render_speedscope({(HOSTILE,): 3}, HOSTILE, "bytes"))
    command = ["report", str(tmp_path / "new.json"), "--format", "html,json,markdown,github", "--output", str(tmp_path)]
    assert main([*command, "--use", str(use), "--use", str(use), "--flamegraph", str(profile)]) == 0
    found = json.loads((tmp_path / "report.json").read_text())
    assert [one["target"] for one in found["use"]] == [HOSTILE] * 2
    assert [one["source"] for one in found["profiles"]] == ["<b>&.json"]
    page = (tmp_path / "report.html").read_text()
    assert page.count("</script>") == 2
    assert "<b>&" not in page
    assert main(command) == 0
    plain = json.loads((tmp_path / "report.json").read_text())
    assert {"use", "profiles"} & plain.keys() == set()


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a 1\n" * 10)
    with pytest.raises(ResultsError, match=r"too large: 40 bytes, and the limit is 39 bytes; raise the limit$"):
        read_profile(tmp_path / "p.txt", max_bytes=39)
