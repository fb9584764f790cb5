# SPDX-License-Identifier: MIT
"""Each write of each command that stores something, failing: a full disk, a broken one, a read-only one, a size limit.

``fail_nth.c`` makes the nth call that changes a file fail, for n = 1, 2, … until a command makes no more calls. Each
time the command either says so (exit code 2, one line) and has changed nothing, or it has done all of its work; no
temporary file is left, and the next command works. Started by ``faults.py``, with the library preloaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from results_files import benchmark, write

import perfcore.cli
from perfcore.errors import PerfcoreError
from perfcore.record.history import History
from perfcore.report.write import FORMATS

MODES = (
    ("full disk from the nth call on", "ENOSPC", True),
    ("nth call fails (EIO)", "EIO", False),
    ("read-only from the nth call on", "EROFS", True),
)
MOST = 2000  # calls of one command
LANES = '[tool.perfcore.lanes.quick]\ncommand = ["true"]\niterations = 2\n'


class Step(NamedTuple):
    """A command, and the files that it changes."""

    name: str
    command: tuple[str, ...]
    changes: tuple[str, ...]
    again: tuple[str, ...] = ()  # what the next command has beside that


class Trial(NamedTuple):
    """A fault: how it is set up in the child, and whether it came to pass."""

    label: str
    arm: Callable[[], object]
    came: Callable[[], bool]


STEPS = (
    Step("baseline save", ("baseline", "save", "new.json", "--baseline", "made/base.json"), ("made/base.json",)),
    Step(
        "baseline update",
        ("baseline", "update", "new.json", "--baseline", "base.json", "--force"),
        ("base.json", "base.previous.json"),
    ),
    Step("history add", ("history", "add", "new.json", "--database", "h.db"), ("h.db",)),
    Step("history add, the first", ("history", "add", "new.json", "--database", "made/h.db"), ("made/h.db",)),
    Step("history prune", ("history", "prune", "--days", "1", "--database", "h.db"), ("h.db",)),
    Step("history export", ("history", "export", "--database", "h.db", "-o", "out.csv"), ("out.csv",)),
    Step("merge", ("merge", "old.json", "new.json", "-o", "all.json", "--keep", "last"), ("all.json",)),
    Step("export", ("export", "new.json", "-o", "out.csv"), ("out.csv",)),
    Step(
        "report, every format",
        ("report", "new.json", "--output", "out", "--format", ",".join(FORMATS)),
        tuple(f"out/{file}" for file, _ in FORMATS.values()),
    ),
    Step("run --lane", ("run", "--lane", "quick", "--config", "lanes.toml", "--folder", "lanes"), (), ("--resume",)),
)


def template(folder: Path) -> None:
    """Make what the commands find."""
    for name, median, day in (("old.json", 1e-6, 1), ("new.json", 2e-6, 2)):
        entries = (benchmark(f"t{index}", median) for index in range(40))
        write(folder / name, *entries, datetime=f"2024-01-{day:02}T00:00:00+00:00")
    shutil.copy(folder / "old.json", folder / "base.json")
    (folder / "lanes.toml").write_text(LANES)
    (folder / "out.csv").write_text("before\n")
    assert perfcore.cli.main(["history", "add", str(folder / "old.json"), "--database", str(folder / "h.db")]) == 0


def content(path: Path) -> object:
    """Return what a file holds; of a history, its runs."""
    if not path.exists():
        return None
    if path.suffix == ".db":
        try:
            return tuple((run.file, run.count) for run in History(path).runs()) or None  # one without runs is as good
        except PerfcoreError as error:  # an empty file, which the next command makes a history of
            return None if "no history yet" in str(error) else str(error)
    return path.read_bytes()


class Ended(NamedTuple):
    """How a command ended: its exit code, its stderr, and whether the fault came to pass in it."""

    code: int
    error: str
    came: bool


def forked(folder: Path, command: Sequence[str], trial: Trial | None = None) -> Ended:
    """Run a command in a child, under a fault. Its output goes to pipes, which no fault reaches."""
    pipes = [os.pipe() for _ in range(3)]
    if (pid := os.fork()) == 0:
        try:
            os.chdir(folder)
            for number in (1, 2):
                os.dup2(pipes[number][1], number)
            with open(1, "w", closefd=False) as sys.stdout, open(2, "w", closefd=False, buffering=1) as sys.stderr:
                if trial is not None:
                    trial.arm()
                code = perfcore.cli.main(list(command))
                came = trial is not None and trial.came()
            os.write(pipes[0][1], f"{code} {came:d}".encode())
        except BaseException:  # noqa: BLE001 - the parent reports it
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(0)
    texts = []
    for reader, writer in pipes:
        os.close(writer)
        with os.fdopen(reader) as said:
            texts.append(said.read())
    os.waitpid(pid, 0)
    code, came = (int(word) for word in (texts[0] or "99 1").split())
    return Ended(code, texts[2], bool(came))


def judged(folder: Path, step: Step, ended: Ended, old: dict[str, object], new: dict[str, object]) -> Iterator[str]:
    """Say what is wrong after a command that ended so."""
    code, error, _ = ended
    if code not in (0, 2):
        yield f"exit code {code}: {error[-300:]!r}"
    # A lane's progress comes before the error; all others say nothing else.
    told = error.splitlines()[-1:] if step.command[0] == "run" else error.splitlines()
    if code == 2 and (len(told) != 1 or not told[0].startswith("perfcore: error: ") or "Traceback" in error):
        yield f"not one line on stderr: {error[-300:]!r}"
    for name in step.changes:
        found = content(folder / name)
        # Of several files each is replaced whole, one after the other.
        allowed = [new[name]] if code == 0 else [old[name]] if len(step.changes) == 1 else [old[name], new[name]]
        if found not in allowed:
            yield f"{name} is neither what it was nor what it was to be: {str(found)[:200]}"
    if left := [str(path.relative_to(folder)) for path in folder.rglob("*.perfcore.tmp")]:
        yield f"left behind: {left}"
    if code == 2:
        again = forked(folder, [*step.command, *step.again])
        if again.code != 0:
            yield f"the next one ends with {again.code}: {again.error[-300:]!r}"


def tried(step: Step, root: Path, trials: Iterable[Trial]) -> dict[str, object]:
    """Try a step under each trial; a fault that did not come to pass ends them."""
    pristine, folder = root / "template", root / "trial"
    shutil.copytree(pristine, folder)
    if (whole := forked(folder, step.command)).code != 0:
        raise SystemExit(f"{step.name} fails without a fault: {whole.error}")
    new = {name: content(folder / name) for name in step.changes}
    old = {name: content(pristine / name) for name in step.changes}
    shutil.rmtree(folder)
    times = refused = 0
    problems: list[str] = []
    for trial in trials:
        shutil.copytree(pristine, folder)
        ended = forked(folder, step.command, trial)
        if ended.came:
            times += 1
            refused += ended.code == 2
            problems += [f"{trial.label}: {text}" for text in judged(folder, step, ended, old, new)]
        shutil.rmtree(folder)
        if not ended.came:
            break
    return {"place": step.name, "tried": times, "refused": refused, "problems": problems}


def failing_calls(library: ctypes.CDLL, name: str, sticky: bool) -> Iterator[Trial]:
    """Give each call to fail, the first one, the second one and so on."""
    for nth in range(1, MOST):
        yield Trial(
            f"{name} at call {nth}",
            partial(library.fail_arm, nth, getattr(errno, name), sticky),
            lambda nth=nth: library.fail_disarm() >= nth,  # type: ignore[misc]
        )


def size_limits(count: int, seed: int) -> Iterator[Trial]:
    """Give limits of the size of a file."""
    source = random.Random(seed)
    for _ in range(count):
        size = int(2 ** source.uniform(0, 17))
        limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))
        yield Trial(f"files of {size} bytes", limit, lambda: True)


def main() -> None:
    """Print a row for each step and fault, as JSON."""
    library, limits, seed = ctypes.CDLL(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory(prefix="perfcore-faults-") as place:
        root = Path(place)
        (root / "template").mkdir()
        with contextlib.redirect_stdout(sys.stderr):
            template(root / "template")
        for step in STEPS:
            for fault, trials in (
                *((words, failing_calls(library, name, sticky)) for words, name, sticky in MODES),
                ("limit of a file's size", size_limits(limits, seed)),
            ):
                print(json.dumps({"fault": fault, **tried(step, root, trials)}), flush=True)


if __name__ == "__main__":
    main()
