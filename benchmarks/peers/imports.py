# SPDX-License-Identifier: MIT
"""Rows about start-up: importing perfcore, and pytest with and without the plugin."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.processes import NEUTRAL, STOCK_OPTIONS, run_python
from benchmarks.peers.spread import AtMost

THIRD_PARTY = """
import sys
before = set(sys.modules)
import perfcore
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(new - set(sys.stdlib_module_names) - {"perfcore"}))
"""


@row("import", unit="ms", target={OURS: AtMost(15)})
def import_row(context: Context) -> Iterator[Case]:
    """Measure the wall time of a process that imports perfcore, over one that imports nothing."""
    figures = context.interleave(
        {
            "with": lambda: run_python(["-c", "import perfcore"])[0] * 1e3,
            "without": lambda: run_python(["-c", "pass"])[0] * 1e3,
        },
        context.repeats * 2,
    )
    over = [a - b for a, b in zip(figures["with"], figures["without"], strict=True)]
    yield Case("import perfcore, over bare Python", {OURS: over})
    names = run_python(["-c", THIRD_PARTY])[1].split()
    yield Case(
        "third-party modules imported",
        {OURS: [float(len(names))]},
        {OURS: AtMost(0)},
        note=" ".join(names),
        unit="modules",
    )


@row("pytest-start", unit="ms", peers=("pytest-benchmark",))
def pytest_start(context: Context) -> Iterator[Case]:
    """Measure the wall time of a pytest with one empty test, with and without our plugin."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "test_nothing.py"
        file.write_text("def test_nothing():\n    pass\n", encoding="utf-8")
        command = ["-m", "pytest", str(file), *NEUTRAL]
        figures = context.interleave(
            {
                OURS: lambda: run_python(command, Path(folder))[0] * 1e3,
                "pytest-benchmark": lambda: run_python([*command, *STOCK_OPTIONS], Path(folder))[0] * 1e3,
            },
        )
    yield Case("pytest, one empty test", figures)
