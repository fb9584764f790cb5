# SPDX-License-Identifier: MIT
"""The probe of the installed pytest-benchmark: what it knows it takes, what is new it leaves alone."""

import functools
import types

import pytest
from pytest_benchmark import session, utils
from pytest_benchmark.fixture import BenchmarkFixture
from pytest_benchmark.storage import file

from perfcore.pytest_plugin import compat


def test_installed_release_is_known():
    stock = compat.probe()
    assert stock.fixture_class is BenchmarkFixture
    assert stock.saves_cprofile == hasattr(BenchmarkFixture, "_save_cprofile")
    assert stock.format_time(0.002).startswith("2.0")


def new_parameter(self, *args, luck=7, **kwargs): ...


def raw_with_more(self, function_to_benchmark, luck, *args, **kwargs): ...


def pedantic_with_more(self, target, args=(), kwargs=None, setup=None, rounds=1, iterations=1): ...


def raw_with_another_clock(self, function_to_benchmark, *args, **kwargs):
    return self._quantum_clock(function_to_benchmark)


def calibrate_with_an_inner_function(self, runner):
    return [self._entangle(x) for x in range(3)]


def call_past_raw(self, function_to_benchmark, *args, **kwargs):
    return self._measure(function_to_benchmark)


@pytest.mark.parametrize(
    ("name", "method", "text"),
    [
        ("__init__", new_parameter, r"has .*luck.* in BenchmarkFixture\(\)"),
        ("_raw", raw_with_more, r"has BenchmarkFixture\._raw\(function_to_benchmark, luck, args, kwargs\)"),
        ("_raw_pedantic", pedantic_with_more, r"has BenchmarkFixture\._raw_pedantic\("),
        ("_raw", raw_with_another_clock, r"has _quantum_clock in BenchmarkFixture\._raw"),
        ("_calibrate_timer", calibrate_with_an_inner_function, r"has _entangle in BenchmarkFixture\._calibrate_timer"),
        ("__call__", call_past_raw, r"no longer calls _raw from BenchmarkFixture\.__call__"),
        ("_make_runner", None, r"has no BenchmarkFixture\._make_runner"),
        ("_make_stats", property(lambda self: 1), r"has no BenchmarkFixture\._make_stats"),
    ],
)
def test_a_change_is_noticed(monkeypatch, name, method, text):
    monkeypatch.setattr(BenchmarkFixture, name, method)
    with pytest.raises(compat.UnknownStockError, match=text):
        compat.probe()


def bare(kind=BenchmarkFixture):
    return kind.__new__(kind)


class Renamed(BenchmarkFixture):
    """Overrides nothing that is replaced."""

    def _make_stats(self, iterations):
        return super()._make_stats(iterations)


def test_accepts():
    stock = compat.probe()
    assert stock.accepts(bare())
    assert stock.accepts(bare(Renamed))
    assert not stock.accepts(None)
    assert not stock.accepts(lambda: 1)
    assert not stock.accepts(BenchmarkFixture)


@pytest.mark.parametrize("name", compat.REPLACED)
def test_does_not_accept_what_somebody_changed(monkeypatch, name):
    stock = compat.probe()

    def own(self, *args, **kwargs): ...

    assert not stock.accepts(bare(type("Own", (BenchmarkFixture,), {name: own})))
    fixture = bare()
    setattr(fixture, name, types.MethodType(own, fixture))
    assert not stock.accepts(fixture)
    if hasattr(BenchmarkFixture, name):
        wrapped = functools.wraps(getattr(BenchmarkFixture, name))(own)
        for replacement in (own, wrapped, functools.partial(own)):
            monkeypatch.setattr(BenchmarkFixture, name, replacement)
            assert not stock.accepts(bare())


def test_saving_is_quickened_where_it_is_as_we_know_it(monkeypatch):
    def other(obj, **options):
        return "other"

    for module in (session, file):  # as they were, whatever ran in this process before
        monkeypatch.setattr(module, "safe_dumps", utils.safe_dumps)
    compat.quicken_saving()
    ours = session.safe_dumps
    assert utils.safe_dumps not in {ours, file.safe_dumps}
    assert ours({"benchmarks": []}, indent=4) == utils.safe_dumps({"benchmarks": []}, indent=4)
    compat.quicken_saving()
    assert session.safe_dumps is ours
    monkeypatch.setattr(session, "safe_dumps", other)
    compat.quicken_saving()
    assert session.safe_dumps is other
    monkeypatch.delattr(utils, "safe_dumps")
    compat.quicken_saving()
