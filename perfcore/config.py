# SPDX-License-Identifier: MIT
"""``[tool.perfcore]`` of the nearest pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore.errors import ConfigError
from perfcore.judge.thresholds import (
    CRITICAL,
    WARNING,
    MetricRule,
    Rule,
    Thresholds,
    parse_duration,
    parse_fraction,
    parse_limit,
)

if TYPE_CHECKING:
    from perfcore.judge.targets import Target
    from perfcore.suite.lane import Lane

BASELINE = "benchmarks/results/baseline/baseline_results.json"
HISTORY = "benchmarks/results/history.db"
HISTORY_DAYS = 90
LANES = "benchmarks/results/lanes"
LANES_DAYS = 90


@dataclass(frozen=True, slots=True)
class Config:
    """What a project has set.

    Attributes:
        path: the pyproject.toml that was read; None where there is none.
        baseline: where the baseline is kept.
        thresholds: when a slow-down is a warning, and when critical.
        rules: other thresholds and absolute limits for the benchmarks that match a pattern.
        metrics: thresholds, limits and directions of single metrics.
        lanes_days: how long ``perfcore history prune --lanes`` keeps a run of a lane.
        history: where the history is kept: a file, or the URL of a database.
        history_days: how long ``perfcore history prune`` keeps a run.
        ab_install: the command that installs the project for ``perfcore ab``; None for none.
        lanes: the workloads of ``perfcore run``, by name.
        lanes_folder: where their runs are kept.
        sla: the targets of ``perfcore validate-sla``.

    """

    path: Path | None = None
    baseline: Path = Path(BASELINE)
    thresholds: Thresholds = field(default_factory=Thresholds)
    rules: tuple[Rule, ...] = ()
    history: str = HISTORY
    history_days: int = HISTORY_DAYS
    ab_install: str | None = None
    lanes: Mapping[str, Lane] = field(default_factory=dict)
    lanes_folder: Path = Path(LANES)
    sla: tuple[Target, ...] = ()
    metrics: Mapping[str, MetricRule] = field(default_factory=dict)
    lanes_days: int = LANES_DAYS


def _check_keys(path: Path, place: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in table:
        if key not in known:
            import difflib

            close = difflib.get_close_matches(key, known, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(known))}"
            raise ConfigError(f"{path}: [{place}]: unknown key {key!r}; {advice}")


def _table(path: Path, place: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {place}: must be a table, not {type(value).__name__}")
    return value


def _threshold(path: Path, table: Mapping[str, Any], key: str, default: float) -> float:
    try:
        return parse_fraction(table.get(key, default))
    except ConfigError as error:
        raise ConfigError(f"{path}: tool.perfcore.thresholds.{key}: {error}") from None


def _metric_setting(metric: str, key: str, setting: object) -> tuple[str, Any]:
    """Return the field of a rule that a key sets, and its value."""
    if key in ("warning", "critical"):
        return key, 0.0 if setting == "any" else parse_fraction(setting)
    if key in ("max", "min"):
        return f"{key}imum", parse_limit(metric, setting)
    if key == "direction":
        if setting not in ("up", "down"):
            raise ConfigError(f"{setting!r} is no direction; write 'up' where more is better, else 'down'")
        return "up", setting == "up"
    if not isinstance(setting, bool):
        raise ConfigError(f"must be true or false, not {setting!r}")
    return key, setting


def _metrics(path: Path, place: str, value: object) -> dict[str, MetricRule]:
    """Return the rules of a ``metrics`` table, by the metric."""
    found: dict[str, MetricRule] = {}
    for metric, settings in _table(path, place, value).items():
        where = f"{place}.{metric}"
        table = _table(path, where, settings)
        _check_keys(path, where, table, ("warning", "critical", "max", "min", "direction", "exact", "ignore"))
        fields: dict[str, Any] = {}
        for key, setting in table.items():
            try:
                name, parsed = _metric_setting(metric, key, setting)
                fields[name] = parsed
            except ConfigError as error:
                raise ConfigError(f"{path}: {where}.{key}: {error}") from None
        warning, critical = fields.get("warning"), fields.get("critical")
        if warning is not None and critical is not None and warning > critical:
            raise ConfigError(f"{path}: {where}: warning is above critical; give warning <= critical")
        found[metric] = MetricRule(**fields)
    return found


def _rules(path: Path, value: object) -> tuple[Rule, ...]:
    """Return the rules of ``[tool.perfcore.thresholds.patterns]``, in the order of the file."""
    place = "tool.perfcore.thresholds.patterns"
    rules = []
    for pattern, settings in _table(path, place, value).items():
        where = f'{place}."{pattern}"'
        table = _table(path, where, settings)
        _check_keys(path, where, table, ("warning", "critical", "max", "metrics"))
        found: dict[str, float] = {}
        for key, setting in table.items():
            if key == "metrics":
                continue
            try:
                found[key] = parse_duration(setting) if key == "max" else parse_fraction(setting)
            except ConfigError as error:
                raise ConfigError(f"{path}: {where}.{key}: {error}") from None
        metrics = _metrics(path, f"{where}.metrics", table.get("metrics", {}))
        rules.append(Rule(pattern, found.get("warning"), found.get("critical"), found.get("max"), metrics))
    return tuple(rules)


def _history(path: Path, value: object) -> tuple[str, int]:
    """Return where the history is, and for how many days a run stays in it."""
    table = _table(path, "tool.perfcore.history", value)
    _check_keys(path, "tool.perfcore.history", table, ("url", "days"))
    where, days = table.get("url", HISTORY), table.get("days", HISTORY_DAYS)
    if not isinstance(where, str) or not where:
        raise ConfigError(f"{path}: tool.perfcore.history.url: must be a file or a database's URL, not {where!r}")
    return _located(path.parent, where), _days(path, "history.days", days)


def _located(folder: Path, where: str) -> str:
    """Return where a history is, with the path of a file, or of an SQLite URL, from the folder on."""
    scheme, mark, rest = where.partition("://")
    if not mark:
        return str(folder / where)
    name, query, options = rest.removeprefix("/").partition("?")
    if scheme != "sqlite" or not rest.startswith("/") or name in ("", ":memory:"):
        return where
    file = str(folder / name)
    return f"sqlite:///{file}?{options}" if query else file


def _days(path: Path, key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 36500:
        raise ConfigError(f"{path}: tool.perfcore.{key}: must be a whole number from 1 to 36500, not {value!r}")
    return value


def _retention(path: Path, value: object) -> int:
    """Return for how many days a run of a lane stays."""
    table = _table(path, "tool.perfcore.retention", value)
    _check_keys(path, "tool.perfcore.retention", table, ("lanes",))
    return _days(path, "retention.lanes", table.get("lanes", LANES_DAYS))


def _ab_install(path: Path, table: Mapping[str, Any]) -> str | None:
    ab = _table(path, "tool.perfcore.ab", table.get("ab", {}))
    _check_keys(path, "tool.perfcore.ab", ab, ("install",))
    install = ab.get("install")
    if install is None:
        return None
    import shlex

    try:
        words = shlex.split(install) if isinstance(install, str) else []
    except ValueError as error:
        raise ConfigError(f"{path}: tool.perfcore.ab.install: {error} in {install!r}") from None
    if not words:
        raise ConfigError(f"{path}: tool.perfcore.ab.install: must be a command, not {install!r}")
    return str(install)


def find_pyproject(start: Path) -> Path | None:
    """Return the nearest pyproject.toml in ``start`` or a folder above it."""
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return path
    return None


def load_config(start: Path | None = None) -> Config:
    """Read the configuration that holds in a folder (by default the current one).

    Raises:
        ConfigError: the file is no TOML, or a key of ``[tool.perfcore]`` is unknown or has a wrong value.

    """
    path = find_pyproject((start or Path.cwd()).resolve())
    return Config() if path is None else read_config(path)


def _lanes(path: Path, value: object) -> Mapping[str, Lane]:
    if value is None:
        return {}
    from perfcore.suite.lane import make_lanes

    return make_lanes(path, value)


def _sla(path: Path, value: object) -> tuple[Target, ...]:
    if value is None:
        return ()
    from perfcore.judge.targets import make_targets

    return make_targets(path, value)


def read_config(path: Path) -> Config:
    """Read the configuration of a file; relative paths start from its folder.

    Raises:
        ConfigError: as of :func:`load_config`, or the file is missing.

    """
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    tool = _table(path, "tool", document.get("tool", {}))
    table = _table(path, "tool.perfcore", tool.get("perfcore", {}))
    _check_keys(path, "tool.perfcore", table, ("ab", "baseline", "thresholds", "history", "lanes", "retention", "sla"))
    limits = _table(path, "tool.perfcore.thresholds", table.get("thresholds", {}))
    _check_keys(path, "tool.perfcore.thresholds", limits, ("warning", "critical", "patterns", "metrics"))
    baseline = table.get("baseline", BASELINE)
    if not isinstance(baseline, str) or not baseline:
        raise ConfigError(f"{path}: tool.perfcore.baseline: must be the path of a file, not {baseline!r}")
    try:
        thresholds = Thresholds(
            _threshold(path, limits, "warning", WARNING), _threshold(path, limits, "critical", CRITICAL)
        )
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(str(path)) else f"{path}: tool.perfcore.{text}") from None
    history, days = _history(path, table.get("history", {}))
    rules = _rules(path, limits.get("patterns", {}))
    return Config(
        path,
        path.parent / baseline,
        thresholds,
        rules,
        history,
        days,
        _ab_install(path, table),
        _lanes(path, table.get("lanes")),
        path.parent / LANES,
        _sla(path, table.get("sla")),
        _metrics(path, "tool.perfcore.thresholds.metrics", limits.get("metrics", {})),
        _retention(path, table.get("retention", {})),
    )
