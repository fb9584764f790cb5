# SPDX-License-Identifier: MIT
"""ShmRing with users that are killed: nothing is lost but in the hands of the dead, doubled, stuck, or left behind.

``PERFCORE_SHM_KILLS=4000`` makes the loop as long as that.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perfcore.messaging import Empty, ShmRing

KILLS = int(os.environ.get("PERFCORE_SHM_KILLS", "80"))
PROGRAM = Path(__file__).with_name("shm_kills.py")


@pytest.mark.parametrize("whom", ["producers", "consumers", "both"])
def test_every_message_is_accounted_for(whom: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", str(PROGRAM), str(KILLS), whom, "3"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["kills"] == KILLS
    assert result["doubled_or_made_up"] == result["torn_or_out_of_order"] == result["failed"] == 0
    assert 0 < result["done"] <= result["put"] <= result["begun"]
    assert result["put"] == result["got"]
    assert 0 <= result["got"] - result["noted"] <= result["may_be_lost"]
    assert result["users_left"] == 1


def run_child(code: str, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
    )


OPEN = """
import sys
from perfcore.messaging import ShmRing
ring = ShmRing(sys.argv[1])
ring.put("from a child")
print("there", flush=True)
if sys.argv[2] == "wait":
    sys.stdin.read()
"""


def is_there(name: str) -> bool:
    return Path(f"/dev/shm/perfcore-ring-{name}").exists()


def test_a_killed_user_is_gone_and_what_it_put_is_not() -> None:
    name = f"test.killed-{os.getpid()}"
    with ShmRing[str](name) as ring:
        child = run_child(OPEN, name, "wait")
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        assert ring.users() == sorted([os.getpid(), child.pid])
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert ring.users() == [os.getpid()]
        assert ring.get(timeout=10) == "from a child"
        with pytest.raises(Empty):
            ring.get_nowait()
    assert not is_there(name)


def test_what_killed_users_left_is_removed_by_the_next() -> None:
    name, other = (f"test.left-{os.getpid()}-{what}" for what in ("one", "other"))

    def leave() -> None:
        child = run_child(OPEN, name, "wait")
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        child.kill()
        child.communicate()

    leave()
    with ShmRing[str](name) as ring:
        assert ring.empty()  # not the one of the dead
    leave()
    with ShmRing[str](other):
        assert not is_there(name)
    assert not is_there(other)


def test_a_process_that_ends_takes_the_name_along() -> None:
    name = f"test.ended-{os.getpid()}"
    child = run_child(OPEN, name, "go")
    assert child.communicate()[0] == "there\n"
    assert child.returncode == 0
    assert not is_there(name)


BLOCKED = """
import sys, threading, time
from perfcore.messaging import ShmRing
ring = ShmRing(sys.argv[1])
full = ShmRing(size=4096)
full.put(bytes(4000))
inside = []
for work in (ring.get, lambda: full.put(bytes(4000))):
    threading.Thread(target=lambda work=work: (inside.append(1), work()), daemon=True).start()
while len(inside) < 2:
    time.sleep(0.001)
time.sleep(0.05)
print("ends", flush=True)
"""


def test_a_process_ends_with_threads_that_wait() -> None:
    name = f"test.blocked-{os.getpid()}"
    # CPython frees nothing of a daemon thread: not our leak under ASan.
    child = run_child(BLOCKED, name, environment={"ASAN_OPTIONS": "detect_leaks=0"})
    assert child.communicate(timeout=60)[0] == "ends\n"
    assert child.returncode == 0
    assert not is_there(name)


INTERRUPTED = """
import sys
from perfcore.messaging import ShmRing
ring = ShmRing(size=4096)
if sys.argv[1] == "put":
    ring.put(bytes(4000))
try:
    print("waits", flush=True)
    ring.put(bytes(4000)) if sys.argv[1] == "put" else ring.get()
except KeyboardInterrupt:
    assert ring.qsize() == (sys.argv[1] == "put")
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("what", ["get", "put"])
def test_ctrl_c_while_waiting(what: str) -> None:
    child = run_child(INTERRUPTED, what)
    assert child.stdout is not None
    assert child.stdout.readline() == "waits\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=60)[0] == "interrupted\n"
    assert child.returncode == 0
