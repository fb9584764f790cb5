# SPDX-License-Identifier: MIT
"""A PostgreSQL server of our own: it takes clients, and however it or its program ends, no server is left."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from suite_runs import SECONDS, command_line, descendants, gone, wait_for

import perfcore.suite.postgres as postgres
from perfcore.errors import ServiceError
from perfcore.suite.postgres import Cluster


def test_a_cluster_takes_clients_and_leaves_nothing(cluster: Cluster) -> None:
    psycopg = pytest.importorskip("psycopg")
    assert cluster.url.startswith("postgresql://perf:")
    with psycopg.connect(cluster.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):  # the password is needed
        psycopg.connect(re.sub(":[^@/]+@", ":wrong@", cluster.url))


def test_a_port_that_is_taken(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one is tried; and when the block ends in a Ctrl-C, nothing is left."""
    psycopg = pytest.importorskip("psycopg")
    free = postgres._free_port
    made = Path(tempfile.mkdtemp(dir="/tmp"))
    made.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ports = [taken]
        monkeypatch.setattr(postgres, "_free_port", lambda: ports.pop() if ports else free())

        def interrupted() -> None:
            with Cluster(listen=True, durable=False, folder=made) as second:
                pids.append(second.pid)
                assert f":{taken}/" not in second.url
                with psycopg.connect(second.url) as connection:
                    assert connection.execute("SHOW fsync").fetchone() == ("off",)
                raise KeyboardInterrupt

        pids: list[int] = []
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    assert ports == []
    assert gone(pids[0])
    made.rmdir()


def test_a_cluster_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(postgres, "find_server", lambda: None)
        with pytest.raises(ServiceError, match=r"no PostgreSQL server on this machine; install it"):
            Cluster().__enter__()
    programs = Path(tempfile.mkdtemp(dir="/tmp"))
    programs.chmod(0o755)
    made = programs / "made"
    made.mkdir()
    try:
        (programs / "initdb").write_text("#!/bin/sh\necho 'initdb: error: the disk is full' >&2\nexit 1\n")
        (programs / "initdb").chmod(0o755)
        monkeypatch.setattr(postgres, "find_server", lambda: programs)
        with pytest.raises(ServiceError, match=r"cannot make its files in \S+: initdb: error: the disk"):
            Cluster(folder=made).__enter__()
        (programs / "initdb").write_text("#!/bin/sh\n")
        (programs / "postgres").write_text("#!/bin/sh\necho 'FATAL:  no shared memory'\necho 'HINT: none'\nexit 1\n")
        (programs / "postgres").chmod(0o755)
        with pytest.raises(ServiceError, match="PostgreSQL does not start: FATAL:  no shared memory"):
            Cluster(folder=made).__enter__()
        (programs / "initdb").chmod(0o644)
        with pytest.raises(ServiceError, match=r"cannot make its files in \S+: \[Errno 13\]"):
            Cluster(folder=made).__enter__()
        assert not list(made.iterdir())
    finally:
        shutil.rmtree(programs)


WRAPPED = [sys.executable, "-P", "-m", "perfcore.suite.postgres"]
ASK = """import os, psycopg, sys
sys.exit(psycopg.connect(os.environ["PERFCORE_DATABASE_URL"]).execute("SELECT 7").fetchone()[0])"""


def test_the_wrapper(cluster: Cluster) -> None:
    pytest.importorskip("psycopg")
    assert subprocess.run([*WRAPPED, sys.executable, "-P", "-c", ASK], check=False).returncode == 7
    done = subprocess.run([*WRAPPED, "no-such-program"], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (127, "perfcore: error: there is no program no-such-program\n")
    done = subprocess.run(WRAPPED, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


def test_the_wrapper_without_a_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(postgres, "find_server", lambda: None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        assert postgres._main(["true"]) == 69
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert capsys.readouterr().err.startswith("perfcore: error: there is no PostgreSQL server on this machine")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["Ctrl-C", "TERM", "KILL"],
)
def test_the_wrapper_is_ended(cluster: Cluster, number: signal.Signals, code: int) -> None:
    """However the run ends, no server is left; only a SIGKILL leaves the folder."""
    if number == signal.SIGKILL and not Path("/usr/bin/setpriv").exists():
        pytest.skip("there is no setpriv")
    sleeper = f"import time; print('up', flush=True); time.sleep({2 * SECONDS})"
    with subprocess.Popen(
        [*WRAPPED, sys.executable, "-P", "-c", sleeper], stdout=subprocess.PIPE, text=True, start_new_session=True,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        servers = [pid for pid in descendants(process.pid) if "perfcore-pg-" in command_line(pid)]
        assert servers
        folder = Path(re.search(r"-D (\S+)/data", command_line(servers[0])).group(1))  # type: ignore[union-attr]
        if number == signal.SIGINT:  # the terminal sends it to all of the foreground
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)
        assert process.wait(SECONDS) == code
    wait_for(lambda: all(map(gone, servers)), "end of the server")
    assert folder.exists() == (number == signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
