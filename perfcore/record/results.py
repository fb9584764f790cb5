# SPDX-License-Identifier: MIT
"""Reading results files: pytest-benchmark's JSON, as it saves it (4.0 to 5.x) and as perfcore adds to it.

The text goes through the C reader (strict JSON, samples straight to doubles); here the keys are checked that the rest
of perfcore relies on. Whatever is wrong with a file is one :class:`~perfcore.errors.ResultsError` with one line that
says what, where, and what to do.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from perfcore import _core
from perfcore.errors import ResultsError

MAX_BYTES = 512 * 1024 * 1024
SCHEMA = 1
STOCK = "stock"

_SAVE_AGAIN = "save it again with --benchmark-json"
# What pytest-benchmark alone writes as Python reads it, of a test's parameters and extra_info: the scanner's words.
_NOT_STRICT = (
    "NaN or Infinity, which JSON does not have",
    "half of a surrogate pair in a string",
    "a NUL character (\\u0000) in a string",
    "a number too large for a double",
)
_FULLNAME = re.compile(rb'"fullname"\s*:\s*("(?:[^"\\]|\\.)*")')
_NUMBERS = frozenset(
    ("median", "min", "max", "mean", "stddev", "iqr", "q1", "q3", "ops", "total", "rounds", "iterations")
)
_PLAIN = {float, int}
_PLAIN_OR_NONE = {float, int, type(None)}
_PLAIN_KINDS = (str, str, dict, dict, dict)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark of a results file. Times are seconds.

    Attributes:
        name: the test's name, with its parameters.
        fullname: the pytest node id, unique in the file.
        group: the group it was put in, if any.
        params: the parameters of the test, if any.
        stats: the statistics by name, without ``data``; ``median`` is always there, the others where the file has them.
        iterations: calls in each round.
        data: the samples, one for each round; None when the file was saved without them.
        extra_info: what the test put there.
        options: the timer and the limits it ran with.
        perfcore: perfcore's own keys (kernel, percentiles, mad, median_ci, flags, pace); None in a stock file.

    """

    name: str
    fullname: str
    group: str | None
    params: Mapping[str, Any] | None
    stats: Mapping[str, Any]
    iterations: int
    data: _core.Samples | None
    extra_info: Mapping[str, Any]
    options: Mapping[str, Any]
    perfcore: Mapping[str, Any] | None

    @property
    def median(self) -> float:
        """The median in seconds."""
        return float(self.stats["median"])


@dataclass(frozen=True, slots=True)
class Results:
    """A results file.

    Attributes:
        path: where it was read from.
        benchmarks: in the order of the file.
        machine_info: what pytest-benchmark tells of the machine; may be empty.
        commit_info: likewise of the commit.
        datetime: when it was saved, as written; empty if the file does not say.
        version: of pytest-benchmark, as written; empty if the file does not say.
        perfcore: perfcore's own keys (schema, version, backend, environment); empty in a stock file.

    """

    path: Path
    benchmarks: tuple[Benchmark, ...]
    machine_info: Mapping[str, Any]
    commit_info: Mapping[str, Any]
    datetime: str
    version: str
    perfcore: Mapping[str, Any]

    @property
    def backend(self) -> str:
        """What ran the benchmarks: ``perfcore``, or ``stock`` for pytest-benchmark's own loops."""
        return str(self.perfcore.get("backend", STOCK))


class _Reader:
    """Checks one file's objects; every complaint begins with the path and the key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def wrong(self, where: str, what: str, advice: str = _SAVE_AGAIN) -> ResultsError:
        return ResultsError(f"{self.path}: {where}: {what}; {advice}")

    def required(self, source: Mapping[str, Any], where: str, key: str, kind: type[_T], words: str) -> _T:
        value = self.optional(source, where, key, kind, words)
        if value is None:
            raise self.wrong(f"{where}.{key}", "is null" if key in source else "the key is missing")
        return value

    def optional(self, source: Mapping[str, Any], where: str, key: str, kind: type[_T], words: str) -> _T | None:
        value = source.get(key)
        if value is not None and not isinstance(value, kind):
            raise self.wrong(f"{where}.{key}" if where else key, f"must be {words}, not {_kind(value)}")
        return value

    def number(self, source: Mapping[str, Any], where: str, key: str) -> None:
        value = source[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(f"{where}.{key}", f"must be a number, not {_kind(value)}")

    def mapping(self, source: Mapping[str, Any], where: str, key: str) -> Mapping[str, Any]:
        return self.optional(source, where, key, dict, "an object") or {}

    def text(self, source: Mapping[str, Any], where: str, key: str) -> str:
        return self.optional(source, where, key, str, "a string") or ""

    def benchmark(self, item: object, index: int) -> Benchmark:
        return _plain(item) or self.checked(item, f"benchmarks[{index}]")

    def checked(self, item: object, where: str) -> Benchmark:
        if not isinstance(item, dict):
            raise self.wrong(where, f"must be an object, not {_kind(item)}")
        fullname = self.required(item, where, "fullname", str, "a string")
        stats = self.required(item, where, "stats", dict, "an object")
        place = f"{where}.stats"
        if "median" not in stats:
            raise self.wrong(f"{place}.median", "the key is missing")
        data = self.samples(stats, place)
        stats.pop("data", None)  # nobody else has this dict
        if not _PLAIN.issuperset(map(type, stats.values())):
            for key in stats:
                if key in _NUMBERS:
                    self.number(stats, place, key)
        iterations = stats.get("iterations", item.get("iterations", 1))
        if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 1:
            raise self.wrong(f"{place}.iterations", "must be a positive integer")
        own = self.optional(item, where, "perfcore", dict, "an object")
        if own is not None and own.get("mad") is not None:
            self.number(own, f"{where}.perfcore", "mad")
        return Benchmark(
            name=self.text(item, where, "name") or fullname,
            fullname=fullname,
            group=self.optional(item, where, "group", str, "a string or null"),
            params=self.optional(item, where, "params", dict, "an object or null"),
            stats=stats,
            iterations=iterations,
            data=data,
            extra_info=self.mapping(item, where, "extra_info"),
            options=self.mapping(item, where, "options"),
            perfcore=own,
        )

    def samples(self, stats: Mapping[str, Any], where: str) -> _core.Samples | None:
        data = stats.get("data")
        if data is None or isinstance(data, _core.Samples):
            return data
        raise self.wrong(f"{where}.data", f"must be a list of numbers, not {_kind(data)}")

    def results(self, root: object) -> Results:
        if not isinstance(root, dict) or not isinstance(root.get("benchmarks"), list):
            raise ResultsError(
                f'{self.path}: no results file: it has no list "benchmarks"; give the file that --benchmark-json or '
                "--benchmark-save wrote"
            )
        own = self.mapping(root, "", "perfcore")
        schema = own.get("schema", SCHEMA)
        if schema != SCHEMA or isinstance(schema, bool):
            raise self.wrong(
                "perfcore.schema", f"is {schema!r}, and this perfcore reads {SCHEMA}", "read it with a newer perfcore"
            )
        benchmarks = tuple(self.benchmark(item, index) for index, item in enumerate(root["benchmarks"]))
        seen: dict[str, int] = {}
        for index, benchmark in enumerate(benchmarks):
            first = seen.setdefault(benchmark.fullname, index)
            if first != index:
                raise self.wrong(
                    f"benchmarks[{index}].fullname",
                    f"{benchmark.fullname!r} is the name of benchmarks[{first}] too",
                    "give every benchmark a name of its own; if a plugin reran the test, leave that plugin out or "
                    "measure with perfcore, which saves the last run alone",
                )
        return Results(
            path=self.path,
            benchmarks=benchmarks,
            machine_info=self.mapping(root, "", "machine_info"),
            commit_info=self.mapping(root, "", "commit_info"),
            datetime=self.text(root, "", "datetime"),
            version=self.text(root, "", "version"),
            perfcore=own,
        )


def _plain(item: Any) -> Benchmark | None:
    """Return a benchmark as pytest-benchmark writes it; None for one that has to be looked at key by key."""
    if type(item) is not dict:
        return None
    get: Any = item.get
    name, fullname, stats, options = get("name"), get("fullname"), get("stats"), get("options")
    extra = get("extra_info")
    if (type(name), type(fullname), type(stats), type(options), type(extra)) != _PLAIN_KINDS or not name:
        return None
    group, params, own, data = get("group"), get("params"), get("perfcore"), stats.get("data")
    iterations = stats.get("iterations")
    if (
        (group is None or type(group) is str)
        and (params is None or type(params) is dict)
        and (own is None or (type(own) is dict and type(own.get("mad")) in _PLAIN_OR_NONE))
        and (data is None or type(data) is _core.Samples)
        and type(iterations) is int
        and iterations > 0
        and "median" in stats
    ):
        stats.pop("data", None)  # nobody else has this dict
        if _PLAIN.issuperset(map(type, stats.values())):
            return Benchmark(name, fullname, group, params, stats, iterations, data, extra, options, own)
        if data is not None:
            stats["data"] = data
    return None


def _kind(value: object) -> str:
    """Name a JSON value's type, as a message does."""
    if isinstance(value, _core.Samples):
        return "an array"
    names: dict[type, str] = {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}
    return "null" if value is None else names.get(type(value), "a number")


def _size(count: int) -> str:
    return f"{count / 2**20:.0f} MiB" if count >= 2**20 else f"{count} bytes"


def read_bytes(
    path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES, what: str = "a results file", made_by: str = ""
) -> bytes:
    """Return a file's bytes, refusing one over ``max_bytes`` before reading it.

    Args:
        path: the file.
        max_bytes: the limit.
        what: is read, for messages.
        made_by: the command that writes it, for messages; by default that of results files.

    Raises:
        ResultsError: the file is missing, a folder, not readable, or too large.

    """
    shown = Path(path)
    try:
        # Without blocking, so that a pipe that nobody writes to does not stop us.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise ResultsError(f"{shown}: is a folder; give {what}")
            if not stat.S_ISREG(status.st_mode):
                raise ResultsError(f"{shown}: is no regular file; save the results to one")
            size = status.st_size
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                data = file.readall() if size <= max_bytes else b""  # one block of the file's size
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise ResultsError(
            f"{shown}: no such file; make it with {made_by or f'pytest --benchmark-json={shown}'}"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ResultsError(f"{shown}: cannot read: {reason}") from error
    if max(size, len(data)) > max_bytes:
        advice = "raise the limit" if made_by else "save it without --benchmark-save-data, or raise the limit"
        raise ResultsError(
            f"{shown}: too large: {_size(max(size, len(data)))}, and the limit is {_size(max_bytes)}; {advice}"
        )
    return data


def _advice(data: bytes, offset: int) -> str:
    """Say what to do about a value that JSON lacks; saving it again would write it again."""
    found = _FULLNAME.match(data, data.rfind(b'"fullname"', 0, offset))
    where = f"behind the fullname {found[1].decode(errors='replace')}" if found else "there"
    return (
        f"let the test have another value {where}, or measure with perfcore, which saves such values of parameters, "
        "extra_info and the group as text"
    )


def parse_results(path: str | os.PathLike[str], data: bytes) -> Results:
    """Make results of the bytes of a file; ``path`` is for messages.

    Raises:
        ResultsError: the bytes are no results file.

    """
    shown = Path(path)
    try:
        root = _core.load_results(data)
    except _core.JSONError as error:
        reason, line, column, offset = error.args
        if not data.strip():
            raise ResultsError(f"{shown}: {reason}; {_SAVE_AGAIN}") from None
        advice = _advice(data, offset) if reason in _NOT_STRICT else _SAVE_AGAIN
        raise ResultsError(f"{shown}: line {line}, column {column}: {reason}; {advice}") from None
    return _Reader(shown).results(root)


def load_results(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Results:
    """Read a results file: pytest-benchmark's JSON, or a file of its storage, with or without the samples.

    Args:
        path: the file.
        max_bytes: refuse a file larger than this, before reading it.

    Raises:
        ResultsError: the file cannot be read or is no results file; the text is one line.

    """
    return parse_results(path, read_bytes(path, max_bytes=max_bytes))
