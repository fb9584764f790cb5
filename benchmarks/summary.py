# SPDX-License-Identifier: MIT
"""What a file of benchmarks prints when it is run by itself: a table of figures per call and per item.

python benchmarks/test_agent_spawning.py [--quick] [PYTEST-OPTION...]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcore.units import format_bytes, format_seconds

QUICK = ["--benchmark-max-time=0.1", "--benchmark-min-rounds=3"]


def notes(extra: dict[str, Any]) -> Iterator[str]:
    """Yield what a benchmark noted about itself, with units."""
    for key, value in extra.items():
        name = key.replace("_", " ")
        if key == "perfcore":
            if "memory_bytes" in value:
                yield f"memory {format_bytes(value['memory_bytes'])}"
        elif key == "notes" or isinstance(value, (dict, list)):
            continue  # printed by conftest.py, or for the results alone
        elif key.endswith("_bytes") and isinstance(value, (int, float)):
            yield f"{name.removesuffix(' bytes')} {format_bytes(value)}"
        elif key.startswith("bytes_per_") and isinstance(value, (int, float)):
            yield f"{format_bytes(value)} {name.removeprefix('bytes ')}"
        elif isinstance(value, float):
            yield f"{name} {value:.3g}"
        else:
            yield f"{name} {value}"


def table(benchmarks: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the summary, one group after another."""
    width = max(len(one["name"]) for one in benchmarks)
    group = object()
    for one in benchmarks:
        if one["group"] != group:
            group = one["group"]
            yield f"\n{group or 'no group'}"
        stats, extra = one["stats"], one["extra_info"]
        items = extra.get("perfcore", {}).get("items_per_call", 1)
        median = stats["median"]
        rate = f"{items / median:>14,.0f}/s" if median else " " * 16
        text = f"  {one['name']:<{width}}  {format_seconds(median):>9} a call  {rate}"
        yield "  ".join([text, ", ".join(notes(extra))]).rstrip()


def main(file: str, arguments: list[str] | None = None) -> int:
    """Run a file's benchmarks with pytest, and print the summary; returns pytest's exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    quick = QUICK if "--quick" in arguments else []
    arguments = [argument for argument in arguments if argument != "--quick"]
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        options = ["-q", "--no-header", "--benchmark-only", "--benchmark-disable-gc", "--benchmark-quiet"]
        # In this process, which a profiler watches; what its file has imported by now, pytest cannot rewrite any more.
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        code = int(pytest.main([file, *options, f"--benchmark-json={results}", *quick, *arguments]))
        if not results.exists() or not results.stat().st_size:
            return code
        benchmarks = json.loads(results.read_text(encoding="utf-8"))["benchmarks"]
    if benchmarks:
        print(*table(benchmarks), sep="\n")
    return code
