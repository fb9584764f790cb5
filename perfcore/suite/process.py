# SPDX-License-Identifier: MIT
"""The comparing process's end of a worker: starting it, talking with it in turns, ending it whatever it does.

The worker's end is perfcore/pytest_plugin/ab_worker.py; protocol.py says how they talk. Every process here leads a
group of its own, which is killed as a whole: a benchmark or a build may have started others.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from perfcore.suite.interrupts import put_off
from perfcore.suite.protocol import OUTSIDE, PIPES

_COLLECTING_S = 600.0  # for pytest's start, imports of the whole suite included
_CLOSING_S = 10.0  # for the interpreter's own end, after pytest's
_GLANCE_S = 0.5  # between looks at whether a silent worker still lives


def last_lines(text: str, count: int = 1) -> str:
    """Return the last lines of what a program printed, in one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-count:]) or "it said nothing"


def _end_group(process: subprocess.Popen[Any]) -> None:
    """Kill and reap a process and whatever is left of its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Ended(NamedTuple):
    """A program that has run to its end."""

    code: int
    output: str
    errors: str
    """What it printed on stderr, else on stdout."""


def run_program(command: Sequence[str], *, folder: Path, environment: Mapping[str, str], timeout: float) -> Ended:
    """Run a program to its end.

    Raises:
        OSError: it cannot be run.
        subprocess.TimeoutExpired: it took longer than `timeout` seconds, and was killed with its group.

    """
    # No pipes: what the program leaves running would keep them open.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = None
        try:
            with put_off():
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    start_new_session=True,
                )
            code = process.wait(timeout)
        finally:
            if process is not None:
                with put_off():
                    _end_group(process)
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
        return Ended(code, texts[0], texts[1] if texts[1].strip() else texts[0])


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared.

    Attributes:
        name: "base" or "head".
        label: what the user calls it.
        folder: where pytest runs.
        root: the top of its tree.
        python: the interpreter.
        installed: whether the project is installed in the interpreter's environment; else `root` goes onto its path.
        outside: folders that it must import nothing from, since the other side's code is there.
        project: where in its tree the project is, which goes onto its path, too; None for the top.

    """

    name: str
    label: str
    folder: Path
    root: Path
    python: str
    installed: bool = False
    outside: tuple[Path, ...] = ()
    project: Path | None = None

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs this side's interpreter."""
        return [self.python, *(["-P"] if self.installed else []), *arguments]

    def environment(self) -> dict[str, str]:
        """Return the environment of this side's processes."""
        environment = {key: value for key, value in os.environ.items() if key != PIPES}
        if not self.installed:
            tops = dict.fromkeys((self.project or self.root, self.root))
            folders = [str(one) for top in tops for one in (top, top / "src") if one == top or one.is_dir()]
            inherited = environment.get("PYTHONPATH")
            environment["PYTHONPATH"] = os.pathsep.join([*folders, *([inherited] if inherited else [])])
        return environment


class WorkerLostError(Exception):
    """A worker ended early or did not answer; the text says so, `side` is which."""

    def __init__(self, side: Side, text: str) -> None:
        super().__init__(text)
        self.side = side


class Worker:
    """A pytest process of one side.

    Not thread-safe; close it however the comparison ends.
    """

    def __init__(self, side: Side, arguments: list[str], *, seed: int, timeout: float) -> None:
        self.side = side
        self._timeout = timeout
        self._buffer = b""
        self._answers = 0
        self._closed = False
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        commands_read, self._commands = os.pipe()
        self._events, events_write = os.pipe()
        environment = side.environment()
        environment[PIPES] = f"{commands_read},{events_write}"
        environment[OUTSIDE] = os.pathsep.join(map(str, side.outside))
        environment["PYTHONHASHSEED"] = str(seed)
        root = [f"--rootdir={side.root}"] if side.folder == side.root else []
        try:
            self._process = subprocess.Popen(
                side.command("-m", "pytest", *root, *arguments),
                cwd=side.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                pass_fds=(commands_read, events_write),
                start_new_session=True,
            )
        except BaseException:
            self._release()
            raise
        finally:
            os.close(commands_read)
            os.close(events_write)

    def pin(self, cpu: int) -> None:
        """Keep the process, and what it starts from now on, on one processor.

        Raises:
            OSError: this is not permitted.

        """
        with contextlib.suppress(ProcessLookupError):  # it ended at once; its first answer will say so
            os.sched_setaffinity(self._process.pid, {cpu})

    def ask(self, command: dict[str, Any] | None) -> dict[str, Any]:
        """Send a command, if any, and return the next event.

        Raises:
            WorkerLostError: the process ended, or nothing came in time.

        """
        if command is not None:
            with contextlib.suppress(BrokenPipeError):  # the event that does not come tells more
                os.write(self._commands, json.dumps(command).encode() + b"\n")
        timeout = self._timeout if self._answers else max(self._timeout, _COLLECTING_S)
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            data = self._receive(deadline)
            if data is None:
                raise WorkerLostError(self.side, f"no answer for {timeout:g} s")
            if not data:
                raise WorkerLostError(self.side, self._how_it_ended())
            self._buffer += data
        self._answers += 1
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError:
            raise WorkerLostError(self.side, f"something else wrote to its pipe: {line[:60]!r}") from None
        return event

    def _receive(self, deadline: float) -> bytes | None:
        """Return what the worker sent; None when nothing came in time.

        Returns no bytes when it is over, even while processes of its own keep the pipe open.
        """
        while True:
            ended = self._process.poll() is not None
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._events], [], [], 0.0 if ended else max(0.0, min(_GLANCE_S, left)))
            if ready:
                return os.read(self._events, 65536)
            if ended:
                return b""
            if left <= 0:
                return None

    def tail(self, lines: int = 3) -> str:
        """Return the last lines that pytest printed, in one."""
        self._log.seek(0)
        return last_lines(self._log.read().decode("utf-8", "replace"), lines)

    def close(self, *, kill: bool = False) -> None:
        """End the process: wait for it where it is done, kill its whole group where not. Twice is allowed."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            os.close(self._commands)
        self._commands = -1
        try:
            if not kill:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_CLOSING_S)
        finally:
            _end_group(self._process)
            self._release()

    def _release(self) -> None:
        for descriptor in (self._commands, self._events):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._log.close()

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(_CLOSING_S)
        except subprocess.TimeoutExpired:
            return "it closed its pipes"
        how = f"killed by signal {-code}" if code < 0 else f"its process ended with exit code {code}"
        return f"{how}: {self.tail()}"
