# SPDX-License-Identifier: MIT
"""pytest-benchmark's ``Stats``, computed in C over ``perfcore.Samples``.

Every field has the value, and where it shows the type, that pytest-benchmark's own class gives. Where that class does
something that only its own arithmetic can do (samples that are infinite, not numbers or not floats, no samples at all,
a standard deviation that overflows), its own arithmetic does it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import Any

from pytest_benchmark.stats import Stats

from perfcore import _core
from perfcore.judge.stats import Interval

__all__ = ["SampleStats"]


@cache
def legacy_hd15iqr() -> bool:
    """Tell whether the installed pytest-benchmark's ``hd15iqr`` is the first sample above the fence.

    It was up to 5.3.0; later it is the last sample within. Asked of the class itself, not of its version.
    """
    probe = Stats()  # type: ignore[no-untyped-call]
    probe.data = [1.0, 2.0, 3.0, 4.0, 100.0]
    return bool(probe.hd15iqr == 100.0)


class SampleStats(Stats):
    """Statistics over samples that stay in C: 8 bytes each, summarized at once, and again only when some were added.

    Args:
        samples: Where the samples are, and where ``update`` puts more; a new ``Samples`` by default.

    """

    def __init__(self, samples: _core.Samples | None = None) -> None:
        # Not Stats.__init__: it assigns `data`, which is computed here.
        self._samples = _core.Samples() if samples is None else samples
        self._objects: list[Any] | None = None  # all samples, once one of them is not a float
        self._list: list[Any] = []  # what `data` gave; whoever has it may add to it and remove from it
        self._listed = 0  # how many samples it was made of
        self._given = False  # whether somebody has got it since it was last compared with the samples
        self._values: dict[str, Any] | None = None  # the summary, or None where stock arithmetic has to do
        self._stock: Stats | None = None
        self._summarized = -1  # how many samples those are of

    @property
    def samples(self) -> _core.Samples:
        """The samples as floats, without a copy. Samples that are no floats are only in ``data``."""
        self._take_over()
        return self._samples

    def __reduce__(self) -> tuple[Any, ...]:
        return SampleStats._of, (self.data,)

    @classmethod
    def _of(cls, data: list[Any]) -> SampleStats:
        made = cls()
        made.data = data
        return made

    def _settle(self) -> None:
        """Take over a list of samples that has grown or shrunk in the hands of whoever got it."""
        if len(self._list) != self._listed:
            self.data = self._list

    def _take_over(self) -> None:
        """Take over a list of samples that was changed in any way by whoever got it."""
        self._settle()
        if self._given:
            if self._listed == len(self._samples) and self._list != self._samples.tolist():
                self.data = self._list
            self._given = False

    def __len__(self) -> int:
        self._settle()
        return len(self._samples) if self._objects is None else len(self._objects)

    def __bool__(self) -> bool:
        return len(self) > 0

    __nonzero__ = __bool__

    def update(self, duration: Any) -> None:
        """Add one sample."""
        self._settle()
        if self._objects is None:
            if type(duration) is float:
                if self._listed and self._listed == len(self._samples):
                    self._list.append(duration)
                    self._listed += 1
                self._samples.append(duration)
                return
            # Another type of number, from a timer of the user's own: the results have that type too.
            self._objects = self._samples.tolist()
        self._objects.append(duration)

    @property
    def data(self) -> list[Any]:
        """The samples as a list, made when asked for; what is done to it counts."""
        if self._objects is not None:
            return self._objects
        self._settle()
        if self._listed != len(self._samples):
            self._list = self._samples.tolist()
            self._listed = len(self._list)
        self._given = True
        return self._list

    @data.setter
    def data(self, values: Iterable[Any]) -> None:
        values = values if type(values) is list else list(values)
        floats = all(type(value) is float for value in values)
        self._samples = _core.Samples(values if floats else ())
        self._objects = None if floats else values
        self._list = values if floats else []
        self._listed = len(self._list)
        self._given = floats
        self._summarized = -1

    def _summary(self) -> dict[str, Any] | None:
        """Return the fields, or None where ``_stock`` has to compute them."""
        self._take_over()
        length = len(self)
        if self._summarized != length:
            self._values = self._stock = None
            if self._objects is None and length:
                self._values = self._summarize()
            if self._values is None:
                self._stock = Stats()  # type: ignore[no-untyped-call]
                self._stock.data = self.data
            self._summarized = length
        return self._values

    def _summarize(self) -> dict[str, Any] | None:
        try:
            values: dict[str, Any] = _core.summarize(self._samples, legacy_hd15iqr=legacy_hd15iqr())
        except ValueError:  # a sample that is not finite
            return None
        if math.isinf(values["stddev"]):
            return None  # statistics.stdev raises OverflowError
        if values["rounds"] == 1:
            values["stddev"] = 0
        if values["total"] == 0:
            values["ops"] = 0
        values["outliers"] = f"{values['stddev_outliers']};{values['iqr_outliers']}"
        return values

    def _field(self, name: str) -> Any:
        values = self._summary()
        return getattr(self._stock, name) if values is None else values[name]

    def as_dict(self) -> dict[str, Any]:
        """Return all fields."""
        return {name: getattr(self, name) for name in self.fields}

    @property
    def sorted_data(self) -> list[Any]:
        """The samples in ascending order."""
        return sorted(self.data)

    @property
    def percentiles(self) -> dict[str, float] | None:
        """Quantiles by name: ``p50``, ``p90``, ``p95``, ``p99``, ``p99.9``. None where they are not defined."""
        values = self._summary()
        if values is None:
            return None
        names = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "p99.9": "p999"}
        return {name: values[key] for name, key in names.items()}

    @property
    def mad(self) -> float | None:
        """The median distance from the median, not scaled. None where it is not defined."""
        values = self._summary()
        return None if values is None else values["mad"]

    @property
    def median_ci(self) -> Interval | None:
        """Confidence interval of the median: low end, high end, level. None where it is not defined (fewer than 6)."""
        values = self._summary()
        if values is None or math.isnan(values["median_level"]):
            return None
        return Interval(values["median_low"], values["median_high"], values["median_level"])


def _delegate(name: str) -> property:
    def field(self: SampleStats) -> Any:
        return self._field(name)

    field.__name__ = name
    return property(field, doc=f"pytest-benchmark's ``{name}``.")


# Those that stock has; what a conftest has added to its class by now is computed from `data`, by its own property.
for _name in (
    *("min", "max", "mean", "stddev", "rounds", "median", "iqr", "q1", "q3", "iqr_outliers", "stddev_outliers"),
    *("outliers", "ld15iqr", "hd15iqr", "ops", "total"),
):
    setattr(SampleStats, _name, _delegate(_name))
