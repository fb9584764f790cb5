# SPDX-License-Identifier: MIT
"""The verdicts of ``perfcore ab``: benchmarks judged after each pair of processes, until all are decided.

The arithmetic and its sources are in csrc/core/judge/pc_pairs.h. What is added here concerns the whole suite: a
regression or an improvement counts only when it is also significant among all benchmarks together (Benjamini and
Hochberg), until then one more pair is measured; and a shift that most benchmarks share is named. ``perfcore.compare``
decides by the same rule in one process, where stretches of neighbouring blocks stand for the pairs (`judge_blocks`).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from perfcore import _core

Mode = Literal["detect", "exceeds"]

LEAST_PAIRS = 4
MOST_PAIRS = 100
# From worst to best, as reports list them.
STATUSES = ("regression", "undecided", "improvement", "ok")

EVIDENCE = (
    "pairs of fresh processes measured in turns; Hodges-Lehmann estimate, interval of a trimmed mean, 99.8 % over all "
    "looks; false discovery rate of 1 % over the suite"
)

_ALPHA = 0.001  # on each side of an interval, over all looks
_FALSE_DISCOVERIES = 0.01
_FLOOR_S = 2e-9  # a difference under this is the layout's, whatever it is relatively
_SHIFT_LEAST = 0.01
_SHIFT_BENCHMARKS = 8
_STRETCH = 6  # pairs of blocks in one, as in a pair of processes
_STRETCHES = 8  # wanted before stretches get longer


@dataclass(frozen=True, slots=True)
class PairRule:
    """When to decide.

    Attributes:
        threshold: relative slow-down that matters; 0.05 is 5 %.
        mode: "detect" is a regression as soon as head is proven slower and the estimate is past half the threshold;
            "exceeds" only when the slow-down is proven to be past the threshold.
        max_time: seconds to spend on one benchmark, both sides together, once it has its least number of pairs.
        max_pairs: pairs of processes at most; from 4 to 100.

    """

    threshold: float = 0.05
    mode: Mode = "detect"
    max_time: float = 10.0
    max_pairs: int = 48


@dataclass(slots=True)
class Track:
    """One benchmark over the pairs.

    Attributes:
        name: the test's id.
        effects: ln(head / base) of each pair.
        base_s: seconds per call on the base side, one for each pair.
        head_s: the same of head.
        spent: seconds that measuring took so far, on both sides.
        status: one of ``STATUSES``.
        ratio: head / base, estimated; NaN before the first pair.
        low: lower end of the ratio's interval; 0 before the fourth pair.
        high: upper end of the interval; infinite before the fourth pair.
        p_value: of "head is not slower", over all looks.
        reason: why it is undecided; empty when it is not.
        failed: which sides failed: "base", "head".
        given_up: whether it cannot be measured; `reason` says why.
        final: whether no more pairs are measured.

    """

    name: str
    effects: list[float] = field(default_factory=list)
    base_s: list[float] = field(default_factory=list)
    head_s: list[float] = field(default_factory=list)
    spent: float = 0.0
    status: str = "undecided"
    ratio: float = math.nan
    low: float = 0.0
    high: float = math.inf
    p_value: float = 1.0
    reason: str = "not measured yet"
    failed: tuple[str, ...] = ()
    given_up: bool = False
    final: bool = False

    @property
    def pairs(self) -> int:
        """How many pairs of processes there are."""
        return len(self.effects)

    @property
    def base(self) -> float:
        """Seconds per call on the base side: the median over the pairs; NaN without any."""
        return _median(self.base_s)

    @property
    def head(self) -> float:
        """Seconds per call on the head side."""
        return _median(self.head_s)

    def add(self, base: Sequence[float], head: Sequence[float]) -> None:
        """Add a pair: the times of its blocks, in seconds per call."""
        try:
            effect = _core.pair_effect(array("d", base), array("d", head))
        except ValueError:
            self.give_up((), "the timer saw no time pass in a block; benchmark more work in one call")
            return
        self.effects.append(effect)
        self.base_s.append(_median(base))
        self.head_s.append(_median(head))

    def give_up(self, sides: tuple[str, ...], reason: str) -> None:
        """Measure no more; `sides` are those that failed."""
        self.status, self.reason, self.failed, self.given_up, self.final = "undecided", reason, sides, True, True


def _median(values: Sequence[float]) -> float:
    if not values:
        return math.nan
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _threshold(threshold: float, base_s: float) -> float:
    """Return the slow-down that matters for a benchmark: never less than the floor in seconds."""
    return max(threshold, _FLOOR_S / base_s)


def _judge(effects: Sequence[float], threshold: float, rule: PairRule) -> tuple[str, float, float, float, float]:
    """Judge effects by the rule; as many looks as there are pairs at most, or as it takes to come to these."""
    looks = max(1, max(rule.max_pairs, len(effects)) - LEAST_PAIRS + 1)
    return _core.judge_pairs(array("d", effects), threshold, _ALPHA, rule.mode == "exceeds", looks)


def _look(track: Track, rule: PairRule) -> float:
    """Judge one benchmark on its own; return the p-value of its being changed in the direction that it seems to be."""
    threshold = _threshold(rule.threshold, track.base)
    status, estimate, low, high, p_value = _judge(track.effects, threshold, rule)
    track.status, track.ratio, track.low, track.high = status, math.exp(estimate), math.exp(low), math.exp(high)
    track.p_value = p_value
    return p_value if estimate >= 0 else _judge([-effect for effect in track.effects], threshold, rule)[4]


def _why_undecided(track: Track, rule: PairRule) -> str:
    """Say what is missing; when no more pairs are measured, how many would do if further ones are like those so far."""
    if track.pairs < LEAST_PAIRS:
        return f"{track.pairs} of the {LEAST_PAIRS} pairs that a verdict takes"
    reach, threshold = math.log(track.high / track.low) / 2, _threshold(rule.threshold, track.base)
    text = f"known to ±{math.expm1(reach):.1%} after {track.pairs} pairs"
    if not track.final:
        return text
    again = track.effects * (MOST_PAIRS // track.pairs + 1)
    for count in range(track.pairs + 1, MOST_PAIRS + 1):
        if _judge(again[:count], threshold, rule)[0] != "undecided":
            return f"{text}; about {count} would decide"
    return f"{text}: too noisy here"


def settle(tracks: Sequence[Track], rule: PairRule) -> None:
    """Judge every benchmark after a pair, and mark those that need no more pairs as final."""
    measured = [track for track in tracks if track.effects and not track.given_up]
    if not measured:
        return
    adjusted = _core.adjust_pvalues(array("d", [_look(track, rule) for track in measured]))
    for track, chance in zip(measured, adjusted, strict=True):
        if track.status in {"regression", "improvement"} and chance > _FALSE_DISCOVERIES:
            alone = "slower" if track.status == "regression" else "faster"
            track.status = "undecided"
            track.reason = (
                f"{alone} by itself, but that may be chance among {len(measured)} benchmarks: "
                f"p {chance:.2g} (adjusted) is above {_FALSE_DISCOVERIES:g}; more pairs may tell"
            )
        else:
            track.reason = ""
        spent = track.pairs >= LEAST_PAIRS and track.spent >= rule.max_time
        track.final = track.status != "undecided" or spent or track.pairs >= rule.max_pairs
        if track.status == "undecided" and not track.reason:
            track.reason = _why_undecided(track, rule)


class BlocksVerdict(NamedTuple):
    """The outcome of blocks that took turns in one process."""

    status: str
    ratio: float
    low: float
    """Lower end of the ratio's interval; 0 with too few blocks for one."""
    high: float


def judge_blocks(base: Sequence[float], head: Sequence[float], threshold: float, level: float) -> BlocksVerdict:
    """Judge two callables by blocks that took turns in one process, looking once.

    Neighbouring pairs of blocks are disturbed by the same things, so up to six of them make one effect.

    Args:
        base: seconds per call in each block, above 0.
        head: the same; block k ran beside block k of base.
        threshold: relative slow-down that matters.
        level: of the interval; 0.95 for 95 %.

    """
    size = max(1, min(_STRETCH, len(base) // _STRETCHES))
    effects = array(
        "d",
        [
            _core.pair_effect(array("d", base[start : start + size]), array("d", head[start : start + size]))
            for start in range(0, len(base) - size + 1, size)
        ],
    )
    miss = (1 - level) / 2  # of each side
    status, estimate, low, high, _ = _core.judge_pairs(effects, _threshold(threshold, _median(base)), miss, False, 1)
    return BlocksVerdict(status, math.exp(estimate), math.exp(low), math.exp(high))


def suite_verdict(tracks: Sequence[Track], *, broken: bool = False) -> str:
    """Return the verdict on the suite.

    "regression" with one; else "failed" where a benchmark fails on head alone, or none could be judged, or the suite
    is `broken`: head cannot collect all that base can; else "undecided" with one; else "ok".
    """
    statuses = {track.status for track in tracks}
    if "regression" in statuses:
        return "regression"
    if broken or any(track.failed == ("head",) for track in tracks) or all(track.given_up for track in tracks):
        return "failed"
    return "undecided" if "undecided" in statuses else "ok"


def common_shift(tracks: Sequence[Track]) -> tuple[float, float, float] | None:
    """Return a shift that the suite shares, as a ratio with its 99 % interval; None when there is none of 1 % or more.

    Not a verdict: it says that something common changed (the interpreter, a flag, an import that slows all down).
    """
    estimates = array("d", [math.log(track.ratio) for track in tracks if track.pairs >= LEAST_PAIRS])
    if len(estimates) < _SHIFT_BENCHMARKS:
        return None
    found = _core.summarize(estimates, level=0.99)
    median, low, high = found["median"], found["median_low"], found["median_high"]
    if not (low > 0 or high < 0) or abs(median) < _SHIFT_LEAST:
        return None
    return math.exp(median), math.exp(low), math.exp(high)
