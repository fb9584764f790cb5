# SPDX-License-Identifier: MIT
"""Compare one project's benchmarks on stock's loops and on perfcore's.

    python compare.py LABEL OFF ON

OFF and ON are paths without extension: each has a results file (.json) and a JUnit report (.xml). Exit code 0 if the
same tests ran with the same outcomes, the same benchmarks were recorded, and none of perfcore's is stuck: at one call a
round with a median under 5 us.
"""

from __future__ import annotations

import json
import statistics
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Any

from outcomes import outcomes

STUCK_S = 5e-6


def benchmarks(path: str) -> dict[str, Any]:
    """Return a results file's benchmarks by their full name."""
    if not Path(path).exists():  # nothing was collected; the log beside it says why
        return {}
    with open(path, encoding="utf-8") as file:
        return {entry["fullname"]: entry for entry in json.load(file)["benchmarks"]}


def stuck(entries: dict[str, Any], calibrated: set[str]) -> list[str]:
    """Return the benchmarks that calibration left at one call a round although the call is short."""
    return sorted(
        name
        for name, entry in entries.items()
        if name in calibrated and entry["stats"]["iterations"] == 1 and entry["stats"]["median"] < STUCK_S
    )


def seconds(path: str) -> float:
    """Return the time of a whole run."""
    if not Path(path).exists():
        return 0.0
    root = ElementTree.parse(path).getroot()  # noqa: S314 - a report that we made
    return sum(float(suite.get("time", 0)) for suite in root.iter("testsuite"))


def main(label: str, off: str, on: str) -> int:
    """Print the counts; return the exit code."""
    failed = 0
    runs = {}
    # In pedantic mode the test itself says how many calls make a round; only perfcore's entry tells.
    ours = benchmarks(f"{on}.json")
    calibrated = {name for name, entry in ours.items() if entry.get("perfcore", {}).get("calibrated")}
    for mode, path in (("off", off), ("on", on)):
        found, entries = outcomes(f"{path}.xml"), benchmarks(f"{path}.json")
        runs[mode] = found, entries
        kernels = Counter(entry.get("perfcore", {}).get("kernel", "stock") for entry in entries.values())
        count = f"{len(stuck(entries, calibrated))} of {len(calibrated)} calibrated stuck"
        print(
            f"{label} {mode:>3}: {dict(sorted(Counter(found.values()).items()))}, {len(entries)} benchmarks, "
            f"{count}, {seconds(f'{path}.xml'):.1f} s, kernels {dict(kernels)}"
        )
    (before, stock), (after, ours) = runs["off"], runs["on"]
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            failed = 1
            print(f"  {name}: {before.get(name)} off, {after.get(name)} on")
    for name in sorted(stock.keys() ^ ours.keys()):
        failed = 1
        print(f"  {name}: recorded only {'off' if name in stock else 'on'}")
    for name in stuck(ours, calibrated):
        failed = 1
        print(f"  {name}: one iteration, median {ours[name]['stats']['median'] * 1e6:.2f} us")
    both = stock.keys() & ours.keys()
    if both:
        ratios = [ours[name]["stats"]["median"] / stock[name]["stats"]["median"] for name in both]
        low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
        print(f"  medians, perfcore over stock: {middle:.3f} ({low:.3f} to {high:.3f})")
    return failed or not both


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
