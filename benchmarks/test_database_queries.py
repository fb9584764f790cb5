# SPDX-License-Identifier: MIT
"""Queries, transactions and connection pools on SQLite, and on the PostgreSQL that PERFCORE_DATABASE_URL names, if any.

SQLite is a file in WAL mode whose commits reach the disk; it lies in the folder for temporary files (TMPDIR chooses
another disk). PostgreSQL is measured as its server is configured, in a schema of our own that is dropped afterwards;
``run_performance_benchmarks.sh --postgres`` starts a server for the run. What decides the figures (versions, file
system, fsync) is noted with the results.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import pytest

from perfcore.errors import ServiceError
from perfcore.suite.database import Engine, PostgreSQL, SQLite
from perfcore.suite.postgres import URL_VARIABLE

Throughput = Callable[[int], None]
Threads = Callable[[int], AbstractContextManager[ThreadPoolExecutor]]
SingleCalls = Callable[[Callable[[], Any], int], None]

USERS = 1000
ROWS = 10_000
BATCH = 100
CALLS = 1000  # timed one by one, for the percentiles

SCHEMA = """
CREATE TABLE users (id {key}, name TEXT NOT NULL, team INTEGER NOT NULL);
CREATE UNIQUE INDEX users_by_name ON users (name);
CREATE TABLE steps (id {key}, user_id INTEGER NOT NULL REFERENCES users, energy DOUBLE PRECISION NOT NULL, note TEXT);
CREATE INDEX steps_by_user ON steps (user_id);
CREATE TABLE steps_plain (id {key}, user_id INTEGER NOT NULL, energy DOUBLE PRECISION NOT NULL, note TEXT);
CREATE TABLE journal (id {key}, user_id INTEGER NOT NULL, energy DOUBLE PRECISION NOT NULL, note TEXT)
"""

BY_NAME = "SELECT id, team FROM users WHERE name = ?"
OF_USER = "SELECT id, energy FROM steps WHERE user_id = ? ORDER BY id"
OF_USER_PLAIN = "SELECT id, energy FROM steps_plain WHERE user_id = ? ORDER BY id"
NEWEST = "SELECT user_id, energy, note FROM journal ORDER BY id DESC LIMIT ?"
INSERT = "INSERT INTO journal (user_id, energy, note) VALUES (?, ?, ?)"


@contextmanager
def told() -> Iterator[None]:
    """Fail with one line instead of a traceback where a database cannot be used."""
    try:
        yield
    except ServiceError as error:
        pytest.fail(str(error), pytrace=False)


def fill(engine: Engine) -> None:
    """Make 1000 users with 10 000 steps, the steps once with an index and once without; the same in every run."""
    draw = random.Random(7)
    steps = [(draw.randrange(USERS), draw.gauss(4.0, 1.5), f"step {number}") for number in range(ROWS)]
    with closing(engine.connect()) as connection:
        for statement in SCHEMA.split(";"):
            connection.execute(engine.sql(statement))
        engine.load(
            "users", ["id", "name", "team"], ((number, f"user-{number:04d}", number % 20) for number in range(USERS))
        )
        for table in ("steps", "steps_plain"):
            engine.load(table, ["user_id", "energy", "note"], steps)
        for table in ("users", "steps", "steps_plain"):
            connection.execute(f"ANALYZE {table}")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Yield a database with the rows in it."""
    engine: Engine
    if request.param == "sqlite":
        engine = SQLite(tmp_path_factory.mktemp("sqlite") / "bench.db")
    elif url := os.environ.get(URL_VARIABLE):
        with told():
            engine = PostgreSQL(url)
    else:
        pytest.skip(f"no PostgreSQL: set {URL_VARIABLE}=postgresql://user:password@host/database")
    try:
        with told():
            fill(engine)
        yield engine
    finally:
        engine.close()


@pytest.fixture
def connection(engine: Engine, benchmark: Any) -> Iterator[Any]:
    """Yield an open connection; the results say which database it was, and how it was configured."""
    with told():
        benchmark.extra_info["database"] = engine.facts()
        connection = engine.connect()
    with closing(connection):
        yield connection


@pytest.mark.benchmark(group="database: queries by name")
def test_single_query(
    benchmark: Any, throughput: Throughput, single_calls: SingleCalls, engine: Engine, connection: Any
) -> None:
    """One call finds one of 1000 users by name through the unique index."""
    query = engine.sql(BY_NAME)
    assert "users_by_name" in engine.plan(connection, query, ("user-0642",))

    def find() -> Any:
        return connection.execute(query, ("user-0642",)).fetchone()

    throughput(1)
    assert benchmark(find) == (642, 642 % 20)
    single_calls(find, CALLS)


@pytest.mark.benchmark(group="database: queries by name")
def test_batch_of_queries(benchmark: Any, throughput: Throughput, engine: Engine, connection: Any) -> None:
    """One call finds 100 users by name, one query each."""
    query = engine.sql(BY_NAME)
    wanted = random.Random(3).sample(range(USERS), BATCH)
    names = [(f"user-{number:04d}",) for number in wanted]

    def find_all() -> list[Any]:
        return [connection.execute(query, name).fetchone() for name in names]

    throughput(BATCH)
    assert benchmark(find_all) == [(number, number % 20) for number in wanted]


@pytest.mark.benchmark(group="database: queries by name")
def test_batch_in_one_query(benchmark: Any, throughput: Throughput, engine: Engine, connection: Any) -> None:
    """One call finds 100 users by name in a single query with an IN list."""
    wanted = sorted(random.Random(3).sample(range(USERS), BATCH))
    names = [f"user-{number:04d}" for number in wanted]
    marks = ", ".join("?" * BATCH)
    query = engine.sql(f"SELECT id, team FROM users WHERE name IN ({marks}) ORDER BY id")  # noqa: S608

    def find_all() -> list[Any]:
        return connection.execute(query, names).fetchall()

    throughput(BATCH)
    assert benchmark(find_all) == [(number, number % 20) for number in wanted]


@pytest.mark.benchmark(group="database: one user's steps among 10 000")
@pytest.mark.parametrize("indexed", [True, False], ids=["index", "scan"])
def test_index(
    benchmark: Any, throughput: Throughput, single_calls: SingleCalls, engine: Engine, connection: Any, indexed: bool
) -> None:
    """One call reads the steps of one user, about 10 rows of 10 000, with an index on the user or by a scan."""
    query = engine.sql(OF_USER if indexed else OF_USER_PLAIN)
    plan = engine.plan(connection, query, (77,))
    assert ("steps_by_user" in plan) == indexed, plan
    assert ("SCAN" in plan.upper().replace("INDEX SCAN", "").replace("HEAP SCAN", "")) != indexed, plan
    every = connection.execute("SELECT id, energy, user_id FROM steps ORDER BY id").fetchall()
    expected = [row[:2] for row in every if row[2] == 77]
    assert expected

    def read() -> list[Any]:
        return connection.execute(query, (77,)).fetchall()

    throughput(len(expected))
    assert benchmark(read) == expected
    single_calls(read, CALLS // 5)


def journal_length(engine: Engine) -> int:
    """Return what a connection of its own sees in the journal: that much was committed."""
    with closing(engine.connect()) as other:
        length: int = other.execute("SELECT count(*) FROM journal").fetchone()[0]
    return length


@pytest.mark.benchmark(group="database: transactions")
@pytest.mark.parametrize("size", [1, BATCH], ids="rows-{}".format)
def test_insert_transaction(
    benchmark: Any, throughput: Throughput, single_calls: SingleCalls, engine: Engine, connection: Any, size: int
) -> None:
    """One call inserts 1 or 100 rows in a transaction and commits it, to the disk where it is so configured."""
    insert, before, calls = engine.sql(INSERT), journal_length(engine), 0
    rows = [(number % USERS, number / 7, f"row {number}") for number in range(size)]

    def transaction() -> None:
        nonlocal calls
        calls += 1
        connection.execute(engine.begin)
        engine.insert_many(connection, insert, rows)
        connection.execute("COMMIT")

    throughput(size)
    benchmark(transaction)
    single_calls(transaction, BATCH)
    assert journal_length(engine) == before + calls * size
    newest = connection.execute(engine.sql(NEWEST), (size,)).fetchall()
    assert newest[::-1] == rows


def spare(engine: Engine, size: int) -> None:
    """Skip where the server would not accept so many more connections."""
    with told():
        room = engine.room()
    if room < size:
        pytest.skip(f"the server accepts {room} more connections and {size} are needed; raise its max_connections")


@pytest.mark.benchmark(group="database: transactions")
@pytest.mark.parametrize("workers", [4])
def test_concurrent_transactions(
    benchmark: Any,
    throughput: Throughput,
    latencies: Callable[[Iterable[int]], None],
    threads: Threads,
    engine: Engine,
    connection: Any,
    workers: int,
) -> None:
    """One call commits 40 transactions of one row, from 4 threads with a connection each."""
    insert, before, count = engine.sql(INSERT), journal_length(engine), 40
    calls, taken = 0, []
    spare(engine, workers)
    with told(), engine.pool(workers) as pool, threads(workers) as executor:

        def transaction(number: int) -> None:
            began = time.perf_counter_ns()
            with pool.connection() as mine:
                mine.execute(engine.begin)
                mine.execute(insert, (number, 0.5, "concurrent"))
                mine.execute("COMMIT")
            taken.append(time.perf_counter_ns() - began)

        def commit_all() -> None:
            nonlocal calls
            calls += 1
            list(executor.map(transaction, range(count)))

        throughput(count)
        benchmark(commit_all)
    assert journal_length(engine) == before + calls * count
    latencies(taken)


@pytest.mark.benchmark(group="database: 200 queries through a pool")
@pytest.mark.parametrize("size", [10, 50], ids="connections-{}".format)
def test_pool(
    benchmark: Any,
    throughput: Throughput,
    latencies: Callable[[Iterable[int]], None],
    threads: Threads,
    engine: Engine,
    connection: Any,
    size: int,
) -> None:
    """One call makes 200 queries by name from as many threads as the pool has connections, each lent for one query."""
    query, taken = engine.sql(BY_NAME), []
    wanted = random.Random(5).choices(range(USERS), k=200)
    spare(engine, size)
    with told(), engine.pool(size) as pool, threads(size) as executor:

        def find(number: int) -> Any:
            began = time.perf_counter_ns()
            with pool.connection() as mine:
                row = mine.execute(query, (f"user-{number:04d}",)).fetchone()
            taken.append(time.perf_counter_ns() - began)
            return row

        def find_all() -> list[Any]:
            return list(executor.map(find, wanted))

        throughput(len(wanted))
        found = benchmark(find_all)
    assert found == [(number, number % 20) for number in wanted]
    latencies(taken)


@pytest.mark.benchmark(group="database: a connection for one query")
@pytest.mark.parametrize("pooled", [True, False], ids=["pool", "new"])
def test_connection(
    benchmark: Any, throughput: Throughput, single_calls: SingleCalls, engine: Engine, connection: Any, pooled: bool
) -> None:
    """One call takes a connection from a pool, or opens and closes one, and makes one query by name on it."""
    query = engine.sql(BY_NAME)
    with told(), engine.pool(1) as pool:

        def lent() -> Any:
            with pool.connection() as mine:
                return mine.execute(query, ("user-0642",)).fetchone()

        def opened() -> Any:
            with closing(engine.connect()) as mine:
                return mine.execute(query, ("user-0642",)).fetchone()

        find = lent if pooled else opened
        throughput(1)
        assert benchmark(find) == (642, 642 % 20)
        single_calls(find, BATCH)


if __name__ == "__main__":
    from summary import main

    sys.exit(main(__file__))
