# SPDX-License-Identifier: MIT
"""The trends of :mod:`perfcore.report.trends` in a document: which of them is a benchmark's own, how a page holds them.

Apart from that module, because a report without a history needs no database.
"""

from __future__ import annotations

import base64
import math
import sys
from array import array
from collections.abc import Mapping
from typing import Any

_STEPS = 65_534  # of a packed figure, whose 0 means that there is none


def own_trend(benchmark: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the trend that the benchmark's own figure continues; None where there is none."""
    trends: list[dict[str, Any]] = benchmark.get("trends") or []
    return trends[0] if trends and benchmark.get("trend_is_own") else None


def bars(benchmark: Mapping[str, Any]) -> str:
    """Return the benchmark's own trend as a sparkline; ``-`` where there is none."""
    from perfcore.judge.history import sparkline

    trend = own_trend(benchmark)
    known = [value for value in trend["values"] if value is not None] if trend else []
    return sparkline(known, last=True) if len(known) > 1 else "-"


def packed(trend: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trend with its values as base64 of unsigned 16-bit numbers, the low byte first.

    A number n from 1 is the figure ``low * exp((n - 1) * step)``, right to ``step / 2`` of itself: 0.011 % where
    the greatest figure is a million times the least one. 0 is no figure.
    """
    values = trend["values"]
    known = [value for value in values if value is not None]
    base = math.log(min(known))
    step = (math.log(max(known)) - base) / _STEPS
    factor, log = (1 / step if step > 0 else 0.0), math.log
    numbers = array("H", [0 if one is None else 1 + round((log(one) - base) * factor) for one in values])
    if sys.byteorder != "little":
        numbers.byteswap()
    text = base64.b64encode(numbers.tobytes()).decode("ascii")
    return {**trend, "values": text, "low": min(known), "step": step}
