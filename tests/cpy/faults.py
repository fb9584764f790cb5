# SPDX-License-Identifier: MIT
"""Meet every use of the C code (entries) with one fault, in a process of its own.

    python -P faults.py fork|signals|exit|interpreters|memory

The last wants nomalloc.c in front of malloc (LD_PRELOAD).

Prints what went wrong, one line for each case, and ends with 1 then; prints "ok" otherwise. test_faults.py runs it.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = str(Path(__file__).resolve().parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

import entries  # noqa: E402
from entries import CASES, LONG  # noqa: E402

from perfcore import _core  # noqa: E402
from perfcore.messaging import Ring, ShmRing  # noqa: E402

# ASan's allocator (GCC 12) does not know of forks: where another thread is in the middle of malloc(), the child waits
# for its lock without end. Whether children hang is for the builds without it to say.
SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")


def child_of(use: Callable[[], object], make: Callable[[], Callable[[], object]], name: str) -> None:
    """Be the forked child: go on with what the parent had, begin anew, drop everything. Never returns."""
    status = 1
    try:
        use()
        make()()
        del use
        gc.collect()
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the parent hears of it
        print(f"in the child, {name}:\n{traceback.format_exc()}", file=sys.stderr)
    finally:
        os._exit(status)


def end_of(pid: int) -> int:
    """Wait for a child; return its exit code. One that hangs is killed from here: it may not even get out of fork()."""
    ends = time.monotonic() + (LONG / 4 if SANITIZED else LONG)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > ends:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)


def fork() -> list[str]:
    """Fork while another thread is in the middle of a use; the child goes on with objects that were at rest."""
    warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of a fork beside threads, which is the point
    wrong = []
    for name, make in CASES.items():
        at_rest, busy, stop = make(), make(), threading.Event()
        at_rest()

        def keep_busy(use: Callable[[], object] = busy, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                use()

        thread = threading.Thread(target=keep_busy)
        thread.start()
        try:
            for _ in range(2):
                pid = os.fork()
                if pid == 0:
                    child_of(at_rest, make, name)
                code = end_of(pid)
                if code and not (SANITIZED and code == -signal.SIGKILL):
                    wrong.append(f"{name}: the child ended with {code}")
        finally:
            stop.set()
            thread.join(LONG)
        if thread.is_alive():
            wrong.append(f"{name}: the parent's thread hangs")
        at_rest()
    return wrong


class Storm(Exception):
    """What the signal handler raises."""


def signals() -> list[str]:
    """Run every use under a storm of signals whose handler sometimes raises, collects and uses other entries."""
    wrong: list[str] = []
    arrived = raised = 0

    def handle(_signal: int, _frame: Any) -> None:
        nonlocal arrived, raised
        arrived += 1
        if arrived % 16 == 0:
            gc.collect()
        if armed and arrived % 4 == 0:
            raised += 1
            raise Storm

    def unraisable(what: Any) -> None:
        if not isinstance(what.exc_value, Storm):
            wrong.append(f"unraisable: {what.exc_value!r} in {what.object!r}")

    sys.unraisablehook = unraisable
    warnings.simplefilter("ignore", RuntimeWarning)  # coroutines that an exception ended before they began
    armed = False
    signal.signal(signal.SIGALRM, handle)
    for name, make in CASES.items():
        if name == "awaiting":  # an exception in the middle of asyncio breaks its loops, which is no fault of ours
            continue
        use = make()
        if hasattr(sys, "gettotalrefcount"):
            use()  # imports: CPython's os.stat() goes on with what a handler has raised, which a debug build ends at
        ends = time.monotonic() + 0.12
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
        while time.monotonic() < ends:
            with contextlib.suppress(Storm):
                armed = True
                try:
                    use()
                except Storm:
                    pass
                except Exception as error:  # noqa: BLE001 - the same
                    armed = False
                    wrong.append(f"{name}: {error!r}")
                    break
                armed = False
            armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        make()()
    if arrived < 200 or raised < 20:
        wrong.append(f"too calm to tell: {arrived} signals, {raised} exceptions")
    return wrong


def leave() -> list[str]:
    """End the interpreter while daemon threads are inside every use, and others wait for what never comes."""
    began = []

    def endless(use: Callable[[], object], started: threading.Event) -> None:
        use()
        started.set()
        with contextlib.suppress(Exception):  # what a module that is taken apart raises
            while True:
                use()

    for make in CASES.values():
        started = threading.Event()
        began.append(started)
        threading.Thread(target=endless, args=(make(), started), daemon=True).start()
    full, empty, unfinished = Ring[int](1), Ring[int](), Ring[int]()
    full.put(1)
    unfinished.put(1)
    shared = ShmRing[int](size=4096)
    for wait in (lambda: full.put(2), empty.get, empty.get_many, unfinished.join, shared.get):
        threading.Thread(target=wait, daemon=True).start()
    sampler = _core.MetricsSampler(interval=0.001)
    sampler.start()
    if entries._memtrace is not None:
        entries._memtrace.Tracker(sites=True).start()
    # In cycles, so that the last collection ends them in an order of its own.
    kept: list[Any] = [full, empty, unfinished, shared, sampler]
    kept.append(kept)
    for started in began:
        if not started.wait(LONG):
            return ["a use hangs"]
    return []


def interpreters() -> list[str]:
    """Run every use in interpreters of their own, beside each other and this one."""
    import _xxsubinterpreters as subs

    code = f"""
import sys
sys.path[:] = {sys.path!r}
import entries
uses = [make() for make in entries.CASES.values()]
for use in uses:
    use(); use()
""".strip()
    wrong = []
    here = [make() for make in CASES.values()]
    for use in here:
        # Before the others: CPython 3.12 crashes where this interpreter imports _datetime after another was refused it.
        use()
    for _ in range(2):
        interpreter = subs.create(isolated=True)
        try:
            subs.run_string(interpreter, code)
        except subs.RunFailedError as error:
            wrong.append(str(error))
        for use in here:
            use()
        subs.destroy(interpreter)
    for use in here:
        use()
    return wrong


def thread_is_passed_over(allocator: ctypes.CDLL) -> bool:
    """Whether a tracker tells of what a thread allocated that it had no memory to count; the thread must not notice."""
    tracker, go = entries._memtrace.Tracker(), threading.Lock()

    def allocate() -> None:
        with go:
            bytearray(1000)

    with go:
        thread = threading.Thread(target=allocate)
        thread.start()
        tracker.start()
        allocator.nomalloc_arm(1)
    thread.join()
    came = allocator.nomalloc_failed()
    allocator.nomalloc_arm(0)
    tracker.stop()
    return bool(came and tracker.untracked)


def memory() -> list[str]:
    """Run every use with the first allocation of perfcore's own C failing, then the second, … until none is left."""
    allocator = ctypes.CDLL(None)
    allocator.nomalloc_arm.argtypes = (ctypes.c_long,)
    allocator.nomalloc_live.restype = ctypes.c_long
    watched = [allocator.nomalloc_watch(part) for part in (b"/perfcore/_core", b"/perfcore/_memtrace", b"/libcjson")]
    if not 0 < watched[0] < watched[1] < watched[2]:
        return [f"not all is loaded: {watched}"]
    wrong = []
    failed = 0
    for name, make in CASES.items():
        use = make()
        for _ in range(3):  # what is kept for good is there then
            use()
        nth = unnoticed = 0
        while unnoticed < 3:  # another thread's may have come before
            nth += 1
            gc.collect()
            before = allocator.nomalloc_live()
            allocator.nomalloc_arm(nth)
            try:
                use()
            except MemoryError:
                pass
            except Exception as error:  # noqa: BLE001 - the same
                wrong.append(f"{name}, allocation {nth}: {error!r}")
            came = allocator.nomalloc_failed()
            allocator.nomalloc_arm(0)
            failed += came
            unnoticed = 0 if came else unnoticed + 1
            gc.collect()
            left = allocator.nomalloc_live() - before
            # Through the tracker's hooks comes what CPython itself allocates, too.
            if came and left > 0 and name != "tracker":
                wrong.append(f"{name}, allocation {nth}: {left} blocks are left")
        use()
    if failed < 200:
        wrong.append(f"too few to tell: {failed} allocations")
    # Where CPython allocates by malloc, all of that comes through the hooks, and something of it would fail instead.
    by_malloc = os.environ.get("PYTHONMALLOC", "").startswith("malloc")
    if entries._memtrace is not None and not by_malloc and not thread_is_passed_over(allocator):
        wrong.append("a thread for which there was no memory is not told of")
    return wrong


FAULTS = {"fork": fork, "signals": signals, "exit": leave, "interpreters": interpreters, "memory": memory}

if __name__ == "__main__":
    faulthandler.enable()
    faulthandler.dump_traceback_later(400, exit=True)  # one that hangs; some take a minute under ASan on a busy machine
    found = FAULTS[sys.argv[1]]()
    print("\n".join(found) or "ok", flush=True)
    if found:
        sys.exit(1)
    faulthandler.cancel_dump_traceback_later()
