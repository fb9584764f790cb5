# SPDX-License-Identifier: MIT
"""The command line.

Exit codes: 0 passed; 1 the gate failed, or the program that was run; 2 it could not judge (bad input, missing file,
usage, no data), with one line on stderr, beside the table where there is one, and nothing half written; 130
interrupted; 141 the reader of the output went away. A command's module is imported when it is used, so that
``perfcore --help`` stays fast.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from perfcore.errors import PerfcoreError
from perfcore.report.text import printable

# What each command does, in one line; its module is perfcore.cli.<name>_command, with parser() and run(args).
COMMANDS = {
    "ab": "measure two revisions in turns and judge head against base",
    "check": "judge a results file against a baseline",
    "baseline": "save, update, show or validate the baseline",
    "analyze": "statistics, standings in groups, files as a whole, trends by window",
    "compare": "show results files side by side",
    "merge": "make one results file of those that several jobs wrote",
    "export": "write a results file as CSV, JSON, JUnit and the like",
    "history": "add, list, show or prune the runs that are remembered",
    "import": "add what pytest-benchmark saved (folders, files) to the history",
    "trends": "how the benchmarks of the history developed",
    "run": "run lanes (whole workloads) and measure what they take",
    "validate-sla": "judge results by the service levels that they are to keep",
    "optimize": "say what the figures of a lane suggest to improve",
    "report": "write a results file as a dashboard, a comment or a table",
    "flamegraph": "where a program spends its time, as a picture",
    "doctor": "what makes figures noisy here, and how small a change can be seen",
    "heap": "run a script and say what its heap holds: by type, by call site, as a flame graph",
    "use": "what a command or a process uses of each resource, and waits for",
}

MAX_MEBIBYTES = 512  # files larger than this are refused unless --max-size says more

_EXAMPLES = """\
examples:
  pytest benchmarks --benchmark-only --benchmark-json=results.json
  perfcore baseline save results.json
  perfcore check results.json --fail-on-regression
  perfcore check new.json --baseline old.json --warning 3% --critical 8%
  perfcore ab main -- benchmarks

exit codes: 0 passed, 1 the gate (or the program run) failed, 2 could not judge, 130 interrupted
"""


class UsageError(PerfcoreError):
    """The command line is wrong."""


def _columns() -> int:
    """Return the width of the terminal, or 80, as shutil.get_terminal_size finds it."""
    columns = 0
    with contextlib.suppress(KeyError, ValueError):
        columns = int(os.environ["COLUMNS"])
    if columns <= 0:
        with contextlib.suppress(AttributeError, ValueError, OSError):
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]
    return columns if columns > 0 else 80


class _Help(argparse.RawDescriptionHelpFormatter):
    """A formatter that knows its width. argparse makes one for each option, and imports shutil to ask for the width."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, through :func:`main`."""

    def __init__(self, **options: object) -> None:
        super().__init__(
            formatter_class=_Help,
            allow_abbrev=False,
            **options,  # type: ignore[arg-type]
        )

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise UsageError(f"{message}; see: {self.prog} --help")


def suggest(word: str, known: Sequence[str], what: str, prog: str) -> UsageError:
    """Return the error for a word that is not one of ``known``."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    advice = f"did you mean {close[0]!r}?" if close else f"there is: {', '.join(known)}"
    return UsageError(f"unknown {what} {word!r}; {advice} (see: {prog} --help)")


def _top_parser() -> Parser:
    from perfcore import __version__

    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:{width}}  {words}" for name, words in COMMANDS.items())
    parser = Parser(
        prog="perfcore",
        usage="perfcore [-h] [--version] COMMAND ...",
        description=f"The benchmark backend for pytest-benchmark.\n\ncommands:\n{lines}\n\n"
        "perfcore COMMAND --help tells the options of one.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("--version", action="version", version=f"perfcore {__version__}")
    return parser


def _dispatch(argv: Sequence[str]) -> int:
    if not argv or argv[0].startswith("-"):
        _top_parser().parse_args(argv)
        raise UsageError(f"no command; there is: {', '.join(COMMANDS)} (see: perfcore --help)")
    if argv[0] not in COMMANDS:
        raise suggest(argv[0], list(COMMANDS), "command", "perfcore")
    module = import_module(f"perfcore.cli.{argv[0].replace('-', '_')}_command")
    rest = argv[1:]
    actions = list(getattr(module, "ACTIONS", ()))
    if actions and rest and not rest[0].startswith("-") and rest[0] not in actions:
        raise suggest(rest[0], actions, "action", f"perfcore {argv[0]}")
    return int(module.run(module.parser().parse_args(rest)))


def _open_streams() -> None:
    """Give streams that the process was started without, whose objects are None, somewhere to go."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # the lowest descriptors first
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - it stays open


def _drop_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's own flush at exit has nothing to complain about."""
    with contextlib.suppress(OSError, ValueError):  # stdout is no file (a test's), or closed
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)


def complain(message: str) -> None:
    """Say one line on stderr."""
    with contextlib.suppress(OSError, ValueError):  # nobody to tell; the exit code still does
        print(f"perfcore: {printable(message)}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the arguments, without the program's name; by default those of the process.

    """
    _open_streams()
    try:
        try:
            code = _dispatch(sys.argv[1:] if argv is None else argv)
        except SystemExit as done:  # argparse, after --help or --version
            code = done.code if isinstance(done.code, int) else 0
        if not sys.stdout.closed:  # by a script that perfcore heap ran
            sys.stdout.flush()
        return code
    except PerfcoreError as error:
        complain(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:
        _drop_stdout()
        return 141
    except MemoryError:
        complain("error: out of memory")
        return 2
    except OSError as error:
        _drop_stdout()
        complain(f"error: {error}")
        return 2
