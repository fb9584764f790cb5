# SPDX-License-Identifier: MIT
"""What a notebook shows of a measurement, a comparison and a time line: small HTML with inline SVG, nothing loaded.

Colours are those of the page (``currentColor``) and one accent that is told apart on light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from perfcore.measure.pollution import is_polluted
from perfcore.report.text import change, seconds

if TYPE_CHECKING:
    from perfcore.api import Comparison, Measurement

_WIDTH, _HEIGHT, _BARS = 360, 64, 60
_ACCENTS = ("#3b82c4", "#d9822b")


def _bars(samples: Sequence[float], low: float, high: float) -> list[float]:
    """Return the share of samples in each of the bars, the fullest being 1."""
    counts = [0] * _BARS
    for one in samples:
        if low <= one <= high:
            counts[min(_BARS - 1, int((one - low) / (high - low) * _BARS))] += 1
    most = max(counts) or 1
    return [count / most for count in counts]


def _histogram(all_samples: Sequence[Sequence[float]]) -> str:
    """Return an SVG of one or two distributions on one axis, from the lowest to the 99th percentile."""
    ordered = [sorted(samples) for samples in all_samples]
    low = min(samples[0] for samples in ordered)
    high = max(samples[min(len(samples) - 1, int(len(samples) * 0.99))] for samples in ordered)
    if not low < high:
        return ""
    width = _WIDTH / _BARS
    parts = []
    for samples, accent in zip(ordered, _ACCENTS, strict=False):
        for index, share in enumerate(_bars(samples, low, high)):
            if share:
                height = max(1.0, share * _HEIGHT)
                place = f'x="{index * width:.1f}" y="{_HEIGHT - height:.1f}" width="{width:.1f}" height="{height:.1f}"'
                parts.append(f'<rect {place} fill="{accent}" fill-opacity="0.7"/>')
    text = f'y="{_HEIGHT + 12}" font-size="10" fill="currentColor"'
    parts.append(f'<text x="0" {text}>{seconds(low)}</text>')
    parts.append(f'<text x="{_WIDTH}" {text} text-anchor="end">{seconds(high)} (p99)</text>')
    return f"{_svg(_HEIGHT + 14, 'distribution of the rounds')}{''.join(parts)}</svg>"


def _svg(height: int, label: str, top: int = 0) -> str:
    return f'<svg viewBox="0 {top} {_WIDTH} {height}" width="{_WIDTH}" role="img" aria-label="{escape(label)}">'


def _row(measurement: Measurement, accent: str = "") -> str:
    summary = measurement.summary
    interval = summary.median_ci
    span = "-" if interval is None else f"{seconds(interval.low)} to {seconds(interval.high)}"
    mark = f'<span style="color:{accent}">■</span> ' if accent else ""
    cells = (seconds(summary.median), span, seconds(summary.min), seconds(summary.p99), str(measurement.rounds))
    figures = "".join(f'<td style="text-align:right">{cell}</td>' for cell in cells)
    return (
        f"<tr><td>{mark}<code>{escape(measurement.name)}</code></td>{figures}<td>{escape(measurement.kernel)}</td></tr>"
    )


_HEAD = "<tr><th></th><th>median</th><th>95 % interval</th><th>min</th><th>p99</th><th>rounds</th><th>kernel</th></tr>"


def measurement_html(measurement: Measurement) -> str:
    """Return a measurement as HTML: its figures and its distribution."""
    note = ""
    if is_polluted(interrupted := measurement.flags["interrupted_rounds"], measurement.rounds):
        note = f"<div>{interrupted / measurement.rounds:.0%} of the rounds were interrupted</div>"
    samples = measurement.samples.tolist()
    return f"<div><table>{_HEAD}{_row(measurement)}</table>{_histogram([samples]) if samples else ''}{note}</div>"


def comparison_html(comparison: Comparison) -> str:
    """Return a comparison as HTML: both measurements, the ratio, and the distributions on one axis."""
    both = (comparison.base, comparison.head)
    rows = "".join(_row(one, accent) for one, accent in zip(both, _ACCENTS, strict=True))
    verdict = escape(str(comparison).rpartition("\n")[2])
    picture = _histogram([one.samples.tolist() for one in both]) if all(len(one.samples) for one in both) else ""
    return f"<div><table>{_HEAD}{rows}</table><div>{change(comparison.ratio)}: {verdict}</div>{picture}</div>"


def timeline_html(name: str, times_s: Sequence[float], values: Sequence[float], unit: str) -> str:
    """Return one metric over time as HTML.

    Args:
        name: what it is.
        times_s: seconds, ascending.
        values: as many; those that are not finite break the line.
        unit: of the values.

    """
    pairs = list(zip(times_s, values, strict=True))
    known = [(t, v) for t, v in pairs if math.isfinite(v)]
    if len(known) < 2:
        return f"<div>{escape(name)}: too few samples for a line</div>"
    (first, last), (least, most) = (known[0][0], known[-1][0]), (min(v for _, v in known), max(v for _, v in known))
    width, height = (last - first) or 1.0, (most - least) or 1.0

    def drawn(part: Iterable[tuple[float, float]]) -> str:
        points = [f"{(t - first) / width * _WIDTH:.1f},{(1 - (v - least) / height) * _HEIGHT:.1f}" for t, v in part]
        return f'<polyline points="{" ".join(points if len(points) > 1 else points * 2)}"/>'  # one alone is a dot

    lines = "".join(drawn(part) for finite, part in groupby(pairs, lambda pair: math.isfinite(pair[1])) if finite)
    return (
        f"<div>{escape(name)}: {least:.4g} to {most:.4g} {escape(unit)} over {seconds(last - first)}<br>"
        f"{_svg(_HEIGHT + 4, f'{name} over time', -2)}"
        f'<g fill="none" stroke="{_ACCENTS[0]}" stroke-width="1.5" stroke-linecap="round">{lines}</g></svg></div>'
    )
