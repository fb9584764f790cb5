# SPDX-License-Identifier: MIT
"""One workload, two databases: SQLite (a file in WAL mode) and PostgreSQL (psycopg 3 and its pool), in the same words.

Statements are written once, with ``?`` for a parameter and ``{key}`` for the type of a numbered primary key.
Transactions are stated by the caller: connections are in autocommit mode. In SQLite a commit waits for the disk
(synchronous=FULL); PostgreSQL is left as its server is configured, and `facts` says how that is. What is made in
PostgreSQL lies in a schema with a name of its own and is dropped by `close`: nothing that was there is touched. An
engine may be shared by threads, a connection not.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from perfcore.errors import ServiceError

if TYPE_CHECKING:
    import psycopg

__all__ = ["Engine", "Pool", "PostgreSQL", "SQLite", "filesystem"]

Row = Sequence[Any]

BUSY_SECONDS = 30.0
CONNECT_SECONDS = 10


class Pool(Protocol):
    """Connections that are open and lent out one by one."""

    def connection(self) -> AbstractContextManager[Any]:
        """Lend a connection for a block."""


class Engine(Protocol):
    """A database that the workload runs on.

    Attributes:
        name: "sqlite" or "postgresql".
        begin: the statement that begins a transaction that will write.

    """

    name: str
    begin: str

    def connect(self) -> Any:
        """Return a new connection, which the caller closes."""

    def pool(self, size: int) -> AbstractContextManager[Pool]:
        """Open ``size`` connections and lend them until the block ends."""

    def room(self) -> int:
        """Return how many connections can be opened now, beside those that are open."""

    def sql(self, statement: str) -> str:
        """Return a statement in this database's words."""

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Put many rows into a table in the fastest way there is, and commit."""

    def insert_many(self, connection: Any, statement: str, rows: Sequence[Row]) -> None:
        """Execute a statement of this database once for each row."""

    def plan(self, connection: Any, statement: str, parameters: Row) -> str:
        """Return in one line how the database means to run a query."""

    def facts(self) -> dict[str, Any]:
        """Return version and settings that decide the figures, for the results; no secrets."""

    def close(self) -> None:
        """Remove what was made."""


class SQLite:
    """A new database file.

    Args:
        path: the file; it must not exist.

    """

    name = "sqlite"
    begin = "BEGIN IMMEDIATE"

    def __init__(self, path: Path) -> None:
        self.path = path

    def connect(self) -> sqlite3.Connection:
        """Return a new connection: WAL, and commits that wait for the disk."""
        connection = sqlite3.connect(
            self.path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False
        )  # fmt: skip
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            connection.close()
            raise ServiceError(f"SQLite keeps no write-ahead log in {self.path.parent} (journal mode {mode})")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    @contextmanager
    def pool(self, size: int) -> Iterator[Pool]:
        """Open connections and lend them, the one given back last first."""
        with contextlib.ExitStack() as stack:
            yield _Lent([stack.enter_context(closing(self.connect())) for _ in range(size)])

    def room(self) -> int:
        """Return how many connections can be opened; SQLite itself sets no limit."""
        return 10_000

    def sql(self, statement: str) -> str:
        """Return a statement in SQLite's words."""
        return statement.format(key="INTEGER PRIMARY KEY")

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Put rows into a table in one transaction."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        with closing(self.connect()) as connection:
            connection.execute(self.begin)
            connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608 - our own
            connection.execute("COMMIT")

    def insert_many(self, connection: sqlite3.Connection, statement: str, rows: Sequence[Row]) -> None:
        """Execute a statement once for each row."""
        connection.executemany(statement, rows)

    def plan(self, connection: sqlite3.Connection, statement: str, parameters: Row) -> str:
        """Return SQLite's query plan."""
        return " / ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    def facts(self) -> dict[str, Any]:
        """Return version, file system and how commits reach the disk."""
        return {
            "sqlite": sqlite3.sqlite_version,
            "filesystem": filesystem(self.path),
            "journal_mode": "wal",
            "synchronous": "full",
        }

    def close(self) -> None:
        """Remove the files."""
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


class _Lent:
    """A pool of open connections; SQLite has none of its own."""

    def __init__(self, connections: Iterable[Any]) -> None:
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()
        for connection in connections:
            self._free.put(connection)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        connection = self._free.get()
        try:
            yield connection
        finally:
            self._free.put(connection)


class PostgreSQL:
    """A schema of our own in a database that a URL names.

    Args:
        url: ``postgresql://user:password@host:port/database``, or anything that libpq takes.

    Raises:
        ServiceError: psycopg or its pool is not installed, the server cannot be reached, or no schema may be made
            there. The text never has the password.

    """

    name = "postgresql"
    begin = "BEGIN"

    def __init__(self, url: str) -> None:
        try:
            import psycopg
            import psycopg_pool
        except ImportError as error:
            text = f"the PostgreSQL suite needs {error.name}; install it with: pip install 'perfcore[suites]'"
            raise ServiceError(text) from None
        self._psycopg, self._pools, self._url = psycopg, psycopg_pool, url
        try:
            parts = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:  # whose text may have the password
            text = "the URL of the database cannot be read; write postgresql://user:password@host:port/database"
            raise ServiceError(text) from None
        self._where = f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"
        self.schema = f"perfcore_bench_{secrets.token_hex(6)}"
        with self._open() as connection:
            try:
                connection.execute(f"CREATE SCHEMA {self.schema}")
            except psycopg.Error as error:
                raise self._unusable(error) from None

    def _open(self) -> psycopg.Connection[Any]:
        try:
            return self._psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_SECONDS)
        except self._psycopg.OperationalError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> ServiceError:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return ServiceError(f"PostgreSQL at {self._where} cannot be used: {lines[0]}")

    def _configure(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(f"SET search_path TO {self.schema}")

    def connect(self) -> psycopg.Connection[Any]:
        """Return a new connection in autocommit mode."""
        connection = self._open()
        self._configure(connection)
        return connection

    @contextmanager
    def pool(self, size: int) -> Iterator[Pool]:
        """Open psycopg's pool of exactly ``size`` connections."""
        pool = self._pools.ConnectionPool(
            self._url, min_size=size, max_size=size, open=False, timeout=BUSY_SECONDS, configure=self._configure,
            kwargs={"autocommit": True, "connect_timeout": CONNECT_SECONDS},
        )  # fmt: skip
        try:
            try:
                pool.open(wait=True, timeout=BUSY_SECONDS)
            except self._pools.PoolTimeout as error:
                raise ServiceError(f"PostgreSQL at {self._where} gives no {size} connections: {error}") from None
            yield pool
        finally:
            pool.close()

    def room(self) -> int:
        """Return how many connections the server would still accept."""
        with self._open() as connection:
            query = """
                SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                       - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') + 1"""
            return int(connection.execute(query).fetchone()[0])  # type: ignore[index]

    def sql(self, statement: str) -> str:
        """Return a statement in PostgreSQL's words."""
        return statement.format(key="INTEGER GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY").replace("?", "%s")

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Put rows into a table by COPY."""
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with self.connect() as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def insert_many(self, connection: psycopg.Connection[Any], statement: str, rows: Sequence[Row]) -> None:
        """Execute a statement once for each row; psycopg sends them in a pipeline."""
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    def plan(self, connection: psycopg.Connection[Any], statement: str, parameters: Row) -> str:
        """Return PostgreSQL's query plan."""
        query = f"EXPLAIN (COSTS OFF) {statement}"
        return " / ".join(row[0].strip() for row in connection.execute(query, parameters))

    def facts(self) -> dict[str, Any]:
        """Return version and how commits reach the disk."""
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
        with self._open() as connection:
            settings = {name: connection.execute("SELECT current_setting(%s)", (name,)).fetchone() for name in names}
        found = {name: row[0] for name, row in settings.items() if row}
        return {"postgresql": found.pop("server_version"), "psycopg": self._psycopg.__version__, **found}

    def close(self) -> None:
        """Drop the schema."""
        # Where the server has gone away there is nothing left to drop, or nobody to ask.
        with contextlib.suppress(ServiceError), self._open() as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")


def filesystem(path: Path) -> str:
    """Return the type of the filesystem that holds a path."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, mount, name, *_ = line.split()
        if path.is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, name
    return kind
