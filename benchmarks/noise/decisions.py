# SPDX-License-Identifier: MIT
"""What the rule of `perfcore ab` says of measured comparisons, pair after pair, as it would have while they ran.

A comparison of the same code can also be replayed: in each of its pairs of processes the sides are swapped or not, by
chance, for the whole suite at once. Nothing tells the two processes of a pair from each other, so every replay is as
likely as what happened (E. J. G. Pitman, Supplement to the Journal of the Royal Statistical Society 4 (1937), 119-130),
with this machine's own noise, and what the benchmarks of a pair have in common. A slow-down may be put on top.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from benchmarks.noise.battery import Record
from perfcore.judge.pairs import PairRule, Track, settle


def decide(record: Record, rule: PairRule, signs: Sequence[int] | None = None, slowdown: float = 0.0) -> list[Track]:
    """Give a comparison to the rule; one that a rule has ended stands as that told it.

    Args:
        record: a comparison of the log.
        rule: to decide by; of its pairs there cannot be more than were measured.
        signs: 1 or -1 for each pair; -1 swaps its sides.
        slowdown: that head is given on top; 0.05 is 5 %.

    Returns:
        The benchmarks as they ended, each with as many pairs as it took.

    """
    benchmarks = record["benchmarks"]
    if "status" in benchmarks[0]:
        return [
            Track(one["name"], one["effects"], [one["base_s"]], spent=one["seconds"], status=one["status"], final=True)
            for one in benchmarks
        ]
    tracks = [Track(one["name"]) for one in benchmarks]
    shift = math.log1p(slowdown)
    for _ in range(min(rule.max_pairs, *(len(one["effects"]) for one in benchmarks))):
        for track, one in zip(tracks, benchmarks, strict=True):
            if not track.final:
                sign = signs[track.pairs] if signs else 1
                track.effects.append(sign * one["effects"][track.pairs] + shift)
                track.base_s = [one["base_s"]]
                track.spent += one["seconds"] / len(one["effects"])
        settle(tracks, rule)
        if all(track.final for track in tracks):
            break
    return tracks


def replay(record: Record, rule: PairRule, slowdown: float, chance: random.Random) -> list[Track]:
    """Decide on a comparison of the same code with its sides swapped by chance."""
    signs = [chance.choice((-1, 1)) for _ in range(rule.max_pairs)]
    return decide(record, rule, signs, slowdown)
