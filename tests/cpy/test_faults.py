# SPDX-License-Identifier: MIT
"""Every public entry of _core and _memtrace against every fault: nothing leaks, crashes, hangs or is lost.

The uses are in entries/, the faults that want a process of their own in faults.py. An entry that is new and in no use
fails the first test here; one that is in a use meets every fault.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import entries
import faults

Flat = Callable[..., None]
Failing = Callable[[Callable[[], object]], int]

# Where perf_event_open is refused, as in most containers, there is no counter to call.
COUNTER = {name for name in entries.entries() if name.startswith("EventCounter")}


def test_every_entry_is_in_a_use() -> None:
    uses = [make() for make in entries.CASES.values()]
    with entries.called() as found:
        for use in uses:
            use()
    missing = entries.entries() - found
    if "EventCounter" not in found:
        missing -= COUNTER
    assert not missing, f"in no case of entries/: {sorted(missing)}"


def test_the_table_sees_what_is_missing() -> None:
    use = entries.CASES["samples"]()
    with entries.called() as found:
        use()
    assert {"Samples", "Samples.append"} <= found & entries.entries()
    assert "Ring.put" in entries.entries() - found


@pytest.mark.parametrize("name", entries.CASES)
def test_nothing_is_left(name: str, assert_flat: Flat) -> None:
    use = entries.CASES[name]()
    for _ in range(500 if name == "awaiting" else 1):
        use()
    # Slow ones, which wait for a clock or the kernel, less often; asyncio's caches take hundreds to be full.
    assert_flat(use, {"clocks": 20, "process": 20, "metrics_sampler": 20, "awaiting": 200}.get(name, 40))


# In asyncio a failing allocation loses tasks and callbacks; test_messaging.py has the rings' side of it.
@pytest.mark.parametrize("name", sorted(entries.CASES.keys() - {"awaiting"}))
def test_each_failing_allocation(name: str, each_allocation_fails: Failing) -> None:
    refused = each_allocation_fails(entries.CASES[name]())
    assert refused > 0 or name in {"clocks", "event_counter"}


def make_nomalloc(folder: Path) -> Path:
    library = folder / "nomalloc.so"
    source = Path(__file__).with_name("nomalloc.c")
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}  # the compiler leaks
    command = ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", library, source]
    subprocess.run(command, env=environment, check=True)
    return library


@pytest.mark.parametrize("fault", faults.FAULTS)
def test_fault(fault: str, tmp_path: Path) -> None:
    variables = {"ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"}  # CPython's own leaks at exit
    if fault == "memory":
        variables["LD_PRELOAD"] = f"{make_nomalloc(tmp_path)} {os.environ.get('LD_PRELOAD', '')}"
    done = subprocess.run(
        # An interpreter that ends in the middle leaves event loops open, of which development mode tells.
        [sys.executable, "-P", "-W", "ignore::ResourceWarning", faults.__file__, fault],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=450,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", ""), done.stdout + done.stderr
