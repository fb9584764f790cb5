# SPDX-License-Identifier: MIT
"""Agents that ask a language model over HTTP: a client, the loopback server in a process of its own, and the agent.

The same client talks to a real endpoint: ``PERFCORE_LLM_URL`` (up to and including ``/v1``), ``PERFCORE_LLM_API_KEY``
and ``PERFCORE_LLM_MODEL``. A call that is cancelled (`perfcore.suite.cancel`) ends at once, because its connection is
shut; the server sees its client gone.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from perfcore.errors import SuiteError
from perfcore.suite.agent import INBOX, Factory, Message
from perfcore.suite.cancel import StepTimeoutError, current

__all__ = ["ChatAgent", "ChatClient", "ChatServer", "Reply", "chat_agents"]

START = 30.0  # seconds for the server to start


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer."""

    text: str
    tokens: int


class ChatClient:
    """A client of one OpenAI-style endpoint, with one connection that is kept; for one thread at a time.

    Args:
        url: up to and including ``/v1``.
        model: what is asked for.
        key: of the endpoint, sent as a bearer token; None sends none.
        timeout: seconds that a connection may be silent.

    """

    def __init__(
        self, url: str, *, model: str = "perfcore-loopback", key: str | None = None, timeout: float = 60.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SuiteError(f"{url!r} is no URL of a chat endpoint; write it like http://127.0.0.1:8000/v1")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._path = parts.path.rstrip("/") + "/chat/completions"
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self.model = model

    def complete(
        self, prompt: str, *, user: str = "", seed: int | None = None, metadata: dict[str, str] | None = None
    ) -> Reply:
        """Ask, and wait for the answer.

        Raises:
            StepTimeoutError: the call was cancelled; the connection is closed.
            SuiteError: the endpoint cannot be reached, or answers with an error.

        """
        request: dict[str, Any] = {"model": self.model, "messages": [{"role": "user", "content": prompt}], "user": user}
        request |= {key: value for key, value in (("seed", seed), ("metadata", metadata)) if value is not None}
        cancellation, connection = current(), self._connection
        cancellation.check()
        try:
            if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
                connection.close()  # the endpoint has closed it meanwhile
            if connection.sock is None:
                connection.connect()  # before there is something to shut
            with cancellation.waking(self._shut):
                connection.request("POST", self._path, json.dumps(request).encode(), self._headers)
                response = connection.getresponse()
                body = response.read()
        except StepTimeoutError:
            self.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if cancellation.cancelled:
                raise StepTimeoutError("the call was cancelled, and its connection closed") from None
            where = f"{connection.host}:{connection.port}"
            raise SuiteError(f"the chat endpoint {where} cannot be used: {type(error).__name__}: {error}") from error
        return _reply(response.status, body)

    def _shut(self) -> None:
        # close() would wait for whoever reads; this wakes it.
        if (sock := self._connection.sock) is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        self._connection.close()


def _reply(status: int, body: bytes) -> Reply:
    try:
        document = json.loads(body)
        if status == 200:
            text, usage = document["choices"][0]["message"]["content"], document.get("usage") or {}
            return Reply(str(text), int(usage.get("total_tokens") or 0))
        reason = document["error"]["message"]
    except (ValueError, TypeError, LookupError, AttributeError):
        reason = body[:200].decode("utf-8", "replace")
    raise SuiteError(f"the chat endpoint answered {status}: {reason}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server: what it reads from is closed."""
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


class ChatServer:
    """The loopback server, in a process of its own that ends with this one; a context manager.

    Args:
        delay: seconds an answer takes: uniform between the two.
        error_rate: the share of answers that are errors.
        seed: of both.

    """

    def __init__(self, delay: tuple[float, float] = (0.05, 0.2), error_rate: float = 0.0, seed: int = 0) -> None:
        low, high = delay
        self._options = ["--delay", str(low), str(high), "--error-rate", str(error_rate), "--seed", str(seed)]
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self) -> Self:
        """Start it, and wait until it listens.

        Raises:
            SuiteError: it did not start.

        """
        if self._process is not None:
            return self
        command = [sys.executable, "-P", "-m", "perfcore.suite.chat_server", *self._options]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # the terminal's Ctrl-C is for those that it serves
        )
        assert process.stdout is not None  # noqa: S101 - for the type
        ready, _, _ = select.select([process.stdout], [], [], START)
        line = process.stdout.readline() if ready else b""
        if not line.strip().isdigit():
            process.kill()
            process.communicate()
            raise SuiteError("the loopback chat server did not start; its own message says why")
        self._process, self._port = process, int(line)
        self._end = weakref.finalize(self, _end, process)  # for who never says stop()
        return self

    @property
    def url(self) -> str:
        """What a client is given."""
        return f"http://127.0.0.1:{self._port}/v1"

    def stats(self) -> dict[str, int]:
        """Return how many requests came, were answered, were answered with an error, were given up."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("GET", "/stats")
            found: dict[str, int] = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SuiteError(f"the loopback chat server does not answer: {error}") from error
        finally:
            connection.close()
        return found

    def stop(self) -> None:
        """End it; nothing happens if it does not run."""
        if self._process is not None:
            self._process = None
            self._end()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class ChatAgent:
    """An agent whose every step is a call of a model, and that remembers what was said.

    Args:
        name: as a sender, and as the ``user`` of its calls.
        client: its own.
        delay: seconds that the loopback server is asked to take; None leaves it to the server.

    """

    def __init__(self, name: str, client: ChatClient, delay: float | None = None) -> None:
        self.name, self.client = name, client
        self.memories: deque[str] = deque(maxlen=INBOX)
        self.summary: dict[str, int] = {}
        self.inbox: deque[Message] = deque(maxlen=INBOX)
        self.calls = self.tokens = self.received = 0
        self._metadata = None if delay is None else {"delay": str(delay)}
        self._lock = threading.Lock()

    def step(self) -> str:
        """Ask the model what to do next; remember the answer."""
        self.calls += 1
        with self._lock:
            heard = [str(message.get("text", "")) for message in list(self.inbox)[-3:]]
        prompt = f"You are {self.name}. You heard: {'; '.join(heard) or 'nothing'}. What do you do?"
        # Another seed for each attempt, so that one that failed may succeed when it is repeated.
        reply = self.client.complete(prompt, user=self.name, seed=self.calls, metadata=self._metadata)
        self.tokens += reply.tokens
        self.memories.append(reply.text)
        return reply.text

    def send(self) -> Message:
        """Tell what it remembers last."""
        return {"sender": self.name, "number": self.calls, "text": self.memories[-1] if self.memories else ""}

    def receive(self, message: Message) -> None:
        """Keep a message; from any thread."""
        with self._lock:
            self.inbox.append(message)
            self.received += 1

    def consolidate(self, keep: int = 10) -> int:
        """Fold all but the newest memories into counts of words; return how many were folded."""
        folded = 0
        while len(self.memories) > keep:
            for word in self.memories.popleft().split():
                self.summary[word] = self.summary.get(word, 0) + 1
            folded += 1
        return folded

    def close(self) -> None:
        """Close its connection."""
        self.client.close()

    def memory(self) -> int:
        """Return the bytes of what it remembers and was told."""
        with self._lock:
            told = sum(sys.getsizeof(message) + sum(map(sys.getsizeof, message.values())) for message in self.inbox)
        return told + sum(map(sys.getsizeof, self.memories)) + sys.getsizeof(self.summary)


def chat_agents(url: str | None = None, *, delay: float | None = None) -> Factory:
    """Return a factory of agents that ask an endpoint, each over a connection of its own.

    Args:
        url: the endpoint; None for ``PERFCORE_LLM_URL``, with ``PERFCORE_LLM_API_KEY`` and ``PERFCORE_LLM_MODEL``.
        delay: seconds that the loopback server is asked to take.

    Raises:
        SuiteError: there is no URL.

    """
    real = url is None
    endpoint = os.environ.get("PERFCORE_LLM_URL") if url is None else url
    if not endpoint:
        raise SuiteError("no chat endpoint: give a URL, or set PERFCORE_LLM_URL")
    key = os.environ.get("PERFCORE_LLM_API_KEY") if real else None
    model = os.environ.get("PERFCORE_LLM_MODEL", "gpt-4o-mini") if real else "perfcore-loopback"

    def make(index: int) -> ChatAgent:
        client = ChatClient(endpoint, model=model, key=key)
        return ChatAgent(f"agent-{index:03d}", client, None if real else delay)

    return make
