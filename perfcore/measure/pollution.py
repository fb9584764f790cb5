# SPDX-License-Identifier: MIT
"""When a benchmark's figures are doubtful because its rounds were interrupted."""

from __future__ import annotations

POLLUTED_SHARE = 0.1


def is_polluted(interrupted: float, rounds: float) -> bool:
    """Tell whether more of the rounds were interrupted than lets their figures be trusted as they stand."""
    return interrupted > POLLUTED_SHARE * rounds
