# SPDX-License-Identifier: MIT
"""Queries and transactions on SQLite: a file in WAL mode, commits that reach the disk (synchronous=FULL).

The file lies in the folder for temporary files; set TMPDIR to measure another disk. Its filesystem is noted with the
results, because on a RAM disk a commit costs nothing.
"""

from __future__ import annotations

import random
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

Throughput = Callable[[int], None]

USERS = 1000
ROWS = 10_000
BATCH = 100

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, team INTEGER NOT NULL);
CREATE TABLE steps (id INTEGER PRIMARY KEY, user INTEGER NOT NULL REFERENCES users, energy REAL NOT NULL, note TEXT);
CREATE INDEX steps_by_user ON steps (user);
CREATE TABLE steps_plain (id INTEGER PRIMARY KEY, user INTEGER NOT NULL, energy REAL NOT NULL, note TEXT);
CREATE TABLE journal (id INTEGER PRIMARY KEY, user INTEGER NOT NULL, energy REAL NOT NULL, note TEXT);
"""

BY_NAME = "SELECT id, team FROM users WHERE name = ?"
OF_USER = "SELECT id, energy FROM steps WHERE user = ? ORDER BY id"
OF_USER_PLAIN = "SELECT id, energy FROM steps_plain WHERE user = ? ORDER BY id"
INSERT = "INSERT INTO journal (user, energy, note) VALUES (?, ?, ?)"


def open_database(path: Path) -> sqlite3.Connection:
    """Open with transactions as we state them, WAL, and commits that wait for the disk."""
    connection = sqlite3.connect(path, isolation_level=None)
    assert connection.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def filesystem(path: Path) -> str:
    """Return the type of the filesystem that holds a path."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, mount, name, *_ = line.split()
        if path.is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, name
    return kind


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database of 1000 users with 10 000 steps, the steps once with an index and once without."""
    path = tmp_path_factory.mktemp("sqlite") / "bench.db"
    draw = random.Random(7)
    steps = [(draw.randrange(USERS), draw.gauss(4.0, 1.5), f"step {number}") for number in range(ROWS)]
    with closing(open_database(path)) as connection:
        connection.executescript(SCHEMA)
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO users VALUES (?, ?, ?)",
            ((number, f"user-{number:04d}", number % 20) for number in range(USERS)),
        )
        for table in ("steps", "steps_plain"):
            connection.executemany(f"INSERT INTO {table} (user, energy, note) VALUES (?, ?, ?)", steps)  # noqa: S608
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
    return path


@pytest.fixture
def connection(path: Path, benchmark: Any) -> Iterator[sqlite3.Connection]:
    """Yield an open connection; the results say which SQLite and which filesystem it was."""
    benchmark.extra_info["sqlite"] = sqlite3.sqlite_version
    benchmark.extra_info["filesystem"] = filesystem(path)
    with closing(open_database(path)) as connection:
        yield connection


def plan(connection: sqlite3.Connection, query: str) -> str:
    """Return how SQLite means to run a query of one parameter."""
    return " / ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", (0,)))


@pytest.mark.benchmark(group="sqlite: queries")
def test_single_query(benchmark: Any, throughput: Throughput, connection: sqlite3.Connection) -> None:
    """One call finds one of 1000 users by name through the unique index."""
    assert "USING INDEX" in plan(connection, BY_NAME)

    def find() -> Any:
        return connection.execute(BY_NAME, ("user-0642",)).fetchone()

    throughput(1)
    assert benchmark(find) == (642, 642 % 20)


@pytest.mark.benchmark(group="sqlite: queries")
def test_batch_of_queries(benchmark: Any, throughput: Throughput, connection: sqlite3.Connection) -> None:
    """One call finds 100 users by name, one query each."""
    wanted = random.Random(3).sample(range(USERS), BATCH)
    names = [(f"user-{number:04d}",) for number in wanted]

    def find_all() -> list[Any]:
        return [connection.execute(BY_NAME, name).fetchone() for name in names]

    throughput(BATCH)
    assert benchmark(find_all) == [(number, number % 20) for number in wanted]


@pytest.mark.benchmark(group="sqlite: queries")
def test_batch_in_one_query(benchmark: Any, throughput: Throughput, connection: sqlite3.Connection) -> None:
    """One call finds 100 users by name in a single query with an IN list."""
    wanted = sorted(random.Random(3).sample(range(USERS), BATCH))
    names = [f"user-{number:04d}" for number in wanted]
    query = f"SELECT id, team FROM users WHERE name IN ({', '.join('?' * BATCH)}) ORDER BY id"  # noqa: S608

    def find_all() -> list[Any]:
        return connection.execute(query, names).fetchall()

    throughput(BATCH)
    assert benchmark(find_all) == [(number, number % 20) for number in wanted]


@pytest.mark.benchmark(group="sqlite: one user's steps among 10 000")
@pytest.mark.parametrize(
    ("query", "wanted_plan"), [(OF_USER, "USING INDEX"), (OF_USER_PLAIN, "SCAN")], ids=["index", "scan"]
)
def test_index(
    benchmark: Any, throughput: Throughput, connection: sqlite3.Connection, query: str, wanted_plan: str
) -> None:
    """One call reads the steps of one user, about 10 rows of 10 000, with an index on the user or by a scan."""
    assert wanted_plan in plan(connection, query)
    expected = [row[:2] for row in connection.execute("SELECT id, energy, user FROM steps ORDER BY id") if row[2] == 77]
    assert expected

    def read() -> list[Any]:
        return connection.execute(query, (77,)).fetchall()

    throughput(len(expected))
    assert benchmark(read) == expected


@pytest.mark.benchmark(group="sqlite: transactions")
@pytest.mark.parametrize("size", [1, BATCH], ids="rows-{}".format)
def test_insert_transaction(
    benchmark: Any, throughput: Throughput, connection: sqlite3.Connection, path: Path, size: int
) -> None:
    """One call inserts 1 or 100 rows in a transaction and commits it to the disk."""
    rows = [(number % USERS, number / 7, f"row {number}") for number in range(size)]
    before = connection.execute("SELECT count(*) FROM journal").fetchone()[0]
    calls = 0

    def transaction() -> None:
        nonlocal calls
        calls += 1
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, rows)
        connection.execute("COMMIT")

    throughput(size)
    benchmark(transaction)
    with closing(open_database(path)) as other:  # what another connection sees was committed
        assert other.execute("SELECT count(*) FROM journal").fetchone()[0] == before + calls * size
        newest = other.execute("SELECT user, energy, note FROM journal ORDER BY id DESC LIMIT ?", (size,)).fetchall()
    assert newest[::-1] == rows


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "--benchmark-only", *sys.argv[1:]]))
