# SPDX-License-Identifier: MIT
"""A WebSocket server in a process of its own, on a free port of 127.0.0.1, for clients to be measured against.

``/echo`` sends back what it gets. ``/room`` greets with "joined" and sends whatever comes to everybody in the room.
Messages are not compressed and there are no keep-alive pings, so that what is measured is what was sent. The server
lives as long as the pipe to its standard input is open, so it ends with this process however this one ends, and a
Ctrl-C at the terminal, which is for the clients, leaves it alone.
"""

from __future__ import annotations

import asyncio
import json
import resource
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from perfcore.errors import ServiceError

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

__all__ = ["WebSocketServer", "descriptors"]

GREETING = "joined"
_START_SECONDS = 60.0
_BACKLOG = 1024  # connections that the kernel completes before the server accepts them; beyond it clients wait for 1 s
_MAX_MESSAGE_BYTES = 1 << 24


@contextmanager
def descriptors(count: int) -> Iterator[None]:
    """Let this process have ``count`` more open files until the block ends.

    Raises:
        ServiceError: the hard limit does not allow as many; nothing was changed.

    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = len(list(Path("/proc/self/fd").iterdir())) + count
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise ServiceError(
            f"{count} connections need {needed} open files and this process may have {hard}; raise it with: ulimit -Hn"
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class WebSocketServer:
    """The server, while the ``with`` block runs.

    Args:
        port: where to listen; 0 takes a free one.

    Attributes:
        port: where it listens.

    Raises:
        ServiceError: the package websockets is missing, the port is taken, or the server does not start.

    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: Any = None

    def __enter__(self) -> Self:
        try:
            import websockets.asyncio.server  # noqa: F401 - what the other process will need
        except ImportError:
            text = "the WebSocket suite needs websockets 15 or newer; install it with: pip install 'perfcore[suites]'"
            raise ServiceError(text) from None
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "perfcore.suite.websocket", str(self.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True,
        )  # fmt: skip
        try:
            line = self._first_line()
            if not line:
                raise ServiceError(self.trouble() or f"the WebSocket server is silent for {_START_SECONDS:.0f} s")
            self.port = json.loads(line)["port"]
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._running.pid

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServiceError("this WebSocket server runs only within its with block")
        return self._process

    def url(self, path: str) -> str:
        """Return the address of ``/echo`` or ``/room``."""
        return f"ws://127.0.0.1:{self.port}{path}"

    @property
    def alive(self) -> bool:
        """Whether the server has not ended."""
        return self._running.poll() is None

    def trouble(self) -> str:
        """Return how the server ended, with its last words; empty while it runs."""
        process = self._running
        try:
            # The end of a connection may be seen here before that of the process.
            status = process.wait(0.5)
        except subprocess.TimeoutExpired:
            return ""
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit code {status}"
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"the WebSocket server {how}{': ' + words[-1] if words else ''}"

    def kill(self) -> None:
        """End the server at once: one that does not answer would not see its input close."""
        self._running.kill()
        self._running.wait()

    def _first_line(self) -> bytes:
        output = self._running.stdout
        if output is None or not select.select([output], [], [], _START_SECONDS)[0]:
            return b""
        return output.readline()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with process:  # closes its pipes, which ends it
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
            except BaseException:
                process.kill()
                raise
        self._errors.close()


async def _serve(port: int) -> None:
    from websockets.asyncio.server import broadcast, serve
    from websockets.exceptions import ConnectionClosed

    room: set[ServerConnection] = set()

    async def handle(connection: ServerConnection) -> None:
        try:
            if connection.request is not None and connection.request.path == "/room":
                room.add(connection)
                await connection.send(GREETING)
                async for message in connection:
                    broadcast(room, message)
            else:
                async for message in connection:
                    await connection.send(message)
        except ConnectionClosed:
            pass  # a client that goes away in the middle is the client's business
        finally:
            room.discard(connection)

    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), over.set)  # nothing is ever written: readable means closed
    async with serve(
        handle, "127.0.0.1", port, backlog=_BACKLOG, compression=None, ping_interval=None, max_size=_MAX_MESSAGE_BYTES
    ) as server:
        print(json.dumps({"port": next(iter(server.sockets)).getsockname()[1]}), flush=True)
        await over.wait()


def _main(port: int) -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        asyncio.run(_serve(port))
    except OSError as error:
        print(f"127.0.0.1:{port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1])))
