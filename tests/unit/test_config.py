# SPDX-License-Identifier: MIT
"""[tool.perfcore]: what it sets, and that every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from results_files import benchmark, write

from perfcore.config import BASELINE, HISTORY, LANES, Config, find_pyproject, load_config
from perfcore.errors import ConfigError
from perfcore.judge.detector import RegressionDetector
from perfcore.judge.thresholds import MetricRule, Thresholds, metric_rule


def project(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_defaults_beside_the_pyproject(tmp_path: Path) -> None:
    config = load_config(project(tmp_path, "[project]\nname = 'x'\n"))
    assert config == Config(
        tmp_path / "pyproject.toml",
        tmp_path / BASELINE,
        Thresholds(0.05, 0.10),
        history=str(tmp_path / HISTORY),
        lanes_folder=tmp_path / LANES,
    )


def test_values_from_a_folder_below(tmp_path: Path) -> None:
    project(
        tmp_path,
        '[tool.perfcore]\nbaseline = "b/base.json"\n[tool.perfcore.thresholds]\nwarning = "3%"\ncritical = 0.2\n',
    )
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    config = load_config(below)
    assert config.baseline == tmp_path / "b" / "base.json"
    assert config.thresholds == Thresholds(0.03, 0.2)
    assert find_pyproject(below) == tmp_path / "pyproject.toml"


def test_where_the_history_is(tmp_path: Path) -> None:
    config = load_config(project(tmp_path, "[tool.perfcore.history]\nurl = 'h/x.db'\ndays = 30\n"))
    assert (config.history, config.history_days) == (str(tmp_path / "h/x.db"), 30)
    config = load_config(project(tmp_path, "[tool.perfcore.history]\nurl = 'postgresql://host/x'\n"))
    assert (config.history, config.history_days) == ("postgresql://host/x", 90)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("sqlite:///x.db", "{folder}/x.db"),
        ("sqlite:///h/x.db?timeout=5", "sqlite:///{folder}/h/x.db?timeout=5"),
        ("sqlite:////abs/x.db", "/abs/x.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite:///", "sqlite:///"),
    ],
)
def test_an_sqlite_url_is_relative_to_the_pyproject(tmp_path: Path, url: str, where: str) -> None:
    config = load_config(project(tmp_path, f"[tool.perfcore.history]\nurl = '{url}'\n"))
    assert config.history == where.format(folder=tmp_path)


def test_how_long_runs_of_lanes_stay(tmp_path: Path) -> None:
    assert load_config(project(tmp_path, "[tool.perfcore.retention]\n")).lanes_days == 90
    assert load_config(project(tmp_path, "[tool.perfcore.retention]\nlanes = 7\n")).lanes_days == 7


def test_metrics_of_all_benchmarks_and_of_some(tmp_path: Path) -> None:
    config = load_config(
        project(
            tmp_path,
            "[tool.perfcore.thresholds.metrics]\n"
            "growth_bytes = { critical = 'any', max = '1 kB' }\n"
            "rate = { direction = 'up', min = 100, exact = false }\n"
            "[tool.perfcore.thresholds.patterns.'*slow*']\n"
            "metrics.p99 = { warning = '20%', max = '5 ms' }\n"
            "metrics.rate = { ignore = true }\n",
        )
    )
    assert config.metrics == {
        "growth_bytes": MetricRule(critical=0.0, maximum=1000.0),
        "rate": MetricRule(minimum=100.0, up=True, exact=False),
    }
    (rule,) = config.rules
    assert rule.metrics == {"p99": MetricRule(warning=0.2, maximum=0.005), "rate": MetricRule(ignore=True)}
    assert metric_rule("rate", config.metrics, [rule]) == MetricRule(minimum=100.0, up=True, exact=False, ignore=True)


def test_this_repository_s_own_configuration() -> None:
    """The example that the README shows: the thresholds of agents, messages, memory and leaks."""
    config = load_config(Path(__file__).parent)
    assert [(rule.pattern, rule.critical) for rule in config.rules] == [
        ("*agent_spawn*", 0.10),
        ("*message_throughput*", 0.15),
        ("*message_concurrency*", 0.15),
        ("*memory*", 0.20),
        ("*test_memory_per_agent*", None),
    ]
    assert config.metrics["growth_bytes"].critical == 0.0
    assert config.metrics["peak_bytes"].critical == 0.2


def test_what_this_repository_s_suites_note_of_memory_is_judged(tmp_path: Path) -> None:
    def results(name: str, memory: float) -> Path:
        noted = {"extra_info": {"perfcore": {"items_per_call": 1, "memory_bytes": memory}, "own_bytes": memory}}
        names = ("test_footprint[5x5]", "test_memory_per_agent[one-world]")
        return write(tmp_path / name, *(benchmark(one) | noted for one in names))

    detector = RegressionDetector.configured(Path(__file__).parent)
    base = results("base.json", 1000)
    for memory, status in ((1050, "ok"), (1150, "warning"), (1250, "critical"), (500, "improvement")):
        found = detector.check(results("head.json", memory), base).metrics
        assert [(one.fullname.rpartition("::")[2], one.metric, one.status) for one in found] == [
            ("test_footprint[5x5]", "perfcore.memory_bytes", status),
            ("test_footprint[5x5]", "own_bytes", status),
            ("test_memory_per_agent[one-world]", "own_bytes", status),
        ]


def test_no_pyproject_is_all_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda _: False)
    assert load_config(tmp_path) == Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.perfcore]\nbaselin = 1", r"\[tool.perfcore\]: unknown key 'baselin'; did you mean 'baseline'\?"),
        (
            "[tool.perfcore]\nxyz = 1",
            r"\[tool.perfcore\]: unknown key 'xyz'; known keys: ab, baseline, history, lanes, retention, sla, thresh",
        ),
        ("[tool.perfcore.thresholds]\nwarn = 1", r"\[tool.perfcore.thresholds\]: unknown key 'warn'; did you mean"),
        ("[tool.perfcore]\nbaseline = 1", r"tool.perfcore.baseline: must be the path of a file, not 1"),
        ("[tool.perfcore]\nbaseline = ''", r"tool.perfcore.baseline: must be the path"),
        ("[tool.perfcore]\nthresholds = '5%'", r"tool.perfcore.thresholds: must be a table, not str"),
        ("[tool]\nperfcore = 5", r"tool.perfcore: must be a table, not int"),
        ("tool = 5", r"tool: must be a table"),
        ("[tool.perfcore.thresholds]\nwarning = 5", r"tool.perfcore.thresholds.warning: 5 may mean 5% or 500%"),
        ("[tool.perfcore.thresholds]\ncritical = 'x'", r"tool.perfcore.thresholds.critical: 'x' is no threshold"),
        ("[tool.perfcore.thresholds]\nwarning = '20%'", r"tool.perfcore.thresholds: warning is 20% and critical 10%"),
        (
            "[tool.perfcore.history]\npath = 'x'",
            r"\[tool.perfcore.history\]: unknown key 'path'; known keys: days, url",
        ),
        ("[tool.perfcore.history]\nurl = 5", r"tool.perfcore.history.url: must be a file or a database's URL, not 5"),
        (
            "[tool.perfcore.retention]\nlanes = 0",
            r"tool.perfcore.retention.lanes: must be a whole number from 1 to 36500",
        ),
        (
            "[tool.perfcore.retention]\nlane = 9",
            r"\[tool.perfcore.retention\]: unknown key 'lane'; did you mean 'lanes'",
        ),
        ("[tool.perfcore.history]\ndays = 0", r"tool.perfcore.history.days: must be a whole number from 1 to 36500"),
        ("[tool.perfcore.history]\ndays = true", r"tool.perfcore.history.days: must be a whole number"),
        (
            "[tool.perfcore.thresholds.patterns.'*::x']\nmaxi = 1",
            r'\[tool.perfcore.thresholds.patterns."\*::x"\]: unknown key',
        ),
        (
            "[tool.perfcore.thresholds.patterns.'*::x']\nmax = '50'",
            r"""tool.perfcore.thresholds.patterns."\*::x".max: '50' is no time; write it like 50 ms""",
        ),
        ("[tool.perfcore.thresholds.patterns]\nx = 1", r'tool.perfcore.thresholds.patterns."x": must be a table'),
        (
            "[tool.perfcore.thresholds.metrics.cpu_s]\nup = true",
            r"\[tool.perfcore.thresholds.metrics.cpu_s\]: unknown key 'up'",
        ),
        (
            "[tool.perfcore.thresholds.metrics.cpu_s]\nmax = 5",
            r"tool.perfcore.thresholds.metrics.cpu_s.max: 5 is no time",
        ),
        (
            "[tool.perfcore.thresholds.metrics.peak_bytes]\nmax = 'big'",
            r"tool.perfcore.thresholds.metrics.peak_bytes.max: 'big' is no size",
        ),
        (
            "[tool.perfcore.thresholds.metrics.ops]\nmin = '5 s'",
            r"tool.perfcore.thresholds.metrics.ops.min: '5 s' is no number; ops has no unit",
        ),
        (
            "[tool.perfcore.thresholds.metrics.ops]\ndirection = 'left'",
            r"tool.perfcore.thresholds.metrics.ops.direction: 'left' is no direction",
        ),
        (
            "[tool.perfcore.thresholds.metrics.ops]\nexact = 1",
            r"tool.perfcore.thresholds.metrics.ops.exact: must be true or false, not 1",
        ),
        (
            "[tool.perfcore.thresholds.metrics.ops]\nwarning = '9%'\ncritical = 'any'",
            r"tool.perfcore.thresholds.metrics.ops: warning is above critical",
        ),
        (
            "[tool.perfcore.thresholds.patterns.'*::x'.metrics.ops]\nwarning = 0",
            r'tool.perfcore.thresholds.patterns."\*::x".metrics.ops.warning: 0 is no threshold',
        ),
        ("[tool.perfcore.thresholds]\nmetrics = 1", r"tool.perfcore.thresholds.metrics: must be a table"),
        ("[tool.perfcore", r"not TOML: "),
    ],
)
def test_mistakes_name_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{tmp_path}/pyproject\.toml: {message}"):
        load_config(project(tmp_path, text))


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not TOML"):
        load_config(tmp_path)
