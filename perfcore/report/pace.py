# SPDX-License-Identifier: MIT
"""What a check tells of the machine's own pace, in a line."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from perfcore.judge.pace import pace_text

if TYPE_CHECKING:
    from perfcore.judge.verdict import Check

_TOLD = 1.1  # a difference that is told


def pace_line(check: Check, other: str) -> str:
    """Return the line; empty where the machine hardly differed from what it was for the other side, or nobody knows.

    Args:
        check: the verdicts.
        other: the other side's name.

    """
    paces = sorted(one.pace for one in check.verdicts if not math.isnan(one.pace))
    if not paces or 1 / _TOLD < paces[0] <= paces[-1] < _TOLD:
        return ""
    least, middle, most = map(pace_text, (paces[0], median(paces), paces[-1]))
    span = f" ({least} to {most})" if least != most else ""
    return f"the machine itself, meanwhile: {middle} than for {other}{span}; passes, or perfcore ab, decide more"
