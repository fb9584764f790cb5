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


def profile_by_py_spy(
    program: Sequence[str], *, rate: int, pid: int | None = None, seconds: float | None = None
) -> Profile:
    """Run a program under py-spy, or watch a process, and return its stacks.

    Args:
        program: what follows the interpreter on its command line; empty with a pid.
        rate: samples in a second.
        pid: watch this process instead.
        seconds: for how long; None is until it ends.

    Raises:
        MeasureError: py-spy is missing, is not permitted, or saw nothing.

    """
    tool = find_py_spy()
    if tool is None:
        raise MeasureError("py-spy is not installed (pip install py-spy)")
    with tempfile.TemporaryDirectory(prefix="perfcore-") as folder:
        target = Path(folder) / "stacks"
        command = [tool, "record", "--format", "raw", "--output", str(target), "--rate", str(rate), "--nonblocking"]
        if seconds is not None:
            command += ["--duration", str(max(1, round(seconds)))]
        command += ["--pid", str(pid)] if pid is not None else ["--", sys.executable, *program]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        stacks = read_folded(target.read_text(encoding="utf-8", errors="replace")) if target.exists() else {}
    if not stacks:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip() and not line.startswith("py-spy>")]
        raise MeasureError(f"py-spy saw nothing: {said[-1] if said else f'exit code {done.returncode}'}")
    return Profile(stacks, "samples", f"py-spy, {rate} samples a second")


def profile_by_cprofile(program: Sequence[str]) -> Profile:
    """Run a program under cProfile and return its stacks.

    Args:
        program: a script and its arguments, or ``-m``, a module and its arguments.

    Raises:
        MeasureError: the program left no profile, such as one that cannot be found.

    """
    with tempfile.TemporaryDirectory(prefix="perfcore-") as folder:
        target = Path(folder) / "profile"
        command = [sys.executable, "-m", "cProfile", "-o", str(target), *program]
        done = subprocess.run(command, check=False)
        if not target.exists():
            raise MeasureError(f"{' '.join(program)}: ended with exit code {done.returncode} and left no profile")
        stacks = read_stats(target)
    return Profile(stacks, "microseconds", "cProfile", done.returncode)


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
    roots = [(function, 1.0) for function, entry in table.items() if not entry[4]]
    waiting: list[tuple[tuple[Any, ...], float]] = [((function,), share) for function, share in roots]
    while waiting:
        stack, share = waiting.pop()
        entry = table[stack[-1]]
        own = float(entry[2]) * share
        for callee, seconds in callees.get(stack[-1], ()):
            part = seconds * share
            whole = float(table[callee][3])
            if callee in stack or len(stack) >= _DEEPEST or part < total * _LEAST_SHARE or whole <= 0:
                own += part if callee not in stack else 0.0
                continue
            waiting.append(((*stack, callee), min(1.0, part / whole)))
        weight = round(own * 1e6)
        if weight > 0:
            names = tuple(map(_name, stack))
            stacks[names] = stacks.get(names, 0) + weight
    return stacks
