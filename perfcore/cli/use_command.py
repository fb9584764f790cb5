# SPDX-License-Identifier: MIT
"""``perfcore use``: what a command, or a running process, uses of each resource, waits for, and what fails."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from perfcore.cli import Parser, UsageError
from perfcore.cli.options import need_folder
from perfcore.errors import MeasureError
from perfcore.report.text import printable
from perfcore.units import duration

if TYPE_CHECKING:
    from perfcore.measure.use import UseReport

_EXAMPLES = """\
examples:
  perfcore use -- python train.py
  perfcore use --json --output use.json -- pytest tests
  perfcore use --pid 4711 --seconds 10

The report goes to stderr, as the command's own output has stdout; --output writes it to a file.

exit codes: 0 the command succeeded; 1 it failed; 2 it could not be run, or there is no such process
"""
_MOST_PID = 1 << 22  # the kernel's own limit


def _interval(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.001 <= value <= 10:
        raise argparse.ArgumentTypeError(f"{text!r} is no interval; give 0.001 to 10 seconds")
    return value


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore use",
        usage="perfcore use [options] -- COMMAND [ARGUMENT ...]\n       perfcore use [options] --pid PID --seconds S",
        description="Utilisation, saturation and errors of every resource while a command runs.",
        epilog=_EXAMPLES,
    )
    made.add_argument("command", nargs="*", metavar="COMMAND", help="what to run, behind --")
    made.add_argument("--pid", type=int, help="watch a process that runs already, with its descendants")
    made.add_argument("--seconds", type=duration, metavar="S", help="for how long to watch --pid")
    made.add_argument("--interval", type=_interval, default=0.01, metavar="S", help="between two samples (0.01)")
    made.add_argument("--json", action="store_true", help="write JSON instead of a table")
    made.add_argument("--output", "-o", metavar="FILE", type=Path, help="write there, not to stderr")
    return made


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    need_folder(args.output)
    if args.pid is not None:
        if args.command or args.seconds is None or args.pid <= 0:
            raise UsageError("--pid takes a positive pid, --seconds, and no command; see: perfcore use --help")
        if args.pid > _MOST_PID:
            raise MeasureError(f"there is no process {args.pid}; give the pid of a running process")
        return _watch(args)
    if not args.command or args.seconds is not None:
        raise UsageError("give a command behind --, or --pid with --seconds; see: perfcore use --help")
    return _run(args)


def _watch(args: argparse.Namespace) -> int:
    from perfcore.measure.use import UseMeter

    with UseMeter(args.pid, interval=args.interval) as meter:
        end = time.monotonic() + args.seconds
        while time.monotonic() < end and _lives(args.pid):
            time.sleep(min(0.05, max(0.0, end - time.monotonic())))
    _write(args, meter.report, None)
    return 0


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _run(args: argparse.Namespace) -> int:
    from perfcore.measure.use import UseMeter
    from perfcore.suite.interrupts import outlast

    before = _cpu_of_children()
    try:
        process = subprocess.Popen(args.command)
    except OSError as error:
        raise MeasureError(f"{printable(args.command[0])} cannot be run: {error.strerror}") from None
    meter = UseMeter(process.pid, interval=args.interval, target=printable(shlex.join(args.command)))
    try:
        meter.start(missing_ok=True)
        code, interrupted = outlast(process)
        report = meter.stop(cpu_seconds=_cpu_of_children() - before)
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
    _write(args, report, code)
    if interrupted:
        raise KeyboardInterrupt
    return 0 if code == 0 else 1


def _cpu_of_children() -> float:
    """Return the CPU time of all descendants that were waited for: exact, also of those too short for a sample."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _write(args: argparse.Namespace, report: UseReport, code: int | None) -> None:
    from perfcore.record.atomic import write_atomic

    if args.json:
        document = {"schema": 1, "command": "use", "exit_code": code} | report.as_dict()
        text = json.dumps(document, indent=2, allow_nan=False)
    else:
        text = "\n".join(printable(line) for line in str(report).splitlines())
        if code:
            text += f"\nthe command ended with exit code {code}" if code > 0 else f"\nsignal {-code} ended the command"
    if args.output is None:
        sys.stdout.flush()
        print(text, file=sys.stderr)
    else:
        write_atomic(args.output, (text + "\n").encode())
