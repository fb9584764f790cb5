# SPDX-License-Identifier: MIT
"""perfcore: the benchmark backend for pytest-benchmark.

The public names are imported when they are first used, so that ``import perfcore`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perfcore._core import Samples
    from perfcore.api import Comparison, Measurement, Timer, compare, measure
    from perfcore.errors import ConfigError, MeasureError, PerfcoreError, ResultsError, SuiteError

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "ConfigError",
    "MeasureError",
    "Measurement",
    "PerfcoreError",
    "ResultsError",
    "Samples",
    "SuiteError",
    "Timer",
    "__version__",
    "compare",
    "measure",
]

_HOMES = {
    "Comparison": "perfcore.api",
    "ConfigError": "perfcore.errors",
    "MeasureError": "perfcore.errors",
    "Measurement": "perfcore.api",
    "PerfcoreError": "perfcore.errors",
    "ResultsError": "perfcore.errors",
    "Samples": "perfcore._core",
    "SuiteError": "perfcore.errors",
    "Timer": "perfcore.api",
    "compare": "perfcore.api",
    "measure": "perfcore.measure",  # the room's package, which can be called: see there
}


def __getattr__(name: str) -> Any:
    import importlib

    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(home)
    value = module if name == "measure" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
