# SPDX-License-Identifier: MIT
"""When a benchmark has enough rounds: rules that the runners ask between rounds."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, sqrt
from statistics import NormalDist, stdev

from perfcore import _core
from perfcore.judge.stats import summarize

# A look costs about 10 ns a sample. Looking again when there are a quarter more keeps that under 50 ns a round in all.
_GROWTH = 1.25
# The drift of the processor between parts of a run, which the rounds of one part cannot show.
_BLOCKS = 10


@dataclass(frozen=True, slots=True)
class MedianPrecision:
    """Stop when the confidence interval of the median is narrow enough.

    Two intervals must be: the distribution-free one from order statistics, which takes the rounds as independent, and
    the one from the medians of ten consecutive parts of the run (Student's t), which sees the processor's speed drift
    between them.

    Attributes:
        min_rounds: fewest rounds.
        precision: greatest half-width of the intervals, as a fraction of the median, in (0, 1).
        confidence: level of the intervals, in (0, 1).

    """

    min_rounds: int
    precision: float
    confidence: float = 0.95

    def next_look(self, rounds: int) -> int:
        """Return the number of rounds at which to look again."""
        return max(self.min_rounds, 2 * _BLOCKS, ceil(rounds * _GROWTH))

    def reached(self, samples: _core.Samples) -> bool:
        """Whether the intervals of these samples are narrow enough."""
        return len(samples) >= self.min_rounds and self.margin(samples) <= self.precision

    def margin(self, samples: _core.Samples) -> float:
        """Return the half-width of the wider interval, relative to the median; infinite where there is none."""
        summary = summarize(samples, level=self.confidence)
        interval = summary.median_ci
        if interval is None or summary.median <= 0 or len(samples) < 2 * _BLOCKS:
            return inf
        within = (interval.high - interval.low) / 2
        view = memoryview(samples)
        size = len(view) // _BLOCKS
        try:
            medians = [summarize(view[part * size : (part + 1) * size]).median for part in range(_BLOCKS)]
        finally:
            view.release()
        between = _core.student_quantile(0.5 + self.confidence / 2, _BLOCKS - 1) * stdev(medians) / sqrt(_BLOCKS)
        return max(within, between) / summary.median


class MeanPrecision:
    """Stop when the normal confidence interval of the mean is narrow enough: 5.3's ``--benchmark-precision``.

    Attributes:
        min_rounds: fewest rounds; never under 2.
        precision: greatest half-width of the interval, as a fraction of the mean, in (0, 1).
        confidence: level of the interval, in (0, 1).
        every_round: look after each round, as pytest-benchmark does, instead of at every quarter more.

    """

    def __init__(self, min_rounds: int, precision: float, confidence: float, *, every_round: bool = False) -> None:
        self.min_rounds = min_rounds
        self.precision = precision
        self.confidence = confidence
        self.every_round = every_round
        # Running mean and sum of squared deviations (Welford, Technometrics 4 (1962), 419-420).
        self._seen, self._mean, self._squares = 0, 0.0, 0.0

    def next_look(self, rounds: int) -> int:
        """Return the number of rounds at which to look again."""
        if self.every_round:
            return rounds + 1
        return max(2, self.min_rounds, ceil(rounds * _GROWTH))

    def reached(self, samples: _core.Samples) -> bool:
        """Whether the interval of these samples is narrow enough. Samples seen before are not looked at again."""
        for index in range(self._seen, len(samples)):
            value = samples[index]
            delta = value - self._mean
            self._mean += delta / (index + 1)
            self._squares += delta * (value - self._mean)
        self._seen = len(samples)
        if self._seen < max(2, self.min_rounds) or self._mean <= 0:
            return False
        z = NormalDist().inv_cdf(0.5 + self.confidence / 2)
        return z * sqrt(self._squares / (self._seen - 1)) / sqrt(self._seen) / self._mean <= self.precision
