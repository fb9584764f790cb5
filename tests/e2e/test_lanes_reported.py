# SPDX-License-Identifier: MIT
"""perfcore analyze and report take the newest runs of lanes by their names."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from perfcore.cli import main

LANES = """\
[tool.perfcore.lanes.docs]
command = "sleep 0.01"
iterations = 3
[tool.perfcore.lanes.heavy]
command = "sleep 0.2"
iterations = 3
[tool.perfcore.lanes.broken]
command = "false"
iterations = 1
[tool.perfcore.sla.docs]
mean = "1 ms"
[tool.perfcore.thresholds.metrics]
memory_max_bytes = { max = "1 kB" }
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text(LANES)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", "--all"]) == 1
    return folder


@pytest.fixture
def project(ran: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(ran)
    return ran


def test_lanes_side_by_side(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "--lane", "heavy", "--lane", "docs", "--lane", "broken"]) == 0
    text = capsys.readouterr().out
    assert [line.split()[0] for line in text.splitlines() if line.startswith("lane::")] == [
        *("lane::heavy", "lane::docs"),
        *("lane::docs", "lane::heavy"),  # the standings
    ]
    assert "lane broken: no iteration was completed" in text
    assert "against" not in text, "lanes are no two versions of one thing"
    assert main(["analyze", "--all"]) == 0
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(text.splitlines())
    assert main(["analyze", "--lane", "heavy", "--lane", "docs", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["fullname"] for one in document["standings"]["lanes"]] == ["lane::docs", "lane::heavy"]
    assert document["standings"]["lanes"][1]["ratio"] > 2
    assert document["comparisons"] == []
    assert len(document["files"]) == 2


def test_what_a_lane_takes_is_in_the_history_and_can_be_judged(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (results,) = (project / "benchmarks/results/lanes/docs").glob("*/results.json")
    assert main(["history", "add", str(results), "--database", "h.db"]) == 0
    for metric in ("memory_max_bytes", "cpu_s", "cpu_percent"):
        capsys.readouterr()
        assert main(["analyze", "--metric", metric, "--database", "h.db", "--json"]) == 0
        (trend,) = json.loads(capsys.readouterr().out)["trends"]
        assert trend["benchmark"] == "lane::docs"
        assert trend["recent"] > 0
    assert main(["check", str(results), "--baseline", str(results), "--fail-on-regression"]) == 1
    assert "memory_max_bytes" in capsys.readouterr().out


def test_the_report_of_a_lane(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--lane", "docs", "--format", "csv", "--output", "performance_metrics.csv"]) == 0
    capsys.readouterr()
    (row,) = csv.DictReader((project / "performance_metrics.csv").read_text().splitlines())
    assert (row["fullname"], row["rounds"]) == ("lane::docs", "3")
    (project / "elsewhere").mkdir()
    (project / "elsewhere/lanes.toml").write_text('[tool.perfcore.sla.docs]\np95 = "2 ms"\n')
    folder = "benchmarks/results/lanes"
    more = ["--config", "elsewhere/lanes.toml", "--folder", folder]
    for words, key in (([], "mean"), (more, "p95")):
        assert main(["report", "--lane", "docs", "--format", "json", "--output", "-", *words]) == 0
        assert [one["key"] for one in json.loads(capsys.readouterr().out)["sla"]] == [key]


def test_the_configuration_of_a_lane_is_that_of_its_verdicts_and_of_its_history(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What --config names counts, not what lies where the command is called."""
    (results,) = (project / "benchmarks/results/lanes/docs").glob("*/results.json")
    assert main(["history", "add", str(results)]) == 0
    monkeypatch.chdir(tmp_path)
    command = ["report", "--lane", "docs", "--config", str(project / "pyproject.toml"), "--format", "json"]
    for against in (["--baseline", str(results)], ["--history"]):
        capsys.readouterr()
        assert main([*command, *against, "--output", "-"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["check"]["metric_counts"]["critical"] == 1, "memory_max_bytes is over its limit"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("analyze x.json --lane docs", "give results files, --lane NAME or --all, not two of them"),
        ("analyze --all --lane docs", "give results files, --lane NAME or --all, not two of them"),
        ("analyze --all --config none.toml", "none.toml: there are no lanes in [tool.perfcore.lanes]"),
        ("analyze --folder lanes", "--config and --folder are of lanes; name one with --lane"),
        ("analyze --lane never", "lane 'never' was never run there; run it: perfcore run --lane never"),
        ("report", "give a results file or --lane NAME"),
        ("report x.json --lane docs", "give a results file or --lane NAME"),
        ("report x.json --config pyproject.toml", "--config and --folder are of lanes; name one with --lane"),
        ("report --lane never", "lane 'never' was never run there; run it: perfcore run --lane never"),
    ],
)
def test_what_is_wrong(project: Path, capsys: pytest.CaptureFixture[str], words: str, says: str) -> None:
    (project / "none.toml").touch()
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
