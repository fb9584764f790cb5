# SPDX-License-Identifier: MIT
"""Call stacks for other tools: folded text (flamegraph.pl, inferno) and the JSON of speedscope (speedscope.app)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from perfcore.report.text import printable

Stack = tuple[str, ...]

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = {"microseconds": "microseconds", "bytes": "bytes"}  # speedscope knows no samples


def render_folded(stacks: Mapping[Stack, int]) -> str:
    """Return a line for each stack: frames with semicolons between them, a space, the weight."""
    lines = (
        f"{';'.join(printable(one).replace(';', ':') for one in stack)} {n}" for stack, n in sorted(stacks.items())
    )
    return "".join(f"{line}\n" for line in lines)


def render_speedscope(stacks: Mapping[Stack, int], title: str, unit: str) -> str:
    """Return a sampled profile in speedscope's format.

    Args:
        stacks: the weight of each, outermost frame first.
        title: the profile's name.
        unit: "microseconds", "bytes", or anything else for weights without one.

    """
    frames: dict[str, int] = {}
    samples, weights = [], []
    for stack, weight in sorted(stacks.items()):
        samples.append([frames.setdefault(name, len(frames)) for name in stack])
        weights.append(weight)
    document = {
        "$schema": _SCHEMA,
        "name": title,
        "exporter": "perfcore",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": printable(name)} for name in frames]},
        "profiles": [
            {
                "type": "sampled",
                "name": title,
                "unit": _UNITS.get(unit, "none"),
                "startValue": 0,
                "endValue": sum(weights),
                "samples": samples,
                "weights": weights,
            }
        ],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
