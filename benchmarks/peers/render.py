# SPDX-License-Identifier: MIT
"""The league's table as Markdown and as JSON, with the environment it was measured in."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.peers.harness import OURS, Line, Run, installed
from benchmarks.peers.spread import AtMost, Spread, Target

SCHEMA = 1


def environment(peers: Iterable[str]) -> dict[str, object]:
    """Return what a reader must know to trust or repeat the figures."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": platform.python_compiler(),
        "python_optimised": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 2),
        "versions": {name: installed(name) for name in (OURS, *sorted(set(peers)))},
    }


def cpu_model() -> str:
    """Return the processor's name as the kernel tells it, or "unknown"."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"model name", "Model", "cpu model"}:
            return value.strip()
    return platform.processor() or "unknown"


def number(value: float) -> str:
    """Return a figure with three significant digits, and no exponent where a reader would stumble over it."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 or value == 0 else 3
        return f"{value:,.{digits}f}"
    return f"{value:.2e}"


def spread_text(spread: Spread | None, suffix: str = "") -> str:
    """Return "median [q1 to q3]"."""
    if spread is None:
        return "-"
    if spread.q1 == spread.q3:
        return number(spread.median) + suffix
    return f"{number(spread.median)}{suffix} [{number(spread.q1)} to {number(spread.q3)}]"


def target_text(target: Target | None, unit: str) -> str:
    """Return the target in words."""
    if target is None:
        return "-"
    if isinstance(target, AtMost):
        return f"≤ {target.limit:g} {unit}"
    return f"≥ {target.factor:g}×"


def markdown(run: Run, about: Mapping[str, object]) -> str:
    """Return the whole report as Markdown."""
    out = ["# The league", ""]
    if run.interrupted:
        out += ["**Interrupted**: only the rows measured until then are below.", ""]
    out += ["| | |", "|---|---|"]
    for key, value in about.items():
        text = ", ".join(f"{k} {v or 'not installed'}" for k, v in value.items()) if isinstance(value, dict) else value
        out.append(f"| {key.replace('_', ' ')} | {cell(str(text))} |")
    out += [
        "",
        "Median [quartiles] over interleaved repeats; the ratio is the peer's figure over ours within one repeat, so "
        "greater is better for us.",
        "",
    ]
    for name in dict.fromkeys(line.row for line in run.lines):
        lines = [line for line in run.lines if line.row == name]
        out += [
            f"## {name}",
            "",
            "| case | unit | perfcore | peer | peer's | ratio | repeats | target | verdict | note |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        out += [markdown_line(line) for line in lines]
        out.append("")
    counts = tally(run.lines)
    out += [", ".join(f"{count} {text}" for text, count in counts.items()) or "Nothing was measured.", ""]
    return "\n".join(out)


def markdown_line(line: Line) -> str:
    """Return one line of a row's table."""
    cells = (
        line.case,
        line.unit,
        spread_text(line.ours),
        line.peer or "-",
        spread_text(line.theirs),
        spread_text(line.ratio, "×"),
        str(line.ours.count) if line.ours else "-",
        target_text(line.target, line.unit),
        f"**{line.verdict}**" if line.verdict.startswith("not met") else line.verdict,
        line.note,
    )
    return "| " + " | ".join(cell(text) for text in cells) + " |"


def cell(text: str) -> str:
    """Return text that cannot break out of its cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def tally(lines: Iterable[Line]) -> dict[str, int]:
    """Return how many lines have which verdict, in the order they first appear."""
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.verdict] = counts.get(line.verdict, 0) + 1
    return counts


def as_json(run: Run, about: Mapping[str, object]) -> str:
    """Return the whole report as strict JSON; an infinite ratio (ours at or below zero) is the string "inf"."""
    report = {
        "schema": SCHEMA,
        "interrupted": run.interrupted,
        "environment": about,
        "lines": [json_line(line) for line in run.lines],
    }
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def json_line(line: Line) -> dict[str, object]:
    """Return one line as plain data."""
    target: dict[str, object] | None = None
    if line.target is not None:
        target = {"at_most": line.target.limit} if isinstance(line.target, AtMost) else {"times": line.target.factor}
    return {
        "row": line.row,
        "case": line.case,
        "unit": line.unit,
        "perfcore": json_spread(line.ours),
        "peer": line.peer,
        "theirs": json_spread(line.theirs),
        "ratio": json_spread(line.ratio),
        "target": target,
        "verdict": line.verdict,
        "note": line.note,
    }


def json_spread(spread: Spread | None) -> dict[str, float | str | int] | None:
    """Return a spread as plain data."""
    if spread is None:
        return None
    values = {
        "median": spread.median,
        "q1": spread.q1,
        "q3": spread.q3,
        "low_95": spread.low,
        "high_95": spread.high,
    }
    plain: dict[str, float | str | int] = {k: v if math.isfinite(v) else str(v) for k, v in values.items()}
    return plain | {"repeats": spread.count}


def default_stem() -> str:
    """Return the name of the output files without ending: one per Python version."""
    return f"peers-py{sys.version_info.major}{sys.version_info.minor}"
