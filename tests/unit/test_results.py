# SPDX-License-Identifier: MIT
"""Results files: what is read from good ones, and the one line for each kind of bad one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from results_files import MACHINE, benchmark, document, write

from perfcore.errors import ResultsError
from perfcore.record.environment import COMPARED, describe, differences, environment
from perfcore.record.results import load_results, parse_results


def test_reads_everything(tmp_path: Path) -> None:
    own = {"kernel": "unrolled", "mad": 5e-9, "percentiles": {"p99": 2e-6}}
    path = write(
        tmp_path / "r.json",
        benchmark(group="g", params={"n": 3}, extra_info={"k": [1, 2]}, stats={"data": [1e-6, 2e-6]}, perfcore=own),
        benchmark("test_b"),
        perfcore={"schema": 1, "version": "0.1.0", "backend": "perfcore", "environment": {"cores": 2}},
    )
    results = load_results(path)
    first, second = results.benchmarks
    assert (first.name, first.fullname, first.group) == ("test_a", "tests/test_x.py::test_a", "g")
    assert first.params == {"n": 3}
    assert first.extra_info == {"k": [1, 2]}
    assert first.data is not None
    assert first.data.tolist() == [1e-6, 2e-6]
    assert "data" not in first.stats
    assert (first.median, first.iterations, first.options["timer"]) == (1e-6, 10, "perf_counter")
    assert first.perfcore == own
    assert (second.data, second.group, second.params, second.perfcore) == (None, None, None, None)
    assert (results.path, results.version, results.backend) == (path, "5.2.3", "perfcore")
    assert results.machine_info == MACHINE
    assert results.commit_info["id"] == "0123abc"
    assert results.perfcore["environment"] == {"cores": 2}


def test_a_file_without_our_keys_is_stock(tmp_path: Path) -> None:
    assert load_results(write(tmp_path / "r.json", benchmark())).backend == "stock"


def test_no_benchmarks_is_a_results_file(tmp_path: Path) -> None:
    assert load_results(write(tmp_path / "r.json")).benchmarks == ()


def test_the_least_that_is_enough() -> None:
    results = parse_results("x", b'{"benchmarks": [{"fullname": "f", "stats": {"median": 1}}]}')
    assert (results.benchmarks[0].name, results.benchmarks[0].iterations, results.datetime) == ("f", 1, "")


@pytest.mark.parametrize("with_data", [False, True])
def test_what_pytest_benchmark_writes(tmp_path: Path, with_data: bool) -> None:
    """The installed pytest-benchmark by itself, and its two kinds of file: --benchmark-json and its storage."""
    (tmp_path / "test_it.py").write_text("def test_it(benchmark):\n    benchmark(sum, [1, 2])\n", encoding="utf-8")
    options = ["--benchmark-max-time=0.01", "--benchmark-min-rounds=5", "--benchmark-json=out.json"]
    options += ["--benchmark-autosave", *(["--benchmark-save-data"] if with_data else [])]
    environment_ = {key: value for key, value in os.environ.items() if key not in ("PYTEST_ADDOPTS", "LD_PRELOAD")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:perfcore",
            "--rootdir=.",
            "-c",
            os.devnull,
            *options,
        ],
        cwd=tmp_path,
        env=environment_,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    stored = list(tmp_path.glob(".benchmarks/*/0001_*.json"))
    assert len(stored) == 1
    for path, has_data in ((tmp_path / "out.json", True), (stored[0], with_data)):
        (read,) = load_results(path).benchmarks
        raw = json.loads(path.read_text(encoding="utf-8"))["benchmarks"][0]
        assert (read.fullname, read.median) == (raw["fullname"], raw["stats"]["median"])
        data = raw["stats"].pop("data", None)
        assert (data is not None) == has_data
        assert (read.data.tolist() if read.data is not None else None) == data
        assert dict(read.stats) == raw["stats"]
    assert differences(load_results(tmp_path / "out.json"), load_results(stored[0])) == []


# What is wrong, what the message must say.
WRONG_KEYS: list[tuple[Any, str]] = [
    ([], 'no list "benchmarks"'),
    ({"a": 1}, 'no list "benchmarks"'),
    ("text", 'no list "benchmarks"'),
    (document(benchmarks={}), 'no list "benchmarks"'),
    (document("x"), r"benchmarks\[0\]: must be an object, not a string"),  # type: ignore[arg-type]
    (document(benchmark(), {}), r"benchmarks\[1\].fullname: the key is missing"),
    (document(benchmark(fullname=None)), r"benchmarks\[0\].fullname: is null"),
    (document(benchmark(fullname=3)), r"benchmarks\[0\].fullname: must be a string, not a number"),
    (document({"fullname": "f"}), r"benchmarks\[0\].stats: the key is missing"),
    (document({"fullname": "f", "stats": []}), r"benchmarks\[0\].stats: must be an object, not an array"),
    (document({"fullname": "f", "stats": {}}), r"benchmarks\[0\].stats.median: the key is missing"),
    (document(benchmark(stats={"median": "fast"})), r"benchmarks\[0\].stats.median: must be a number, not a string"),
    (document(benchmark(stats={"median": True})), r"stats.median: must be a number, not a boolean"),
    (document(benchmark(stats={"iqr": []})), r"stats.iqr: must be a number, not an array"),
    (document(benchmark(stats={"iterations": 1.5})), r"stats.iterations: must be a positive integer"),
    (document(benchmark(stats={"iterations": 0})), r"stats.iterations: must be a positive integer"),
    (document(benchmark(stats={"data": [1, "x"]})), r"stats.data: must be a list of numbers, not an array"),
    (document(benchmark(stats={"data": 7})), r"stats.data: must be a list of numbers, not a number"),
    (document(benchmark(group=1)), r"benchmarks\[0\].group: must be a string or null, not a number"),
    (document(benchmark(params=[1])), r"benchmarks\[0\].params: must be an object or null"),
    (document(benchmark(extra_info=[1])), r"benchmarks\[0\].extra_info: must be an object"),
    (document(benchmark(perfcore=1)), r"benchmarks\[0\].perfcore: must be an object"),
    (document(benchmark(perfcore={"mad": "x"})), r"benchmarks\[0\].perfcore.mad: must be a number"),
    (document(machine_info=[]), r"machine_info: must be an object, not an array"),
    (document(version=5), r"version: must be a string, not a number"),
    (document(perfcore={"schema": 2}), r"perfcore.schema: is 2, and this perfcore reads 1; read it with a newer"),
    (
        document(benchmark(), benchmark("test_b"), benchmark()),
        r"benchmarks\[2\].fullname: .* benchmarks\[0\] too; .* reran the test",
    ),
]


@pytest.mark.parametrize(("root", "message"), WRONG_KEYS, ids=[message for _, message in WRONG_KEYS])
def test_a_wrong_key_is_named(root: Any, message: str) -> None:
    with pytest.raises(ResultsError, match=rf"^some/file\.json: .*{message}") as caught:
        parse_results("some/file.json", json.dumps(root).encode())
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)  # what to do comes after it


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"r\.json: the file is empty; save it again"),
        (b" \n", r"r\.json: the file is empty; save it again"),
        (b'{"benchmarks": [', r"r\.json: line 1, column 17: .*truncated; save it again"),
        (b'{\n "benchmarks": [{"stats": {"median": NaN}}]}', r"line 2, column 38: NaN"),
        (b'{"benchmarks": [NaN]}', r"NaN or Infinity, which JSON does not have; let the test have another value there"),
        *(
            (
                b'{"benchmarks": [{"fullname": "a::b[\\"x\\"]", "params": {"x": %s}}]}' % value,
                rf'line 1, column \d+: {words}.*; let the test have another value behind the fullname "a::b\[.*\]", or',
            )
            for value, words in (
                (b"Infinity", "NaN or Infinity"),
                (b"1e999", "a number too large"),
                (b'"\\u0000"', "a NUL character"),
                (b'"\\ud800"', "half of a surrogate pair"),
            )
        ),
        ('{"benchmarks": "é"}'.encode("latin-1"), r"line 1, column 17: the text is not UTF-8"),
        (b'{"benchmarks":' + b"[" * 100_000, r"nested more than 200 levels"),
        (b"<!DOCTYPE html>", r"line 1, column 1: .*not JSON"),
        (b"PK\x03\x04", r"line 1, column 1: .*not JSON"),
    ],
)
def test_a_bad_text_has_its_place(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "r.json").write_bytes(data)
    with pytest.raises(ResultsError, match=message) as caught:
        load_results(tmp_path / "r.json")
    assert "\n" not in str(caught.value)


def test_every_truncation_is_refused() -> None:
    whole = json.dumps(document(benchmark(stats={"data": [1e-6, 2.5e-7]}))).encode()
    for length in range(len(whole)):
        with pytest.raises(ResultsError):
            parse_results("x", whole[:length])


def test_missing_folder_pipe_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"no such file; make it with pytest --benchmark-json"):
        load_results(tmp_path / "none.json")
    with pytest.raises(ResultsError, match="is a folder"):
        load_results(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ResultsError, match="no regular file"):
        load_results(tmp_path / "pipe")
    with pytest.raises(ResultsError, match=r"cannot read: .*null"):
        load_results("a\0b")
    secret = write(tmp_path / "secret.json", benchmark())
    secret.chmod(0)
    if os.geteuid() != 0:
        with pytest.raises(ResultsError, match="cannot read: Permission denied"):
            load_results(secret)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ResultsError, match="cannot read: Too many levels"):
        load_results(tmp_path / "loop")


def test_a_huge_file_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(2**30)
    before = time.process_time()
    with pytest.raises(ResultsError, match="too large: 1024 MiB, and the limit is 512 MiB"):
        load_results(path)
    assert time.process_time() - before < 0.2  # reading a gigabyte takes longer than that on any machine
    small = write(tmp_path / "small.json", benchmark())
    with pytest.raises(ResultsError, match="the limit is 100 bytes"):
        load_results(small, max_bytes=100)
    assert load_results(small, max_bytes=small.stat().st_size).benchmarks


def test_the_environment_of_this_process() -> None:
    found = environment()
    assert set(COMPARED) <= set(found)
    assert found["cores"] == len(os.sched_getaffinity(0))
    assert found["python_version"] == sys.version.split()[0]
    assert found["processor"]
    assert not any("mhz" in key.lower() for key in found)
    json.dumps(found, allow_nan=False)


def test_environments_are_compared_by_what_both_tell(tmp_path: Path) -> None:
    def results(name: str, **changes: Any) -> Any:
        return load_results(write(tmp_path / name, benchmark(), **changes))

    stock = results("stock.json")
    assert differences(stock, results("same.json")) == []
    other = MACHINE | {"cpu": {"brand_raw": "Processor 1", "count": 4, "hz_actual_friendly": "9 GHz"}, "node": "b"}
    assert differences(stock, results("other.json", machine_info=other)) == [
        "processor model: Processor 9000 -> Processor 1"
    ]
    older = MACHINE | {"cpu": {"brand": "Processor 9000"}, "python_version": "3.11.7"}
    assert differences(stock, results("older.json", machine_info=older)) == ["Python version: 3.12.1 -> 3.11.7"]
    bare = results("bare.json", machine_info={})
    assert differences(stock, bare) == differences(bare, stock) == []
    mine = {"schema": 1, "backend": "perfcore", "environment": environment()}
    ours = results("ours.json", perfcore=mine)
    assert differences(ours, ours) == []
    assert describe(ours)["cores"] == len(os.sched_getaffinity(0))
    fewer = results("fewer.json", perfcore=mine | {"environment": environment() | {"cores": 999}})
    assert differences(ours, fewer) == [f"usable cores: {environment()['cores']} -> 999"]
