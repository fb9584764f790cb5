# SPDX-License-Identifier: MIT
"""What the dashboard shows of the USE reports that ``perfcore use --json`` wrote; see :mod:`perfcore.measure.use`.

A figure that deserves a look has a status. "critical": something failed (a figure of errors above zero). "warning": a
resource is at 90 % of its limit or more, or work had to wait: 10 % of the time and more, of time throttled or stolen
1 % and more, or anything that was dropped or met its limit. Rates of events have none, for there is no limit to them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from perfcore.errors import ResultsError
from perfcore.measure.use import KINDS, SCOPES, UNITS, Figure
from perfcore.record.results import MAX_BYTES, read_bytes
from perfcore.report.text import printable
from perfcore.units import format_seconds

_MAKE = "perfcore use --json --output FILE -- COMMAND"
_NEAR_LIMIT = 0.9
_WAITING_PERCENT = 10.0
_LOST_SHARE = 0.01  # of the time watched


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} is no number")
    if not 0 <= float(value) < math.inf:
        raise ValueError(f"{what} is {value!r}")
    return value


def _text(value: object, what: str, among: Iterable[str] | None = None) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is no text")
    if among is not None and value not in among:
        raise ValueError(f"{what} is {value!r}")
    return value


def _figure(one: dict[str, Any]) -> Figure:
    name = _text(one["name"], "a figure's name")
    return Figure(
        name,
        None if one["value"] is None else _number(one["value"], name),
        _text(one["unit"], "a unit", UNITS),  # type: ignore[arg-type]
        _text(one["scope"], "a scope", SCOPES),  # type: ignore[arg-type]
        None if one["limit"] is None else _number(one["limit"], f"the limit of {name}"),
    )


def _status(kind: str, figure: Figure, seconds: float) -> str:
    value = figure.value or 0.0
    if kind == "errors":
        return "critical" if value > 0 else ""
    if kind == "utilisation":
        return "warning" if (figure.share or 0.0) >= _NEAR_LIMIT else ""
    least = {"percent": _WAITING_PERCENT, "seconds": _LOST_SHARE * seconds, "count": 0.5}.get(figure.unit, math.inf)
    return "warning" if value >= least and value > 0 else ""


def _shown(resource: str, kind: str, figure: Figure, seconds: float) -> dict[str, Any]:
    share = figure.share
    return {
        "resource": resource,
        "kind": kind,
        "name": figure.name,
        "value": figure.value,
        "shown": str(figure),
        "share": None if share is None or not math.isfinite(share) else share,
        "scope": figure.scope,
        "status": _status(kind, figure, seconds),
    }


def _report(found: dict[str, Any]) -> dict[str, Any]:
    if found["command"] != "use":
        raise ValueError(f"its command is {found['command']!r}")
    seconds, code = float(_number(found["seconds"], "seconds")), found["exit_code"]
    if code is not None and type(code) is not int:
        raise TypeError("exit_code is no whole number")
    figures = [
        (_text(resource, "a resource"), kind, _figure(one))
        for resource, kinds in found["resources"].items()
        for kind in KINDS
        for one in kinds[kind]
    ]
    return {
        "target": _text(found["target"], "target"),
        "seconds": seconds,
        "duration": format_seconds(seconds),
        "samples": _number(found["samples"], "samples"),
        "exit_code": code,
        "figures": [
            _shown(resource, kind, figure, seconds) for resource, kind, figure in figures if figure.value is not None
        ],
    }


def read_use(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Return what the dashboard shows of a USE report. Figures that the kernel did not give are left out.

    Args:
        path: what ``perfcore use --json`` wrote.
        max_bytes: larger files are refused.

    Raises:
        ResultsError: the file cannot be read, or is no such report.

    """
    shown = Path(path)
    data = read_bytes(shown, max_bytes=max_bytes, what="a USE report", made_by=_MAKE)
    try:
        return {"source": shown.name} | _report(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        reason = printable(f"{type(error).__name__}: {error}"[:200])
        raise ResultsError(f"{shown}: not what perfcore use --json writes ({reason}); make it with {_MAKE}") from None


def add_use(document: dict[str, Any], paths: Iterable[str | os.PathLike[str]], max_bytes: int = MAX_BYTES) -> None:
    """Add USE reports to the document of :func:`perfcore.report.model.describe`, as its ``use``."""
    document["use"] = [read_use(path, max_bytes=max_bytes) for path in paths]
