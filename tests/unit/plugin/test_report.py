# SPDX-License-Identifier: MIT
"""The lines that the plugin prints."""

from types import SimpleNamespace

import pytest

from perfcore._core import Samples
from perfcore.pytest_plugin import report
from perfcore.pytest_plugin.record import Record
from perfcore.pytest_plugin.stats import SampleStats


def record(name, rounds, interrupted, kernel="vectorcall"):
    stats = SampleStats(Samples([1.0] * rounds))
    metadata = SimpleNamespace(name=name, stats=stats, as_dict=dict)
    made = Record(metadata, kernel, SimpleNamespace(flags={"interrupted_rounds": interrupted}))
    with made:
        pass
    return made


def test_polluted(monkeypatch):
    monkeypatch.setattr(SampleStats, "data", None)  # a million samples as objects would take 30 MB, and stay
    calm = [record("calm", 100, 10), record("calm", 100, 0), record("empty", 0, 0)]
    assert report.polluted_line(calm) is None
    line = "perfcore: 1 benchmark had more than 10% of rounds interrupted: noisy"
    assert report.polluted_line([*calm, record("noisy", 100, 11)]) == line


def test_many_polluted_are_counted():
    line = report.polluted_line([record(f"b{i}", 10, 9) for i in range(8)])
    assert line.startswith(
        "perfcore: 8 benchmarks had more than 10% of rounds interrupted: b0, b1, b2, b3, b4 and 3 more"
    )


def test_a_machine_whose_pace_changed():
    def paced(median, looks=10):
        made = record("a", 10, 0)
        made.pace = {"median_s": median, "looks": looks}
        return made

    assert report.pace_line([]) is None
    assert report.pace_line([record("a", 10, 0), paced(10e-6), paced(11.9e-6)]) is None
    assert report.pace_line([paced(10e-6), paced(30e-6, looks=9)]) is None, "few looks may be chance"
    line = report.pace_line([paced(20e-6), paced(10e-6), record("a", 10, 0)])
    assert line.startswith(
        "perfcore: the machine itself was up to 2.00 times slower for some benchmarks than for others"
    )


def test_the_pace_is_taken_over_where_the_rounds_end():
    looks = SimpleNamespace(figures={"median_s": 1e-5, "looks": 3})
    metadata = SimpleNamespace(name="x", stats=SimpleNamespace(data=[]), as_dict=dict)
    made = Record(metadata, "vectorcall", SimpleNamespace(flags={}), pace=looks)
    assert "pace" not in made.as_dict()
    with made:
        pass
    assert made.as_dict()["pace"] == looks.figures


def test_foreign():
    assert report.foreign_line([]) is None
    assert report.foreign_line(["a.B"]).startswith("perfcore: off for 1 test, whose `benchmark` is a.B,")
    assert report.foreign_line(["a.B", "a.B"]).startswith("perfcore: off for 2 tests, whose `benchmark` is a.B,")


def test_flags_are_kept_when_the_rounds_fail():
    runner = SimpleNamespace(flags={"interrupted_rounds": 3})
    made = Record(SimpleNamespace(name="x", stats=SimpleNamespace(data=[]), as_dict=dict), "vectorcall", runner)
    with pytest.raises(ZeroDivisionError), made:
        raise ZeroDivisionError
    assert made.flags == {"interrupted_rounds": 3}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.00 ns"),
        (1.5e-9, "1.50 ns"),
        (1e-6, "1.00 us"),
        (2e-6, "2.00 us"),
        (0.25, "250.00 ms"),
        (1234.5, "1,234.50 s"),
        (-3e-9, "-3.00 ns"),
    ],
)
def test_time(seconds, text):
    assert report._time(seconds) == text
