# SPDX-License-Identifier: MIT
"""perfcore in IPython and Jupyter: ``%load_ext perfcore``, then ``%perfcore STATEMENT`` and ``%%perfcore [SETUP]``.

The options are named like those of ``%timeit`` where they mean the same. The statement becomes the body of a function
whose globals are the notebook's; in a cell, the line holds the set-up, which runs once, outside the clock. A statement
with ``await`` in it is awaited on an event loop of its own, in another thread: the notebook's loop is running already.
"""

from __future__ import annotations

import ast
import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from perfcore.api import Measurement, Timer
from perfcore.measure.coroutine import CoroutineRunner
from perfcore.suite.interrupts import LOOK_S, put_off

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_NAME = "statement"
_FLAGS = {"-o": "give", "-q": "quiet", "-g": "disable_gc", "-c": "correct"}
_VALUES = {"-t": "max_time", "-r": "min_rounds", "-p": "precision"}
_USAGE = "%perfcore [-t SECONDS] [-r ROUNDS] [-p PRECISION%] [-g] [-c] [-o] [-q] STATEMENT"


def _options(line: str) -> tuple[dict[str, Any], str]:
    """Split the options off a line; what follows them stays as it was written."""
    found: dict[str, Any] = {}
    rest = line.lstrip()
    while rest.startswith("-"):
        word, _, after = rest.partition(" ")
        if word in _FLAGS:
            found[_FLAGS[word]] = True
            rest = after.lstrip()
        elif word in _VALUES:
            value, _, rest = after.lstrip().partition(" ")
            found[_VALUES[word]] = value
            rest = rest.lstrip()
        elif word == "--":
            return found, after.lstrip()
        else:
            break  # a statement may begin with a minus
    return found, rest


def _timer(options: dict[str, Any]) -> Timer:
    try:
        values: dict[str, Any] = {}
        if "max_time" in options:
            values["max_time"] = float(options["max_time"])
        if "min_rounds" in options:
            values["min_rounds"] = int(options["min_rounds"])
        if "precision" in options:
            text = options["precision"]
            values["precision"] = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        return Timer(disable_gc=bool(options.get("disable_gc")), correct=bool(options.get("correct")), **values)
    except ValueError as error:
        raise UsageError(f"{error}; usage: {_USAGE}") from None


def statement_function(source: str, namespace: dict[str, Any]) -> Callable[[], Any]:
    """Return a function, or a coroutine function if it awaits something, whose body is the statement.

    Args:
        source: the statement or statements; the value of a single expression is thrown away.
        namespace: its globals.

    Raises:
        SyntaxError: the source is no Python, or has no statement.

    """
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(source, "<perfcore>", "exec", flags | ast.PyCF_ONLY_AST)
    assert isinstance(tree, ast.Module)  # noqa: S101 - for the type
    if not tree.body:
        raise SyntaxError("there is no statement to measure")
    waits = compile(tree, "<perfcore>", "exec", flags).co_flags & inspect.CO_COROUTINE
    made = ast.parse(f"{'async def' if waits else 'def'} {_NAME}(): pass")
    # The parsed statements themselves: lines that are moved to the right are others inside of strings.
    cast("ast.FunctionDef | ast.AsyncFunctionDef", made.body[0]).body = tree.body
    found: dict[str, Any] = {}
    exec(compile(made, "<perfcore>", "exec"), namespace, found)  # noqa: S102 - the user's own cell
    function: Callable[[], Any] = found[_NAME]
    return function


def _measure_awaits(timer: Timer, function: Callable[[], Any]) -> Measurement:
    """Measure a coroutine function in a thread of its own, where no event loop runs; a Ctrl-C ends it there."""
    outcome: list[Measurement] = []
    trouble: list[BaseException] = []
    runners: list[CoroutineRunner] = []
    # A Ctrl-C may leave the lock inside of an Event, or of a Thread that is being started, locked for good; a plain
    # lock is either taken or not.
    ended, stopped = threading.Lock(), threading.Event()
    ended.acquire()

    def work() -> None:
        try:
            runners.append(
                CoroutineRunner(function, (), {}, timer=timer.timer, disable_gc=timer.disable_gc, keep=False)
            )
            if not stopped.is_set():
                outcome.append(timer._measure(function, runners[0], function.__qualname__))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            trouble.append(error)
        finally:
            ended.release()

    thread = threading.Thread(target=work, name="perfcore")
    try:
        with put_off():
            thread.start()
        # Not Thread.join(): up to Python 3.12 one that a Ctrl-C interrupts takes the thread for ended ever after.
        while not ended.acquire(timeout=LOOK_S):
            pass
    except BaseException:
        stopped.set()
        for runner in runners:
            runner.cancel()
        raise
    finally:
        with suppress(RuntimeError):  # it has not been started, or does nothing when it has
            thread.join()
    if trouble:
        raise trouble[0]
    return outcome[0]


@magics_class
class PerfcoreMagics(Magics):
    """The magics."""

    @line_cell_magic
    def perfcore(self, line: str, cell: str | None = None) -> Measurement | None:
        """Measure a statement (``%perfcore``) or a cell (``%%perfcore``, its line is the set-up).

        Options: -t SECONDS of rounds (1); -r fewest rounds (5); -p PRECISION% stop when the median is known that
        well; -g garbage collector off; -c subtract what measuring costs; -o give the measurement; -q do not show it.
        """
        options, rest = _options(line)
        timer = _timer(options)
        shell: Any = self.shell
        namespace = shell.user_ns
        source = rest if cell is None else cell
        if not source.strip():
            raise UsageError(f"nothing to measure; usage: {_USAGE}")
        if cell is not None and rest.strip():
            namespace = dict(namespace)
            exec(compile(shell.transform_cell(rest), "<perfcore set-up>", "exec"), namespace)  # noqa: S102
        function = statement_function(shell.transform_cell(source), namespace)
        function.__qualname__ = " ".join(source.split())[:60] if cell is None else "cell"
        found = (_measure_awaits if inspect.iscoroutinefunction(function) else Timer.measure)(timer, function)
        if not options.get("quiet"):
            from IPython import display

            show: Any = display.display
            show(found)
        return found if options.get("give") else None


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics: what ``%load_ext perfcore`` calls."""
    shell.register_magics(PerfcoreMagics)
