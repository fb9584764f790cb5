# SPDX-License-Identifier: MIT
"""Call stacks as a tree; and for other tools, as folded text (flamegraph.pl, inferno) and as speedscope's JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from perfcore.report.text import printable

Stack = tuple[str, ...]

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = {"microseconds": "microseconds", "bytes": "bytes"}  # speedscope knows no samples

_MAX_DEPTH = 200


@dataclass(slots=True)
class Node:
    """A frame below the frames that called it; ``total`` is its weight with everything below it."""

    total: int = 0
    children: dict[str, Node] = field(default_factory=dict)


def stack_tree(stacks: Mapping[Stack, int]) -> Node:
    """Return the root of the tree that stacks make. Those below 1 are left out; frames deeper than 200 count above."""
    root = Node()
    for stack, weight in stacks.items():
        if weight <= 0:
            continue
        node = root
        node.total += weight
        for name in stack[:_MAX_DEPTH]:
            node = node.children.setdefault(name, Node())
            node.total += weight
    return root


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
        "name": printable(title),
        "exporter": "perfcore",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": printable(name)} for name in frames]},
        "profiles": [
            {
                "type": "sampled",
                "name": printable(title),
                "unit": _UNITS.get(unit, "none"),
                "startValue": 0,
                "endValue": sum(weights),
                "samples": samples,
                "weights": weights,
            }
        ],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
