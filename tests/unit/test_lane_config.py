# SPDX-License-Identifier: MIT
"""[tool.perfcore.lanes]: what a lane may say, and that every mistake names the file and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perfcore.config import load_config, read_config
from perfcore.errors import ConfigError
from perfcore.suite.benchmark_suite import BenchmarkSuite
from perfcore.suite.lane import LONGEST, Lane, make_lane, parse_time


def lanes_of(folder: Path, text: str) -> dict[str, Lane]:
    path = folder / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return dict(read_config(path).lanes)


def test_everything_that_a_lane_may_say(tmp_path: Path) -> None:
    lanes = lanes_of(
        tmp_path,
        """
        [tool.perfcore.lanes.words]
        command = ["echo", "a b"]
        [tool.perfcore.lanes.text]
        command = "echo 'a b' $HOME"
        iterations = 7
        warmup = 2
        timeout = "20 min"
        grace = 2
        interval = "1 ms"
        cwd = "sub"
        output_limit = "1 MB"
        env = { A = "1", B = "" }
        [tool.perfcore.lanes.shell]
        command = "echo $HOME | wc"
        shell = true
        [tool.perfcore.lanes.python]
        callable = "package.module:Class.method"
        """,
    )
    assert list(lanes) == ["words", "text", "shell", "python"]
    assert lanes["words"] == Lane("words", ("echo", "a b"), cwd=tmp_path)
    assert lanes["text"] == Lane(
        "text",
        ("echo", "a b", "$HOME"),
        iterations=7,
        warmup=2,
        timeout=1200.0,
        grace=2.0,
        env={"A": "1", "B": ""},
        cwd=tmp_path / "sub",
        interval=0.001,
        output_limit=1_000_000,
    )
    assert (lanes["shell"].command, lanes["shell"].words) == (("echo $HOME | wc",), "echo $HOME | wc")
    assert (lanes["python"].command, lanes["python"].words) == ((), "package.module:Class.method")
    assert lanes["words"].words == "echo 'a b'"


def test_the_digest_tells_what_runs_not_how_often(tmp_path: Path) -> None:
    lane = make_lane("a", {"command": "x y"}, tmp_path)
    assert lane.digest == make_lane("b", {"command": ["x", "y"], "iterations": 9, "timeout": 1}, tmp_path).digest
    others = ({"command": "x z"}, {"command": "x y", "env": {"A": "1"}}, {"command": "x y", "cwd": "sub"})
    digests = {make_lane("a", table, tmp_path).digest for table in others}
    assert len(digests | {lane.digest}) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lanes = 3", "tool.perfcore.lanes: must be a table, not int"),
        ("lanes.a = 3", "tool.perfcore.lanes.a: must be a table, not int"),
        ("lanes.a.iterations = 3", "tool.perfcore.lanes.a.command: give either a command or a callable"),
        ("lanes.a = {command = 'x', callable = 'a:b'}", "lanes.a.command: give either"),
        ("lanes.a = {command = ''}", "lanes.a.command: must be text or a list of words, and not empty, not ''"),
        ("lanes.a = {command = []}", "lanes.a.command: must be text or a list"),
        ("lanes.a = {command = ['x', 3]}", "lanes.a.command: must be text or a list"),
        ('lanes.a = {command = "echo \'x"}', "lanes.a.command: cannot be split into words: No closing quotation"),
        ("lanes.a = {command = ['x'], shell = true}", "lanes.a.command: must be one text where shell = true"),
        ("lanes.a = {command = 'x', shell = 1}", "lanes.a.shell: must be true or false, not 1"),
        ("lanes.a = {callable = 'a:b', shell = true}", "lanes.a.shell: a callable has no shell"),
        ("lanes.a = {callable = 'a.b'}", "lanes.a.callable: must be like package.module:function, not 'a.b'"),
        ("lanes.a = {comand = 'x'}", "lanes.a.comand: unknown key; did you mean 'command'?"),
        ("lanes.a = {command = 'x', zzz = 1}", "lanes.a.zzz: unknown key; known keys: callable, "),
        ("lanes.a = {command = 'x', iterations = 0}", "lanes.a.iterations: must be a whole number from 1 to 100000"),
        ("lanes.a = {command = 'x', iterations = true}", "lanes.a.iterations: must be a whole number"),
        ("lanes.a = {command = 'x', warmup = -1}", "lanes.a.warmup: must be a whole number from 0"),
        ("lanes.a = {command = 'x', timeout = '5'}", "lanes.a.timeout: must be seconds or text like 500 ms or 20 min"),
        ("lanes.a = {command = 'x', timeout = 0}", "lanes.a.timeout: must be seconds"),
        ("lanes.a = {command = 'x', timeout = nan}", "lanes.a.timeout: must be seconds"),
        ("lanes.a = {command = 'x', interval = 0.0001}", "lanes.a.interval: must be seconds or text like 500 ms"),
        ("lanes.a = {command = 'x', env = {A = 1}}", "lanes.a.env: 'A' must be a name without '='"),
        ("lanes.a = {command = 'x', env = {'A=B' = '1'}}", "lanes.a.env: 'A=B' must be a name"),
        ("lanes.a = {command = 'x', env = 3}", "lanes.a.env: must be a table of texts, not 3"),
        ("lanes.a = {command = 'x', cwd = ''}", "lanes.a.cwd: must be the path of a folder"),
        ("lanes.a = {command = 'x', output_limit = '2 TB'}", "lanes.a.output_limit: must be a size like 10 MB"),
        ("lanes.a = {command = 'x', output_limit = []}", "lanes.a.output_limit: must be a size like 10 MB"),
        ("lanes.'../a' = {command = 'x'}", "'../a' is no name for a lane"),
        ("lanes.'' = {command = 'x'}", "'' is no name for a lane"),
    ],
)
def test_mistakes_name_the_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        lanes_of(tmp_path, f"[tool.perfcore]\n{text}\n")
    assert str(caught.value).startswith(f"{tmp_path / 'pyproject.toml'}: tool.perfcore.lanes")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"iterations": 0}, "iterations: must be a whole number from 1 to 100000, not 0"),
        ({"iterations": -3}, "iterations: must be a whole number from 1 to 100000, not -3"),
        ({"warmup": -1}, "warmup: must be a whole number from 0 to 100000, not -1"),
        ({"timeout": -1}, "timeout: must be seconds or text like 500 ms or 20 min, above 0 and at most "),
        ({"timeout": 0.0}, "timeout: must be seconds"),
    ],
)
def test_a_run_of_nothing_is_refused(tmp_path: Path, numbers: dict[str, Any], words: str) -> None:
    suite = BenchmarkSuite({"a": Lane("a", ("true",))}, folder=tmp_path)
    for make in (lambda: suite.run("a", **numbers), lambda: Lane("a", ("true",), **numbers)):
        with pytest.raises(ConfigError, match=f"^lane a: {words}"):
            make()
    assert not list(tmp_path.iterdir())


def test_times() -> None:
    assert [parse_time(value, LONGEST) for value in (3, 0.5, "90 s", "2 min", "1.5h", "250 ms")] == [
        3.0,
        0.5,
        90.0,
        120.0,
        5400.0,
        0.25,
    ]
    for wrong in ("1..2 min", "x", "", None, True, -1, "0 s", float("inf"), [3]):
        with pytest.raises(ConfigError, match="must be seconds"):
            parse_time(wrong, LONGEST)


def test_the_example(tmp_path: Path) -> None:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "lanes.toml"
    config = read_config(path)
    assert list(config.lanes) == ["docs", "standard", "heavy"]
    assert [(lane.cwd / "pyproject.toml").is_file() for lane in config.lanes.values()] == [True] * 3
    assert {target.pattern for target in config.sla} == set(config.lanes)


def test_times_of_a_lane_may_be_text() -> None:
    """As in the configuration; they are seconds then, which its supervisor counts in."""
    made = Lane("a", ("true",), timeout="20 min", grace="500 ms", interval="1 s")  # type: ignore[arg-type]
    assert (made.timeout, made.grace, made.interval) == (1200.0, 0.5, 1.0)


def test_no_lanes_is_fine(tmp_path: Path) -> None:
    assert lanes_of(tmp_path, "[project]\nname = 'x'\n") == {}
    config = load_config(tmp_path)
    assert (config.lanes_folder, config.sla) == (tmp_path / "benchmarks/results/lanes", ())
    with pytest.raises(ConfigError, match="cannot read: No such file"):
        read_config(tmp_path / "none.toml")
