# SPDX-License-Identifier: MIT
"""What Apache Otava finds in series with changes of level: ``otava_figures.json``, for tests/unit/test_changepoint.py.

Otava itself is no dependency of the tests: it brings clients of BigQuery, Slack and PostgreSQL. To write the file anew:

    pip install apache-otava && python -P tests/otava_figures.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

FIGURES = Path(__file__).with_suffix(".json")
# window, greatest p-value, least magnitude
SETTINGS = [(50, 0.001, 0.0), (30, 0.05, 0.05), (10, 0.3, 0.0), (75, 0.001, 0.05), (3, 0.05, 0.0), (2, 0.6, 0.0)]


def steps(seed: int) -> list[float]:
    """Return a series with changes of its level: noisy, rounded, with spikes, or with two modes."""
    source = np.random.default_rng(seed)
    count, level, parts = int(source.integers(2, 300)), 100.0, []
    while sum(map(len, parts)) < count:
        noise = source.choice([0.3, 1.0, 5.0]) * source.standard_normal(int(source.integers(3, 80)))
        parts.append(level + noise)
        level *= source.choice([1, 1.01, 1.05, 1.3, 0.7])
    series = np.concatenate(parts)[:count]
    if seed % 4 == 1:
        series = np.round(series * 8)
    elif seed % 4 == 2:
        series = series * np.where(source.random(count) < 0.03, 1000, 1)
    elif seed % 4 == 3:
        series = np.where(source.random(count) < 0.3, series * 1.1, series)
    return [float(value) for value in series]


def found_by_otava(values: list[float], window: int, pvalue: float, magnitude: float) -> list[list[float]]:
    """Return the position of each change, means and deviations before and after it, its magnitude and its p-value."""
    from otava.analysis import compute_change_points

    changes, _ = compute_change_points(list(values), window_len=window, max_pvalue=pvalue, min_magnitude=magnitude)
    rows = []
    for change in changes:
        one = change.stats
        figures = (one.mean_1, one.mean_2, one.std_1, one.std_2, one.change_magnitude(), one.pvalue)
        rows.append([int(change.index), *(float(f"{figure:.10g}") for figure in figures)])
    return rows


def main() -> None:
    series = []
    for seed in range(24):
        values = [float(f"{value:.7g}") for value in steps(1000 + seed)]
        series.append({"values": values, "changes": [found_by_otava(values, *setting) for setting in SETTINGS]})
    made = f"apache-otava {version('apache-otava')}, NumPy {version('numpy')}, SciPy {version('scipy')}"
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in series)
    head = json.dumps({"made_with": made, "settings": SETTINGS})[:-1]
    FIGURES.write_text(f'{head},\n"series": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
