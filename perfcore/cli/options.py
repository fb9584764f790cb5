# SPDX-License-Identifier: MIT
"""Options that several commands share, and the JSON they write."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from perfcore.cli import UsageError
from perfcore.errors import ConfigError
from perfcore.report.text import printable, say


def fraction(text: str) -> float:
    """Convert ``5%`` or ``0.05``, for argparse."""
    from perfcore.judge.thresholds import parse_fraction

    try:
        return parse_fraction(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def mebibytes(text: str) -> int:
    """Convert a size in MiB to bytes, for argparse."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 2**20:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give MiB, a whole number from 1 to {2**20}")
    return int(text) * 2**20


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add what every command that reads files takes."""
    from perfcore.cli import MAX_MEBIBYTES

    parser.add_argument("--json", action="store_true", help="write JSON instead of a table")
    parser.add_argument(
        "--max-size",
        type=mebibytes,
        default=MAX_MEBIBYTES * 2**20,
        metavar="MIB",
        help=f"refuse files over this many MiB ({MAX_MEBIBYTES})",
    )


def add_baseline(parser: argparse.ArgumentParser) -> None:
    """Add ``--baseline``."""
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="the baseline (default: [tool.perfcore] baseline in pyproject.toml, else "
        "benchmarks/results/baseline/baseline_results.json beside it)",
    )


def add_database(parser: argparse.ArgumentParser) -> None:
    """Add ``--database``."""
    parser.add_argument(
        "--database",
        metavar="FILE|URL",
        help="the history (default: [tool.perfcore.history] url in pyproject.toml, else benchmarks/results/history.db "
        "beside it); a team's: postgresql://USER@HOST/NAME",
    )


def days(text: str) -> float:
    """Convert a number of days, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 36500:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days; give one above 0, at most 36500")
    return value


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Add what decides a verdict."""
    parser.add_argument("--warning", type=fraction, metavar="P", help="slow-down that is a warning, like 5%% or 0.05")
    parser.add_argument("--critical", type=fraction, metavar="P", help="slow-down that is critical, like 10%%")
    parser.add_argument(
        "--allow-backend-mismatch",
        action="store_true",
        help="compare figures of different backends, kernels or timers; without it they are undecided",
    )
    parser.add_argument(
        "--strict-environment",
        action="store_true",
        help="let verdicts count although the files come from different environments; without it they are advisory "
        "and fail nothing",
    )


def need_folder(path: Path | None) -> None:
    """Refuse an output whose folder is missing, before anything is measured that would be lost.

    Raises:
        UsageError: it is missing.

    """
    if path is not None and not (folder := path.absolute().parent).is_dir():
        raise UsageError(f"{folder}: no such folder")


def keep_inputs(outputs: Iterable[Path], inputs: Iterable[str | Path | None]) -> None:
    """Refuse to write over a file that a command reads.

    Raises:
        UsageError: an output is an input.

    """
    known = [one for one in inputs if one is not None]
    for path in outputs:
        for one in known:
            with contextlib.suppress(OSError):  # one of them is not there
                if path.samefile(one):
                    raise UsageError(f"{path}: what is written is made of that file; name another one with --output")


def say_written(path: Path, what: str) -> None:
    """Say what a file holds that was written; nothing where stdout is that file, whose reader wants it alone."""
    with contextlib.suppress(OSError, ValueError):  # stdout is no file (a test's)
        if os.path.samestat(os.stat(path), os.fstat(sys.stdout.fileno())):
            return
    say(f"{printable(str(path))}: {what}")


def write_json(document: dict[str, Any]) -> None:
    """Print a document as JSON; figures that are not finite become null."""
    import json

    say(json.dumps(_finite(document), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
