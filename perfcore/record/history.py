# SPDX-License-Identifier: MIT
"""The history of runs: what was measured when, at which commit, in which environment.

A run is known by what it holds, not by its file's name: added twice, it is there once. Samples are not kept, only
figures. The database is in :mod:`perfcore.record.database`.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from perfcore.errors import HistoryError
from perfcore.names import is_chosen
from perfcore.record import database as db
from perfcore.record.database import sa  # there, because it says what to install where it is missing
from perfcore.record.environment import describe
from perfcore.record.kept import COLUMNS, keep, kept_figure, real
from perfcore.record.pace import pace_of
from perfcore.record.results import STOCK, Benchmark, Results

DAY = 86400.0
_CHUNK = 500  # values in one IN (...), under SQLite's least limit of 999


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as the history keeps it.

    Attributes:
        key: what it holds, as a digest: equal for equal runs.
        at: when it was measured, in seconds since 1970 (UTC).
        commit: the commit's id, if the file told it.
        branch: likewise.
        environment: digest of what of the machine and the interpreter decides how fast code runs.
        described: that, readable.
        backend: ``perfcore`` or ``stock``.
        python: the Python version, if the file told it.
        file: where it was read from.
        count: how many benchmarks it has.
        figures: the benchmarks' rows; empty where runs are only listed.

    """

    key: str
    at: float
    commit: str | None
    branch: str | None
    environment: str
    described: Mapping[str, Any]
    backend: str
    python: str | None
    file: str
    count: int
    figures: Sequence[Mapping[str, Any]] = field(default=(), repr=False)


class Point(NamedTuple):
    """A benchmark's figure in one run: a tuple, because a trend may have ten thousand.

    ``median`` is the figure of another metric where one was asked for.
    """

    at: float
    median: float
    commit: str | None
    environment: str
    backend: str
    method: str


def _text(value: object) -> str | None:
    """Return text that any database takes: a path may hold bytes that are no UTF-8; None for what is no text."""
    if not isinstance(value, str) or not value:
        return None
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def method(benchmark: Benchmark) -> str:
    """Return how a benchmark was measured; only figures of ways that are `alike` mean the same."""
    kernel = _text((benchmark.perfcore or {}).get("kernel")) or STOCK
    return f"{kernel}/{_text(benchmark.options.get('timer')) or '?'}"


def environment_key(results: Results) -> str:
    """Return the digest of the environment that a file comes from."""
    text = json.dumps(describe(results), sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def moment(results: Results) -> float:
    """Return when a file was saved, in seconds since 1970; a moment without a zone is taken as UTC.

    Raises:
        HistoryError: the file does not say.

    """
    try:
        found = datetime.fromisoformat(results.datetime)
        at = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        if not db.has_moment(at):  # of a zone east of the year 1, say: it could be added, and never be read again
            raise OverflowError
    except (ValueError, OverflowError):
        said = f"is {results.datetime!r}" if results.datetime else "the key is missing"
        raise HistoryError(
            f"{results.path}: datetime: {said}, and a history needs the moment; save it again with --benchmark-json"
        ) from None
    return at


def _figures(benchmark: Benchmark) -> dict[str, Any]:
    own = benchmark.perfcore or {}
    interval = own.get("median_ci")
    if isinstance(interval, Mapping):
        interval = [interval.get("low"), interval.get("high")]
    low, high = interval[:2] if isinstance(interval, list) and len(interval) >= 2 else (None, None)
    row: dict[str, Any] = {name: real(benchmark.stats.get(name)) for name in COLUMNS}
    return row | {
        "fullname": _text(benchmark.fullname) or "?",
        "median_low": real(low),
        "median_high": real(high),
        "rounds": _count(benchmark.stats.get("rounds")),
        "iterations": _count(benchmark.iterations),
        "method": method(benchmark),
        "metrics_json": keep(benchmark),
        "pace": real(pace_of(benchmark)[0]),
    }


def _identity(row: dict[str, Any], benchmark: Benchmark) -> dict[str, Any]:
    """Return what a run is known by: what was kept from the start, so that a run added long ago is still known."""
    metrics = (benchmark.perfcore or {}).get("metrics")
    known = json.dumps(metrics, sort_keys=True, default=str) if isinstance(metrics, Mapping) else None
    return {key: value for key, value in row.items() if key != "pace"} | {"metrics_json": known}


def make_run(results: Results) -> Run:
    """Return what the history keeps of a file.

    Raises:
        HistoryError: the file does not say when it was saved, or has no benchmarks.

    """
    at = moment(results)
    if not results.benchmarks:
        raise HistoryError(f"{results.path}: has no benchmarks, so there is nothing to add")
    rows = [_figures(benchmark) for benchmark in results.benchmarks]
    described = describe(results)
    commit, branch = _text(results.commit_info.get("id")), _text(results.commit_info.get("branch"))
    environment = environment_key(results)
    known = sorted(map(_identity, rows, results.benchmarks), key=lambda row: row["fullname"])
    content = [at, commit, branch, environment, results.backend, known]
    return Run(
        key=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
        at=at,
        commit=commit,
        branch=branch,
        environment=environment,
        described=described,
        backend=_text(results.backend) or STOCK,
        python=_text(described.get("python_version")),
        file=_text(str(results.path)) or "?",
        count=len(rows),
        figures=rows,
    )


class History:
    """A history, opened.

    Args:
        where: an SQLite file, or a URL.
        create: make it if it is missing.

    Raises:
        HistoryError: as :class:`perfcore.record.database.Database` says.

    """

    def __init__(self, where: Any, *, create: bool = False) -> None:
        self.database = db.Database(where, create=create)

    @property
    def name(self) -> str:
        """Where it is, without a password."""
        return self.database.name

    def add(self, added: Iterable[Run]) -> int:
        """Add runs, all or none, and return how many were not there yet."""
        new = 0
        with self.database.writing() as connection:
            for run in added:
                new += self._add(connection, run)
        return new

    def _add(self, connection: sa.Connection, run: Run) -> bool:
        row = {
            "key": run.key,
            "at": run.at,
            "commit_id": run.commit,
            "branch": run.branch,
            "environment": run.environment,
            "environment_json": json.dumps(run.described, default=str),
            "backend": run.backend,
            "python": run.python,
            "file": run.file,
        }
        if connection.scalar(sa.select(db.runs.c.id).where(db.runs.c.key == run.key)) is not None:
            return False  # nobody else writes meanwhile: see Database.writing
        number = connection.scalar(db.runs.insert().values(row).returning(db.runs.c.id))
        names = sorted(row["fullname"] for row in run.figures)
        self.database.insert_new(connection, db.benchmarks, [{"fullname": name} for name in names])
        numbers = self._numbers(connection, names)
        connection.execute(
            db.figures.insert(),
            [
                {key: value for key, value in row.items() if key != "fullname"}
                | {"run_id": number, "benchmark_id": numbers[row["fullname"]]}
                for row in run.figures
            ],
        )
        return True

    @staticmethod
    def _numbers(connection: sa.Connection, names: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for start in range(0, len(names), _CHUNK):
            table = db.benchmarks.c
            query = sa.select(table.fullname, table.id).where(table.fullname.in_(names[start : start + _CHUNK]))
            found.update((str(name), int(number)) for name, number in connection.execute(query))
        return found

    def runs(
        self, *, since: float | None = None, environment: str | None = None, limit: int | None = None
    ) -> list[Run]:
        """Return the runs, the newest first, without their figures."""
        table = db.runs.c
        count = sa.select(sa.func.count()).where(db.figures.c.run_id == table.id).scalar_subquery()
        query = sa.select(db.runs, count.label("count")).order_by(table.at.desc(), table.id.desc()).limit(limit)
        if since is not None:
            query = query.where(table.at >= since)
        if environment is not None:
            query = query.where(table.environment == environment)
        with self.database.reading() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def find(self, key: str) -> Run:
        """Return the one run whose key begins so, with its figures.

        Raises:
            HistoryError: there is none, or more than one.

        """
        if not key.isalnum():
            raise HistoryError(f"{key!r} is no run's key; list them with: perfcore history list")
        table = db.runs.c
        with self.database.reading() as connection:
            rows = list(connection.execute(sa.select(db.runs).where(table.key.startswith(key)).limit(2)).mappings())
            if len(rows) != 1:
                what = "more than one run" if rows else "no run"
                raise HistoryError(f"{self.name}: {what} has a key that begins with {key}; see: perfcore history list")
            query = (
                sa.select(db.figures, db.benchmarks.c.fullname)
                .join(db.benchmarks)
                .where(db.figures.c.run_id == rows[0]["id"])
                .order_by(db.benchmarks.c.fullname)
            )
            found = [dict(row) for row in connection.execute(query).mappings()]
        return _run({**rows[0], "count": len(found)}, found)

    def names(self, pattern: str | None = None) -> list[str]:
        """Return the names of the benchmarks, those that match a shell pattern or hold the text."""
        with self.database.reading() as connection:
            names = [str(name) for name in connection.scalars(sa.select(db.benchmarks.c.fullname))]
        return sorted(name for name in names if is_chosen(name, pattern))

    def series(
        self,
        names: Sequence[str],
        *,
        since: float | None = None,
        before: float | None = None,
        environment: str | None = None,
        backend: str | None = None,
        metric: str = "median",
    ) -> dict[str, list[Point]]:
        """Return the benchmarks' medians, the oldest first. What has no finite median is left out.

        Instead of the median, ``metric`` may name the mean, stddev, min, max or ops, or what `kept_figure` finds.
        """
        run, figure = db.runs.c, db.figures.c
        column = "mean" if metric == "ops" else metric if metric in COLUMNS else "metrics_json"
        kept = figure[column]
        points: dict[str, list[Point]] = {name: [] for name in names}
        conditions: list[sa.ColumnElement[bool]] = [kept.is_not(None)]
        if since is not None:
            conditions.append(run.at >= since)
        if before is not None:
            conditions.append(run.at < before)
        if environment is not None:
            conditions.append(run.environment == environment)
        if backend is not None:
            conditions.append(run.backend == backend)
        columns = (run.at, kept, run.commit_id, run.environment, run.backend, figure.method)
        with self.database.reading() as connection:
            for name, number in self._numbers(connection, names).items():
                query = (
                    sa.select(*columns)
                    .join_from(db.figures, db.runs)
                    .where(figure.benchmark_id == number, *conditions)
                    .order_by(run.at, run.id)
                )
                points[name] = list(map(Point._make, db.fetch(connection, query)))
        if metric == "ops":
            return {
                name: [one._replace(median=1 / one.median) for one in found if one.median]
                for name, found in points.items()
            }
        if column == metric:
            return points
        return {name: _of_metric(metric, found) for name, found in points.items()}

    def rows(self, pattern: str | None = None, *, since: float | None = None) -> Iterator[dict[str, Any]]:
        """Give all that is kept of each benchmark in each run, the oldest run first; `pattern` as of `names`."""
        run, name = db.runs.c, db.benchmarks.c.fullname
        wanted = set(self.names(pattern))
        described = (run.at, run.key, run.commit_id.label("commit"), run.branch, run.environment, run.backend)
        kept = [column for column in db.figures.c if column.name not in ("benchmark_id", "run_id")]
        query = (
            sa.select(*described, run.python, name, *kept)
            .select_from(db.figures.join(db.runs).join(db.benchmarks))
            .where(run.at >= (-math.inf if since is None else since))
            .order_by(run.at, run.id, name)
        )
        with self.database.reading() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query).mappings():
                if row["fullname"] in wanted:
                    yield dict(row)

    def prune(self, days: float, *, now: float | None = None, dry_run: bool = False) -> int:
        """Remove the runs older than so many days, and names that no run has; return how many runs those are."""
        limit = (time.time() if now is None else now) - days * DAY
        old = db.runs.c.at < limit
        with self.database.writing() as connection:
            count = connection.scalar(sa.select(sa.func.count()).select_from(db.runs).where(old))
            if not dry_run:
                connection.execute(
                    db.figures.delete().where(db.figures.c.run_id.in_(sa.select(db.runs.c.id).where(old)))
                )
                connection.execute(db.runs.delete().where(old))
                used = sa.select(db.figures.c.benchmark_id)
                connection.execute(db.benchmarks.delete().where(db.benchmarks.c.id.not_in(used)))
        return int(count or 0)


def _of_metric(metric: str, points: Sequence[Point]) -> list[Point]:
    """Return points with the metric's figure, of points with all of them as JSON."""
    figures = (kept_figure(db.read_object(str(point.median)), metric) for point in points)
    return [point._replace(median=value) for point, value in zip(points, figures, strict=True) if value is not None]


def _run(row: Mapping[Any, Any], figures: Sequence[Mapping[str, Any]] = ()) -> Run:
    return Run(
        key=row["key"],
        at=row["at"],
        commit=row["commit_id"],
        branch=row["branch"],
        environment=row["environment"],
        described=db.read_object(row["environment_json"]),
        backend=row["backend"],
        python=row["python"],
        file=row["file"],
        count=row["count"],
        figures=figures,
    )
