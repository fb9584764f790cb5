# SPDX-License-Identifier: MIT
"""How much slower is too slow: relative thresholds, as written in options and in ``[tool.perfcore.thresholds]``."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from perfcore.errors import ConfigError
from perfcore.names import matches
from perfcore.units import parse_bytes, unit_of

WARNING = 0.05
CRITICAL = 0.10


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Relative slow-downs: 0.05 is 5 %.

    Raises:
        ConfigError: unless 0 < warning <= critical.

    """

    warning: float = WARNING
    critical: float = CRITICAL

    def __post_init__(self) -> None:
        if not 0 < self.warning <= self.critical < math.inf:
            raise ConfigError(
                f"thresholds: warning is {percent(self.warning)} and critical {percent(self.critical)}; "
                "give 0 < warning <= critical"
            )


@dataclass(frozen=True, slots=True)
class MetricRule:
    """What holds for a metric; None leaves a value as it is.

    Attributes:
        warning: the relative change for the worse that is a warning; 0: any change.
        critical: likewise.
        maximum: what the figure must not exceed, in the metric's own unit.
        minimum: what it must not fall under.
        up: whether more is better.
        exact: whether the metric is the same in every run of the same code.
        ignore: whether it is not judged.

    """

    warning: float | None = None
    critical: float | None = None
    maximum: float | None = None
    minimum: float | None = None
    up: bool | None = None
    exact: bool | None = None
    ignore: bool | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for the benchmarks whose names match a shell pattern; None leaves a value as it is.

    Attributes:
        pattern: of the fullname; case counts, and brackets are a set of characters or those of a test's parameters.
        warning: instead of the general threshold.
        critical: likewise.
        maximum: seconds that the median must not exceed, whatever the baseline says.
        metrics: what holds for single metrics of these benchmarks, by their names.

    """

    pattern: str
    warning: float | None = None
    critical: float | None = None
    maximum: float | None = None
    metrics: Mapping[str, MetricRule] = field(default_factory=dict)

    def matches(self, fullname: str) -> bool:
        """Whether it holds for a benchmark."""
        return matches(fullname, self.pattern)


def metric_rule(metric: str, general: Mapping[str, MetricRule], rules: Sequence[Rule]) -> MetricRule:
    """Return what holds for a metric: of the general rule and those of ``rules``, the last that sets a value counts."""
    found: dict[str, Any] = {}
    for one in (general.get(metric), *(rule.metrics.get(metric) for rule in rules)):
        if one is not None:
            values = {item.name: getattr(one, item.name) for item in fields(one)}
            found |= {name: value for name, value in values.items() if value is not None}
    return MetricRule(**found)


def limits_for(fullname: str, general: Thresholds, rules: Sequence[Rule]) -> tuple[Thresholds, float | None]:
    """Return the thresholds and the absolute limit of a benchmark. Of several rules that match, the last one counts.

    Raises:
        ConfigError: the rules and the general thresholds together make no sense; the text names the benchmark.

    """
    warning, critical, maximum = general.warning, general.critical, None
    for rule in rules:
        if rule.matches(fullname):
            warning, critical = rule.warning or warning, rule.critical or critical
            maximum = rule.maximum or maximum
    if (warning, critical) == (general.warning, general.critical):
        return general, maximum
    try:
        return Thresholds(warning, critical), maximum
    except ConfigError as error:
        raise ConfigError(f"{fullname}: {error}") from None


def parse_duration(value: object) -> float:
    """Return what ``"50 ms"`` means, in seconds: a number and one of s, ms, us (or µs), ns.

    Raises:
        ConfigError: it is no such text, or not above 0; the text names the value but not the key.

    """
    seconds = math.nan
    if isinstance(value, str) and (found := re.fullmatch(r"\s*([0-9.eE+-]+)\s*(s|ms|us|µs|μs|ns)\s*", value)):
        with contextlib.suppress(ValueError):  # still NaN, refused below
            seconds = float(found[1]) * {"s": 1.0, "ms": 1e-3, "ns": 1e-9}.get(found[2], 1e-6)
    if not 0 < seconds < math.inf:
        raise ConfigError(f"{value!r} is no time; write it like 50 ms, above 0 and with s, ms, us or ns")
    return seconds


def parse_limit(metric: str, value: object) -> float:
    """Return an absolute limit of a metric in its own unit: ``"50 ms"``, ``"10 MB"``, or a number of what has none.

    Raises:
        ConfigError: it is none of these; the text names the value but not the key.

    """
    unit = unit_of(metric)
    if unit == "s":
        return parse_duration(value)
    if unit == "B":
        try:
            return float(parse_bytes(value))  # type: ignore[arg-type]
        except (ValueError, TypeError, OverflowError):
            raise ConfigError(f"{value!r} is no size; write it like 10 MB or 64 KiB") from None
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            number = float(value)
    if not math.isfinite(number):
        raise ConfigError(f"{value!r} is no number; {metric} has no unit")
    return number


def percent(fraction: float) -> str:
    """Return 0.05 as ``5%``."""
    return f"{fraction * 100:.10g}%"


def parse_fraction(value: object) -> float:
    """Return what ``"5%"``, ``"0.05"`` or ``0.05`` mean: 0.05.

    A number of 1 or more needs its percent sign, because ``5`` might mean 5 % or 500 %.

    Raises:
        ConfigError: it is none of these, or not positive; the text names the value but not the key.

    """
    fraction = math.nan
    signed = False
    number = value
    if isinstance(value, str):
        number = value.strip().removesuffix("%")
        signed = value.strip().endswith("%")
    if isinstance(number, str | int | float) and not isinstance(number, bool):
        with contextlib.suppress(ValueError, OverflowError):  # still NaN, refused below
            fraction = float(number) / (100 if signed else 1)
    if not 0 < fraction < math.inf:
        raise ConfigError(f"{value!r} is no threshold; write it like 5% or 0.05, above 0")
    if fraction >= 1 and not signed:
        raise ConfigError(f"{value!r} may mean {fraction:g}% or {fraction * 100:g}%; write it with a percent sign")
    return fraction
