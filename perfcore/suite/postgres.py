# SPDX-License-Identifier: MIT
"""A PostgreSQL server of our own: made in a temporary folder, run as a child of this process, removed at the end.

It needs the distribution's server programs and nothing else: no service, no privileges, no fixed port. It refuses to
run as root, so root runs it as nobody. The kernel stops it when the thread that started it dies, however that happens
(setpriv --pdeathsig), so a killed run leaves a folder behind, but no server.

As a program, ``python -m perfcore.suite.postgres COMMAND ...`` runs a command with the URL of a new server in
PERFCORE_DATABASE_URL, and ends with the command's exit code, or with 69 where there is no server.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from perfcore.errors import ServiceError
from perfcore.suite.interrupts import outlast

__all__ = ["URL_VARIABLE", "Cluster", "find_server"]

URL_VARIABLE = "PERFCORE_DATABASE_URL"
_NO_SERVER = 69  # EX_UNAVAILABLE of sysexits.h
_START_SECONDS = 60.0
_SOCKET_PATH_BYTES = 107  # what sun_path holds, less its final zero


def find_server() -> Path | None:
    """Return the folder of the newest PostgreSQL server's programs on this machine; None where there is none."""

    def version(folder: Path) -> tuple[int, ...]:
        return tuple(int(part) for part in folder.parent.name.split(".") if part.isdigit())

    # Debian keeps the versions apart and off PATH.
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=version)
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class Cluster:
    """A server that runs while the ``with`` block does.

    Args:
        listen: listen on a free port of 127.0.0.1, with a password; otherwise on a socket in its folder alone.
        durable: commits wait for the disk, as PostgreSQL does unless configured; otherwise nothing is ever synced.
        max_connections: how many connections it accepts.
        folder: where its folder is made; the one for temporary files if None.

    Attributes:
        url: where clients connect, with user and password.
        pid: the server's process.

    Raises:
        ServiceError: there are no server programs here, or it does not start; the text has the server's own words.

    """

    def __init__(
        self,
        *,
        listen: bool = False,
        durable: bool = True,
        max_connections: int = 100,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        self.url = ""
        self._listen, self._durable, self._max_connections, self._parent = listen, durable, max_connections, folder
        self._folder: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._user: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}

    def __enter__(self) -> Self:
        programs = find_server()
        if programs is None:
            raise ServiceError("there is no PostgreSQL server on this machine; install it (Debian: postgresql)")
        self._folder = Path(tempfile.mkdtemp(prefix="perfcore-pg-", dir=self._parent))
        try:
            if self._user:
                shutil.chown(self._folder, **self._user)
            self._make(programs)
            for _ in range(5):
                if self._start(programs):
                    return self
            raise ServiceError("PostgreSQL found five free ports taken, one after the other; try again")
        except BaseException:
            self._remove()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        if self._server is None:
            raise ServiceError("this PostgreSQL server runs only within its with block")
        return self._server

    @property
    def _home(self) -> Path:
        assert self._folder is not None  # noqa: S101 - an invariant
        return self._folder

    def _make(self, programs: Path) -> None:
        password = self._home / "password"
        password.write_text(secrets.token_urlsafe(24), encoding="ascii")
        password.chmod(0o600)
        if self._user:
            shutil.chown(password, **self._user)
        self._password = password.read_text(encoding="ascii")
        command = [
            str(programs / "initdb"),
            "-D",
            str(self._home / "data"),
            "-U",
            "perf",
            "-N",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        access = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}"]
        try:
            done = subprocess.run(
                [*command, *access], cwd=self._home, capture_output=True, text=True, check=False, **self._user
            )
        except OSError as error:  # root's nobody may not enter the folder for temporary files
            raise ServiceError(f"PostgreSQL cannot make its files in {self._home}: {error}") from None
        if done.returncode:
            raise ServiceError(f"PostgreSQL cannot make its files in {self._home}: {_last_line(done.stderr)}")

    def _start(self, programs: Path) -> bool:
        """Start the server and wait until it takes connections; return False when its port had been taken meanwhile."""
        port = _free_port() if self._listen else 5432
        if not self._listen and len(os.fsencode(self._home / f".s.PGSQL.{port}")) > _SOCKET_PATH_BYTES:
            raise ServiceError(f"{self._home} is too long a name for a socket; set TMPDIR to a shorter one")
        settings = {
            "listen_addresses": "127.0.0.1" if self._listen else "",
            "unix_socket_directories": "" if self._listen else str(self._home),
            "port": str(port),
            "max_connections": str(self._max_connections),
            "fsync": "on" if self._durable else "off",
        }
        command = [str(programs / "postgres"), "-D", str(self._home / "data")]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # QUIT ends a server and all its processes at once, without a checkpoint: nothing of it is needed any more.
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "QUIT", *command]
        log = self._home / "log"
        with log.open("wb") as output:
            # A session of its own: Ctrl-C at the terminal is for the clients, which still need it for cleaning up.
            self._server = subprocess.Popen(
                command, cwd=self._home, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, **self._user,
            )  # fmt: skip
        if not self._wait_until_ready():
            text = log.read_text(encoding="utf-8", errors="replace")
            self.stop()
            if "Address already in use" in text:
                return False
            raise ServiceError(f"PostgreSQL does not start: {_last_line(text)}")
        where = f"perf:{self._password}@127.0.0.1:{port}/postgres" if self._listen else "perf@/postgres"
        self.url = f"postgresql://{where}{'' if self._listen else f'?host={self._home}'}"
        return True

    def _wait_until_ready(self) -> bool:
        """Wait as pg_ctl does: the eighth line of postmaster.pid is "ready". False when the server ended or hangs."""
        status, end = self._home / "data" / "postmaster.pid", time.monotonic() + _START_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError):
                lines = status.read_text(encoding="utf-8", errors="replace").splitlines()
                if len(lines) >= 8 and lines[7].strip() == "ready":
                    return True
            time.sleep(0.02)
        return False

    def start(self) -> None:
        """Start the server again after `stop`; on a port it may be another one, and `url` names it.

        Raises:
            ServiceError: it does not start.

        """
        programs = find_server()
        if programs is None or not self._start(programs):
            raise ServiceError("PostgreSQL does not start again: its programs are gone, or its port was taken")

    def stop(self) -> None:
        """End the server at once, as if the power went."""
        server, self._server = self._server, None
        if server is None:
            return
        for attempt in (signal.SIGQUIT, signal.SIGKILL):
            server.send_signal(attempt)
            try:
                server.wait(10)
                return
            except subprocess.TimeoutExpired:
                continue

    def _remove(self) -> None:
        try:
            self.stop()
        finally:
            # Backends end just after the server; one may still write into the folder.
            for _ in range(50):
                shutil.rmtree(self._home, ignore_errors=True)
                if not self._home.exists():
                    break
                time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if "FATAL" in line or "error:" in line]
    return (told or lines or ["it says nothing"])[-1]


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _main(command: list[str]) -> int:
    if not command or command[0].startswith("-"):
        print(
            f"usage: python -m perfcore.suite.postgres COMMAND [ARGUMENT ...]  (gets {URL_VARIABLE})", file=sys.stderr
        )
        return 2
    if shutil.which(command[0]) is None:
        print(f"perfcore: error: there is no program {command[0]}", file=sys.stderr)
        return 127
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        with Cluster(listen=True) as cluster:
            return _run(command, cluster.url)
    except ServiceError as error:
        print(f"perfcore: error: {error}", file=sys.stderr)
        return _NO_SERVER
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(command: list[str], url: str) -> int:
    child = subprocess.Popen(command, env={**os.environ, URL_VARIABLE: url})
    try:
        status, _ = outlast(child)
    except SystemExit:
        child.terminate()
        child.wait()
        raise
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
