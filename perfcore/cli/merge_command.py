# SPDX-License-Identifier: MIT
"""``perfcore merge``: one results file of those that several jobs, or several passes, wrote."""

from __future__ import annotations

import argparse
from pathlib import Path

from perfcore.cli import Parser
from perfcore.cli.options import add_reading, say_written, write_json

_EXAMPLES = """\
examples:
  perfcore merge job1.json job2.json --output results.json
  perfcore merge part-*.json --output results.json --keep last
  perfcore merge pass-*.json --output results.json --keep fastest

--keep fastest is for passes: the same suite, run several times, on a machine that others use too. What they take away
makes a pass slower, never faster, so of each benchmark the pass with the lowest median counts. The file says which
that is and how far apart the passes lay. What it hides: a slowness of the code's own that does not come in every pass
(an unlucky hash seed, a state that one process reaches and another does not) is taken for noise.

exit codes: 0 written; 2 a file is wrong or files contradict each other, and nothing was written
"""


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore merge",
        description="Merge results files of one build: all benchmarks, under the head of the first file. Or, with "
        "--keep fastest, passes of the same benchmarks.",
        epilog=_EXAMPLES,
    )
    made.add_argument("results", metavar="RESULTS", nargs="+", type=Path, help="what the jobs wrote")
    made.add_argument("--output", "-o", metavar="FILE", type=Path, required=True, help="the file to write")
    made.add_argument(
        "--keep",
        choices=("first", "last", "fastest"),
        help="whose figures count where two files have the same name; fastest: those of the lowest median",
    )
    made.add_argument(
        "--allow-mixed",
        action="store_true",
        help="merge although environments or backends differ, or with --keep fastest commits or options",
    )
    add_reading(made)
    return made


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.record.merge import merge_results
    from perfcore.record.passes import pass_count
    from perfcore.report.passes import passes_line

    made = merge_results(
        args.results, args.output, allow_mixed=args.allow_mixed, keep=args.keep, max_bytes=args.max_size
    )
    if args.json:
        write_json(
            {
                "schema": 1,
                "command": "merge",
                "files": [str(path) for path in args.results],
                "output": str(args.output),
                "benchmarks": len(made.benchmarks),
                "passes": max(map(pass_count, made.benchmarks), default=1),
                "exit_code": 0,
            }
        )
    else:
        line = passes_line(made)
        what = f"{len(made.benchmarks)} benchmarks of {len(args.results)} files"
        say_written(args.output, f"{what}\n{line}" if line else what)
    return 0
