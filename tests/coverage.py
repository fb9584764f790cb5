# SPDX-License-Identifier: MIT
"""Print which lines and branches of the C code ran, by file, from what a build with gcov has left.

    python tests/coverage.py FOLDER... [--under csrc] [--missing]

Each FOLDER is searched for ``.gcno`` files (what was compiled) and ``.gcda`` files (what ran). A file that was compiled
more than once, with the C tests and with the extension, counts as covered where any of its copies was; so do static
functions in headers. Build without assertions: a branch that only a failed assertion takes is not code to be covered.
``--missing`` also prints the lines that never ran (``12``) and those where some branch never did (``12?``).

``tests/run.sh --coverage`` builds, tests and calls this.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES_WANTED = 95.0
BRANCHES_WANTED = 85.0


class Source:
    """How often each line of one file ran, and each branch: ``branches[line, function][n]``."""

    def __init__(self) -> None:
        self.lines: defaultdict[int, int] = defaultdict(int)
        self.branches: dict[tuple[int, str], list[int]] = {}

    def add(self, line: dict[str, object]) -> None:
        number, function = int(str(line["line_number"])), str(line.get("function_name", ""))
        self.lines[number] += int(str(line["count"]))
        counts = [int(branch["count"]) for branch in line["branches"]]  # type: ignore[attr-defined]
        if counts:
            have = self.branches.setdefault((number, function), [0] * len(counts))
            # Another compiler's flags may split a condition differently: the shorter list is what both agree on.
            del have[len(counts) :]
            for i, count in enumerate(counts[: len(have)]):
                have[i] += count

    def lines_run(self) -> tuple[int, int]:
        return sum(count > 0 for count in self.lines.values()), len(self.lines)

    def branches_taken(self) -> tuple[int, int]:
        counts = [count for branch in self.branches.values() for count in branch]
        return sum(count > 0 for count in counts), len(counts)

    def missing(self) -> list[str]:
        partly = {line for (line, _), counts in self.branches.items() if 0 in counts}
        return [
            f"{line}{'' if count == 0 else '?'}"
            for line, count in sorted(self.lines.items())
            if count == 0 or line in partly
        ]


def relative(name: str, cwd: str, under: str) -> str | None:
    """Return a source's path from the folder ``under`` on, or None for what is not ours."""
    parts = Path(os.path.normpath(Path(cwd) / name)).parts
    return str(Path(*parts[parts.index(under) :])) if under in parts else None


def read(folders: list[Path], under: str) -> dict[str, Source]:
    """Return what gcov says of every object in the folders."""
    sources: defaultdict[str, Source] = defaultdict(Source)
    notes = sorted(path.resolve() for folder in folders for path in folder.rglob("*.gcno"))
    if not notes:
        sys.exit(f"{', '.join(map(str, folders))}: no .gcno files; build with PERFCORE_COVERAGE=1 first")
    for note in notes:
        done = subprocess.run(
            ["gcov", "--json-format", "--branch-probabilities", "--stdout", str(note)],
            capture_output=True,
            text=True,
            check=False,
            cwd=note.parent,
        )
        # What both extensions take of the core is compiled twice to one object, and its data may be the other's.
        if done.returncode:
            continue
        for text in done.stdout.splitlines():
            document = json.loads(text)
            for file in document["files"]:
                name = relative(file["file"], document["current_working_directory"], under)
                if name is not None:
                    for line in file["lines"]:
                        sources[name].add(line)
    return sources


def percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 100.0


def row(name: str, lines: tuple[int, int], branches: tuple[int, int]) -> str:
    return (
        f"{name:46} {lines[0]:6}/{lines[1]:<6} {percent(*lines):6.1f} %"
        f" {branches[0]:6}/{branches[1]:<6} {percent(*branches):6.1f} %"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="where the objects lie")
    parser.add_argument("--under", default="csrc", help="the folder whose files count (default: csrc)")
    parser.add_argument("--missing", action="store_true", help="print the lines that are missing, too")
    options = parser.parse_args()

    sources = read(options.folders, options.under)
    lines, branches = (0, 0), (0, 0)
    print(f"{'file':46} {'lines run':>22} {'branches taken':>22}")
    for name, source in sorted(sources.items()):
        ran, taken = source.lines_run(), source.branches_taken()
        lines = (lines[0] + ran[0], lines[1] + ran[1])
        branches = (branches[0] + taken[0], branches[1] + taken[1])
        print(row(name, ran, taken))
        if options.missing and (missing := source.missing()):
            print("    " + " ".join(missing))
    print(row("all", lines, branches))
    if percent(*lines) < LINES_WANTED or percent(*branches) < BRANCHES_WANTED:
        print(f"wanted: {LINES_WANTED} % of the lines and {BRANCHES_WANTED} % of the branches")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
