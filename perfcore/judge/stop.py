# SPDX-License-Identifier: MIT
"""When a benchmark has enough rounds: rules that the runners ask between rounds."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, sqrt
from statistics import NormalDist, fmean, median
from typing import Literal

from perfcore import _core
from perfcore.judge.stats import summarize

# A look costs about 10 ns a sample. Looking again when there are a quarter more keeps that under 50 ns a round in all.
_GROWTH = 1.25
# The drift of the processor between parts of a run, which the rounds of one part cannot show.
_BLOCKS = 10


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop when the confidence interval of the median or of the mean is narrow enough.

    Attributes:
        min_rounds: fewest rounds.
        precision: greatest half-width of the interval, as a fraction of the estimate.
        confidence: level of the interval, in (0, 1).
        statistic: "median": the distribution-free interval from order statistics, and the interval from the medians of ten
            consecutive parts of the run, which sees drift; both must be narrow enough. "mean": pytest-benchmark 5.3's rule,
            the normal interval of the mean.
        every_round: look after every round, as pytest-benchmark does.

    """

    min_rounds: int
    precision: float
    confidence: float = 0.95
    statistic: Literal["median", "mean"] = "median"
    every_round: bool = False

    def next_look(self, rounds: int) -> int:
        """Return the number of rounds at which to look again."""
        if self.every_round:
            return rounds + 1
        return max(self.min_rounds, 2 * _BLOCKS, ceil(rounds * _GROWTH))

    def reached(self, samples: _core.Samples) -> bool:
        """Whether the interval of these samples is narrow enough."""
        if len(samples) < max(2, self.min_rounds):
            return False
        margin = self.margin_of_mean(samples) if self.statistic == "mean" else self.margin_of_median(samples)
        return margin <= self.precision

    def margin_of_mean(self, samples: _core.Samples) -> float:
        """Return the half-width of the normal interval of the mean, relative to it; infinite for a mean of 0 or less."""
        summary = summarize(samples)
        if summary.mean <= 0:
            return inf
        z = NormalDist().inv_cdf(0.5 + self.confidence / 2)
        return z * summary.stddev / sqrt(len(samples)) / summary.mean

    def margin_of_median(self, samples: _core.Samples) -> float:
        """Return the half-width of the wider interval of the median, relative to it; infinite where there is none."""
        summary = summarize(samples, level=self.confidence)
        interval = summary.median_ci
        if interval is None or summary.median <= 0:
            return inf
        within = (interval.high - interval.low) / 2
        view = memoryview(samples)
        size = len(view) // _BLOCKS
        try:
            medians = [median(view[index * size : (index + 1) * size]) for index in range(_BLOCKS)]
        finally:
            view.release()
        centre = fmean(medians)
        spread = sqrt(sum((value - centre) ** 2 for value in medians) / (_BLOCKS - 1))
        # Student's t with 9 degrees of freedom, from the normal quantile (Cornish-Fisher, Abramowitz and Stegun 26.7.5).
        z = NormalDist().inv_cdf(0.5 + self.confidence / 2)
        degrees = _BLOCKS - 1
        t = z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        between = t * spread / sqrt(_BLOCKS)
        return max(within, between) / summary.median
