# SPDX-License-Identifier: MIT
"""How much slower is too slow: relative thresholds, as written in options and in ``[tool.perfcore.thresholds]``."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

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
