# SPDX-License-Identifier: MIT
"""How much slower is too slow: relative thresholds, as written in options and in ``[tool.perfcore.thresholds]``."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from perfcore.errors import ConfigError

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
class Rule:
    """What holds for the benchmarks whose names match a shell pattern; None leaves a value as it is.

    Attributes:
        pattern: of the fullname; case counts.
        warning: instead of the general threshold.
        critical: likewise.
        maximum: seconds that the median must not exceed, whatever the baseline says.

    """

    pattern: str
    warning: float | None = None
    critical: float | None = None
    maximum: float | None = None


def limits_for(fullname: str, general: Thresholds, rules: Sequence[Rule]) -> tuple[Thresholds, float | None]:
    """Return the thresholds and the absolute limit of a benchmark. Of several rules that match, the last one counts.

    Raises:
        ConfigError: the rules and the general thresholds together make no sense; the text names the benchmark.

    """
    warning, critical, maximum = general.warning, general.critical, None
    for rule in rules:
        if fnmatchcase(fullname, rule.pattern):
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
