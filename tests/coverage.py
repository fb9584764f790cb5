# SPDX-License-Identifier: MIT
"""Print which lines and branches of the C code ran, by file, from what a build with gcov has left.

    python tests/coverage.py FOLDER... [--under csrc] [--missing] [--reasons uncovered.toml]

Each FOLDER is searched for ``.gcno`` files (what was compiled) and ``.gcda`` files (what ran). A file that was compiled
more than once, with the C tests and with the extension, counts as covered where any of its copies was; so do static
functions in headers. Build without assertions: a branch that only a failed assertion takes is not code to be covered.
``--missing`` also prints the lines that never ran (``12``) and those where some branch never did (``12?``).
``--reasons`` names a file that says why lines do not run, by what they are or by their function (its head tells how);
a line that it has no reason for is printed, and the exit code is 1.

``tests/run.sh --coverage`` builds, tests and calls this.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES_WANTED = 95.0
BRANCHES_WANTED = 85.0


class Source:
    """How often each line of one file ran, and each branch: ``branches[line, function][n]``."""

    def __init__(self) -> None:
        self.lines: defaultdict[int, int] = defaultdict(int)
        self.functions: dict[int, str] = {}
        self.branches: dict[tuple[int, str], list[int]] = {}

    def add(self, line: dict[str, object]) -> None:
        number, function = int(str(line["line_number"])), str(line.get("function_name", ""))
        self.lines[number] += int(str(line["count"]))
        self.functions[number] = function
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


def plain(line: str) -> str:
    """Return a line of C without its comment and what surrounds it."""
    return line.partition(" //")[0].strip()


class Reasons:
    """Why lines do not run: rules for what they are, and functions."""

    def __init__(self, path: Path) -> None:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        self.rules = [
            (rule["why"], re.compile(rule["after"]), [re.compile(one) for one in rule["lines"]])
            for rule in document["rule"]
        ]
        self.functions: dict[str, dict[str, str]] = document["function"]

    def of(self, name: str, source: Source, text: list[str]) -> dict[int, str | None]:
        """Return the reason of each line of a file that never ran, or None."""
        found: dict[int, str | None] = {}
        for number, count in sorted(source.lines.items()):
            if count:
                continue
            # What was run last before it: a condition, on however many lines.
            last = max((line for line in source.lines if line < number and source.lines[line]), default=0)
            first = min(line for line in source.lines if line > last)
            condition = " ".join(plain(line) for line in text[last - 1 : first - 1])
            here = plain(text[number - 1])
            found[number] = self.functions.get(name, {}).get(source.functions[number])
            for why, after, lines in self.rules:
                if after.search(condition) and any(one.fullmatch(here) for one in lines):
                    found[number] = why
        return found


def explain(sources: dict[str, Source], reasons: Reasons) -> bool:
    """Print how many lines have which reason, and those that have none; return whether all have."""
    total: Counter[str] = Counter()
    without = []
    for name, source in sorted(sources.items()):
        text = (ROOT / name).read_text(encoding="utf-8").splitlines()
        for number, why in reasons.of(name, source, text).items():
            if why is None:
                without.append(f"{name}:{number} {source.functions[number]}: {plain(text[number - 1])}")
            else:
                total[why] += 1
    print("\nlines that do not run, and why:")
    for why, number in total.most_common():
        print(f"{number:6}  {why}")
    for line in without:
        print(f"no reason: {line}")
    return not without


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
    parser.add_argument("--reasons", type=Path, help="the file that says why lines do not run")
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
    explained = options.reasons is None or explain(sources, Reasons(options.reasons))
    if percent(*lines) < LINES_WANTED or percent(*branches) < BRANCHES_WANTED:
        print(f"wanted: {LINES_WANTED} % of the lines and {BRANCHES_WANTED} % of the branches")
        return 1
    return 0 if explained else 1


if __name__ == "__main__":
    sys.exit(main())
