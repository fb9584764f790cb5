# SPDX-License-Identifier: MIT
"""The report as a Markdown table of every benchmark, for a README or a wiki. A pull request's is in ``comment``."""

from __future__ import annotations

import math
from typing import Any

from perfcore.report.comment import escaped
from perfcore.report.text import change, seconds

_TIMES = ("median", "min", "mean", "stddev", "p99", "max")


def _cell(value: float | None) -> str:
    return seconds(math.nan if value is None else value)


def render_markdown(document: dict[str, Any]) -> str:
    """Return the document of :func:`perfcore.report.model.describe` as one Markdown table."""
    judged = document["check"] is not None
    header = ["benchmark", *_TIMES, "rounds", *(["change", "verdict"] if judged else [])]
    lines = ["| " + " | ".join(header) + " |", "|:--|" + "--:|" * (len(_TIMES) + 1) + ("--:|:--|" if judged else "")]
    for one in document["benchmarks"]:
        cells = [escaped(one["fullname"]), *(_cell(one[key]) for key in _TIMES), str(one["rounds"] or "-")]
        if judged:
            verdict = one["verdict"] or {"ratio": None, "status": "new"}
            ratio = verdict["ratio"]
            cells += [change(math.nan if ratio is None else ratio), verdict["status"]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
