# SPDX-License-Identifier: MIT
"""Which pytest-benchmark is installed, and whether its fixture is one whose timing we know how to take over.

Version strings are not trusted. The fixture's own code is asked: the parameters of its constructor and of the two
methods that we replace, and every name that those methods use. A release that adds something there (a counter, a new
clock) keeps its own loops, with one line that says so, until this file has been taught about it. The sets below are the
union over releases 4.0.0 to 5.3.1.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

_CONSTRUCTOR = """
self node disable_gc timer min_rounds min_time max_time precision confidence warmup warmup_iterations
calibration_precision add_stats logger warner disabled cprofile cprofile_loops cprofile_dump group
"""
_RAW = ("function_to_benchmark", "args", "kwargs")
_PEDANTIC = ("target", "args", "kwargs", "setup", "rounds", "warmup_rounds", "iterations")
_PEDANTIC_WITH_TEARDOWN = ("target", "args", "kwargs", "setup", "teardown", "rounds", "warmup_rounds", "iterations")

# Everything that the code we replace is known to use.
_NAMES = """
NameWrapper NormalDist PauseInstrumentation Profile Stats TypeError ValueError
_calibrate_timer _calibration_precision _confidence _disable_gc _get_precision _logger _make_runner _make_stats
_max_time _min_rounds _min_time _precision _run_until_precise _save_cprofile _timer _warmup
bool cProfile ceil cprofile cprofile_loops cprofile_stats debug disable disabled enable enabled format_time gc gettrace
int inv_cdf isenabled isinstance max maxsize min pstats range runcall settrace sqrt statistics stats sys time update
"""
# What a fixture class may not override, because our loops stand in its place.
REPLACED = ("_raw", "_raw_pedantic", "_make_runner", "_calibrate_timer", "_run_until_precise")


@dataclass(frozen=True, slots=True)
class Stock:
    """The installed pytest-benchmark.

    Attributes:
        release: its version, for the header.
        fixture_class: its BenchmarkFixture.
        format_time: its formatter of durations, for the same log lines.
        timer_name: its formatter of timers.
        saves_cprofile: profiles go through ``_save_cprofile`` and loop (5.0 and later).
        pauses_cprofile: tracers are paused around profiled calls (5.2 and later).

    """

    release: str
    fixture_class: type[Any]
    format_time: Callable[[float], str]
    timer_name: Callable[[Any], Any]
    saves_cprofile: bool
    pauses_cprofile: bool

    def accepts(self, fixture: object) -> bool:
        """Whether this `benchmark` is the stock fixture with its timing methods intact."""
        if not isinstance(fixture, self.fixture_class):
            return False
        return all(name not in vars(fixture) and self._is_stock(type(fixture), name) for name in REPLACED)

    def _is_stock(self, kind: type[Any], name: str) -> bool:
        """Whether a method comes from stock's own module: neither a subclass nor a conftest has put another there."""
        method = getattr(kind, name, None)
        home = vars(sys.modules[self.fixture_class.__module__])
        return method is None or getattr(method, "__globals__", None) is home


class UnknownStockError(Exception):
    """The installed pytest-benchmark is not one we know; the text says what is different."""


def probe() -> Stock:
    """Return the installed pytest-benchmark.

    Raises:
        UnknownStockError: its fixture is not one of the known shapes.

    """
    import pytest_benchmark
    from pytest_benchmark import fixture as module
    from pytest_benchmark.utils import NameWrapper, format_time

    release = str(getattr(pytest_benchmark, "__version__", "of unknown version"))
    stock = module.BenchmarkFixture
    for name in (*REPLACED[:4], "_make_stats", "_get_precision", "__call__", "pedantic"):
        if not inspect.isfunction(getattr(stock, name, None)):
            raise UnknownStockError(f"pytest-benchmark {release} has no BenchmarkFixture.{name}")
    _expect(release, "BenchmarkFixture()", set(_parameters(stock.__init__)).difference(_CONSTRUCTOR.split()))
    _expect_parameters(release, stock, "_raw", _RAW)
    _expect_parameters(release, stock, "_raw_pedantic", _PEDANTIC, _PEDANTIC_WITH_TEARDOWN)
    for name in REPLACED:
        method = getattr(stock, name, None)
        if method is not None:
            _expect(release, f"BenchmarkFixture.{name}", set(_names(method.__code__)).difference(_NAMES.split()))
    for door, room in (("__call__", "_raw"), ("pedantic", "_raw_pedantic")):
        # Our instance attributes are found only if the public methods look them up.
        if room not in set(_names(getattr(stock, door).__code__)):
            raise UnknownStockError(f"pytest-benchmark {release} no longer calls {room} from BenchmarkFixture.{door}")
    return Stock(
        release=release,
        fixture_class=stock,
        format_time=format_time,
        timer_name=NameWrapper,
        saves_cprofile=hasattr(stock, "_save_cprofile"),
        pauses_cprofile=hasattr(module, "PauseInstrumentation"),
    )


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _expect(release: str, where: str, unknown: set[str]) -> None:
    if unknown:
        raise UnknownStockError(f"pytest-benchmark {release} has {', '.join(sorted(unknown))} in {where}")


def _expect_parameters(release: str, stock: type[Any], name: str, *known: tuple[str, ...]) -> None:
    found = _parameters(getattr(stock, name))[1:]
    if found not in known:
        raise UnknownStockError(f"pytest-benchmark {release} has BenchmarkFixture.{name}({', '.join(found)})")


def quicken_saving() -> None:
    """Have pytest-benchmark write its files by our function for their text, where it writes them by its own."""
    from pytest_benchmark import session, utils
    from pytest_benchmark.storage import file

    from perfcore.record.write import results_dumps

    if not hasattr(utils, "safe_dumps"):
        return
    stock: Callable[..., str] = utils.safe_dumps
    for module in (session, file):
        if vars(module).get("safe_dumps") is stock:
            vars(module)["safe_dumps"] = results_dumps(stock)
