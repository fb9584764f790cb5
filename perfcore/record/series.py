# SPDX-License-Identifier: MIT
"""Many benchmarks' medians over the runs of a history, read at once: some 700 000 figures in a second.

:meth:`perfcore.record.history.History.series` asks for one benchmark at a time, which is right for a few. Here the runs
are read first, then the figures of 500 benchmarks with each query, in the order in which they lie in the table. Runs of
another environment or backend are another group, for their figures mean something else. Moments are seconds since 1970
(UTC), figures are seconds; one thread.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from perfcore.record.database import benchmarks, figures, read_object, runs, sa
from perfcore.record.kept import COLUMNS, Kept
from perfcore.record.methods import alike

if TYPE_CHECKING:
    from perfcore.record.history import History, Point

_CHUNK = 500  # values in one IN (...), under SQLite's least limit of 999
_moment = attrgetter("at")


@dataclass(slots=True)
class Group:
    """The runs of one environment and backend.

    Attributes:
        environment: digest of the environment.
        described: that, readable.
        backend: ``perfcore`` or ``stock``.
        moments: when each run was measured, ascending.
        commits: the commit of each, if the history knows it.
        earlier: how many older runs were left out.

    """

    environment: str
    described: Mapping[str, Any]
    backend: str
    moments: list[float] = field(default_factory=list)
    commits: list[str | None] = field(default_factory=list)
    earlier: int = 0


@dataclass(slots=True)
class Series:
    """The medians of one benchmark that were measured by one method.

    Attributes:
        fullname: the benchmark.
        group: the index of its group.
        method: how it was measured.
        runs: the runs that have it, as indices into the group's, ascending.
        values: their medians, finite and above zero.

    """

    fullname: str
    group: int
    method: str
    runs: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


def _read_groups(
    connection: sa.Connection, since: float, until: float, environment: str | None
) -> tuple[list[Group], dict[int, tuple[int, int]]]:
    """Return the groups, and of each run by its number the group and its place there."""
    run = runs.c
    query = (
        sa.select(run.id, run.at, run.commit_id, run.environment, run.environment_json, run.backend)
        .where(run.at >= since, run.at <= until)
        .order_by(run.at, run.id)
    )
    if environment is not None:
        query = query.where(run.environment == environment)
    groups: list[Group] = []
    known: dict[tuple[str, str], int] = {}
    places: dict[int, tuple[int, int]] = {}
    for number, at, commit, key, described, backend in connection.execute(query):
        index = known.setdefault((key, backend), len(groups))
        if index == len(groups):
            groups.append(Group(key, read_object(described), backend))
        group = groups[index]
        places[number] = (index, len(group.moments))
        group.moments.append(at)
        group.commits.append(commit)
    return groups, places


def read_series(
    history: History,
    names: Sequence[str],
    *,
    since: float = -math.inf,
    until: float = math.inf,
    environment: str | None = None,
) -> tuple[list[Group], list[Series]]:
    """Return the runs from ``since`` to ``until`` in groups, and the medians that they have of some benchmarks.

    With ``environment``, its runs alone.

    Raises:
        HistoryError: the database cannot be read.

    """
    made: list[Series] = []
    with history.database.reading() as connection:
        groups, places = _read_groups(connection, since, until, environment)
        if not places:
            return groups, made
        for named in _numbered(connection, names):
            columns = (figures.c.median, figures.c.method)
            found = _read_figures(connection, list(named), places, columns, figures.c.median.is_not(None))
            made += _gather(found, named, places)
    return groups, made


def last_figures(groups: Sequence[Group], series: Iterable[Series], most: int) -> list[tuple[float, float, str]]:
    """Return moment, median and method of the last runs of some series, the oldest first."""
    return sorted(
        (groups[one.group].moments[run], value, one.method)
        for one in series
        for run, value in zip(one.runs[-most:], one.values[-most:], strict=True)
    )[-most:]


def read_paces(
    history: History, names: Sequence[str], *, until: float, environment: str
) -> dict[tuple[str, float], float]:
    """Return the machine's pace, in seconds, by benchmark and moment of the run, of the runs that know it.

    Raises:
        HistoryError: the database cannot be read.

    """
    found: dict[tuple[str, float], float] = {}
    with history.database.reading() as connection:
        groups, places = _read_groups(connection, -math.inf, until, environment)
        for named in _numbered(connection, names) if places else ():
            for number, run, pace in _read_figures(
                connection, list(named), places, (figures.c.pace,), figures.c.pace.is_not(None)
            ):
                if (place := places.get(run)) is not None:
                    group, index = place
                    found[named[number], groups[group].moments[index]] = pace
    return found


def join_alike(series: Iterable[Series]) -> list[Series]:
    """Return the series with those as one that mean the same; its method is that of the newest run."""
    found: dict[tuple[str, int, frozenset[str]], list[Series]] = {}
    for one in series:
        found.setdefault((one.fullname, one.group, alike(one.method)), []).append(one)
    return [_joined(those) if len(those) > 1 else those[0] for those in found.values()]


def _joined(series: Sequence[Series]) -> Series:
    pairs = sorted(pair for one in series for pair in zip(one.runs, one.values, strict=True))
    newest = max(series, key=lambda one: one.runs[-1])
    return Series(
        newest.fullname, newest.group, newest.method, [run for run, _ in pairs], [value for _, value in pairs]
    )


def group_alike(points: Iterable[Point]) -> list[list[Point]]:
    """Return a benchmark's points above zero in groups that mean the same, each with the oldest first."""
    apart: dict[tuple[str, str, str], list[Point]] = {}
    for point in points:
        if 0 < point.median < math.inf:
            apart.setdefault((point.environment, point.backend, point.method), []).append(point)
    found: dict[tuple[str, str, frozenset[str]], list[list[Point]]] = {}
    for (environment, backend, method), those in apart.items():
        found.setdefault((environment, backend, alike(method)), []).append(those)
    return [sorted(chain(*parts), key=_moment) if len(parts) > 1 else parts[0] for parts in found.values()]


def read_kept(
    history: History, names: Sequence[str], *, before: float, environment: str, limit: int
) -> dict[str, list[Kept]]:
    """Return all figures of the last runs of an environment, the oldest first.

    Raises:
        HistoryError: the database cannot be read.

    """
    columns = (figures.c.metrics_json, figures.c.method, *(figures.c[one] for one in COLUMNS))
    rows: dict[str, list[tuple[tuple[float, int], str, Sequence[Any]]]] = {name: [] for name in names}
    with history.database.reading() as connection:
        groups, places = _read_groups(connection, -math.inf, math.nextafter(before, -math.inf), environment)
        for named in _numbered(connection, names) if places else ():
            for number, run, *values in _read_figures(connection, list(named), places, columns):
                if run in places:
                    group, index = places[run]
                    rows[named[number]].append(((groups[group].moments[index], run), groups[group].backend, values))
    found: dict[str, list[Kept]] = {}
    for name, those in rows.items():
        found[name] = []
        for _, backend, (text, method, *stats) in sorted(those, key=itemgetter(0))[-limit:]:
            known = dict(zip(COLUMNS, stats, strict=True))
            known["ops"] = 1 / known["mean"] if known["mean"] else None
            kept = read_object(text)
            others = kept.get("stats")
            kept["stats"] = others | known if isinstance(others, dict) else known
            found[name].append(Kept(backend, method, kept))
    return found


def read_elsewhere(history: History, environment: str, *, before: float) -> Mapping[str, Any] | None:
    """Return the environment of the last run of another one, readable; None where there is no such run.

    Raises:
        HistoryError: the database cannot be read.

    """
    run = runs.c
    query = (
        sa.select(run.environment_json)
        .where(run.environment != environment, run.at < before)
        .order_by(run.at.desc(), run.id.desc())
        .limit(1)
    )
    with history.database.reading() as connection:
        text = connection.scalar(query)
    return None if text is None else read_object(text)


def _numbered(connection: sa.Connection, names: Sequence[str]) -> Iterator[dict[int, str]]:
    """Give the names of those benchmarks that the history knows by their numbers, some hundreds at a time."""
    for start in range(0, len(names), _CHUNK):
        name = benchmarks.c.fullname
        chosen = sa.select(benchmarks.c.id, name).where(name.in_(names[start : start + _CHUNK]))
        if named := {int(number): str(found) for number, found in connection.execute(chosen)}:
            yield named


def _read_figures(
    connection: sa.Connection,
    numbers: Sequence[int],
    places: Mapping[int, Any],
    columns: Sequence[sa.ColumnElement[Any]],
    *conditions: sa.ColumnElement[bool],
) -> Iterator[Sequence[Any]]:
    """Give benchmark, run, and some columns, in the order of the table; runs that have no place may be among them."""
    figure = figures.c
    query = (
        sa.select(figure.benchmark_id, figure.run_id, *columns)
        .where(figure.benchmark_id.in_(numbers), figure.run_id.between(min(places), max(places)))
        .where(*conditions)
        .order_by(figure.benchmark_id, figure.run_id)
    )
    return iter(connection.execute(query))


def _gather(
    found: Iterable[Sequence[Any]], named: Mapping[int, str], places: Mapping[int, tuple[int, int]]
) -> list[Series]:
    """Return the series of rows that are sorted by benchmark and run."""
    made: dict[tuple[int, int, str], Series] = {}
    last: tuple[int, int, str] | None = None
    for number, run, median, method in found:
        place = places.get(run)
        if place is None or not 0 < median < math.inf:
            continue
        group, index = place
        key = (number, group, method)
        if key != last:  # a run is nearly always measured as the one before it was
            last = key
            if (series := made.get(key)) is None:
                series = made[key] = Series(named[number], group, method)
            runs_of, values = series.runs, series.values
        runs_of.append(index)
        values.append(median)
    for series in made.values():
        # Runs that were imported later than newer ones have a higher number.
        if any(before > after for before, after in zip(series.runs, series.runs[1:], strict=False)):
            pairs = sorted(zip(series.runs, series.values, strict=True))
            series.runs, series.values = [run for run, _ in pairs], [value for _, value in pairs]
    return list(made.values())
