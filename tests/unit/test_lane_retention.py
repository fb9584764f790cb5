# SPDX-License-Identifier: MIT
"""Old runs of lanes are removed; the newest, those with the last results, those that run, and all else stay."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from perfcore.cli import main
from perfcore.errors import ResultsError
from perfcore.suite.lane import Lane
from perfcore.suite.retention import DAY, prune_lanes
from perfcore.suite.store import RunFolder, latest_results

NOW = datetime(2026, 6, 30, tzinfo=UTC).timestamp()


def run(root: Path, lane: str, age: float, *, results: bool = True, ending: str = "", now: float = NOW) -> Path:
    """Make the folder of a run that began so many days ago."""
    stamp = datetime.fromtimestamp(now - age * DAY, UTC).strftime("%Y%m%dT%H%M%SZ")
    path = root / lane / (stamp + ending)
    path.mkdir(parents=True)
    for name in ("run.json", "iteration-0001.json", "iteration-0001.log", *(["results.json"] if results else [])):
        (path / name).write_text("{}")
    return path


def test_old_runs_go_and_new_ones_stay(tmp_path: Path) -> None:
    old = [run(tmp_path, "standard", age) for age in (300, 200, 90.01)]
    new = [run(tmp_path, "standard", age) for age in (89.9, 3)]
    other = [run(tmp_path, "docs", 100), run(tmp_path, "docs", 1)]
    assert prune_lanes(tmp_path, 90, now=NOW, dry_run=True) == [other[0], *old]
    assert all(path.is_dir() for path in (*old, *new, *other))
    assert prune_lanes(tmp_path, 90, now=NOW) == [other[0], *old]
    assert sorted(tmp_path.glob("*/*")) == sorted([*new, other[1]])
    assert prune_lanes(tmp_path, 90, now=NOW) == []


def test_a_lane_keeps_its_last_results_and_its_last_run(tmp_path: Path) -> None:
    run(tmp_path, "standard", 400)
    judged_by = run(tmp_path, "standard", 300)
    run(tmp_path, "standard", 250, results=False)
    cut_off = run(tmp_path, "standard", 200, results=False)
    assert len(prune_lanes(tmp_path, 1, now=NOW)) == 2
    assert sorted((tmp_path / "standard").iterdir()) == [judged_by, cut_off]
    assert latest_results(tmp_path, "standard") == judged_by / "results.json"


def test_the_tenth_run_of_a_second_is_newer_than_the_second(tmp_path: Path) -> None:
    runs = [run(tmp_path, "standard", 300, ending=ending) for ending in ("", "-2", "-10")]
    assert latest_results(tmp_path, "standard") == runs[2] / "results.json"
    assert prune_lanes(tmp_path, 1, now=NOW) == runs[:2]


def test_a_run_that_is_locked_stays(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, Lane("standard", ("true",)), {})
    try:
        later = run(tmp_path, "standard", -36500)
        now = NOW + 36000 * DAY
        assert prune_lanes(tmp_path, 1, now=now) == []
        assert folder.path.is_dir()
    finally:
        folder.close()
    assert prune_lanes(tmp_path, 1, now=now) == [folder.path]
    assert list((tmp_path / "standard").iterdir()) == [later]


def test_what_is_no_run_stays(tmp_path: Path) -> None:
    outside = run(tmp_path / "outside", "x", 300)
    root = tmp_path / "lanes"
    run(root, "standard", 1)
    (root / "standard" / "notes").mkdir()
    (root / "standard" / "notes" / "run.json").write_text("{}")
    (root / "standard" / "20200101T000000Z").mkdir()  # without run.json
    (root / "standard" / "20201301T000000Z").mkdir()
    (root / "standard" / "20201301T000000Z" / "run.json").write_text("{}")
    (root / "standard" / "20200102T000000Z").symlink_to(outside)
    (root / "linked").symlink_to(outside.parent)
    (root / "file").write_text("")
    before = sorted(root.rglob("*"))
    assert prune_lanes(root, 1, now=NOW) == []
    assert sorted(root.rglob("*")) == before
    assert prune_lanes(tmp_path / "missing", 1, now=NOW) == []


def test_links_and_folders_in_a_run_go_and_what_they_lead_to_stays(tmp_path: Path) -> None:
    old, _ = run(tmp_path / "lanes", "standard", 300), run(tmp_path / "lanes", "standard", 1)
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("")
    (old / "link").symlink_to(kept)
    (old / "folder").mkdir()
    (old / "folder" / "link").symlink_to(kept)
    assert prune_lanes(tmp_path / "lanes", 1, now=NOW) == [old]
    assert not old.exists()
    assert (kept / "file").is_file()


def test_a_removal_that_was_cut_off_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, _ = run(tmp_path, "standard", 300), run(tmp_path, "standard", 1)
    (old / "to-the-end").touch()
    remove, left = Path.unlink, [4]

    def unlink(path: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise PermissionError(13, "Permission denied")
        remove(path)

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(ResultsError, match=r"Z: cannot remove: Permission denied; see to its permissions"):
        prune_lanes(tmp_path, 1, now=NOW)
    assert os.listdir(old) == ["run.json"]
    monkeypatch.undo()
    assert prune_lanes(tmp_path, 1, now=NOW) == [old]
    assert not old.exists()


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text("[tool.perfcore.retention]\nlanes = 30\n")
    root = tmp_path / "benchmarks" / "results" / "lanes"
    old, _ = (run(root, "standard", age, now=time.time()) for age in (300, 299))
    assert main(["history", "prune", "--lanes", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(old),
        f"lanes {root}: 1 run older than 30 days would be removed",
    ]
    assert main(["history", "prune", "--lanes", "--days", "36500"]) == 0
    assert capsys.readouterr().out == f"lanes {root}: 0 runs older than 36500 days removed\n"
    assert main(["history", "prune", "--lanes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["removed"], found["older"], found["days"]) == ([str(old)], 1, 30)
    assert not old.exists()
    for option in ("--folder", "--config"):
        assert main(["history", "prune", option, str(root)]) == 2
        assert "--folder and --config are of lanes; add --lanes" in capsys.readouterr().err
