# SPDX-License-Identifier: MIT
"""The magics in an IPython shell, which takes over ``__main__`` and more: test_notebook gives it a process."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import perfcore


@pytest.fixture(scope="module")
def started() -> Any:
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "perfcore")
    return shell


@pytest.fixture
def shell(started: Any) -> Any:
    started.reset()
    return started


def test_a_line_and_its_options(shell: Any) -> None:
    shell.user_ns["numbers"] = [3, 1, 2]
    found = shell.run_line_magic("perfcore", "-q -o -t 0.02 -r 7 -g sorted(numbers)")
    assert isinstance(found, perfcore.Measurement)
    assert found.rounds >= 7
    assert found.name == "sorted(numbers)"
    assert shell.run_line_magic("perfcore", "-q -o -t 0.02 sorted([3,  1, 2])").name == "sorted([3, 1, 2])"
    assert shell.run_line_magic("perfcore", "-q -t 0.02 -numbers[0]") is None  # a minus that is no option
    assert "sorted" not in shell.user_ns


def test_a_cell_with_set_up(shell: Any) -> None:
    calls: list[int] = []
    shell.user_ns["calls"] = calls
    found = shell.run_cell_magic(
        "perfcore", "-q -o -t 0.02 calls.append(1); word = 'abc'", "upper = word.upper()\nupper[0]\n"
    )
    assert calls == [1], "the set-up runs once"
    assert found.rounds >= 5
    assert "word" not in shell.user_ns
    assert "upper" not in shell.user_ns


def test_strings_of_several_lines_stay_as_they_are(shell: Any) -> None:
    text = "'''a\n  b\nc'''"
    for head in ("", "import asyncio\nawait asyncio.sleep(0)\n"):
        seen: set[str] = set()
        shell.user_ns["seen"] = seen
        shell.run_cell_magic("perfcore", "-q -t 0.02", f"{head}text = {text}\nseen.add(text)\n")
        assert seen == {"a\n  b\nc"}
    shell.run_cell_magic("perfcore", "-q -t 0.02", "\n    for one in 'xy':\n        seen.add(one)\n")
    assert {"x", "y"} < seen  # IPython takes away what all lines are indented by
    with pytest.raises(SyntaxError, match="no statement"):
        shell.run_cell_magic("perfcore", "-q", "# a comment\n")


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("waits", [True, False])
def test_an_interrupt_ends_what_is_awaited(shell: Any, waits: bool, elsewhere: bool) -> None:
    """Also one that does not wake the main thread, as it comes to another, or before the main thread sleeps."""
    began, ended, calls = threading.Event(), threading.Event(), 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        if calls > 1000 or waits:
            began.set()
        if waits:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.set()

    def interrupt() -> None:
        began.wait()
        to = threading.current_thread() if elsewhere else threading.main_thread()
        signal.pthread_kill(to.ident or 0, signal.SIGINT)

    shell.user_ns["work"] = work
    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        shell.run_line_magic("perfcore", "-q -t 3600 await work()")
    other.join()
    assert ended.is_set() is waits
    assert not [thread for thread in threading.enumerate() if thread.name == "perfcore"]


def test_an_interrupt_may_come_at_any_moment(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the start of what is awaited: one at each call and return of the thread that starts it and then waits."""
    monkeypatch.setattr("perfcore.notebook.LOOK_S", 10.0)  # each look would be one more

    async def work() -> None:
        await asyncio.sleep(3600)

    shell.user_ns["work"] = work
    moments, seen, inside, over, raised = 0, 0, False, False, True

    def profile(frame: Any, _event: str, _argument: object) -> None:
        nonlocal seen, inside, raised
        inside = inside or frame.f_code.co_name == "_measure_awaits"
        seen += inside
        if seen > moments and not raised and not over:
            raised = True
            signal.raise_signal(signal.SIGINT)

    def interrupt_the_wait() -> None:
        nonlocal over
        over = True  # all its moments have passed, or the interrupt was swallowed by a finalizer
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    while raised:
        seen, inside, over, raised = 0, False, False, False
        last = threading.Timer(1, interrupt_the_wait)
        last.start()
        sys.setprofile(profile)
        try:
            with pytest.raises(KeyboardInterrupt):
                shell.run_line_magic("perfcore", "-q -t 3600 await work()")
        finally:
            sys.setprofile(None)
            last.cancel()
            last.join()
        assert not [thread for thread in threading.enumerate() if thread.name == "perfcore"], moments
        moments += 1
    assert moments > 20


def test_await(shell: Any) -> None:
    found = shell.run_cell_magic("perfcore", "-q -o -t 0.05 import asyncio", "await asyncio.sleep(0)")
    assert found.kernel == "coroutine"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "nothing to measure"),
        ("-t soon 1", "could not convert"),
        ("-p 0% 1", "precision"),
        ("-r 0 1", "min_rounds"),
    ],
)
def test_mistakes_are_told(shell: Any, line: str, words: str) -> None:
    from IPython.core.error import UsageError

    with pytest.raises((UsageError, perfcore.MeasureError), match=words):
        shell.run_line_magic("perfcore", line)


def test_errors_of_the_statement_come_through(shell: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        shell.run_line_magic("perfcore", "-t 0.02 1 / 0")
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("perfcore", "-t 0.02", "import asyncio\nawait asyncio.sleep(0)\n1 / 0")
    with pytest.raises(SyntaxError):
        shell.run_line_magic("perfcore", "-t 0.02 1 +")
