# SPDX-License-Identifier: MIT
"""perfcore: the benchmark backend for pytest-benchmark.

The public names are imported when they are first used, so that ``import perfcore`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perfcore._core import Samples
    from perfcore.api import Comparison, Measurement, Timer, compare, measure
    from perfcore.errors import (
        ConfigError,
        HistoryError,
        LeakError,
        MeasureError,
        PerfcoreError,
        ResultsError,
        SuiteError,
    )
    from perfcore.judge.analysis import PerformanceAnalyzer
    from perfcore.judge.detector import RegressionDetector
    from perfcore.judge.leaks import assert_no_leaks
    from perfcore.judge.recommend import OptimizationRecommender
    from perfcore.judge.sla import SLAValidator
    from perfcore.measure.allocations import AllocationTracker, track_allocations
    from perfcore.measure.groups import CgroupMetrics, Pressure, cgroup_metrics, pressure
    from perfcore.measure.heap import HeapDiff, HeapSnapshot, heap_snapshot
    from perfcore.measure.memory import MemoryTracker
    from perfcore.measure.metrics import MetricsCollector
    from perfcore.measure.process import process_metrics
    from perfcore.measure.use import UseMeter, UseReport
    from perfcore.suite.benchmark_suite import BenchmarkSuite
    from perfcore.suite.parallel import ParallelBenchmark
    from perfcore.suite.performance import PerformanceBenchmark

__version__ = "0.1.0"

__all__ = [
    "AllocationTracker",
    "BenchmarkSuite",
    "CgroupMetrics",
    "Comparison",
    "ConfigError",
    "HeapDiff",
    "HeapSnapshot",
    "HistoryError",
    "LeakError",
    "MeasureError",
    "Measurement",
    "MemoryTracker",
    "MetricsCollector",
    "OptimizationRecommender",
    "ParallelBenchmark",
    "PerfcoreError",
    "PerformanceAnalyzer",
    "PerformanceBenchmark",
    "Pressure",
    "RegressionDetector",
    "ResultsError",
    "SLAValidator",
    "Samples",
    "SuiteError",
    "Timer",
    "UseMeter",
    "UseReport",
    "__version__",
    "assert_no_leaks",
    "cgroup_metrics",
    "compare",
    "heap_snapshot",
    "measure",
    "pressure",
    "process_metrics",
    "track_allocations",
]

_HOMES = {
    "AllocationTracker": "perfcore.measure.allocations",
    "BenchmarkSuite": "perfcore.suite.benchmark_suite",
    "CgroupMetrics": "perfcore.measure.groups",
    "Comparison": "perfcore.api",
    "ConfigError": "perfcore.errors",
    "HeapDiff": "perfcore.measure.heap",
    "HeapSnapshot": "perfcore.measure.heap",
    "HistoryError": "perfcore.errors",
    "LeakError": "perfcore.errors",
    "MeasureError": "perfcore.errors",
    "Measurement": "perfcore.api",
    "MemoryTracker": "perfcore.measure.memory",
    "MetricsCollector": "perfcore.measure.metrics",
    "OptimizationRecommender": "perfcore.judge.recommend",
    "ParallelBenchmark": "perfcore.suite.parallel",
    "PerfcoreError": "perfcore.errors",
    "PerformanceAnalyzer": "perfcore.judge.analysis",
    "PerformanceBenchmark": "perfcore.suite.performance",
    "Pressure": "perfcore.measure.groups",
    "RegressionDetector": "perfcore.judge.detector",
    "ResultsError": "perfcore.errors",
    "SLAValidator": "perfcore.judge.sla",
    "Samples": "perfcore._core",
    "SuiteError": "perfcore.errors",
    "Timer": "perfcore.api",
    "UseMeter": "perfcore.measure.use",
    "UseReport": "perfcore.measure.use",
    "assert_no_leaks": "perfcore.judge.leaks",
    "cgroup_metrics": "perfcore.measure.groups",
    "compare": "perfcore.api",
    "heap_snapshot": "perfcore.measure.heap",
    "load_ipython_extension": "perfcore.notebook",
    "measure": "perfcore.measure",  # the room's package, which can be called: see there
    "pressure": "perfcore.measure.groups",
    "process_metrics": "perfcore.measure.process",
    "track_allocations": "perfcore.measure.allocations",
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
