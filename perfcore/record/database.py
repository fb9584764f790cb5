# SPDX-License-Identifier: MIT
"""The history's database: its tables, and connections to SQLite (a file) or PostgreSQL (a URL).

A name is stored once; a benchmark's figures lie together, so that one trend is one range of the index. Every write is
one transaction that takes its lock first, so that writers wait for each other and none sees half of another's run.
SQLite runs in WAL mode, where readers never wait. Times are seconds, moments are seconds since 1970 in UTC.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore.errors import HistoryError

try:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite
except ImportError:
    raise HistoryError("the history needs SQLAlchemy; install it with: pip install 'perfcore[history]'") from None

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

__all__ = [
    "SCHEMA",
    "Database",
    "benchmarks",
    "fetch",
    "figures",
    "has_moment",
    "metadata",
    "read_object",
    "runs",
    "sa",
    "schema",
]

SCHEMA = 2
BUSY_SECONDS = 30.0
_LOCK = 0x70657266  # the key of the advisory lock that PostgreSQL's writers take; SQLite has BEGIN IMMEDIATE

# What these say of a connection that is lost comes as a HistoryError too; without a handler it would go to stderr.
for _logger in ("psycopg", "sqlalchemy.pool"):
    logging.getLogger(_logger).addHandler(logging.NullHandler())

metadata = sa.MetaData()


def _damaged(what: str, value: object) -> HistoryError:
    shown = repr(value)
    return HistoryError(
        f"the history is damaged: {what} holds {shown[:60]}{'…' * (len(shown) > 60)}; restore it from a copy, or begin "
        "a new one"
    )


# SQLite keeps in any column whatever somebody puts there, so all that is read is looked at: by plain functions, since
# a trend has ten thousand values.


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise _damaged("a column of texts", value)


def _as_figure(value: Any) -> float | None:
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return float(value)
    raise _damaged("a column of figures", value)


def has_moment(at: float) -> bool:
    """Whether a moment lies in the years 1 to 9999 of UTC, which calendars have."""
    return -62135596800.0 <= at < 253402300800.0


def _as_moment(value: Any) -> float:
    found = _as_figure(value)
    if found is None or not has_moment(found):
        raise _damaged("the moment of a run", value)
    return found


def _as_count(value: Any) -> int | None:
    if value is None or isinstance(value, int):
        return value
    raise _damaged("a column of counts", value)


class _Text(sa.TypeDecorator[str]):
    impl = sa.String
    cache_ok = True

    def result_processor(self, dialect: object, coltype: object) -> Callable[[Any], str | None]:
        """Let text pass."""
        return _as_text


class _Figure(sa.TypeDecorator[float]):
    impl = sa.Double
    cache_ok = True

    def result_processor(self, dialect: object, coltype: object) -> Callable[[Any], float | None]:
        """Let numbers pass."""
        return _as_figure


class _Moment(sa.TypeDecorator[float]):
    impl = sa.Double
    cache_ok = True

    def result_processor(self, dialect: object, coltype: object) -> Callable[[Any], float | None]:
        """Let moments pass that a calendar has."""
        return _as_moment


class _Count(sa.TypeDecorator[int]):
    impl = sa.BigInteger
    cache_ok = True

    def result_processor(self, dialect: object, coltype: object) -> Callable[[Any], int | None]:
        """Let whole numbers pass."""
        return _as_count


_LOOKS: dict[type, Callable[[Any], Any]] = {
    _Text: _as_text,
    _Figure: _as_figure,
    _Moment: _as_moment,
    _Count: _as_count,
}


def read_object(text: str | None) -> dict[str, Any]:
    """Return the object that a column's JSON holds; an empty one where there is none.

    Raises:
        HistoryError: it holds something else.

    """
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _damaged("a column of JSON objects", text)
    return found


schema = sa.Table("perfcore_schema", metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))

runs = sa.Table(
    "perfcore_runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", _Text(64), nullable=False, unique=True),
    sa.Column("at", _Moment, nullable=False, index=True),
    sa.Column("commit_id", _Text),
    sa.Column("branch", _Text),
    sa.Column("environment", _Text(16), nullable=False),
    sa.Column("environment_json", _Text, nullable=False),
    sa.Column("backend", _Text, nullable=False),
    sa.Column("python", _Text),
    sa.Column("file", _Text, nullable=False),
)

benchmarks = sa.Table(
    "perfcore_benchmarks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("fullname", _Text, nullable=False, unique=True),
)

figures = sa.Table(
    "perfcore_figures",
    metadata,
    sa.Column("benchmark_id", sa.ForeignKey("perfcore_benchmarks.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("run_id", sa.ForeignKey("perfcore_runs.id", ondelete="CASCADE"), primary_key=True, index=True),
    *(sa.Column(name, _Figure) for name in ("median", "median_low", "median_high", "mean", "stddev", "min", "max")),
    sa.Column("rounds", _Count),
    sa.Column("iterations", _Count),
    sa.Column("method", _Text, nullable=False),
    sa.Column("metrics_json", _Text),
    sa.Column("pace", _Figure),  # the machine's, since version 2
    sqlite_with_rowid=False,
)


def _sqlite_file(url: sa.URL) -> Path | None:
    """Return the file of an SQLite URL; None for another database or one in memory."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def _url(where: str | os.PathLike[str]) -> sa.URL:
    text = os.fspath(where)
    if "://" not in text:
        return sa.URL.create("sqlite", database=text)
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise HistoryError(
            "the history's URL cannot be read; write sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise HistoryError(f"the history cannot be kept in {url.drivername!r}; give a file or a postgresql:// URL")
    return url


class Database:
    """A history's database, opened.

    One object may be used by one thread at a time; any number of processes may use the same database.

    Args:
        where: an SQLite file, or a URL (``postgresql://…``, ``sqlite:///…``).
        create: make the file and the tables if they are missing.

    Raises:
        HistoryError: it is missing, cannot be reached, is no history, or was made by a newer perfcore.

    """

    def __init__(self, where: str | os.PathLike[str], *, create: bool = False) -> None:
        url = _url(where)
        plain = url.set(drivername=url.get_backend_name())  # as people write it, without the driver
        self.name = str(_sqlite_file(url) or plain.render_as_string(hide_password=True))
        file = _sqlite_file(url)
        if file is not None:
            if not create and not file.exists():
                raise HistoryError(f"{self.name}: no history yet; begin one with: perfcore history add RESULTS")
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise HistoryError(f"{self.name}: cannot make its folder: {error.strerror}") from error
        self.engine = self._engine(url)
        with self._explained():
            if file is not None and create:  # who only reads changes no file, which may be another program's
                _write_ahead(file)
            self._prepare(create=create)

    def _engine(self, url: sa.URL) -> Engine:
        embedded = url.get_backend_name() == "sqlite"
        arguments = {"timeout": BUSY_SECONDS, "isolation_level": None} if embedded else {"connect_timeout": 10}
        try:
            engine = sa.create_engine(url, connect_args=arguments, poolclass=sa.pool.NullPool)
        except ImportError:
            raise HistoryError(
                "PostgreSQL needs psycopg; install it with: pip install 'perfcore[history,postgresql]'"
            ) from None
        if embedded:
            sa.event.listen(engine, "connect", _set_up)
            sa.event.listen(engine, "begin", _begin)
        return engine

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what goes wrong with the database into one line."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
            cause = getattr(error, "orig", None) or error
            text = " ".join(str(cause).split()) or type(cause).__name__
            raise HistoryError(f"{self.name}: {text}; nothing was changed") from error

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a transaction that sees one state of the database."""
        with self._explained(), self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":  # else each statement sees a state of its own
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in a transaction that is committed at the end, whole, or not at all."""
        with (
            self._explained(),
            self.engine.connect().execution_options(perfcore_write=True) as connection,
            connection.begin(),
        ):
            if self.engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            yield connection

    def insert_new(self, connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        """Insert the rows whose keys are not there yet."""
        module = sqlite if self.engine.dialect.name == "sqlite" else postgresql
        connection.execute(module.insert(table).on_conflict_do_nothing(), rows)

    def _bring_up_to_date(self) -> None:
        """Give the tables of version 1 what they lack."""
        with self.writing() as connection:
            if connection.scalar(sa.select(schema.c.version)) == 1:  # else another process was faster
                connection.exec_driver_sql(f"ALTER TABLE {figures.name} ADD COLUMN pace DOUBLE PRECISION")
                connection.execute(schema.update().values(version=SCHEMA))

    def _prepare(self, *, create: bool) -> None:
        with self.reading() as connection:
            known = sa.inspect(connection).has_table(schema.name)
        if not known:
            if not create:
                raise HistoryError(f"{self.name}: no history yet; begin one with: perfcore history add RESULTS")
            with self.writing() as connection:
                metadata.create_all(connection)
                if connection.scalar(sa.select(schema.c.version)) is None:
                    connection.execute(schema.insert().values(version=SCHEMA))
        with self.reading() as connection:
            version = connection.scalar(sa.select(schema.c.version))
        if version == 1:
            self._bring_up_to_date()
        elif version != SCHEMA:
            raise HistoryError(
                f"{self.name}: its tables are of version {version}, and this perfcore reads {SCHEMA}; "
                "use it with a newer perfcore"
            )


def fetch(connection: Connection, query: sa.Select[Any]) -> list[tuple[Any, ...]]:
    """Return a query's rows, for the many of a series: SQLAlchemy's own rows cost as much as reading them does.

    Values are looked at as its column types do it, a column at a time.
    """
    cursor = connection.execute(query).cursor
    columns: list[Any] = [] if cursor is None else list(zip(*cursor.fetchall(), strict=True))
    for index, column in enumerate(query.selected_columns if columns else ()):
        if (look := _LOOKS.get(type(column.type))) is not None:
            columns[index] = map(look, columns[index])
    return list(zip(*columns, strict=True))


def _write_ahead(file: Path) -> None:
    """Put an SQLite file into WAL mode; it stays so. Of two that do it at once, one is told "locked" without a wait."""
    deadline = time.monotonic() + BUSY_SECONDS
    with contextlib.closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _set_up(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later may find itself behind another writer and fail; so lock first.
    writes = connection.get_execution_options().get("perfcore_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
