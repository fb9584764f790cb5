# SPDX-License-Identifier: MIT
"""Every option and hook of pytest-benchmark does with perfcore what it does without."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import QUICK, case, keys, run, run_modes, write_suite


def has_option(name: str) -> bool:
    from pytest_benchmark import plugin

    return name in Path(plugin.__file__).read_text(encoding="utf-8")


def tables(out: str) -> list[str]:
    """Return titles, columns and rows of the results tables, without figures."""
    # Colours, units (they follow the figures) and everything that counts.
    rows = [
        line for line in out.splitlines() if re.match(r"(Name \(time|test_|-+ benchmark)", line) and "::" not in line
    ]
    return sorted(re.sub(r"\s+", " ", re.sub(r"\([^)]*\)|[\d.,;>]+|-{2,}|\bin \w+\b|inf", " ", row)) for row in rows)


def files(folder: Path) -> list[str]:
    """Return the names of the files that a run left, dates and counters aside."""
    made = (
        path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return sorted(re.sub(r"\d{8}_\d{6}|uncommited-changes", "DATE", str(path)) for path in made)


OPTIONS = {
    "plain": [],
    "group": [
        "--benchmark-group-by=param:size,func",
        "--deselect=test_it.py::test_sleep",
        "--deselect=test_it.py::test_fails",
    ],
    "fullname": ["--benchmark-group-by=fullname", "--benchmark-name=long"],
    "columns": ["--benchmark-columns=min,median,ops,iterations", "--benchmark-sort=name", "--benchmark-name=short"],
    "unit": ["--benchmark-sort=mean", "--benchmark-columns=mean"],
    "json": ["--benchmark-json=out.json"],
    "save": ["--benchmark-save=first"],
    "autosave": ["--benchmark-autosave", "--benchmark-save-data", "--benchmark-storage=file://./kept"],
    "histogram": ["--benchmark-histogram=pictures/h", "--benchmark-json=out.json"],
    "disable": ["--benchmark-disable", "--benchmark-json=out.json"],
    "skip": ["--benchmark-skip"],
    "only": ["--benchmark-only"],
    "enable": ["--benchmark-disable", "--benchmark-enable"],
    "gc": ["--benchmark-disable-gc"],
    "warmup": ["--benchmark-warmup=on", "--benchmark-warmup-iterations=10"],
    "verbose": ["--benchmark-verbose", "-s"],
    "quiet": ["--benchmark-quiet"],
    "cprofile": ["--benchmark-cprofile=tottime", "--benchmark-json=out.json"],
    "timer": ["--benchmark-timer=time.process_time"],
    "unknown": ["--benchmark-nonsense"],
    "contradiction": ["--benchmark-only", "--benchmark-disable"],
    "calibration": ["--benchmark-min-time=0.0001", "--benchmark-calibration-precision=3", "--benchmark-min-rounds=2"],
}
if has_option("cprofile-loops"):
    OPTIONS["loops"] = ["--benchmark-cprofile=ncalls", "--benchmark-cprofile-loops=auto", "--benchmark-cprofile-top=5"]
    OPTIONS["dump"] = ["--benchmark-cprofile=ncalls", "--benchmark-cprofile-dump=profiles/p"]
if has_option("benchmark-confidence"):
    OPTIONS["precision"] = ["--benchmark-precision=0.5", "--benchmark-confidence=0.9", "--benchmark-json=out.json"]


@pytest.mark.parametrize("name", OPTIONS)
def test_option(tmp_path, name):
    runs = run_modes(tmp_path, {"test_it": case("few")}, ("off", "on"), *QUICK, *OPTIONS[name])
    off, on = runs["off"], runs["on"]
    assert on.code == off.code, on.out
    assert on.outcomes() == off.outcomes()
    assert tables(on.out) == tables(off.out)
    assert sorted(on.warnings) == sorted(off.warnings)
    assert files(on.folder) == files(off.folder)
    # Release 4.0 leaves an empty file where there is nothing to write.
    if "out.json" in files(off.folder) and (off.folder / "out.json").stat().st_size:
        before, after = (strip(seen.json()) for seen in (off, on))
        assert keys(before) <= keys(after)
        added = keys(after) - keys(before)
        assert {key for key in added if not re.match(r"(/benchmarks\[\])?/perfcore(/|$)", key)} == set()
        assert [entry["fullname"] for entry in after["benchmarks"]] == [
            entry["fullname"] for entry in before["benchmarks"]
        ]
        assert before["machine_info"].keys() == after["machine_info"].keys()


def strip(output: dict) -> dict:
    """Drop what the profiler saw, which names the code that ran."""
    for entry in output["benchmarks"]:
        entry.pop("cprofile", None)
    return output


def test_profile_holds_the_function_and_nothing_of_ours(tmp_path):
    source = "def work():\n    return sum([1, 2])\n\ndef test_it(benchmark):\n    benchmark(work)\n"
    profiles = {}
    for mode, seen in run_modes(
        tmp_path, {"test_it": source}, ("off", "on"), *QUICK, "--benchmark-cprofile=ncalls", "--benchmark-json=out.json"
    ).items():
        entries = seen.json()["benchmarks"][0]["cprofile"]
        profiles[mode] = sorted(Path(entry["function_name"]).name for entry in entries)
    assert profiles["on"] == profiles["off"]
    assert any("work" in name for name in profiles["on"])


def test_json_entry(tmp_path):
    write_suite(tmp_path, test_it=case("few"))
    seen = run(tmp_path, "on", *QUICK, "--benchmark-json=out.json", "--perfcore-precision=50%", "--perfcore-correct")
    output = seen.json()
    top = output["perfcore"]
    assert top["schema"] == 1
    assert top["backend"] == "perfcore"
    assert top["environment"]
    assert top["options"] == {"strict": False, "precision": 0.5, "correct": True}
    assert "perfcore" not in output["machine_info"]
    kernels = {}
    for entry in output["benchmarks"]:
        ours, stats = entry["perfcore"], entry["stats"]
        kernels[entry["name"]] = ours["kernel"]
        assert ours["percentiles"]["p50"] == stats["median"]
        assert stats["min"] <= ours["percentiles"]["p90"] <= ours["percentiles"]["p99.9"] <= stats["max"]
        assert ours["mad"] >= 0
        assert ours["calibrated"] == (entry["name"] != "test_sleep")
        interval = ours["median_ci"]
        assert interval["low"] <= stats["median"] <= interval["high"]
        assert interval["level"] >= 0.95
        assert ours["flags"]["interrupted_rounds"] >= 0
        assert 0 < ours["pace"]["low_s"] <= ours["pace"]["median_s"] <= ours["pace"]["high_s"]
        assert ours["pace"]["looks"] >= 1
    assert kernels == {
        "test_sorted[10]": "unrolled",
        "test_sorted[100]": kernels["test_sorted[100]"],
        "test_sleep": "unrolled",
    }


def test_stock_kernel_is_named(tmp_path):
    source = """
import fractions, time

def test_fractions(benchmark):
    benchmark._timer = lambda: fractions.Fraction(time.perf_counter_ns(), 10**9)
    benchmark(sum, (1, 2))

def test_own_timer(benchmark):
    benchmark._timer = lambda: time.perf_counter_ns() / 1e9
    benchmark(sum, (1, 2))
"""
    write_suite(tmp_path, test_it=source, conftest=TO_FLOAT)
    output = run(tmp_path, "on", *QUICK, "--benchmark-json=out.json").json()
    assert [entry["perfcore"]["kernel"] for entry in output["benchmarks"]] == ["stock", "timer"]
    assert output["benchmarks"][0]["perfcore"] == {"kernel": "stock", "calibrated": True, "flags": {}}


TO_FLOAT = """
def pytest_benchmark_update_json(config, benchmarks, output_json):
    import fractions
    for entry in output_json["benchmarks"]:
        entry["stats"] = {k: float(v) if isinstance(v, fractions.Fraction) else v for k, v in entry["stats"].items()}
        entry["stats"]["data"] = list(map(float, entry["stats"]["data"]))
"""

HOOKS = """
from collections import defaultdict

def pytest_benchmark_update_json(config, benchmarks, output_json):
    entries = output_json["benchmarks"]
    output_json["seen"] = [sorted(output_json.get("perfcore", {})), [sorted(e.get("perfcore", {})) for e in entries]]
    output_json["user"] = len(benchmarks)

def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info["user"] = "me"

def pytest_benchmark_update_commit_info(config, commit_info):
    commit_info["user"] = "me"

def pytest_benchmark_scale_unit(config, unit, benchmarks, best, worst, sort):
    return ("parsec", 7.0) if unit == "seconds" else ("", 1.0)

def pytest_benchmark_group_stats(config, benchmarks, group_by):
    groups = defaultdict(list)
    for bench in benchmarks:
        groups["all of " + str(len(benchmarks))].append(bench)
    return sorted(groups.items())
"""

GENERATE = """
def pytest_benchmark_generate_json(config, benchmarks, include_data, machine_info, commit_info):
    entries = [bench.as_dict(include_data=False) for bench in reversed(benchmarks) if not bench.has_error]
    return {"benchmarks": entries, "mine": True}
"""


def test_hooks(tmp_path):
    runs = run_modes(
        tmp_path, {"test_it": case("few"), "conftest": HOOKS}, ("off", "on"), *QUICK, "--benchmark-json=out.json"
    )
    off, on = runs["off"], runs["on"]
    assert tables(on.out) == tables(off.out)
    assert "time in parsecs" in on.out
    assert "all of 3" in on.out
    assert keys(off.json()) <= keys(on.json())
    assert on.json()["machine_info"]["user"] == "me"
    # The user's hooks come after ours: they see our keys and may change them.
    assert on.json()["seen"][0] == ["backend", "environment", "options", "schema", "version"]
    assert all("kernel" in entry for entry in on.json()["seen"][1])
    assert off.json()["seen"] == [[], [[], [], []]]


def test_json_that_a_hook_builds(tmp_path):
    write_suite(tmp_path, test_it=case("few"), conftest=GENERATE)
    output = run(tmp_path, "on", *QUICK, "--benchmark-json=out.json").json()
    assert output["mine"]
    assert output["perfcore"]["backend"] == "perfcore"
    for entry in output["benchmarks"]:
        assert entry["perfcore"]["percentiles"]["p50"] == entry["stats"]["median"]


def test_saved_runs_compare(tmp_path):
    write_suite(tmp_path, test_it=case("few"))
    for mode in ("off", "on"):
        assert run(tmp_path, mode, *QUICK, f"--benchmark-save={mode}").code == 1
    for mode in ("off", "on"):
        seen = run(tmp_path, mode, *QUICK, "--benchmark-compare")
        assert "Comparing against benchmarks from" in seen.out
        assert "test_sleep (NOW)" in seen.out
        assert "machine_info is different" not in seen.out
    elsewhere = tmp_path / "elsewhere"  # release 4.0 cannot load a conftest with this pytest
    elsewhere.mkdir()
    listing = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest_benchmark",
            f"--storage=file://{tmp_path}/.benchmarks",
            "compare",
        ],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listing.returncode == 0, listing.stderr
    assert "0001_of" in listing.stdout
    assert "0002_on" in listing.stdout
    rows = re.findall(r"^s\w+.* \(000[12]_o|^test_s\w+.* \(000[12]_o", listing.stdout, re.M)
    assert len(rows) == 6, listing.stdout


@pytest.mark.parametrize("mode", ["off", "on"])
@pytest.mark.parametrize(("factor", "code"), [(1e-6, 1), (1e6, 0)])
def test_compare_fail(tmp_path, mode, factor, code):
    write_suite(tmp_path, test_it="def test_len(benchmark):\n    benchmark(len, ())\n")
    run(tmp_path, "off", *QUICK, "--benchmark-save=base")
    (saved,) = (tmp_path / ".benchmarks").rglob("*.json")
    output = json.loads(saved.read_text())
    for entry in output["benchmarks"]:
        entry["stats"] = {
            key: value * factor if isinstance(value, float) and key != "ops" else value
            for key, value in entry["stats"].items()
        }
    saved.write_text(json.dumps(output))
    seen = run(
        tmp_path, mode, *QUICK, "--benchmark-compare", "--benchmark-compare-fail=min:10%", "--benchmark-sort=min"
    )
    assert seen.code == code, seen.out
    assert ("Performance has regressed" in seen.out) == bool(code)


def test_second_table(tmp_path):
    write_suite(tmp_path, test_it=case("few"))
    columns = "p50,p90,p95,p99,p99.9,mad,ci,kernel,flags"
    out = run(tmp_path, "on", *QUICK, f"--perfcore-columns={columns}").out
    table = out.split(" perfcore ---")[1]
    assert re.search(r"^Name +p50 +p90 +p95 +p99 +p99\.9 +mad +ci +kernel +flags$", table, re.M), table
    assert re.search(r"^test_sleep +[\d.]+ ms .* [\d.]+ ms \.\. [\d.]+ ms +unrolled +", table, re.M), table
    assert "test_fails" not in table.split("short test summary")[0]
    assert " perfcore ---" not in run(tmp_path, "on", *QUICK).out
    assert " perfcore ---" not in run(tmp_path, "on", *QUICK, "--benchmark-quiet", "--perfcore-columns=p50").out


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--perfcore=maybe", "invalid choice: 'maybe'"),
        ("--perfcore-precision=fine", "'fine' is not a precision; write it as 1% or 0.01"),
        ("--perfcore-precision=100%", "must be more than 0% and less than 100%"),
        ("--perfcore-precision=0", "must be more than 0% and less than 100%"),
        ("--perfcore-precision=nan", "must be more than 0% and less than 100%"),
        ("--perfcore-columns=p50,p51", "unknown column 'p51'"),
    ],
)
def test_wrong_options(tmp_path, option, text):
    write_suite(tmp_path, test_it=case("few"))
    seen = run(tmp_path, "on", option)
    assert seen.code == pytest.ExitCode.USAGE_ERROR
    assert text in seen.out


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ([], "50.00us"),
        (["--benchmark-min-time=0.00004"], "50.00us"),
        (["--benchmark-min-time=0.002"], "2.00ms"),
        (["--perfcore-strict", "--benchmark-min-time=0.00004"], "40.00us"),
    ],
)
def test_verbose_says_how_long_rounds_of_several_calls_are(tmp_path, options, least):
    write_suite(tmp_path, test_it="def test_sum(benchmark):\n    benchmark(sum, [1, 2])\n")
    seen = run(tmp_path, "on", *QUICK, "--benchmark-verbose", *options)
    assert seen.code == 0, seen.out
    assert f"Calibrating to target round {least};" in seen.out


def test_precision_stops_early(tmp_path):
    source = """
def test_rounds(benchmark, note):
    benchmark._max_time = 5
    benchmark._min_rounds = 30
    benchmark(sorted, list(range(50)))
    note(rounds=benchmark.stats.stats.rounds)
"""
    write_suite(tmp_path, test_it=source)
    fixed = run(tmp_path, "on").facts()["test_it.py::test_rounds"]["rounds"]
    early = run(tmp_path, "on", "--perfcore-precision=20%").facts()["test_it.py::test_rounds"]["rounds"]
    assert 30 <= early < fixed / 10


COROUTINES = """
import asyncio, functools, sys, pytest

async def double(x):
    await asyncio.sleep(0)
    return 2 * x

class Callable:
    async def __call__(self, x):
        return 3 * x

def test_function(benchmark):
    assert benchmark(double, 4) == 8

def test_partial(benchmark):
    assert benchmark(functools.partial(double, 5)) == 10

def test_object(benchmark):
    assert benchmark(Callable(), 5) == 15

def test_pedantic(benchmark):
    seen = []
    async def setup():
        seen.append(1)
        return (6,), {}
    assert benchmark.pedantic(double, setup=setup, rounds=4, warmup_rounds=1) == 12
    assert len(seen) == 5

def test_looped(benchmark):
    assert benchmark.pedantic(double, (7,), rounds=4, iterations=3) == 14

@pytest.mark.benchmark(cprofile=True)
def test_profile(benchmark):
    assert benchmark(double, 4) == 8
    names = {name for _file, _line, name in benchmark.stats.cprofile_stats.stats}
    assert "double" in names

def test_error(benchmark):
    async def fails():
        raise KeyError("async")
    with pytest.raises(KeyError):
        benchmark(fails)
    assert benchmark.has_error

def test_inside_a_loop(benchmark):
    async def test():
        with pytest.warns(pytest.PytestWarning, match="write the test as a plain `def`"):
            coroutine = benchmark(double, 4)
        return await coroutine
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # stock drops coroutines that it never awaits
        assert asyncio.run(test()) == 8
"""


def test_coroutines(tmp_path):
    write_suite(tmp_path, test_it=COROUTINES)
    seen = run(tmp_path, "on", *QUICK, "--benchmark-json=out.json")
    assert seen.code == 0, seen.out
    kernels = {entry["name"]: entry["perfcore"]["kernel"] for entry in seen.json()["benchmarks"]}
    assert kernels.pop("test_inside_a_loop") == "stock"
    assert set(kernels.values()) == {"coroutine"}
