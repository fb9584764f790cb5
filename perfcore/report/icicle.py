# SPDX-License-Identifier: MIT
"""A flame graph as one SVG file that needs nothing else: no script, no font, no network.

The root is on top and callees hang below it. The width of a box is its share of the whole; its text in full, with the
figure, is its tooltip. Boxes narrower than half a pixel are left out. Names are escaped; nothing in them is markup.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

from perfcore.report.stacks import Node, stack_tree
from perfcore.report.text import printable

_WIDTH = 1200.0
_ROW = 18
_CHARACTER = 6.6  # of the 11 px monospace font
_LEAST = 0.5


def render_svg(stacks: Mapping[tuple[str, ...], int], title: str, form: Callable[[float], str]) -> str:
    """Return a flame graph.

    Args:
        stacks: the weight of each call stack, outermost frame first; those below 1 are left out.
        title: stands above it.
        form: makes a text of a weight.

    """
    root = stack_tree(stacks)
    boxes: list[str] = []
    depth = _draw(root, "all", form, boxes)
    height = (depth + 2) * _ROW + 12
    head = escape(printable(title))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height}" width="{_WIDTH:.0f}" '
            f'height="{height}" font-family="monospace" font-size="11" role="img">',
            f"<title>{head}</title>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            f'<text x="6" y="15" font-size="13" fill="#222222">{head}</text>',
            *boxes,
            "</svg>",
            "",
        ]
    )


def _draw(root: Node, name: str, form: Callable[[float], str], boxes: list[str]) -> int:
    """Append the boxes of a tree; return how deep it is. A loop, for stacks can be deeper than Python's own."""
    deepest = 0
    waiting = [(root, name, 0.0, 0)]
    scale = _WIDTH / root.total if root.total else 0.0
    while waiting:
        node, label, left, depth = waiting.pop()
        deepest = max(deepest, depth)
        width = node.total * scale if root.total else _WIDTH
        share = f" ({100 * node.total / root.total:.3g} %)" if root.total else ""
        boxes.append(_box(label, f"{form(node.total)}{share}", left=left, width=width, depth=depth))
        for child_name, child in sorted(node.children.items()):
            if child.total * scale >= _LEAST:
                waiting.append((child, child_name, left, depth + 1))
            left += child.total * scale
    return deepest


def _box(label: str, figure: str, *, left: float, width: float, depth: int) -> str:
    text = printable(label)
    tip = escape(f"{text}: {figure}")
    y = 24 + depth * _ROW
    room = int((width - 6) / _CHARACTER)
    # The end of a path says more than its beginning.
    shown = text if len(text) <= room else "" if room < 3 else f"…{text[-(room - 1) :]}"
    hue = zlib.crc32(label.rpartition(":")[0].encode("utf-8", "surrogatepass")) % 60  # a file has one colour
    return (
        f'<g><title>{tip}</title><rect x="{left:.2f}" y="{y}" width="{width:.2f}" height="{_ROW - 1}" '
        f'fill="hsl({hue},75%,70%)" stroke="#ffffff" stroke-width="0.5"/>'
        + (f'<text x="{left + 3:.2f}" y="{y + 13}" fill="#111111">{escape(shown)}</text>' if shown else "")
        + "</g>"
    )
