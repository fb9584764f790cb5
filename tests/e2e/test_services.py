# SPDX-License-Identifier: MIT
"""The suites with servers: what happens when one is missing, taken, too small, killed, or when the run is ended."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import perfcore.suite.postgres as postgres
from perfcore.errors import ServiceError
from perfcore.suite.database import PostgreSQL
from perfcore.suite.postgres import URL_VARIABLE, Cluster
from perfcore.suite.websocket import WebSocketServer, descriptors

CHECKOUT = Path(__file__).parents[2]
SECONDS = 120.0
QUICK = ["--benchmark-max-time=0.05", "--benchmark-min-rounds=1", "-p", "no:cacheprovider", "-v", "-rs"]


def wait_for(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"no {what} in {SECONDS} s"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether a process has ended (one that nobody has waited for yet counts)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def descendants(pid: int) -> list[int]:
    try:
        children = [
            int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()
        ]
    except FileNotFoundError:
        return []
    return children + [deeper for child in children for deeper in descendants(child)]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except FileNotFoundError:
        return ""


class Suite:
    """A benchmark file that runs in a pytest of its own, in a session of its own, and is read line by line."""

    def __init__(self, name: str, *options: str, url: str = "", before: list[str] | None = None) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
        kept.pop(URL_VARIABLE, None)
        more = {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"} | ({URL_VARIABLE: url} if url else {})
        command = [
            *(before or []),
            sys.executable,
            "-P",
            "-m",
            "pytest",
            f"benchmarks/test_{name}.py",
            *QUICK,
            *options,
        ]
        self.process = subprocess.Popen(
            command, cwd=CHECKOUT, env=kept | more, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.lines = self.process.stdout
        self.out = ""

    def until(self, pattern: str) -> None:
        """Read until a line has a pattern."""
        for line in self.lines:
            self.out += line
            if re.search(pattern, line):
                return
        raise AssertionError(f"no {pattern} in:\n{self.out}")

    def end(self) -> int:
        watchdog = threading.Timer(SECONDS, self.process.kill)
        watchdog.start()
        with self.process:
            self.out += "".join(self.lines)
        watchdog.cancel()
        return self.process.returncode

    def outcomes(self) -> dict[str, str]:
        return dict(re.findall(r"::(\S+) (PASSED|FAILED|SKIPPED|ERROR)", self.out))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    try:
        with Cluster(listen=True, durable=False, max_connections=20) as running:
            yield running
    except ServiceError as error:
        pytest.skip(str(error))


# --- PostgreSQL of our own ---


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


# --- the suites ---


def test_every_benchmark_works(cluster: Cluster) -> None:
    """Each is called, and checks its own work; nothing is left in the database, whose 20 connections are too few."""
    psycopg = pytest.importorskip("psycopg")
    files = ["benchmarks/test_websocket_connections.py", "benchmarks/test_concurrent_load.py"]
    suite = Suite("database_queries", *files, "--benchmark-disable", url=cluster.url)
    assert suite.end() == 0, suite.out
    outcomes = suite.outcomes()
    assert outcomes.pop("test_pool[postgresql-connections-50]") == "SKIPPED"
    assert re.search(r"the server accepts \d+ more connections and 50 are needed; raise its max_connections", suite.out)
    assert set(outcomes.values()) == {"PASSED"}, suite.out
    assert {"test_pool[sqlite-connections-50]", "test_saturation", "test_set_up"} <= set(outcomes)
    with psycopg.connect(cluster.url) as connection:
        left = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'perfcore%'").fetchall()
    assert left == []


def test_results_and_summary(tmp_path: Path) -> None:
    """A file run by itself prints percentiles, and its results have the throughput."""
    out = tmp_path / "results.json"
    options = [*QUICK, "-k", "single_query or (sqlite and pool)", f"--benchmark-json={out}"]
    done = subprocess.run(
        [sys.executable, "benchmarks/test_database_queries.py", *options],
        cwd=CHECKOUT, capture_output=True, text=True, check=False,
        env={key: value for key, value in os.environ.items() if key != URL_VARIABLE},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"no PostgreSQL: set {URL_VARIABLE}=postgresql://" in done.stdout
    assert re.search(r"latency of single calls +calls +p50 +p95 +p99 +max\n", done.stdout)
    assert re.search(r"test_single_query\[sqlite\] +1000 +\S+ .s ", done.stdout)
    found = {one["name"]: one["extra_info"] for one in json.loads(out.read_text())["benchmarks"]}
    assert found["test_single_query[sqlite]"]["perfcore"] == {"items_per_call": 1}
    assert found["test_pool[sqlite-connections-10]"]["perfcore"] == {"items_per_call": 200}
    assert found["test_pool[sqlite-connections-10]"]["latency_ns"]["p99"] > 0
    assert found["test_single_query[sqlite]"]["database"]["synchronous"] == "full"


def test_a_wrong_url() -> None:
    pytest.importorskip("psycopg_pool")
    url = "postgresql://perf:secret@127.0.0.1:1/x"
    suite = Suite("database_queries", "-k", "single_query and postgresql", url=url)
    assert suite.end() == 1
    assert "PostgreSQL at 127.0.0.1:1/x cannot be used: " in suite.out
    assert "secret" not in suite.out
    assert "Traceback" not in suite.out
    with pytest.raises(ServiceError, match="the URL of the database cannot be read; write postgresql://") as caught:
        PostgreSQL("postgresql://perf:secret%zz@127.0.0.1/x")
    assert "secret" not in str(caught.value)


def test_postgresql_dies_in_the_middle() -> None:
    pytest.importorskip("psycopg_pool")
    try:
        with Cluster(listen=True, durable=False) as dying:
            suite = Suite(
                "database_queries", "-k", "postgresql and not pool", "--benchmark-max-time=0.3", url=dying.url
            )
            suite.until(r"test_single_query\[postgresql\] PASSED")
            os.kill(dying.pid, signal.SIGQUIT)
            assert suite.end() == 1
    except ServiceError as error:
        pytest.skip(str(error))
    outcomes = suite.outcomes()
    assert outcomes.pop("test_single_query[postgresql]") == "PASSED"
    assert set(outcomes.values()) <= {"FAILED", "ERROR", "PASSED"}
    assert "ERROR" in outcomes.values()
    assert re.search(r"PostgreSQL at 127.0.0.1:\d+/postgres cannot be used: ", suite.out)


def websocket_servers(pid: int) -> list[int]:
    return [one for one in descendants(pid) if "perfcore.suite.websocket" in command_line(one)]


def test_the_websocket_server_dies_in_the_middle() -> None:
    """Its benchmark fails with one line; the next one has a new server."""
    pytest.importorskip("websockets")
    suite = Suite("websocket_connections", "-k", "test_set_up or test_echo", "--benchmark-max-time=1")
    suite.until("collected")
    wait_for(lambda: websocket_servers(suite.process.pid), "server")
    pid = websocket_servers(suite.process.pid)[0]
    suite.until(r"test_set_up PASSED")
    os.kill(pid, signal.SIGKILL)
    assert suite.end() == 1, suite.out
    assert "the WebSocket server was killed by SIGKILL" in suite.out
    assert list(suite.outcomes().values()).count("FAILED") == 1, suite.out
    assert list(suite.outcomes().values()).count("PASSED") == 3


def test_the_websocket_suite_is_interrupted(tmp_path: Path) -> None:
    """The server ends, and what was measured is in the results."""
    pytest.importorskip("websockets")
    out = tmp_path / "results.json"
    suite = Suite(
        "websocket_connections",
        f"--benchmark-json={out}",
        "-k",
        "set_up or concurrent_echo",
        "--benchmark-max-time=1.5",
    )
    suite.until(r"test_set_up PASSED")
    servers = websocket_servers(suite.process.pid)
    assert servers
    os.killpg(suite.process.pid, signal.SIGINT)
    assert suite.end() == 2, suite.out
    wait_for(lambda: all(map(gone, servers)), "end of the server")
    assert "test_set_up" in {one["name"] for one in json.loads(out.read_text())["benchmarks"]}


def test_no_websocket_server_outlives_its_parent() -> None:
    pytest.importorskip("websockets")
    hold = f"""
from perfcore.suite.websocket import WebSocketServer
import time
with WebSocketServer() as server:
    print(server.pid, flush=True)
    time.sleep({2 * SECONDS})
"""
    with subprocess.Popen([sys.executable, "-P", "-c", hold], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
    wait_for(lambda: gone(pid), "end of the server")


def test_a_load_is_interrupted() -> None:
    suite = Suite("concurrent_load", "-k", "load_on_threads and constant", "--benchmark-max-time=40")
    suite.until("collected")
    # Four workers wait for the moments at which calls are due.
    tasks = Path(f"/proc/{suite.process.pid}/task")
    wait_for(lambda: len(list(tasks.iterdir())) >= 5, "worker")
    os.killpg(suite.process.pid, signal.SIGINT)
    assert suite.end() == 2, suite.out
    assert "KeyboardInterrupt" in suite.out


def test_too_few_file_descriptors() -> None:
    pytest.importorskip("websockets")
    limit = ["sh", "-c", 'ulimit -n 128; exec "$@"', "sh"]
    suite = Suite("websocket_connections", "-k", "concurrent_echo", before=limit)
    assert suite.end() == 0, suite.out
    assert suite.outcomes() == {
        f"test_concurrent_echo[connections-{count}]": outcome
        for count, outcome in ((10, "PASSED"), (100, "PASSED"), (300, "SKIPPED"))
    }
    assert re.search(r"300 connections need \d+ open files and this process may have 128; raise it with", suite.out)


def test_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(200, hard), hard))
        with descriptors(min(500, hard - 200)):
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 200
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(200, hard), hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_port_of_the_websocket_server_is_taken() -> None:
    pytest.importorskip("websockets")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"ended with exit code 1: 127.0.0.1:{port}: "), WebSocketServer(port):
            pass


def test_the_websocket_server_goes_with_its_block() -> None:
    pytest.importorskip("websockets")
    with WebSocketServer() as server:
        pid = server.pid
        assert server.alive
        assert server.url("/echo") == f"ws://127.0.0.1:{server.port}/echo"
    assert gone(pid)
    with pytest.raises(ServiceError, match="only within its with block"):
        server.trouble()
