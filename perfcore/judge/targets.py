# SPDX-License-Identifier: MIT
"""Targets of a service level, as ``[tool.perfcore.sla]`` writes them: figures with units, for the names that match."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perfcore.errors import ConfigError
from perfcore.judge.thresholds import parse_duration
from perfcore.names import matches
from perfcore.record.results import Benchmark
from perfcore.units import format_bytes, format_seconds, parse_bytes


@dataclass(frozen=True, slots=True)
class Target:
    """What holds for the lanes and benchmarks whose names match a pattern.

    Attributes:
        pattern: of the name or the full name; case counts, and brackets are as in ``Rule``.
        key: one of ``KEYS``.
        limit: seconds, bytes, percent of one processor, or calls per second.
        place: where it is written, for messages.

    """

    pattern: str
    key: str
    limit: float
    place: str = ""

    def matches(self, benchmark: Benchmark) -> bool:
        """Whether it holds for a benchmark."""
        return self.names(benchmark.name) or self.names(benchmark.fullname)

    def names(self, name: str) -> bool:
        """Whether the pattern matches a name."""
        return matches(name, self.pattern)


def _parse_percent(value: object) -> float:
    found = re.fullmatch(r"\s*([0-9.]+)\s*(%|cores?)\s*", value) if isinstance(value, str) else None
    try:
        number = float(found[1]) * (1 if found[2] == "%" else 100) if found else math.nan
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ConfigError(f"{value!r} is no share; write it like 80 % (of one processor) or 1.5 cores, above 0")
    return number


def _parse_size(value: object) -> float:
    try:
        size = parse_bytes(value) if isinstance(value, str) else 0
    except ValueError:
        size = 0
    if size <= 0:
        raise ConfigError(f"{value!r} is no size; write it like 100 MB or 64 KiB, above 0")
    return float(size)


def _parse_rate(value: object) -> float:
    found = re.fullmatch(r"\s*([0-9.eE+]+)\s*/\s*(s|min|h)\s*", value) if isinstance(value, str) else None
    try:
        number = float(found[1]) / {"s": 1, "min": 60, "h": 3600}[found[2]] if found else math.nan
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ConfigError(f"{value!r} is no rate; write it like 1000/s, above 0 and with s, min or h")
    return number


def _percent(value: float) -> str:
    return f"{value:.3g} %" if value < 1000 else f"{value:.0f} %"


def _rate(value: float) -> str:
    return f"{value:.4g}/s"


# Each key: how its value is read, and how it is shown.
KEYS: dict[str, tuple[Callable[[object], float], Callable[[float], str]]] = {
    "mean": (parse_duration, format_seconds),
    "median": (parse_duration, format_seconds),
    "p95": (parse_duration, format_seconds),
    "p99": (parse_duration, format_seconds),
    "memory_max": (_parse_size, format_bytes),
    "cpu_average": (_parse_percent, _percent),
    "throughput_min": (_parse_rate, _rate),
}


def show(key: str, value: float) -> str:
    """Return a figure of a key with its unit; ``-`` for what is none."""
    return KEYS[key][1](value) if math.isfinite(value) else "-"


def make_targets(path: Path, value: object) -> tuple[Target, ...]:
    """Make the targets of ``[tool.perfcore.sla]``, in the order of the file.

    Raises:
        ConfigError: the text names the file and the key.

    """
    place = "tool.perfcore.sla"
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {place}: must be a table, not {type(value).__name__}")
    targets = []
    for pattern, table in value.items():
        where = f'{place}."{pattern}"'
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {where}: must be a table, not {type(table).__name__}")
        for key, limit in table.items():
            if key not in KEYS:
                close = difflib.get_close_matches(key, KEYS, n=1)
                advice = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(KEYS)}"
                raise ConfigError(f"{path}: [{where}]: unknown key {key!r}; {advice}")
            try:
                targets.append(Target(pattern, key, KEYS[key][0](limit), f"{where}.{key}"))
            except ConfigError as error:
                raise ConfigError(f"{path}: {where}.{key}: {error}") from None
    return tuple(targets)
