# SPDX-License-Identifier: MIT
"""``perfcore flamegraph``: where a program's time goes, as a picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from perfcore.cli import Parser, UsageError
from perfcore.cli.options import need_folder
from perfcore.report.text import printable, seconds

if TYPE_CHECKING:
    from perfcore.measure.profile import Profile

_EXAMPLES = """\
examples:
  perfcore flamegraph script.py argument
  perfcore flamegraph --output profile.speedscope.json -m pytest benchmarks --benchmark-only -k routing
  perfcore flamegraph --pid 1234 --seconds 10
  perfcore flamegraph --stats profile.stats          # what python -m cProfile -o, or --benchmark-cprofile-dump, wrote

files, by their ending: .svg (a picture that needs nothing else), .json (speedscope), .txt (folded stacks)

py-spy samples from outside and is taken where it is installed and permitted (root, or ptrace of one's own children);
otherwise cProfile counts, and stacks below a function with several callers are estimated

exit codes: 0 written, and the program succeeded; 1 it failed; 2 it cannot be run, or nothing can be written
"""


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore flamegraph",
        usage="perfcore flamegraph [options] SCRIPT [ARGUMENT ...]\n"
        "       perfcore flamegraph [options] -m MODULE [ARGUMENT ...]\n"
        "       perfcore flamegraph [options] --pid PID | --stats FILE",
        description="Profile a program and draw its call stacks.",
        epilog=_EXAMPLES,
    )
    made.add_argument(
        "--output", "-o", type=Path, default=Path("flamegraph.svg"), metavar="FILE", help="(flamegraph.svg)"
    )
    made.add_argument("--profiler", choices=("auto", "py-spy", "cprofile"), default="auto", help="default: auto")
    made.add_argument("--rate", type=_count, default=200, metavar="HZ", help="samples in a second, of py-spy (200)")
    made.add_argument("--pid", type=_count, metavar="PID", help="watch a process that runs already (py-spy)")
    made.add_argument("--seconds", type=float, metavar="S", help="for how long (with --pid; default 10)")
    made.add_argument("--stats", type=Path, metavar="FILE", help="draw a profile of cProfile; only your own files")
    made.add_argument("-m", dest="module", metavar="MODULE", nargs=argparse.REMAINDER, help="run a module")
    made.add_argument("script", metavar="SCRIPT", nargs=argparse.REMAINDER, help="the script and its arguments")
    return made


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1 << 22:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _program(args: argparse.Namespace) -> list[str]:
    script = args.script[1:] if args.script[:1] == ["--"] else args.script
    program = ["-m", *args.module] if args.module else script
    given = sum([bool(program), args.pid is not None, args.stats is not None])
    if given != 1:
        raise UsageError("name a script, -m MODULE, --pid PID or --stats FILE; see: perfcore flamegraph --help")
    if args.seconds is not None and (args.pid is None or not 0 < args.seconds < 86400):
        raise UsageError("--seconds goes with --pid, and is above 0")
    return program


def _profile(args: argparse.Namespace, program: list[str]) -> Profile:
    from perfcore.errors import MeasureError
    from perfcore.measure import profile

    if args.stats is not None:
        return profile.Profile(profile.read_stats(args.stats), "microseconds", f"cProfile, {args.stats.name}")
    if args.pid is not None:
        return profile.watch_by_py_spy(args.pid, rate=args.rate, seconds=args.seconds or 10.0)
    if not args.module and not Path(program[0]).is_file():
        raise MeasureError(f"{program[0]}: no such script")
    if args.profiler == "py-spy" or (args.profiler == "auto" and profile.find_py_spy() and _may_trace()):
        return profile.profile_by_py_spy(program, rate=args.rate)
    return profile.profile_by_cprofile(program)


def _may_trace() -> bool:
    """Whether a child may be traced: yama's scope 2 and 3 forbid it without privileges."""
    import os

    try:
        scope = int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text(encoding="ascii"))
    except (OSError, ValueError):
        scope = 0
    return os.geteuid() == 0 or scope < 2


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.record.atomic import write_atomic
    from perfcore.report.icicle import render_svg
    from perfcore.report.stacks import render_folded, render_speedscope

    kind = args.output.suffix
    if kind not in {".svg", ".json", ".txt"}:
        raise UsageError(f"{args.output}: the file's ending says its format: .svg, .json or .txt")
    need_folder(args.output)
    program = _program(args)
    profile = _profile(args, program)
    what = " ".join(program) or (f"process {args.pid}" if args.pid else str(args.stats))
    title = f"{what} ({profile.method})"
    if kind == ".svg":
        time = profile.unit == "microseconds"
        text = render_svg(profile.stacks, title, lambda n: seconds(n * 1e-6) if time else f"{n:.0f} samples")
    elif kind == ".json":
        text = render_speedscope(profile.stacks, title, profile.unit)
    else:
        text = render_folded(profile.stacks)
    write_atomic(args.output, text.encode())
    # The program's own output has stdout.
    print(printable(f"{args.output}: {len(profile.stacks)} stacks, {profile.method}"), file=sys.stderr)
    return 1 if profile.code else 0
