# SPDX-License-Identifier: MIT
"""Agents that call a model: a real client, a real server in its own process, calls that are cut and that fail."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

import perfcore
from perfcore.errors import SuiteError
from perfcore.suite.agent import dismiss, spawn
from perfcore.suite.cancel import Cancellation, StepTimeoutError, enter
from perfcore.suite.chat import ChatAgent, ChatClient, ChatServer, chat_agents
from perfcore.suite.drive import drive

LONG = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with ChatServer((0.0, 0.001), seed=5) as running:
        yield running


@pytest.fixture
def client(server: ChatServer) -> Iterator[ChatClient]:
    made = ChatClient(server.url)
    yield made
    made.close()


def test_the_same_question_has_the_same_answer(client: ChatClient) -> None:
    first = client.complete("What now, grüße?", user="a", seed=1)
    assert first == client.complete("What now, grüße?", user="a", seed=1)
    assert first.text
    assert first.tokens == len(first.text.split()) + 3
    assert first != client.complete("What now, grüße?", user="b", seed=1)


def test_the_server_says_what_is_wrong(server: ChatServer, client: ChatClient) -> None:
    with pytest.raises(SuiteError, match="400: not a chat completion"):
        client.complete("x", metadata={"delay": "soon"})
    elsewhere = ChatClient(server.url + "/nowhere")
    with pytest.raises(SuiteError, match="404: there is no POST"):
        elsewhere.complete("x")
    elsewhere.close()
    for request, answer in (
        (b"GARBAGE\r\n\r\n", b"400 Bad Request"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"400 Bad Request"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400 Bad Request"),
        (b"GET /stats", b"400 Bad Request"),
        (b"X: " + b"y" * 100_000 + b"\r\n\r\n", b"400 Bad Request"),
    ):
        port = int(server.url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=LONG) as raw:
            raw.sendall(request)
            raw.shutdown(socket.SHUT_WR)
            assert answer in raw.recv(1000)
    assert client.complete("still there?").text


def test_a_cancelled_call_ends_and_the_server_sees_it(server: ChatServer, client: ChatClient) -> None:
    before = server.stats()["dropped"]
    cancellation = Cancellation()
    ended: list[BaseException] = []

    def call() -> None:
        enter(cancellation)
        try:
            client.complete("slow", metadata={"delay": str(LONG)})
        except StepTimeoutError as error:
            ended.append(error)

    asked = server.stats()["requests"]
    thread = threading.Thread(target=call)
    thread.start()
    while server.stats()["requests"] == asked:
        pass
    cancellation.cancel()
    thread.join(LONG / 2)
    assert len(ended) == 1
    end = monotonic() + LONG / 2
    while server.stats()["dropped"] != before + 1:
        assert monotonic() < end
    assert client.complete("and now over another connection").text


def test_agents_remember_and_fold(server: ChatServer) -> None:
    agents = spawn(chat_agents(server.url), 3)
    agents[0].receive({"sender": "x", "text": "hello"})
    run = drive(agents, 15, workers=3)
    assert run.completed == 45
    agent = agents[0]
    assert isinstance(agent, ChatAgent)
    words = sum(len(memory.split()) for memory in agent.memories)
    size = agent.memory()
    assert agent.consolidate(10) == 5
    assert sum(agent.summary.values()) + sum(len(memory.split()) for memory in agent.memories) == words
    assert agent.memory() < size
    assert agent.send()["text"] == agent.memories[-1]
    dismiss(agents)


def test_a_server_that_dies_is_a_failure_with_a_message() -> None:
    with ChatServer((0.0, 0.0)) as server:
        agents = spawn(chat_agents(server.url), 2)
        assert drive(agents, 1, workers=2).completed == 2
        process = server._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        process.wait(LONG)
        run = drive(agents, 2, workers=2)
        assert run.counts["failed"] == 4
        assert all("cannot be used" in one.error for one in run.attempts)
        with pytest.raises(SuiteError, match="does not answer"):
            server.stats()
        dismiss(agents)
    assert process.poll() == -signal.SIGKILL


OWNER = """
import sys
from perfcore.suite.chat import ChatServer
server = ChatServer().start()
print(server._process.pid, flush=True)
sys.stdin.read()
"""


def running(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())  # a zombie has none
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_ctrl_c_is_not_for_the_server(server: ChatServer) -> None:
    """A terminal sends it to all processes of its session's foreground; steps that are being ended still ask."""
    assert server._process is not None
    assert os.getsid(server._process.pid) == os.getpgid(server._process.pid) == server._process.pid


def test_the_server_ends_with_its_owner() -> None:
    command = [sys.executable, "-P", "-c", OWNER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert running(pid)
        owner.kill()
    end = monotonic() + LONG
    while running(pid):
        assert monotonic() < end


def test_what_cannot_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERFCORE_LLM_URL", raising=False)
    with pytest.raises(SuiteError, match="PERFCORE_LLM_URL"):
        chat_agents()
    for url in ("ftp://x/v1", "nonsense", "http:///v1"):
        with pytest.raises(SuiteError, match="no URL"):
            ChatClient(url)
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        client = ChatClient(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        with pytest.raises(SuiteError, match=r"cannot be used: ConnectionRefusedError"):
            client.complete("x")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "perfcore.suite.chat_server", "--delay", "2", "1"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    with pytest.raises(SuiteError, match="did not start"):
        ChatServer((2.0, 1.0)).start()


def test_the_url_of_the_environment_is_called(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFCORE_LLM_URL", server.url)
    monkeypatch.setenv("PERFCORE_LLM_API_KEY", "secret")
    before = server.stats()["answered"]
    with perfcore.PerformanceBenchmark() as benchmark:
        benchmark.run_benchmark("real", 2, 3, parallelize=True)
        assert benchmark._server is None
    assert server.stats()["answered"] == before + 6


def test_the_benchmarks_on_their_own_server() -> None:
    with perfcore.PerformanceBenchmark(delay=(0.0, 0.002)) as performance:
        performance.benchmark_sequential_vs_parallel([3], steps=3, action_delay=0.005)
        performance.benchmark_llm_call_patterns(3, 2)
        performance.benchmark_memory_usage(2, steps=20)
        performance.benchmark_scalability([1, 3], steps=2, action_delay=0.001)
    assert all(one.parallel_metrics["lost"] == 0 for one in performance.results)
    with perfcore.ParallelBenchmark(delay=(0.0, 0.002)) as parallel:
        parallel.benchmark_thread_pool_sizes(3, [1, None], steps=2, action_delay=0.001)
        cut, whole = parallel.benchmark_timeout_behavior([0.5, LONG], fast_agents=2, straggler=1.0)
        talk = parallel.benchmark_concurrent_interactions(4, 100)
        fold = parallel.benchmark_memory_consolidation_parallel(3, steps=30)
        recovery = parallel.benchmark_error_recovery(4, error_rate=0.2, steps=10)
    assert [cut.parallel_metrics[key] for key in ("done", "timed_out", "dropped_calls")] == [2, 1, 1]
    assert [whole.parallel_metrics[key] for key in ("done", "timed_out", "dropped_calls")] == [3, 0, 0]
    assert talk.parallel_metrics["consistent"] is True
    assert fold.parallel_metrics["consistent"] is True
    assert recovery.parallel_metrics["accounted"] is True
    assert recovery.parallel_metrics["failed"] > 0


def test_a_benchmark_that_is_never_closed_ends_its_server_in_silence() -> None:
    program = """
import perfcore
benchmark = perfcore.PerformanceBenchmark(delay=(0.0, 0.0))
benchmark.run_benchmark("mine", 2, 1)
print(benchmark.server._process.pid)
"""
    command = [sys.executable, "-P", "-X", "dev", "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONG)
    assert (done.returncode, done.stderr) == (0, "")
    assert not running(int(done.stdout))
