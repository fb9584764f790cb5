# SPDX-License-Identifier: MIT
"""`check` and `baseline` as a user meets them: processes, exit codes, what is printed where, what is on disk after."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Run, assert_error, clean_environment
from results_files import MACHINE, benchmark, document, write


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- check ---


def test_check_tells_but_does_not_fail(run: Run, files: Path) -> None:
    before = tree(files)
    done = run("check", "new.json", "--baseline", "base.json")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["benchmark", "baseline", "now", "change", "with", "the", "allowance", "verdict"]
    assert [line.split()[0].rpartition("::")[2] for line in lines[1:6]] == [
        "critical",
        "warning",
        "undecided",
        "improvement",
        "ok",
    ]
    assert "+20.0 %" in lines[1]
    assert "1.2 µs" in lines[1]
    assert "past 5%, but the rounds spread by" in lines[3]
    assert "  tests/test_x.py::fresh" in lines[lines.index("new, not in the baseline (1):") + 1]
    assert "  tests/test_x.py::gone" in lines[lines.index("gone, only in the baseline (1):") + 1]
    assert "process-to-process noise is not in it" in lines[-2]
    assert lines[-1] == (
        "5 judged: 1 critical, 1 warning, 1 undecided, 1 improvement, 1 ok: regressions; "
        "they fail the check with --fail-on-regression"
    )
    assert "\x1b" not in done.stdout
    assert tree(files) == before


def test_check_fails_on_a_critical_regression_only(run: Run, files: Path) -> None:
    failed = run("check", "new.json", "--baseline", "base.json", "--fail-on-regression")
    assert (failed.returncode, failed.stderr) == (1, "")
    assert failed.stdout.endswith("1 ok: FAILED\n")
    passed = run("check", "fine.json", "--baseline", "base.json", "--fail-on-regression")
    assert passed.returncode == 0
    assert passed.stdout.endswith("6 judged: 6 ok: passed\n")
    warned = run(
        "check", "new.json", "--baseline", "base.json", "--fail-on-regression", "--critical", "30%", "--warning=0.05"
    )
    assert warned.returncode == 0
    assert "2 warning" in warned.stdout


def test_check_as_json(run: Run, files: Path) -> None:
    done = run("check", "new.json", "--baseline", "base.json", "--fail-on-regression", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    assert (report["schema"], report["command"], report["exit_code"], report["passed"]) == (1, "check", 1, False)
    assert report["thresholds"] == {"warning": 0.05, "critical": 0.1}
    assert report["counts"] == {"critical": 1, "warning": 1, "undecided": 1, "improvement": 1, "ok": 1}
    assert (report["new"], report["gone"]) == (["tests/test_x.py::fresh"], ["tests/test_x.py::gone"])
    first = report["verdicts"][0]
    assert first["status"] == "critical"
    assert first["ratio"] == pytest.approx(1.2)
    assert first["low"] < 1.2 < first["high"]
    assert "median" in report["evidence"]


def test_json_has_null_where_there_is_no_figure(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.json", benchmark("a"), benchmark("b", 0))
    done = run("check", "a.json", "--baseline", "a.json", "--json")
    assert done.returncode == 0
    verdicts = json.loads(done.stdout, parse_constant=pytest.fail)["verdicts"]
    assert (verdicts[1]["status"], verdicts[1]["ratio"]) == ("undecided", None)
    assert "not above zero" in verdicts[1]["reason"]


def test_another_environment_makes_it_advisory(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "base.json", benchmark())
    write(tmp_path / "new.json", benchmark(median=2e-6), machine_info=MACHINE | {"python_version": "3.11.7"})
    done = run("check", "new.json", "--baseline", "base.json", "--fail-on-regression")
    assert done.returncode == 0
    assert "critical (advisory)" in done.stdout
    assert "Python version: 3.12.1 -> 3.11.7" in done.stdout
    strict = run("check", "new.json", "--baseline", "base.json", "--fail-on-regression", "--strict-environment")
    assert strict.returncode == 1


def test_backends_are_never_silently_compared(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "stock.json", benchmark(), benchmark("b"))
    ours = {"perfcore": {"schema": 1, "version": "0.1.0", "backend": "perfcore"}}
    write(tmp_path / "ours.json", benchmark(), benchmark("b", perfcore={"kernel": "unrolled"}), **ours)
    write(tmp_path / "kernel.json", benchmark(), benchmark("b", perfcore={"kernel": "timer"}), **ours)
    assert_error(
        run("check", "ours.json", "--baseline", "stock.json"),
        "nothing could be compared: measured by perfcore, the baseline by stock",
    )
    allowed = run("check", "ours.json", "--baseline", "stock.json", "--allow-backend-mismatch")
    assert allowed.returncode == 0
    assert "2 ok" in allowed.stdout
    partly = run("check", "kernel.json", "--baseline", "ours.json", "--fail-on-regression")
    assert partly.returncode == 0
    assert "undecided: measured with the kernel timer, the baseline with unrolled" in partly.stdout


def test_check_takes_baseline_and_thresholds_from_pyproject(run: Run, files: Path) -> None:
    (files / "pyproject.toml").write_text(
        '[tool.perfcore]\nbaseline = "base.json"\n[tool.perfcore.thresholds]\ncritical = "30%"\n', encoding="utf-8"
    )
    done = run("check", "new.json", "--json", "--fail-on-regression")
    assert done.returncode == 0
    assert json.loads(done.stdout)["thresholds"] == {"warning": 0.05, "critical": 0.3}
    (files / "pyproject.toml").write_text("[tool.perfcore]\nbasline = 'x'\n", encoding="utf-8")
    assert_error(run("check", "new.json"), "pyproject.toml", "'basline'", "did you mean 'baseline'?")


BAD_FILES: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "no such file"),
    "empty": (b"", "empty"),
    "truncated": (json.dumps(document(benchmark())).encode()[:-40], "truncated"),
    "foreign": (b'{"a": 1}', 'no list "benchmarks"'),
    "html": (b"<html></html>", "not JSON"),
    "latin-1": ('{"benchmarks": ["é"]}'.encode("latin-1"), "not UTF-8"),
    "utf-16": ('{"benchmarks": []}'.encode("utf-16"), "not UTF-8"),
    "nan": (json.dumps(document(benchmark(stats={"median": float("nan")}))).encode(), "NaN"),
    "nan-in-data": (json.dumps(document(benchmark(stats={"data": [1.0, float("nan")]}))).encode(), "NaN"),
    "deep": (b'{"benchmarks": ' + b"[" * 1_000_000, "200 levels"),
    "duplicate-key": (b'{"benchmarks": [], "benchmarks": []}', "twice"),
    "duplicate-name": (json.dumps(document(benchmark(), benchmark())).encode(), "benchmarks[0] too"),
    "wrong-type": (json.dumps(document(benchmark(stats={"median": "x"}))).encode(), "stats.median"),
    "control": (b'{"benchmarks": ["a\x1b[31m"]}', "control character"),
    "nothing-in-common": (json.dumps(document(benchmark("other"))).encode(), "nothing in common"),
    "no-benchmarks": (json.dumps(document()).encode(), "nothing in common"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("role", ["results", "baseline"])
def test_a_bad_file_is_one_line_and_nothing_is_written(run: Run, tmp_path: Path, kind: str, role: str) -> None:
    data, words = BAD_FILES[kind]
    write(tmp_path / "good.json", benchmark())
    if data is not None:
        (tmp_path / "bad.json").write_bytes(data)
    if role == "baseline" and kind == "missing":
        words = "no baseline yet; make one with: perfcore baseline save"
    before = tree(tmp_path)
    pair = ("bad.json", "good.json") if role == "results" else ("good.json", "bad.json")
    assert_error(run("check", pair[0], "--baseline", pair[1], "--json"), words, ".json")
    if kind != "nothing-in-common" and role == "results":
        words = "no benchmarks" if kind == "no-benchmarks" else words
        assert_error(run("baseline", "save", "bad.json", "--baseline", "sub/b.json"), words)
        assert_error(run("baseline", "update", "bad.json", "--baseline", "good.json", "--force"), words)
    assert tree(tmp_path) == before
    assert not (tmp_path / "sub").exists()


def test_a_sparse_gigabyte_and_a_folder(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(2**30)
    write(tmp_path / "good.json", benchmark())
    assert_error(run("check", "huge.json", "--baseline", "good.json"), "too large: 1024 MiB", "limit is 512 MiB")
    assert_error(run("check", "good.json", "--baseline", "huge.json"), "too large")
    assert_error(run("check", "huge.json", "--max-size", "600", "--baseline", "good.json"), "limit is 600 MiB")
    assert_error(run("check", ".", "--baseline", "good.json"), "is a folder")
    assert_error(run("check", "good.json", "--baseline", "."), "is a folder")


def test_names_cannot_speak_to_the_terminal(run: Run, tmp_path: Path) -> None:
    name = "a\x1b]0;title\x07\r\n\u202eb\x9b31m"
    write(tmp_path / "new.json", benchmark(name, 2e-6), benchmark(name + "2"))
    write(tmp_path / "base.json", benchmark(name), benchmark(name + "3"))
    for args in (("check", "new.json", "--baseline", "base.json"), ("baseline", "show", "--baseline", "new.json")):
        done = run(*args)
        assert done.returncode == 0
        assert r"a\x1b]0;title\x07\r\n\u202eb\x9b31m" in done.stdout
        assert all(one.isprintable() for one in done.stdout.replace("\n", ""))
    assert_error(run("check", "no\n\x1bsuch.json", "--baseline", "base.json"), r"no\n\x1bsuch.json")


def test_paths_that_are_not_utf8(tmp_path: Path, run: Run) -> None:
    write(tmp_path / "good.json", benchmark())
    path = os.fsencode(tmp_path) + b"/r\xff.json"
    os.rename(tmp_path / "good.json", path)
    for args in ((path,), (path, "--json")):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "perfcore", "check", *args, "--baseline", path],
            env=clean_environment(),
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b""), done


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_of_stdout(run: Run, files: Path, encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "perfcore", "check", "new.json", "--baseline", "base.json"],
        cwd=files,
        env=clean_environment(PYTHONUTF8="0", PYTHONIOENCODING=encoding),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert ("1.2 us" if encoding == "ascii" else "1.2 µs").encode(encoding) in done.stdout


# --- baseline ---


def test_save_then_check(run: Run, files: Path) -> None:
    saved = run("baseline", "save", "base.json")
    path = files / "benchmarks" / "results" / "baseline" / "baseline_results.json"
    assert (saved.returncode, saved.stderr) == (0, "")
    assert "6 benchmarks" in saved.stdout
    assert path.read_bytes() == (files / "base.json").read_bytes()
    assert run("check", "fine.json", "--fail-on-regression").returncode == 0
    assert run("check", "new.json", "--fail-on-regression").returncode == 1


def test_save_does_not_overwrite(run: Run, files: Path) -> None:
    assert run("baseline", "save", "base.json", "--baseline", "b.json").returncode == 0
    before = tree(files)
    assert_error(run("baseline", "save", "new.json", "--baseline", "b.json"), "b.json", "exists", "--force")
    assert tree(files) == before
    forced = run("baseline", "save", "new.json", "--baseline", "b.json", "--force", "--json")
    assert json.loads(forced.stdout)["benchmarks"] == 6
    assert (files / "b.json").read_bytes() == (files / "new.json").read_bytes()


def test_update_only_when_the_check_passes(run: Run, files: Path) -> None:
    base, new, fine = ((files / name).read_bytes() for name in ("base.json", "new.json", "fine.json"))
    (files / "b.json").write_bytes(base)
    before = tree(files)
    refused = run("baseline", "update", "new.json", "--baseline", "b.json")
    assert (refused.returncode, refused.stderr) == (1, "")
    assert "the baseline stays as it is" in refused.stdout
    as_json = run("baseline", "update", "new.json", "--baseline", "b.json", "--json")
    assert (as_json.returncode, json.loads(as_json.stdout)["exit_code"]) == (1, 1)
    assert tree(files) == before
    updated = run("baseline", "update", "fine.json", "--baseline", "b.json", "--json")
    assert updated.returncode == 0
    assert json.loads(updated.stdout)["previous"] == "b.previous.json"
    assert ((files / "b.json").read_bytes(), (files / "b.previous.json").read_bytes()) == (fine, base)
    forced = run("baseline", "update", "new.json", "--baseline", "b.json", "--force")
    assert forced.returncode == 0
    assert ((files / "b.json").read_bytes(), (files / "b.previous.json").read_bytes()) == (new, fine)


def test_update_needs_a_baseline_unless_forced(run: Run, files: Path) -> None:
    assert_error(run("baseline", "update", "fine.json", "--baseline", "b.json"), "no baseline yet")
    forced = run("baseline", "update", "fine.json", "--baseline", "b.json", "--force", "--json")
    assert json.loads(forced.stdout)["previous"] is None


def test_a_folder_that_cannot_be_written(run: Run, files: Path) -> None:
    (files / "file").write_bytes(b"")
    before = tree(files)
    assert_error(run("baseline", "save", "base.json", "--baseline", "file/b.json"), "file/b.json: cannot write")
    assert tree(files) == before


def test_show(run: Run, files: Path) -> None:
    shown = run("baseline", "show", "--baseline", "base.json")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "processor: Processor 9000" in shown.stdout
    assert "backend: stock" in shown.stdout
    assert "tests/test_x.py::critical" in shown.stdout
    report = json.loads(run("baseline", "show", "--baseline", "base.json", "--json").stdout)
    assert report["benchmarks"][0]["median"] == 1e-6
    assert report["environment"]["cores"] == 4
    assert_error(run("baseline", "show"), "no baseline yet")


def test_validate(run: Run, files: Path) -> None:
    good = run("baseline", "validate", "--baseline", "base.json")
    assert (good.returncode, good.stdout) == (0, "base.json: 6 benchmarks, fit to compare with\n")
    write(files / "odd.json", benchmark("a"), benchmark("zero", 0), benchmark("bare", stats={"iqr": None}))
    bad = run("baseline", "validate", "--baseline", "odd.json", "--json")
    report = json.loads(bad.stdout)
    assert (bad.returncode, report["exit_code"], report["passed"], len(report["problems"])) == (1, 1, False, 2)
    assert "zero: the median is not above zero" in report["problems"][0]
    assert run("baseline", "validate", "--baseline", "odd.json").returncode == 1
    (files / "odd.json").write_bytes(b"{")
    assert_error(run("baseline", "validate", "--baseline", "odd.json"), "truncated")
