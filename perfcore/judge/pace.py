# SPDX-License-Identifier: MIT
"""What the machine's own pace may have done to a verdict, in words; the rule is csrc/core/judge/pc_verdict.h's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TypeAlias

from perfcore.judge.stats import inverse
from perfcore.judge.thresholds import percent
from perfcore.record.pace import UNKNOWN, PaceInterval

Paces: TypeAlias = tuple[PaceInterval, PaceInterval]  # of what is compared with, and of what is judged
UNKNOWN_PACES: Paces = (UNKNOWN, UNKNOWN)

PACE_EVIDENCE = ", and from the machine's pace"
_MOST_TOLD = 1e6
PACES = ("slower", "faster")  # why `judge_medians` found a verdict undecided: what the machine was meanwhile


def pace_of_runs(paces: Sequence[float]) -> PaceInterval:
    """Return the pace of several runs: the median, where most of them know theirs (the others have NaN)."""
    known = [one for one in paces if not math.isnan(one)]
    return (median(known), math.nan, math.nan) if 2 * len(known) > len(paces) else UNKNOWN


def pace_text(pace: float) -> str:
    """Return what the machine was: ``1.50 times slower``, or for a pace below 1 faster."""
    factor = max(pace, inverse(pace))
    return f"{factor:.2f} times {'slower' if pace >= 1 else 'faster'}" if factor < _MOST_TOLD else "beyond comparison"


def pace_reason(code: str, pace: float, warning: float, critical: float) -> str:
    """Say why a verdict is undecided.

    Args:
        code: one of ``PACES``.
        pace: how much slower the machine was than for the baseline, as a factor; below 1 it was faster.
        warning: the threshold of a warning.
        critical: likewise.

    """
    if code == "faster":
        return f"the machine itself was {pace_text(pace)}, which may hide a change past {percent(critical)}"
    if pace < 1.005:
        return f"past {percent(warning)}, but the machine's own pace swung, which may be all of it"
    return f"past {percent(warning)}, but the machine itself was {pace_text(pace)}, which may be all of it"
