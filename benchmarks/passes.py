# SPDX-License-Identifier: MIT
"""Runs a pytest suite several times, one after the other, and makes one results file of it: the fastest pass counts.

    python benchmarks/passes.py --passes 3 --output results.json benchmarks --benchmark-only

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from perfcore.errors import PerfcoreError
from perfcore.record.merge import merge_results
from perfcore.report.passes import passes_line
from perfcore.report.text import say

HASH_SEED = "0"


class Suite:
    """Runs pytest, and notes the signals that ask for an end."""

    def __init__(self) -> None:
        self.ended: int | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note the signals instead of being ended by them; SIGTERM and SIGHUP are passed on, a Ctrl-C reaches all."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        heard = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]  # nohup ignores one
        before = {number: signal.signal(number, self._note) for number in heard}
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.ended = number
        if number != signal.SIGINT and self._child is not None:
            self._child.send_signal(number)

    def run(self, command: list[str]) -> int:
        """Run a command; return its exit code, or the signal's as a shell does, also one that it took no notice of."""
        if self.ended is None:
            self._child = subprocess.Popen(command, env={**os.environ, "PYTHONHASHSEED": HASH_SEED})
            status, self._child = self._child.wait(), None
            if status:
                return status if status > 0 else 128 - status
        return 0 if self.ended is None else 128 + self.ended


def part(output: Path, number: int) -> Path:
    """Return where a pass is written until all are one file."""
    return output.with_name(f"{output.stem}.pass{number}{output.suffix}")


def run_passes(passes: int, output: Path, arguments: list[str]) -> int:
    """Run the passes and write the file; return pytest's exit code.

    Raises:
        PerfcoreError: the passes cannot be made one file; they are left as they are.

    """
    parts, status, suite = [], 0, Suite()
    with suite.listening():
        for number in range(1, passes + 1):
            file = output
            if passes > 1:
                file = part(output, number)
                file.unlink(missing_ok=True)
                print(f"pass {number} of {passes}", flush=True)
            status = suite.run([sys.executable, "-P", "-m", "pytest", *arguments, f"--benchmark-json={file}"])
            if file.exists() and file.stat().st_size:
                parts.append(file)
            else:
                file.unlink(missing_ok=True)  # pytest-benchmark has opened it and measured nothing
            if status:
                break
        if parts and passes > 1:
            made = merge_results(parts, output, keep="fastest")
            for file in parts:
                file.unlink()
            say(passes_line(made) or f"of {passes} passes, 1 has figures")
    return status


def count(text: str) -> int:
    """Convert a number of passes, for argparse."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of passes; give one from 1 to 100")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Run the passes; return the exit code."""
    parser = argparse.ArgumentParser(
        description="Runs a pytest suite several times and keeps the fastest pass of each benchmark.",
        epilog="All other arguments are pytest's.",
        allow_abbrev=False,
    )
    parser.add_argument("--passes", type=count, default=3, metavar="N", help="how often (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the results file")
    options, others = parser.parse_known_args(arguments)
    try:
        return run_passes(options.passes, options.output, others)
    except PerfcoreError as error:
        left = ", ".join(str(file) for n in range(1, options.passes + 1) if (file := part(options.output, n)).exists())
        print(f"error: {error}{f'; the passes are left in {left}' if left else ''}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
