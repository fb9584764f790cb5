# SPDX-License-Identifier: MIT
"""Ctrl-C, SIGTERM and SIGHUP at bad moments: what is put off comes later, and what was known then is not lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from perfcore.cli import main
from perfcore.suite import postgres
from perfcore.suite.interrupts import orderly_end, outlast, put_off

THREE = [sys.executable, "-S", "-P", "-c", "raise SystemExit(3)"]


@pytest.fixture(params=["waitpid", "waitid"])
def interrupted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Raise the interrupt, once, when the kernel has told of the end and nobody here knows of it yet."""
    name: str = request.param
    real: Callable[..., Any] = getattr(os, name)
    seen: list[str] = []

    def and_then(*args: Any) -> Any:
        found = real(*args)
        if not seen and found and found[0]:
            seen.append(name)
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(os, name, and_then)
    return seen


@pytest.mark.parametrize(("code", "end"), [(3, "exit 3"), (-signal.SIGKILL, "kill -KILL $$")])
def test_an_exit_code_outlasts_an_interrupt(interrupted: list[str], code: int, end: str) -> None:
    child = subprocess.Popen(["/bin/sh", "-c", end])
    assert outlast(child) == (code, True)
    assert child.returncode == code
    assert interrupted


def test_a_command_with_a_server_keeps_its_exit_code(interrupted: list[str]) -> None:
    assert postgres._run(THREE, "postgresql://") == 3
    assert interrupted


def test_a_command_whose_use_is_measured_keeps_its_exit_code(interrupted: list[str], tmp_path: Path) -> None:
    out = tmp_path / "use.json"
    assert main(["use", "--json", "-o", str(out), "--", *THREE]) == 130
    assert interrupted
    assert json.loads(out.read_text())["exit_code"] == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_put_off(number: signal.Signals) -> None:
    done: list[object] = []
    before = signal.getsignal(number)

    def interrupted() -> None:
        with orderly_end():
            done.append(signal.getsignal(number))
            with put_off():
                signal.raise_signal(number)
                signal.raise_signal(number)
                done.append("kept")
            done.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done[1:] == ["kept"]
    assert (done[0] is before) == (number is signal.SIGINT)
    assert signal.getsignal(number) is before


def test_put_off_within_put_off() -> None:
    done = []

    def interrupted() -> None:
        with put_off():
            with put_off():
                signal.raise_signal(signal.SIGINT)
            done.append("the outer one still holds")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == ["the outer one still holds"]


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_at_any_moment_of_put_off(number: signal.Signals) -> None:
    """One at each call and return: it is raised, and the next of each kind is."""

    def interrupted(moment: int) -> tuple[bool, bool]:
        seen, came = 0, False

        def profile(frame: FrameType, _event: str, _argument: object) -> None:
            nonlocal seen
            seen += frame.f_code is not interrupted.__code__
            if seen == moment:
                seen += 1
                signal.raise_signal(number)

        try:
            sys.setprofile(profile)
            with put_off():
                pass
        except KeyboardInterrupt:
            came = True
        finally:
            sys.setprofile(None)
        return seen > moment, came

    moment, reached = 0, True
    while reached:
        moment += 1
        with orderly_end():
            reached, came = interrupted(moment)
            assert came == reached, moment
            for following in SIGNALS:
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(following)
    assert moment > 20


@pytest.mark.usefixtures("handlers")
def test_each_signal_that_was_put_off_has_its_handler() -> None:
    came: list[int] = []
    for number in SIGNALS:
        signal.signal(number, lambda number, _frame: came.append(number))
    with put_off():
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGHUP):
            signal.raise_signal(number)
        assert not came
    assert came == [signal.SIGHUP, signal.SIGINT]


def test_a_signal_that_kills_does_so_after_an_interrupt_at_the_end_of_put_off() -> None:
    script = """
import itertools, signal, sys
from perfcore.suite.interrupts import put_off

for moment in itertools.count(1):
    seen = itertools.count(1)
    def profile(frame, event, argument):
        if frame.f_code.co_name != "<module>" and next(seen) == moment:
            signal.raise_signal(signal.SIGINT)

    sys.setprofile(profile)
    try:
        with put_off():
            pass
    except KeyboardInterrupt:
        pass
    sys.setprofile(None)
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        signal.raise_signal(signal.SIGTERM)
        sys.exit("SIGTERM had no effect")
    signal.signal(signal.SIGINT, signal.default_int_handler)
"""
    ended = subprocess.run([sys.executable, "-P", "-c", script], check=False, timeout=60)
    assert ended.returncode == -signal.SIGTERM


def test_an_error_comes_before_the_signal() -> None:
    def interrupted() -> None:
        with put_off():
            signal.raise_signal(signal.SIGINT)
            raise OSError("full")

    with pytest.raises(KeyboardInterrupt) as caught:
        interrupted()
    assert isinstance(caught.value.__context__, OSError)


def test_ignored_signals_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with orderly_end(), put_off():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_may_use_it() -> None:
    reached = []

    def use() -> None:
        with orderly_end(), put_off():
            reached.append(1)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert reached == [1]
