# SPDX-License-Identifier: MIT
"""``perfcore import``: add what pytest-benchmark saved to the history."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from perfcore.cli import Parser
from perfcore.cli.options import add_database, add_reading
from perfcore.errors import PerfcoreError, ResultsError

_EXAMPLES = """\
examples:
  perfcore import                          # the folder .benchmarks
  perfcore import .benchmarks old/run.json
  perfcore import artifacts --skip-broken

exit codes: 0 done; 2 a file is missing or wrong, and nothing was added
"""


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore import",
        description="Add results files to the history. In a folder, all files *.json below it are taken.",
        epilog=_EXAMPLES,
    )
    made.add_argument(
        "paths", metavar="PATH", nargs="*", type=Path, help="a folder like .benchmarks (the default), or a results file"
    )
    made.add_argument("--skip-broken", action="store_true", help="leave out, and list, what cannot be read")
    add_database(made)
    add_reading(made)
    return made


def _files(path: Path, unread: list[str] | None) -> list[Path]:
    """Return a folder's results files, in the order of their names, or the file itself.

    Args:
        path: of the folder or file.
        unread: takes what is to be said of folders that cannot be read; None makes the first of them an error.

    """

    def cannot(error: OSError) -> None:
        said = f"{error.filename}: {error.strerror}"
        if unread is None:
            raise ResultsError(f"{said}; make the folder readable, or leave it out with --skip-broken")
        unread.append(said)

    if not os.path.lexists(path) and path.suffix != ".json":
        raise ResultsError(
            f"{path}: no such file or folder; pytest --benchmark-autosave saves each run in the folder .benchmarks"
        )
    if not path.is_dir():
        return [path]
    walk = os.walk(path, onerror=cannot)
    found = [Path(folder, name) for folder, _, names in walk for name in names if name.endswith(".json")]
    if not found and not unread:
        raise ResultsError(f"{path}: has no files *.json; give the folder that pytest --benchmark-save wrote to")
    return sorted(found)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.cli.history_command import add_files
    from perfcore.record.history import make_run
    from perfcore.record.results import load_results

    skipped: list[str] = []
    unread = skipped if args.skip_broken else None
    paths = [file for path in args.paths or [Path(".benchmarks")] for file in _files(path, unread)]
    if args.skip_broken:
        readable = []
        for path in paths:
            try:
                make_run(load_results(path, max_bytes=args.max_size))
                readable.append(path)
            except PerfcoreError as error:
                skipped.append(str(error))
        paths = readable
        if not paths:
            raise ResultsError(f"nothing could be read, of {len(skipped)} in all; the first: {skipped[0]}")
    return add_files(args, "import", paths, skipped)
