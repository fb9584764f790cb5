# SPDX-License-Identifier: MIT
"""``[tool.perfcore]`` of the nearest pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfcore.errors import ConfigError
from perfcore.judge.thresholds import CRITICAL, WARNING, Thresholds, parse_fraction

BASELINE = "benchmarks/results/baseline/baseline_results.json"


@dataclass(frozen=True, slots=True)
class Config:
    """What a project has set.

    Attributes:
        path: the pyproject.toml that was read; None where there is none.
        baseline: where the baseline is kept.
        thresholds: when a slow-down is a warning, and when critical.
        ab_install: the command that installs the project for ``perfcore ab``; None for none.

    """

    path: Path | None = None
    baseline: Path = Path(BASELINE)
    thresholds: Thresholds = field(default_factory=Thresholds)
    ab_install: str | None = None


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
    if path is None:
        return Config()
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    tool = _table(path, "tool", document.get("tool", {}))
    table = _table(path, "tool.perfcore", tool.get("perfcore", {}))
    _check_keys(path, "tool.perfcore", table, ("ab", "baseline", "thresholds"))
    limits = _table(path, "tool.perfcore.thresholds", table.get("thresholds", {}))
    _check_keys(path, "tool.perfcore.thresholds", limits, ("warning", "critical"))
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
    return Config(
        path=path, baseline=path.parent / baseline, thresholds=thresholds, ab_install=_ab_install(path, table)
    )
