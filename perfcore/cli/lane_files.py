# SPDX-License-Identifier: MIT
"""What the commands about lanes share: which configuration holds, and which results files are meant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perfcore.errors import ConfigError, ResultsError

if TYPE_CHECKING:
    from perfcore.config import Config
    from perfcore.record.results import Benchmark, Results


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add ``--config`` and ``--folder``."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="read [tool.perfcore] of this TOML file, not of pyproject.toml"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="where the runs of lanes are kept (default: benchmarks/results/lanes beside the configuration)",
    )


def configured(args: argparse.Namespace) -> Config:
    """Return the configuration that the options name.

    Raises:
        ConfigError: it is missing or wrong.

    """
    from perfcore.config import load_config, read_config

    return load_config() if args.config is None else read_config(args.config.resolve())


def load_lanes(args: argparse.Namespace, config: Config, names: Sequence[str]) -> list[Results]:
    """Return the results file that the options name, or the newest runs of some lanes.

    Raises:
        ConfigError: nothing is named, or there is no such lane.
        ResultsError: a file is wrong, or a lane was never run.

    """
    from perfcore.record.results import load_results

    if args.results is not None:
        return [load_results(args.results, max_bytes=args.max_size)]
    if not names:
        raise ConfigError("no results: give a results file or --lane NAME")
    return newest_runs(args, config, names)


def newest_runs(args: argparse.Namespace, config: Config, names: Sequence[str]) -> list[Results]:
    """Return the results files of the newest runs of some lanes.

    Raises:
        ResultsError: a file is wrong, or a lane was never run.

    """
    from perfcore.record.results import load_results
    from perfcore.suite.store import latest_results

    folder = args.folder or config.lanes_folder
    found = []
    for name in names:
        path = latest_results(folder, name)
        if path is None:
            raise ResultsError(f"{folder}: lane {name!r} was never run there; run it: perfcore run --lane {name}")
        found.append(load_results(path, max_bytes=args.max_size))
    return found


def called(benchmark: Benchmark, name: str) -> bool:
    """Whether a name on the command line means a benchmark."""
    return name in (benchmark.name, benchmark.fullname)
