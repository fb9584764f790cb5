# SPDX-License-Identifier: MIT
"""Files that somebody else made or damaged: results, histories, folders of lanes, configuration.

Whatever is in them, a command ends with 0, 1 or 2; with 2 in one line on stderr; no traceback, no control
character on the terminal, no file outside. ``PERFCORE_MUTATIONS=2000`` makes the searches as long as that.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from results_files import benchmark, document

from perfcore.cli import main
from perfcore.config import read_config
from perfcore.errors import ConfigError, ResultsError
from perfcore.report.write import FORMATS
from perfcore.suite.store import RunFolder

pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")

MUTATIONS = int(os.environ.get("PERFCORE_MUTATIONS", "8"))
LANE = {
    "name": "l",
    "status": "completed",
    "counts": {"completed": 3},
    "outcomes": [{"index": 1, "status": "completed", "seconds": 1.0, "reason": ""}],
    "warmup": 1,
    "cores": 2,
    "memory_bytes": 10**9,
    "resources": {"cpu_s": [0.5, 0.5, 0.6], "cpu_percent": [50.0, 50.0, 51.0], "memory_max_bytes": [1e6, 1e6, 1e6]},
    "timeline": {"times": [0.1, 0.2], "rss_bytes": [1.0, 2.0]},
}
OWN = {
    "kernel": "unrolled",
    "percentiles": {"p90": 1e-6, "p95": 2e-6, "p99": 3e-6, "p99.9": 4e-6},
    "mad": 1e-8,
    "median_ci": {"low": 9e-7, "high": 1.1e-6, "level": 0.95},
    "flags": {"interrupted_rounds": 3},
    "metrics": {"peak_bytes": 100, "allocated_bytes": 10, "cpu_s": 1e-6, "growth_bytes": 0},
    "thresholds": {"peak_bytes": 5.0},
}
ANY: list[Any] = [
    *(None, True, -1, 0, 3.7, 10**400, 2**63, 1e308, -1e308, 1e-320, "", "x", "nan", "1e5", "=1+1", "../../x"),
    *("\x1b[31m\r\n", "\u202e", [], [1], [1e-6, None], ["a"], [[[]]], [-1.0, 1.0], {}, {"a": 1}, {"min": {}}),
]
RUN = {
    "schema": 1,
    "status": "running",
    "started": "2026-01-01T00:00:00+00:00",
    "lane": {"name": "q", "words": "true", "digest": ""},
    "system": {
        "machine_info": {"python_version": "3.12.1"},
        "commit_info": {"id": "x"},
        "version": "5",
        "environment": {"cores": 2, "processor": "p"},
        "memory_bytes": 10**9,
    },
    "perfcore": "0.1.0",
}
ITERATION = {
    "schema": 1,
    "index": 1,
    "status": "completed",
    "reason": "",
    "seconds": 1.0,
    "left_behind": [],
    "resources": {"cpu_s": 0.5, "memory_max_bytes": 100, "sampled": {"processes": {"max": 2.0}}},
    "timeline": {"times": [0.1, 0.2], "rss_bytes": [1.0, 2.0]},
}


def results(median: float = 1e-6, day: int = 1) -> dict[str, Any]:
    return document(
        benchmark("a", median, group="g", params={"n": 3}, stats={"data": [median, 1.1 * median]}, perfcore=OWN),
        benchmark("l", 1.0, fullname="lane::l", stats={"data": [1.0, 1.0, 1.1]}, perfcore={"lane": LANE, **OWN}),
        datetime=f"2024-01-{day:02}T00:00:00+00:00",
        perfcore={"schema": 1, "version": "0.1.0", "backend": "perfcore", "environment": {"cores": 2}},
    )


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*place, key))


def mutated(value: Any, source: random.Random) -> Any:
    """Return a copy with one thing taken out, renamed, or replaced by something else."""
    made = copy.deepcopy(value)
    *way, last = source.choice(list(places(made)))
    around = made
    for key in way:
        around = around[key]
    kind = source.random()
    if kind < 0.15:
        del around[last]
    elif kind < 0.25 and isinstance(around, dict):
        around[source.choice(["\x1b[2J", "../x", "=1", ""])] = around.pop(last)
    else:
        around[last] = copy.deepcopy(source.choice(ANY))
    return made


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    Path("pyproject.toml").write_text('[tool.perfcore.sla."*"]\nmedian = "1 s"\n')
    Path("good.json").write_text(json.dumps(results(1.2e-6, 2)))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *command: str, why: object = "") -> int:
    code = main(command)
    said = capsys.readouterr()
    assert code in (0, 1, 2), (command, why)
    assert said.out.replace("\n", "").isprintable(), (command, why, said.out)
    if code == 2:
        assert said.err.startswith("perfcore: error: "), (command, why, said.err)
        assert said.err.count("\n") == 1, (command, why, said.err)
    assert said.err.replace("\n", "").isprintable(), (command, why, said.err)
    return code


COMMANDS = (
    "check bad.json --baseline good.json",
    "check good.json --baseline bad.json --strict-environment --allow-backend-mismatch",
    "compare bad.json good.json",
    "analyze bad.json good.json",
    "baseline validate --baseline bad.json",
    "baseline save bad.json --baseline made.json --force",
    "baseline show --baseline bad.json",
    f"report bad.json --baseline good.json --output out --format {','.join(FORMATS)}",
    "validate-sla bad.json",
    "optimize bad.json",
    "history add bad.json --database h.db",
    "check bad.json --history --database h.db",
    "history list --database h.db",
    "merge bad.json good.json --output all.json --keep first --allow-mixed",
)


def test_results_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = random.Random(9)
    assert run(capsys, "history", "add", "good.json", "--database", "h.db") == 0
    codes = set()
    for _ in range(MUTATIONS):
        bad = mutated(results(), source)
        Path("bad.json").write_text(json.dumps(bad))
        codes |= {run(capsys, *command.split(), why=bad) for command in COMMANDS}
    assert codes >= {0, 2}
    assert os.listdir(here) == ["inside"]


COLUMNS = {
    "perfcore_runs": ("at", "commit_id", "branch", "environment", "environment_json", "backend", "python", "file"),
    "perfcore_benchmarks": ("fullname",),
    "perfcore_figures": ("median", "median_low", "mean", "rounds", "method", "metrics_json"),
    "perfcore_schema": ("version",),
}
VALUES = (
    *(-1, 0, float("inf"), -1e300, 1e18, 2**62, "", "x", "\x1b[31m", "{}", "[]", "nan", '{"a":', b"\xff\x00"),
    *('{"peak_bytes": "x"}', '{"peak_bytes": 1e999}', "[" * 100_000, "3", "null", "=cmd|1"),
)
READING = ("history list", "history export --json", "trends --days 36500", "check good.json --history")


def damage(connection: sqlite3.Connection, table: str, column: str, value: object) -> None:
    with contextlib.suppress(sqlite3.IntegrityError):  # a name that is there already
        connection.execute(f"UPDATE {table} SET {column} = ?", (value,))  # noqa: S608 - of the tables above
    connection.commit()


@pytest.fixture
def history(here: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Make a history and return a copy of its file that holds all of it."""
    for day in range(1, 7):
        Path(f"{day}.json").write_text(json.dumps(results(day=day)))
    names = [f"{day}.json" for day in range(1, 7)]
    assert run(capsys, "history", "add", *names, "--database", "whole.db") == 0
    with contextlib.closing(sqlite3.connect("whole.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path("whole.db")


@pytest.mark.parametrize(
    ("table", "column", "value", "command"),
    [
        ("perfcore_runs", "at", float("inf"), "history list"),
        ("perfcore_runs", "at", "nan", "history export"),
        ("perfcore_runs", "at", 1e18, "history list"),
        ("perfcore_runs", "environment_json", "x", "history list"),
        ("perfcore_runs", "branch", b"\xff\x00", "history list"),
        ("perfcore_figures", "median", "{}", "trends --days 36500"),
        ("perfcore_figures", "metrics_json", '{"a":', "history export"),
        ("perfcore_figures", "metrics_json", "3", "check good.json --history"),
        ("perfcore_figures", "metrics_json", "[" * 100_000, "history export"),
        ("perfcore_figures", "rounds", "many", "history export"),
    ],
)
def test_a_damaged_history_is_told_in_one_line(
    history: Path, capsys: pytest.CaptureFixture[str], table: str, column: str, value: object, command: str
) -> None:
    with contextlib.closing(sqlite3.connect(history)) as connection:
        damage(connection, table, column, value)
    assert main([*command.split(), "--database", str(history)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("perfcore: error: the history is damaged: ")
    assert said.err.endswith("; restore it from a copy, or begin a new one\n")
    assert len(said.err) < 300


def test_histories(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = random.Random(5)
    whole = history.read_bytes()
    for _ in range(MUTATIONS):
        for name in ("h.db", "h.db-wal", "h.db-shm"):
            Path(name).unlink(missing_ok=True)
        if source.random() < 0.5:
            data = bytearray(whole)
            for place in [source.randrange(len(data)) for _ in range(20)] + [source.randrange(100)]:
                data[place] = source.randrange(256)
            Path("h.db").write_bytes(data[: source.randrange(len(data))] if source.random() < 0.2 else data)
            why: object = "bytes"
        else:
            shutil.copy(history, "h.db")
            table = source.choice(list(COLUMNS))
            why = (table, source.choice(COLUMNS[table]), source.choice(VALUES))
            with contextlib.closing(sqlite3.connect("h.db")) as connection:
                damage(connection, *why)
        for command in READING:
            run(capsys, *command.split(), "--database", "h.db", why=why)


def lane_folder(run_file: Any, iteration: Any) -> tuple[Path, Any]:
    """Write a lane's folder that was cut off, and return its root and the lane."""
    Path("lanes.toml").write_text('[tool.perfcore.lanes.q]\ncommand = ["true"]\niterations = 1\n')
    lane = read_config(Path("lanes.toml").resolve()).lanes["q"]
    shutil.rmtree("lanes", ignore_errors=True)
    folder = Path("lanes/q/20240101T000000Z")
    folder.mkdir(parents=True)
    if isinstance(run_file, dict) and isinstance(run_file.get("lane"), dict) and run_file["lane"].get("digest") == "":
        run_file = run_file | {"lane": run_file["lane"] | {"digest": lane.digest}}
    (folder / "run.json").write_text(json.dumps(run_file))
    (folder / "iteration-0001.json").write_text(json.dumps(iteration))
    return Path("lanes"), lane


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"index": 2}, "index is another one's"),
        ({"index": -5}, "index is another one's"),
        ({"index": "../../x"}, "index is missing or wrong"),
        ({"status": ["completed"]}, "status is missing or wrong"),
        ({"seconds": 1e-320}, "seconds is missing or wrong"),
        ({"seconds": "1"}, "seconds is missing or wrong"),
        ({"resources": {}}, "resources.sampled is missing or wrong"),
        ({"resources": {"sampled": {}, "cpu_percent": {}}}, "resources.cpu_percent is missing or wrong"),
        ({"resources": {"sampled": {"rss_bytes": 3}}}, "resources.sampled.rss_bytes is missing or wrong"),
        ({"timeline": [1]}, "timeline is missing or wrong"),
    ],
)
def test_a_damaged_iteration_is_named(here: Path, changes: dict[str, Any], words: str) -> None:
    root, lane = lane_folder(RUN, ITERATION | changes)
    folder = RunFolder.reopen(root, lane)
    assert folder is not None
    with pytest.raises(ResultsError, match=words) as caught:
        folder.iterations()
    folder.close()
    assert "iteration-0001.json: damaged: " in str(caught.value)


@pytest.mark.parametrize("key", ["status", "started", "lane", "system"])
def test_a_damaged_run_is_named(here: Path, key: str) -> None:
    root, lane = lane_folder({name: value for name, value in RUN.items() if name != key}, ITERATION)
    with pytest.raises(ResultsError, match=f"run.json: damaged: {key} is missing or wrong; start anew"):
        RunFolder.reopen(root, lane)


def test_folders_of_lanes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = random.Random(3)
    for _ in range(MUTATIONS):
        files = [copy.deepcopy(RUN), copy.deepcopy(ITERATION)]
        which = source.randrange(2)
        files[which] = mutated(files[which], source)
        root, lane = lane_folder(*files)
        with contextlib.suppress(ResultsError):
            folder = RunFolder.reopen(root, lane)
            if folder is not None:
                with contextlib.closing(folder):
                    folder.iterations()
    assert os.listdir(here) == ["inside"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"lanes.q = {{command = 'x', timeout = {10**400}}}", "lanes.q.timeout"),
        (f"thresholds.metrics.peak_bytes.max = {10**400}", "metrics.peak_bytes.max"),
        (f"thresholds.metrics.calls.max = {10**400}", "metrics.calls.max"),
        (f"thresholds.warning = {10**400}", "thresholds.warning"),
        (f"history.days = {10**400}", "history.days"),
    ],
)
def test_numbers_past_every_float_in_the_configuration(here: Path, text: str, key: str) -> None:
    Path("c.toml").write_text(f"[tool.perfcore]\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        read_config(Path("c.toml"))
    assert key in str(caught.value)
