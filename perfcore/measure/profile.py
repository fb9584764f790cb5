# SPDX-License-Identifier: MIT
"""Where a program's time goes, by call stacks: sampled by py-spy where it is installed and allowed, else from cProfile.

py-spy reads the stacks of a process from outside at a fixed rate, so they are whole and the program is hardly slowed.
cProfile counts every call but knows only who called whom, not whole stacks: below a function that is called from
several places, its callees' time is divided between those places by the time each spent in it. That is exact for trees
and an estimate elsewhere; the cost of counting weighs on small functions.
"""

from __future__ import annotations

import marshal
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfcore.errors import MeasureError

Stack = tuple[str, ...]

# Runs the program, for both profilers: py-spy tells neither its exit code nor its own lines from the program's, and
# python -m cProfile drops the exit code.
_CHILD = """
import os, pkgutil, runpy, sys
out, err, told, dump, kind, *sys.argv = sys.argv[1:]
os.dup2(int(out), 1)
os.dup2(int(err), 2)
code, profile = 1, None
if dump:
    import cProfile
    profile = cProfile.Profile()
try:
    if kind == "module":
        sys.path.insert(0, "")
        run = lambda: runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
        run = lambda: runpy.run_path(sys.argv[0], run_name="__main__")
    profile.runcall(run) if profile else run()
    code = 0
except SystemExit as end:
    code = 0 if end.code is None else int(end.code) if isinstance(end.code, int) else 1  # True is 1, too
    raise
finally:
    if profile:
        profile.dump_stats(dump)
    with open(told, "w") as file:
        file.write(str(code))
"""
_DEEPEST = 200
_LEAST_SHARE = 1e-4  # of the whole; what is less is left with its caller


@dataclass(frozen=True)
class Profile:
    """Call stacks and their weights.

    Attributes:
        stacks: the weight of each stack, outermost frame first.
        unit: of the weights: "samples" or "microseconds".
        method: how they came about, for a title.
        code: the program's exit code; None where the profiler does not tell.

    """

    stacks: dict[Stack, int] = field(repr=False)
    unit: str
    method: str
    code: int | None = None


def read_folded(text: str) -> dict[Stack, int]:
    """Return stacks of "frame;frame;frame weight" lines; lines of another form are left out."""
    stacks: dict[Stack, int] = {}
    for line in text.splitlines():
        frames, _, weight = line.rpartition(" ")
        if frames and weight.isascii() and weight.isdigit():
            stack = tuple(frames.split(";"))
            stacks[stack] = stacks.get(stack, 0) + int(weight)
    return stacks


def find_py_spy() -> str | None:
    """Return the py-spy beside this interpreter, else that of the PATH."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("py-spy")


def profile_by_py_spy(program: Sequence[str], *, rate: int) -> Profile:
    """Run a program under py-spy and return its stacks.

    Args:
        program: a script and its arguments, or ``-m``, a module and its arguments.
        rate: samples in a second.

    Raises:
        MeasureError: py-spy is missing, is not permitted, or saw nothing.

    """
    with _Child(program, "") as child:
        stacks = _record(child.folder, ["--rate", str(rate), "--", *child.command], child.descriptors)
        code = child.exit_code()
    return Profile(_without_runner(stacks), "samples", f"py-spy, {rate} samples a second", code)


def watch_by_py_spy(pid: int, *, rate: int, seconds: float) -> Profile:
    """Watch a process by py-spy and return its stacks.

    Args:
        pid: the process.
        rate: samples in a second.
        seconds: for how long, in whole seconds; less when the process ends.

    Raises:
        MeasureError: py-spy is missing, is not permitted, or saw nothing.

    """
    with tempfile.TemporaryDirectory(prefix="perfcore-") as folder:
        duration = str(max(1, round(seconds)))
        stacks = _record(folder, ["--rate", str(rate), "--duration", duration, "--pid", str(pid)], ())
    return Profile(stacks, "samples", f"py-spy, {rate} samples a second")


def _record(folder: str, arguments: list[str], descriptors: tuple[int, ...]) -> dict[Stack, int]:
    tool = find_py_spy()
    if tool is None:
        raise MeasureError("py-spy is not installed (pip install py-spy)")
    target = Path(folder) / "stacks"
    command = [tool, "record", "--format", "raw", "--output", str(target), "--nonblocking", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, pass_fds=descriptors, stdin=None
    )
    stacks = read_folded(target.read_text(encoding="utf-8", errors="replace")) if target.exists() else {}
    if not stacks:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip() and not line.startswith("py-spy>")]
        raise MeasureError(f"py-spy saw nothing: {said[-1] if said else f'exit code {done.returncode}'}")
    return stacks


def _without_runner(stacks: dict[Stack, int]) -> dict[Stack, int]:
    """Cut off the frames of ``_CHILD``; a stack that has no others is not the program's."""
    made: dict[Stack, int] = {}
    for stack, weight in stacks.items():
        own = (at for at, frame in enumerate(stack) if not frame.startswith("<built-in") and not _is_runner(frame))
        if (first := next(own, None)) is None:
            continue
        if stack[first].rpartition("(")[2].startswith("<frozen importlib") and any(map(_is_runner, stack[first:])):
            continue  # its imports, of runpy for one
        made[stack[first:]] = made.get(stack[first:], 0) + weight
    return made


def _is_runner(frame: str) -> bool:
    return "(<string>:" in frame or "(<frozen runpy>:" in frame


def profile_by_cprofile(program: Sequence[str]) -> Profile:
    """Run a program under cProfile and return its stacks.

    Args:
        program: a script and its arguments, or ``-m``, a module and its arguments.

    Raises:
        MeasureError: the program left no profile, such as one that cannot be found.

    """
    with _Child(program, "profile") as child:
        done = subprocess.run(child.command, pass_fds=child.descriptors, check=False)
        target = Path(child.folder) / "profile"
        if not target.exists():
            raise MeasureError(f"{' '.join(program)}: ended with exit code {done.returncode} and left no profile")
        stacks = read_stats(target)
        code = child.exit_code()
    return Profile(_without_runner(stacks), "microseconds", "cProfile", code)


class _Child:
    """The command that runs a program, with the files by which it tells how it ended."""

    def __init__(self, program: Sequence[str], dump: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="perfcore-")
        self.folder = self._folder.name
        self._told = Path(self.folder) / "code"
        self.descriptors = (os.dup(1), os.dup(2))
        kind, words = ("module", program[1:]) if program[0] == "-m" else ("script", program)
        target = str(Path(self.folder) / dump) if dump else ""
        files = [*map(str, self.descriptors), str(self._told), target]
        self.command = [sys.executable, "-P", "-c", _CHILD, *files, kind, *words]

    def exit_code(self) -> int:
        """Return the program's exit code, 1 where it ended without a word, as by a signal."""
        return int(self._told.read_text(encoding="ascii")) if self._told.exists() else 1

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *trouble: object) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self._folder.cleanup()


def _name(function: tuple[str, int, str]) -> str:
    file, line, name = function
    return name if file == "~" else f"{name} ({file}:{line})"


def read_stats(path: str | os.PathLike[str]) -> dict[Stack, int]:
    """Return the stacks, in microseconds, of a file that cProfile wrote. Read only your own: the format is marshal's.

    Raises:
        MeasureError: the file cannot be read or is no profile.

    """
    try:
        with open(path, "rb") as file:
            table = marshal.load(file)  # noqa: S302 - as pstats does; documented
        return _stacks_of(table)
    except OSError as error:
        raise MeasureError(f"{path}: cannot read: {error.strerror}") from error
    except (EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError):
        raise MeasureError(f"{path}: not a profile of cProfile; write one with python -m cProfile -o {path}") from None


def _stacks_of(table: dict[Any, Any]) -> dict[Stack, int]:
    """Divide the time of every function between the stacks that lead to it."""
    callees: dict[Any, list[tuple[Any, float]]] = {}
    for function, (_, _, _, _, callers) in table.items():
        for caller, edge in callers.items():
            callees.setdefault(caller, []).append((function, float(edge[3])))
    total = sum(float(entry[2]) for entry in table.values())
    stacks: dict[Stack, int] = {}
    # Where a function's time is not that of its callers' calls, it was called from outside the profile.
    waiting: list[tuple[tuple[Any, ...], float]] = []
    for function, entry in table.items():
        outside = float(entry[3]) - sum(float(edge[3]) for edge in entry[4].values())
        if outside > total * _LEAST_SHARE:
            waiting.append(((function,), min(1.0, outside / float(entry[3]))))
    while waiting:
        stack, share = waiting.pop()
        entry = table[stack[-1]]
        own = float(entry[2]) * share
        for callee, seconds in callees.get(stack[-1], ()):
            part = seconds * share
            whole = float(table[callee][3])
            if callee in stack:
                continue  # recursion: what is below is in the function's own time and in that of its callees
            if len(stack) >= _DEEPEST or part < total * _LEAST_SHARE or whole <= 0:
                own += part
                continue
            waiting.append(((*stack, callee), min(1.0, part / whole)))
        weight = round(own * 1e6)
        if weight > 0:
            names = tuple(map(_name, stack))
            stacks[names] = stacks.get(names, 0) + weight
    return stacks
