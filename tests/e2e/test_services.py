# SPDX-License-Identifier: MIT
"""The suites with servers: what happens when one is missing, taken, too small, killed, or when the run is ended."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from suite_runs import CHECKOUT, QUICK, SECONDS, Suite, gone, sockets, wait_for, websocket_servers

from perfcore.errors import ServiceError
from perfcore.suite.database import PostgreSQL
from perfcore.suite.postgres import URL_VARIABLE, Cluster
from perfcore.suite.websocket import WebSocketServer, descriptors


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


def test_the_websocket_server_dies_in_the_middle() -> None:
    """Its benchmark fails with one line; the next one has a new server."""
    pytest.importorskip("websockets")
    suite = Suite("websocket_connections", "-k", "concurrent_echo", "--benchmark-max-time=1")
    wait_for(lambda: websocket_servers(suite.process.pid), "server")
    pid = websocket_servers(suite.process.pid)[0]
    wait_for(lambda: sockets(pid) >= 50, "benchmark with 100 connections")
    os.kill(pid, signal.SIGKILL)
    assert suite.end() == 1, suite.out
    assert "the WebSocket server was killed by SIGKILL" in suite.out
    assert "During handling" not in suite.out
    assert suite.outcomes() == {
        f"test_concurrent_echo[connections-{count}]": outcome
        for count, outcome in ((10, "PASSED"), (100, "FAILED"), (300, "PASSED"))
    }


def test_the_websocket_server_is_stuck_in_the_middle() -> None:
    """Its benchmark fails with one line when the time for a call is over; the next one has a new server."""
    pytest.importorskip("websockets")
    suite = Suite("websocket_connections", "-k", "concurrent_echo", "--benchmark-max-time=1", "--call-timeout=2")
    wait_for(lambda: websocket_servers(suite.process.pid), "server")
    pid = websocket_servers(suite.process.pid)[0]
    wait_for(lambda: sockets(pid) >= 50, "benchmark with 100 connections")
    os.kill(pid, signal.SIGSTOP)
    assert suite.end() == 1, suite.out
    assert "the WebSocket server is stuck, and ended for that: a call has not come back in 2 s" in suite.out
    assert gone(pid)
    assert suite.outcomes() == {
        f"test_concurrent_echo[connections-{count}]": outcome
        for count, outcome in ((10, "PASSED"), (100, "FAILED"), (300, "PASSED"))
    }


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
    # In the midst of a benchmark: between two, the interrupt may fall on an instruction of pytest's that has no line,
    # and pytest ends by an error of its own then (on CPython 3.11).
    wait_for(lambda: sockets(servers[-1]) >= 50, "benchmark with 100 connections")
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
