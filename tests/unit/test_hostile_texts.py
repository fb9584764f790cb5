# SPDX-License-Identifier: MIT
"""Texts that attack: every text of a results file is hostile, and every command and report shows it as text.

Also where names become files, what modes files get, and that nothing read is ever run. HTML and Markdown have tests of
their own in test_reports.py, the formats of other tools in test_exports.py, damaged files in test_hostile_files.py.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import pytest
from results_files import benchmark, document

from perfcore.cli import main
from perfcore.errors import ConfigError
from perfcore.messaging import ShmRing
from perfcore.report.write import FORMATS
from perfcore.suite.lane import make_lanes

pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")

PAYLOADS = {
    "terminal": "a\x1b]0;title\x07\x1b[2J\r\n\x9b31m\u202eb\u2028",
    "html": "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "formula": "=cmd|' /C calc'!A0",
    "shell": "$(touch pwned); `touch pwned` | touch pwned & '\"",
    "path": "../../../outside/pwned.json",
    "format": "%s%n{0.__class__}{}{{7*7}}${jndi:ldap://x}",
}
COMMANDS = (
    "check new.json --baseline old.json",
    "check new.json --baseline old.json --json",
    "check new.json --history --database h.db",
    "compare old.json new.json",
    "analyze old.json new.json",
    "baseline save new.json --baseline base.json",
    "baseline update old.json --baseline base.json",
    "baseline show --baseline base.json",
    "baseline validate --baseline base.json",
    "merge old.json new.json --output all.json --keep last --allow-mixed",
    "optimize new.json",
    "validate-sla new.json",
    "history list --database h.db",
    "trends --days 36500 --database h.db",
    "export new.json --output table.csv",
    "history export --database h.db --output history.csv",
    f"report new.json --baseline old.json --output out --format {','.join(FORMATS)}",
)


def poisoned(value: Any, text: str) -> Any:
    """Return a copy in which every text is hostile, and every name that anybody may choose."""
    if isinstance(value, dict):
        return {key: poisoned(item, text) for key, item in value.items()} | {text: text}
    if isinstance(value, list):
        return [poisoned(item, text) for item in value]
    return text if isinstance(value, str) else value


def results(text: str, median: float, day: int) -> dict[str, Any]:
    own = {"kernel": "x", "metrics": {"peak_bytes": 10, "allocated_bytes": 5}, "flags": {}, "mad": 1e-9}
    entries = [benchmark(f"b{n}", median, group="g", params={"a": "x"}, perfcore=own) for n in range(2)]
    made: dict[str, Any] = poisoned(document(*entries, perfcore={"environment": {"governor": "x"}}), text)
    made["datetime"] = f"2024-01-{day:02}T00:00:00+00:00"
    for number, one in enumerate(made["benchmarks"]):
        one["fullname"] = f"{text}{number}"
        one["stats"] = {key: item for key, item in one["stats"].items() if not isinstance(item, str)}
    return made


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "inside"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("pyproject.toml").write_text('[tool.perfcore.sla."*"]\nmedian = "1 s"\n')
    return folder


def everything(text: str) -> dict[str, int]:
    """Run all commands on files full of a text; return the exit codes."""
    Path("old.json").write_text(json.dumps(results(text, 1e-6, 1)))
    Path("new.json").write_text(json.dumps(results(text, 2e-6, 2)))
    for day in range(3, 9):
        Path(f"{day}.json").write_text(json.dumps(results(text, 1e-6, day)))
    files = ["old.json", *(f"{day}.json" for day in range(3, 9))]
    assert main(["history", "add", *files, "--database", "h.db"]) == 0
    return {command: main(command.split()) for command in COMMANDS}


@pytest.mark.parametrize("kind", PAYLOADS)
def test_every_command_shows_it_as_text(inside: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    text = PAYLOADS[kind]
    codes = everything(text)
    assert set(codes.values()) == {0}, codes
    said = capsys.readouterr()
    assert said.out.replace("\n", "").isprintable()
    assert said.err == ""
    assert "pwned" not in os.listdir(inside)
    assert os.listdir(inside.parent) == ["inside"]
    assert {path.name for path in Path("out").iterdir()} == {name for name, _ in FORMATS.values()}
    for table in ("table.csv", "history.csv", "out/report.csv"):
        for row in csv.DictReader(io.StringIO(Path(table).read_text(encoding="utf-8"), newline="")):
            assert not any(cell.lstrip()[:1] in ("=", "@") for cell in row.values() if cell)
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<img" not in page
    for name in ("comment.md", "report.md"):
        shown = Path("out", name).read_text(encoding="utf-8")
        assert "<script" not in shown
        assert "<img" not in shown
        assert "`touch" not in shown


@pytest.mark.parametrize(("mask", "forbidden"), [(0o022, 0o022), (0o077, 0o077)])
def test_files_get_the_modes_that_the_umask_leaves(
    inside: Path, capsys: pytest.CaptureFixture[str], mask: int, forbidden: int
) -> None:
    old = os.umask(mask)
    try:
        everything("name")
    finally:
        os.umask(old)
    found = [path for path in inside.rglob("*") if path.name != "pyproject.toml"]
    assert len(found) > 20
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in found}
    assert {name: mode for name, mode in modes.items() if int(mode, 8) & forbidden} == {}


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("pwned"),)


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Bomb()),
        b"!!python/object/apply:os.system ['touch pwned']\n",
        b'{"benchmarks": ' + b"[" * 1_000_000,
        b'{"benchmarks": [' + b"9" * 1_000_000 + b"]}",
        b"\x1f\x8b\x08\x00" + bytes(100),
        b'{"benchmarks": [], "benchmarks": []}',
        b"\xff\xfe{\x00}\x00",
    ],
    ids=["pickle", "yaml", "depth", "digits", "gzip", "twice", "utf-16"],
)
def test_what_is_no_results_file_is_refused_and_never_run(
    inside: Path, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    Path("bad.json").write_bytes(data)
    for command in ("check bad.json --baseline bad.json", "report bad.json", "history add bad.json --database h.db"):
        assert main(command.split()) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("perfcore: error: ")
        assert said.err.count("\n") == 1
        assert len(said.err) < 500
    assert sorted(os.listdir(inside)) in (["bad.json", "pyproject.toml"], ["bad.json", "h.db", "pyproject.toml"])


HOSTILE_PATHS = ("../x", "/etc/x", "a/b", "..", ".", "", "a\0b", "a\nb", "x" * 300, "\x1b[31m", "a b", "ä")


@pytest.mark.parametrize("name", HOSTILE_PATHS)
def test_names_of_lanes_are_no_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_lanes(tmp_path / "pyproject.toml", {name: {"command": "true"}})
    assert "is no name for a lane" in str(caught.value)


@pytest.mark.parametrize(
    "name", sorted({*HOSTILE_PATHS} - {".", ".."})
)  # a ring's file has a prefix, so these are names
def test_names_of_rings_are_no_paths(name: str) -> None:
    with pytest.raises(ValueError, match=r"name|null character"):
        ShmRing(name)


def test_a_results_file_behind_links(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("loop.json").symlink_to("loop.json")
    Path("device.json").symlink_to("/dev/zero")
    os.mkfifo("pipe.json")
    for name in ("loop.json", "device.json", "pipe.json", "."):
        assert main(["check", name, "--baseline", name]) == 2
        assert capsys.readouterr().err.count("\n") == 1
