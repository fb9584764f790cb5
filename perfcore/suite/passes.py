# SPDX-License-Identifier: MIT
"""Runs a pytest suite several times, one after the other, and makes one results file of it: the fastest pass counts.

    python -m perfcore.suite.passes --passes 10 --output results.json benchmarks --benchmark-only

Arguments that are not its own are pytest's. Every pass is a pytest of its own, all with one hash seed, so that dicts
and what is spread by hash() are laid out alike; see `perfcore merge --help` for what of the passes counts. One pass is
pytest's own file as it is. The exit code is pytest's: 0, or that of the pass that did not end well, after which there
are no more; 2 is wrong usage, too. Whatever became of the last pass, what it and those before it measured is in the
file.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

from perfcore.errors import ResultsError
from perfcore.record.merge import merge_results
from perfcore.report.passes import passes_line
from perfcore.report.text import say
from perfcore.units import duration

__all__ = ["run_passes"]

HASH_SEED = "0"
MOST_PASSES = 100


class _Runs:
    """Runs commands, and notes the signals that ask for an end."""

    def __init__(self) -> None:
        self._ended: int | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note the signals instead of being ended by them; SIGTERM and SIGHUP are passed on, a Ctrl-C reaches all.

        In the main thread only: elsewhere Python delivers none.
        """
        before: dict[signal.Signals, Any] = {}
        try:
            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores one, and it stays so
                        before[number] = signal.signal(number, self._note)
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._ended = number
        if number != signal.SIGINT and self._child is not None:
            self._child.send_signal(number)

    def run(self, command: Sequence[str]) -> int:
        """Run a command; return its exit code, or the signal's as a shell does, also one that it took no notice of."""
        if self._ended is None:
            self._child = subprocess.Popen(command, env={**os.environ, "PYTHONHASHSEED": HASH_SEED})
            status, self._child = self._child.wait(), None
            if status:
                return status if status > 0 else 128 - status
        return 0 if self._ended is None else 128 + self._ended


def _part(output: Path, number: int) -> Path:
    """Return where a pass is written until all are one file."""
    return output.with_name(f"{output.stem}.pass{number}{output.suffix}")


def run_passes(passes: int, output: Path, arguments: Sequence[str], *, max_time: float | None = None) -> int:
    """Run a suite several times and write its results file; return pytest's exit code, of the last pass there was.

    A Ctrl-C raises no KeyboardInterrupt: it ends the pass, which has the exit code 2 then, and there are no more.

    Args:
        passes: how many, at least 1.
        output: the results file. Until all passes are one file, they are beside it, as ``NAME.pass1.json`` and so on.
        arguments: pytest's.
        max_time: seconds for all of it; None for no limit. A pass is left out, with those after it, when the one before
            it took longer than what is left. The first is always run.

    Raises:
        ResultsError: the passes cannot be made one file; they are left as they are.

    """
    parts: list[Path] = []
    status, runs = 0, _Runs()
    began, taken = monotonic(), 0.0
    with runs.listening():
        for number in range(1, passes + 1):
            so_far = monotonic() - began
            if max_time is not None and number > 1 and so_far + taken > max_time:
                print(f"left out: passes {number} to {passes}, as what is left of {max_time:g} s would not do")
                break
            file = output
            if passes > 1:
                file = _part(output, number)
                file.unlink(missing_ok=True)
                print(f"pass {number} of {passes}", flush=True)
            status = runs.run([sys.executable, "-P", "-m", "pytest", *arguments, f"--benchmark-json={file}"])
            taken = monotonic() - began - so_far
            if file.exists() and file.stat().st_size:
                parts.append(file)
            elif file.is_file() and not file.is_symlink():
                file.unlink()  # pytest-benchmark has opened it and measured nothing
            if status:
                break
        if parts and passes > 1:
            made = merge_results(parts, output, keep="fastest")
            for file in parts:
                file.unlink()
            say(passes_line(made) or f"of {passes} passes, 1 has figures")
    return status


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_PASSES:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of passes; give one from 1 to {MOST_PASSES}")
    return int(text)


def _main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m perfcore.suite.passes",
        description="Runs a pytest suite several times and keeps the fastest pass of each benchmark.",
        epilog="All other arguments are pytest's.",
        allow_abbrev=False,
    )
    parser.add_argument("--passes", type=_count, default=10, metavar="N", help="how often (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the results file")
    parser.add_argument(
        "--max-time", type=duration, metavar="SECONDS", help="leave out the passes for which there is no time left"
    )
    options, others = parser.parse_known_args(arguments)
    try:
        return run_passes(options.passes, options.output, others, max_time=options.max_time)
    except ResultsError as error:
        left = [str(file) for n in range(1, options.passes + 1) if (file := _part(options.output, n)).exists()]
        print(f"perfcore: error: {error}; the passes are left in {', '.join(left)}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(_main())
