# SPDX-License-Identifier: MIT
"""What the dashboard shows of profiles: call stacks that ``perfcore flamegraph`` wrote, as a tree in plain data.

Read are folded text (of any tool: a line for each stack, frames with semicolons between them, a space, the weight) and
the JSON that ``perfcore flamegraph`` writes for speedscope, which says what the weights are. Never a picture: nothing
of a file enters the page but names and numbers.

The tree lies in the order of a walk from the root, callers before callees, as three lists: ``name`` (an index of
``names``), ``depth`` (the root's is 0) and ``total`` (the weight with everything below it).
"""

from __future__ import annotations

import heapq
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from perfcore.errors import ResultsError
from perfcore.record.results import MAX_BYTES, read_bytes
from perfcore.report.stacks import Node, Stack, stack_tree
from perfcore.report.text import printable

MOST_BOXES = 10_000  # of one graph, the heaviest
_MOST_CHARACTERS = 400  # of a name, its end
_MOST_DIGITS = 16
_EXACT = 2**53  # from here on JavaScript's numbers have gaps
# A frame's name can begin with "<" or "{" too.
_PICTURE = re.compile(r"\s*<(\?xml|!doctype|!--|svg|html)\b", re.IGNORECASE)
_OBJECT = re.compile(r'\s*\{\s*["}]')
_MAKE = "perfcore flamegraph --output FILE.txt"


def _folded(shown: Path, text: str) -> dict[Stack, int]:
    stacks: dict[Stack, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        frames, _, weight = line.rstrip("\r").rpartition(" ")
        stack = tuple(filter(None, frames.split(";")))
        if not stack or not weight.isascii() or not weight.isdigit() or len(weight) > _MOST_DIGITS:
            raise ResultsError(
                f'{shown}: line {number}: no folded stack ("frame;frame weight"); make the file with {_MAKE}'
            )
        stacks[stack] = stacks.get(stack, 0) + int(weight)
    return stacks


def _speedscope(text: str) -> tuple[dict[Stack, int], str, str]:
    """Return the stacks, the title and the unit; raise what `read_profile` turns into its error."""
    document = json.loads(text)
    names = [str(one["name"]) for one in document["shared"]["frames"]]
    (profile,) = document["profiles"]
    if profile["type"] != "sampled" or profile["unit"] not in {"microseconds", "bytes", "none"}:
        raise ValueError(f"a profile of type {profile['type']!r} in {profile['unit']!r}")
    stacks: dict[Stack, int] = {}
    for sample, weight in zip(profile["samples"], profile["weights"], strict=True):
        if (
            type(weight) is not int
            or not 0 <= weight < _EXACT
            or any(type(one) is not int or one < 0 for one in sample)
        ):
            raise ValueError("a weight or a frame is no whole number")
        stack = tuple(names[one] for one in sample)
        stacks[stack] = stacks.get(stack, 0) + weight
    return stacks, str(profile["name"]), str(profile["unit"])


def read_profile(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Return what the dashboard shows of a profile.

    Args:
        path: folded stacks, or speedscope's JSON as ``perfcore flamegraph`` writes it.
        max_bytes: larger files are refused.

    Raises:
        ResultsError: the file cannot be read or holds no stacks.

    """
    shown = Path(path)
    data = read_bytes(shown, max_bytes=max_bytes, what="a profile", made_by=_MAKE)
    title, unit = "", "none"
    try:
        text = data.decode("utf-8-sig")
        if _PICTURE.match(text):
            raise ResultsError(f"{shown}: a picture or a page; give the stacks: {_MAKE}")
        if _OBJECT.match(text):
            stacks, title, unit = _speedscope(text)
        else:
            stacks = _folded(shown, text)
    except UnicodeDecodeError as error:
        raise ResultsError(f"{shown}: not text in UTF-8 (at byte {error.start}); make it with {_MAKE}") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        reason = printable(f"{type(error).__name__}: {error}"[:200])
        raise ResultsError(f"{shown}: not what perfcore flamegraph writes ({reason}); make it with {_MAKE}") from None
    root = stack_tree(stacks)
    if not 0 < root.total < _EXACT:
        found = "holds no stacks" if root.total == 0 else "its weights are too large to add up"
        raise ResultsError(f"{shown}: {found}; make it with {_MAKE}")
    return {"source": shown.name, "title": title, "unit": unit} | _flat(root)


def _flat(root: Node) -> dict[str, Any]:
    """Return the heaviest boxes of a tree. Loops, for a tree can be deeper than Python's own stack."""
    kept: set[int] = set()
    # The heaviest first, so that a caller is always before its callees; numbers, for nodes have no order.
    waiting, number = [(-root.total, 0, root)], 0
    while waiting and len(kept) < MOST_BOXES:
        _, _, node = heapq.heappop(waiting)
        kept.add(id(node))
        for child in node.children.values():
            number += 1
            heapq.heappush(waiting, (-child.total, number, child))
    names: dict[str, int] = {}
    made: dict[str, list[int]] = {"name": [], "depth": [], "total": []}
    left_out, walk = 0, [("all", root, 0)]
    while walk:
        name, node, depth = walk.pop()
        if id(node) in kept:
            short = name if len(name) <= _MOST_CHARACTERS else "…" + name[1 - _MOST_CHARACTERS :]
            made["name"].append(names.setdefault(short, len(names)))
            made["depth"].append(depth)
            made["total"].append(node.total)
        else:
            left_out += 1
        walk += [(key, child, depth + 1) for key, child in sorted(node.children.items(), reverse=True)]
    return {"names": list(names), **made, "left_out": left_out}


def add_profiles(document: dict[str, Any], paths: Iterable[str | os.PathLike[str]], max_bytes: int = MAX_BYTES) -> None:
    """Add profiles to the document of :func:`perfcore.report.model.describe`, as its ``profiles``."""
    document["profiles"] = [read_profile(path, max_bytes=max_bytes) for path in paths]
