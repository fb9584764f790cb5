# SPDX-License-Identifier: MIT
"""Names that are markup, formulas, table cells or orders to a terminal stay text wherever perfcore writes them."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from results_files import MACHINE, benchmark, write

from perfcore.cli import main
from perfcore.report.write import FORMATS

FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", " =1", "\t=1", "\r=1")
MARKUP = (
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    "a | b `c` *d* _e_ [f](http://g/) @h <!-- i",
    "two\nlines\r\nand \u2028 more",
    "\x1b[31mred\x1b[0m \x07 \x9b \u202egnal \u200b \ufeff",
    "'\"\\ %s {0} ${IFS} $(reboot) \N{SNOWMAN} é",
)
NAMES = (*FORMULAS, *MARKUP)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files and a history of both, in which every text is hostile."""
    monkeypatch.chdir(tmp_path)
    rising = zip(NAMES, range(len(NAMES)), strict=True)
    for number, file in enumerate(("old.json", "new.json")):
        metrics = {"kernel": MARKUP[4], "metrics": {"allocations": 1 + number, **dict.fromkeys(MARKUP, 1.0 + number)}}
        items = [
            benchmark(name, 1e-6 * (1 + number * (place % 3)), fullname=name, group=MARKUP[place % 6], perfcore=metrics)
            for name, place in (rising if number == 0 else zip(NAMES, range(len(NAMES)), strict=True))
        ]
        write(
            tmp_path / file,
            *items,
            commit_info={"id": MARKUP[4], "branch": MARKUP[number]},
            machine_info=MACHINE | {"python_version": MARKUP[number * 4]},
            datetime=(datetime.now(UTC) - timedelta(days=2 - number)).isoformat(),
        )
    assert main(["history", "add", "old.json", "new.json"]) == 0
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(list(arguments)) in (0, 1)
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize(
    "command",
    [
        "check new.json --baseline old.json",
        "check new.json --history",
        "compare old.json new.json",
        "analyze new.json --by all",
        "analyze old.json new.json",
        "analyze --window 2",
        "trends",
        "history list",
        "baseline save new.json",
        "validate-sla new.json --sla sla.toml",
        "optimize new.json",
    ],
)
def test_a_terminal_is_told_nothing_but_text(project: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    (project / "sla.toml").write_text('[tool.perfcore.sla."*"]\nmean = "1 ns"\n')
    text = printed(capsys, *command.split())
    assert text.strip()
    for line in text.split("\n"):
        assert line.isprintable(), line


@pytest.mark.parametrize("command", ["export new.json", "history export", "report new.json --format csv --output -"])
def test_no_cell_is_a_formula(project: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(capsys, *command.split()), newline="")))
    found = {row["fullname"] for row in rows}
    assert {f"'{name}".replace("\r\n", "\n") for name in FORMULAS} <= {one.replace("\r\n", "\n") for one in found}
    for row in rows:
        for cell in row.values():
            number = re.fullmatch(r"-?[0-9.]+(e[+-]?[0-9]+)?", cell)
            assert number or cell[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n"), cell
            assert not cell.lstrip().startswith(("=", "+", "@")), cell


class Tags(HTMLParser):
    """Collects the tags and the text of a page or of Markdown."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))


@pytest.mark.parametrize("name", ["markdown", "github"])
def test_markdown_keeps_its_cells(project: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    command = ("report", "new.json", "--baseline", "old.json", "--history", "--format", name, "--output", "-")
    text = printed(capsys, *command)
    assert {tag for tag, _ in _tags(text)} <= {"code", "details", "summary", "sub"}
    columns = 0
    for line in text.split("\n"):
        assert line.isprintable()
        if not line.startswith("|"):
            columns = 0
            continue
        columns = columns or line.count("|")
        assert line.count("|") == columns, line
        for cell in re.findall(r"<code>(.*?)</code>", line):
            assert not set("<>|`*[]@") & set(re.sub(r"&#[0-9]+;(<!-- -->)?", "", cell))


def _tags(text: str) -> list[tuple[str, list[tuple[str, str | None]]]]:
    parser = Tags()
    parser.feed(text)
    return parser.tags


def test_the_page_holds_no_tag_of_a_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("report", "new.json", "--baseline", "old.json", "--history", "--format", "html", "--output", "-")
    text = printed(capsys, *command)
    assert [tag for tag, _ in _tags(text)].count("script") == 2
    assert not [one for one in _tags(text) if one[0] in ("img", "td") or any(key.startswith("on") for key, _ in one[1])]
    data = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    assert [one["fullname"] for one in json.loads(data[1])["benchmarks"]] == list(NAMES)


@pytest.mark.parametrize("name", ["json", "bencher", "action-benchmark"])
def test_json_is_json(project: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    found = json.loads(printed(capsys, "report", "new.json", "--format", name, "--output", "-"))
    assert len(found["benchmarks"] if name == "json" else found) == len(NAMES)


def test_every_format_is_written_to_a_file_of_its_own(project: Path) -> None:
    formats = ",".join(FORMATS)
    assert main(["report", "new.json", "--baseline", "old.json", "--history", "--format", formats]) == 0
    assert len(list((project / "perfcore-report").iterdir())) == len(FORMATS)
