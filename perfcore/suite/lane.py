# SPDX-License-Identifier: MIT
"""What a lane is: a command or a Python callable that is run again and again and measured, and how TOML tells of it.

Every mistake in a table is one :class:`~perfcore.errors.ConfigError` that names the file and the key.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from perfcore.errors import ConfigError
from perfcore.judge.thresholds import parse_duration
from perfcore.units import parse_bytes

TIMEOUT = 1200.0
ITERATIONS = 5
MOST_ITERATIONS = 100_000
LONGEST = 30 * 86400.0
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_CALLABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True, slots=True)
class Lane:
    """A workload that is measured as a whole.

    Attributes:
        name: letters, digits, ``_``, ``-`` and ``.``; it names a folder.
        command: the words of the command; one word, the shell's text, where ``shell`` is set; empty for a callable.
        callable: ``module:function``, called without arguments in a Python process of its own; empty for a command.
        shell: whether ``/bin/sh`` reads the command.
        iterations: how often it is measured.
        warmup: how often it is run before that, without being measured.
        timeout: seconds that an iteration may take.
        grace: seconds between SIGTERM and SIGKILL, once an iteration is to end.
        env: what is set in its environment beside what is inherited.
        cwd: its working directory.
        interval: seconds between two samples of its metrics; memory is sampled every 5 ms in the first second.
        output_limit: bytes of its output that are kept, half from the beginning and half from the end.

    Raises:
        ConfigError: a number makes no sense, such as no iterations.

    """

    name: str
    command: tuple[str, ...] = ()
    callable: str = ""
    shell: bool = False
    iterations: int = ITERATIONS
    warmup: int = 0
    timeout: float = TIMEOUT
    grace: float = 5.0
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path()
    interval: float = 0.1
    output_limit: int = 2_000_000

    def __post_init__(self) -> None:
        for key, read in _NUMBERS.items():
            try:
                object.__setattr__(self, key, read(getattr(self, key)))  # as seconds, where it is text
            except ConfigError as error:
                raise ConfigError(f"lane {self.name}: {key}: {error}") from None

    @property
    def words(self) -> str:
        """What is run, as one would type it."""
        return self.callable or (self.command[0] if self.shell else shlex.join(self.command))

    @property
    def digest(self) -> str:
        """A digest of what is run and where, but not of how often or for how long."""
        what = {key: value for key, value in asdict(self).items() if key in _IDENTITY}
        return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:16]


_IDENTITY = ("command", "callable", "shell", "env", "cwd")


def _whole(value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(f"must be a whole number from {least} to {most}, not {value!r}")
    return value


def parse_time(value: object, most: float, least: float = 0.0) -> float:
    """Return a number of seconds, or what text like ``500 ms``, ``90 s``, ``20 min`` or ``2 h`` means.

    Raises:
        ConfigError: it is neither, or not within the bounds; the text does not name the key.

    """
    seconds = 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            seconds = float(value)
    elif isinstance(value, str) and (found := re.fullmatch(r"\s*([0-9.]+)\s*(min|h)\s*", value)):
        with suppress(ValueError):
            seconds = float(found[1]) * (60 if found[2] == "min" else 3600)
    else:
        with suppress(ConfigError):
            seconds = parse_duration(value)
    if not (seconds > 0 and least <= seconds <= most):
        bounds = f"above 0 and at most {most:g} s" if not least else f"from {least:g} to {most:g} s"
        raise ConfigError(f"must be seconds or text like 500 ms or 20 min, {bounds}, not {value!r}")
    return seconds


_NUMBERS: dict[str, Callable[[object], float]] = {
    "iterations": lambda value: _whole(value, 1, MOST_ITERATIONS),
    "warmup": lambda value: _whole(value, 0, MOST_ITERATIONS),
    "timeout": lambda value: parse_time(value, LONGEST),
    "grace": lambda value: parse_time(value, 3600.0),
    "interval": lambda value: parse_time(value, 10.0, 0.001),
}


def _command(value: object, shell: bool) -> tuple[str, ...]:
    if isinstance(value, str) and value.strip() and "\0" not in value:
        if shell:
            return (value,)
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise ConfigError(f"cannot be split into words: {error}") from None
    if shell:
        raise ConfigError(f"must be one text where shell = true, not {value!r}")
    if isinstance(value, list) and value and all(isinstance(word, str) and "\0" not in word for word in value):
        return tuple(value)
    raise ConfigError(f"must be text or a list of words, and not empty, not {value!r}")


def _callable(value: object) -> str:
    if not isinstance(value, str) or not _CALLABLE.fullmatch(value):
        raise ConfigError(f"must be like package.module:function, not {value!r}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"must be true or false, not {value!r}")
    return value


def _environment(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ConfigError(f"must be a table of texts, not {value!r}")
    for key, text in value.items():
        if not isinstance(text, str) or "\0" in text or not key or "=" in key or "\0" in key:
            raise ConfigError(f"{key!r} must be a name without '=' and its value text, not {text!r}")
    return dict(value)


def _folder(value: object) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ConfigError(f"must be the path of a folder, not {value!r}")
    return Path(value)


def _size(value: object) -> int:
    try:
        size = parse_bytes(value)  # type: ignore[arg-type]
    except (ValueError, TypeError, AttributeError):
        size = -1
    if not 0 <= size <= 2**30:
        raise ConfigError(f"must be a size like 10 MB, at most 1 GiB, not {value!r}")
    return size


def make_lane(name: str, table: Mapping[str, Any], folder: Path) -> Lane:
    """Make a lane of a table.

    Args:
        name: its name.
        table: as ``[tool.perfcore.lanes.NAME]`` has it.
        folder: what a relative ``cwd`` starts from, and the working directory where there is none.

    Raises:
        ConfigError: the text begins with the key that is wrong.

    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name for a lane; take up to 80 letters, digits, '_', '-' and '.'")
    known = [one.name for one in fields(Lane) if one.name != "name"]
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(known))}"
            raise ConfigError(f"{key}: unknown key; {advice}")
    if ("command" in table) == ("callable" in table):
        raise ConfigError("command: give either a command or a callable")
    readers: dict[str, Callable[[object], Any]] = {
        **_NUMBERS,
        "shell": _flag,
        "command": lambda value: _command(value, table.get("shell") is True),
        "callable": _callable,
        "env": _environment,
        "cwd": lambda value: folder / _folder(value),
        "output_limit": _size,
    }
    found: dict[str, Any] = {"cwd": folder}
    for key, value in table.items():
        try:
            found[key] = readers[key](value)
        except ConfigError as error:
            raise ConfigError(f"{key}: {error}") from None
    if found.get("shell") and "callable" in found:
        raise ConfigError("shell: a callable has no shell; leave one of them out")
    return Lane(name=name, **found)


def make_lanes(path: Path, value: object) -> dict[str, Lane]:
    """Make the lanes of ``[tool.perfcore.lanes]``, in the order of the file; they run in the file's folder.

    Raises:
        ConfigError: the text names the file and the key.

    """
    place = "tool.perfcore.lanes"
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {place}: must be a table, not {type(value).__name__}")
    lanes = {}
    for name, table in value.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {place}.{name}: must be a table, not {type(table).__name__}")
        try:
            lanes[name] = make_lane(name, table, path.parent)
        except ConfigError as error:
            raise ConfigError(f"{path}: {place}.{name}.{error}") from None
    return lanes
