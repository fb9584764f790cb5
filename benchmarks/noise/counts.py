# SPDX-License-Identifier: MIT
"""What the battery found, as counts: verdicts by condition and kind of workload, with Clopper-Pearson intervals."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.noise.battery import KINDS, LOADS, Record, rule_for
from benchmarks.noise.decisions import decide, replay
from perfcore.judge.pairs import PairRule, Track
from perfcore.report.text import table

STATUSES = ("regression", "improvement", "undecided", "ok")
LEVEL = 0.95


def _tail(successes: int, count: int, p: float) -> float:
    """Return P(X >= successes) for X binomial, summed over the fewer terms."""
    if p <= 0 or p >= 1:
        return float(successes == 0 or p >= 1)

    def chance(k: int) -> float:
        ways = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
        return math.exp(ways + k * math.log(p) + (count - k) * math.log1p(-p))

    if successes > count / 2:
        return math.fsum(map(chance, range(successes, count + 1)))
    return 1 - math.fsum(map(chance, range(successes)))


def _solve(successes: int, count: int, tail: float) -> float:
    """Return the p at which `successes` or more have this chance."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _tail(successes, count, middle) < tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def clopper_pearson(successes: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact interval of a proportion (C. J. Clopper, E. S. Pearson, Biometrika 26 (1934), 404-413)."""
    miss = (1 - level) / 2
    low = 0.0 if successes == 0 else _solve(successes, count, miss)
    high = 1.0 if successes == count else _solve(successes + 1, count, 1 - miss)
    return low, high


def proportion(successes: int, count: int) -> dict[str, Any]:
    """Return a count, its share, and the interval of that."""
    low, high = clopper_pearson(successes, count)
    return {"count": successes, "share": successes / count, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class Judging:
    """How the comparisons are judged.

    Attributes:
        rule: of the verdicts, by way of `rule_for`.
        replays: of each comparison of the same code.
        replayed: slow-downs that replays are given.

    """

    rule: PairRule
    replays: int = 0
    replayed: tuple[float, ...] = (0.0,)


def _counted(tracks: Sequence[Track]) -> dict[str, Any]:
    found = Counter(track.status for track in tracks)
    count = len(tracks)
    return {
        "benchmarks": count,
        **{status: proportion(found[status], count) for status in STATUSES},
        "mean_pairs": sum(track.pairs for track in tracks) / count,
        "mean_seconds": sum(track.spent for track in tracks) / count,
    }


def _alarmed(suite: Sequence[Track]) -> bool:
    return any(track.status == "regression" for track in suite)


def _by_kind(record: Record, tracks: Sequence[Track]) -> dict[str, list[Track]]:
    """Sort a suite's tracks by the kind of their workloads; "all" last."""
    kinds = [one["kind"] for one in record["benchmarks"]]
    found = {kind: [t for t, of in zip(tracks, kinds, strict=True) if of == kind] for kind in KINDS}
    return {**{kind: some for kind, some in found.items() if some}, "all": list(tracks)}


def _bias(records: Sequence[Record]) -> dict[str, Any]:
    """Return the mean effect of a pair where there is none, over the suite; 95 % normal interval over pairs.

    Of the pairs that all benchmarks have: later ones are those of benchmarks that were not decided yet.
    """
    pairs = [
        math.fsum(effects) / len(effects)
        for record in records
        for effects in zip(*(one["effects"] for one in record["benchmarks"]), strict=False)
    ]
    mean = math.fsum(pairs) / len(pairs)
    spread = math.fsum((one - mean) ** 2 for one in pairs) / max(1, len(pairs) - 1)
    return {"pairs": len(pairs), "mean": mean, "reach": 1.96 * math.sqrt(spread / len(pairs))}


def _replays(records: Sequence[Record], load: str, judging: Judging) -> Iterable[dict[str, Any]]:
    """Count the replays of comparisons of the same code, for each slow-down asked for."""
    for slowdown in judging.replayed if judging.replays else ():
        chance = random.Random(f"{load} {slowdown}")  # a seed, so that anyone gets the same counts
        rule = rule_for(judging.rule, slowdown)
        totals: dict[str, Counter[str]] = {}
        alarmed, worst = 0, 0.0
        for record in records:
            alarms = 0
            for _ in range(judging.replays):
                suite = replay(record, rule, slowdown, chance)
                for kind, some in _by_kind(record, suite).items():
                    totals.setdefault(kind, Counter()).update(track.status for track in some)
                alarmed += _alarmed(suite)
                alarms += sum(track.status == "regression" for track in suite)
            worst = max(worst, alarms / (judging.replays * len(record["benchmarks"])))
        suites = len(records) * judging.replays
        for kind, found in totals.items():
            yield {
                "slowdown": slowdown,
                "load": load,
                "kind": kind,
                "comparisons": len(records),
                "suites": suites,
                "verdicts": found.total(),
                **{status: found[status] / found.total() for status in STATUSES},
                "suites_with_regression": alarmed / suites,
                "most_regressions_of_a_comparison": worst,
            }


def tally(records: Iterable[Record], judging: Judging) -> dict[str, Any]:
    """Count: rows by condition and kind ("all" last), the A/A suites with any regression, and replays of these."""
    records = list(records)
    conditions = sorted(
        {(record["condition"]["slowdown"], record["condition"]["load"]) for record in records},
        key=lambda one: (LOADS.index(one[1]), one[0]),
    )
    rows, suites, replays = [], [], []
    for slowdown, load in conditions:
        these = [record for record in records if record["condition"] == {"slowdown": slowdown, "load": load}]
        decided = [decide(record, rule_for(judging.rule, slowdown)) for record in these]
        kinds: dict[str, list[Track]] = {}
        for record, suite in zip(these, decided, strict=True):
            for kind, some in _by_kind(record, suite).items():
                kinds.setdefault(kind, []).extend(some)
        rows.extend({"slowdown": slowdown, "load": load, "kind": kind, **_counted(kinds[kind])} for kind in kinds)
        if not slowdown:
            size = max(map(len, decided))
            alarmed = proportion(sum(map(_alarmed, decided)), len(decided))
            suites.append({"load": load, "suites": len(these), "size": size, "bias": _bias(these), **alarmed})
            replays.extend(_replays(these, load, judging))
    return {
        "level": LEVEL,
        "mode": judging.rule.mode,
        "threshold": judging.rule.threshold,
        "rows": rows,
        "suites_with_false_alarms": suites,
        "replays": replays,
    }


def share(found: dict[str, Any]) -> str:
    """Return what `proportion` found, as text."""
    return f"{found['count']}: {100 * found['low']:.2f} to {100 * found['high']:.2f} %"


def head_label(slowdown: float) -> str:
    """Say what head is."""
    return f"+{100 * slowdown:.3g} %" if slowdown else "same"


def _replay_lines(found: Sequence[dict[str, Any]]) -> list[str]:
    header = ("replayed", "load", "workloads", "verdicts", *STATUSES, "suites with a regression", "worst comparison")
    rows = [
        (
            head_label(row["slowdown"]),
            row["load"],
            row["kind"],
            str(row["verdicts"]),
            *(f"{100 * row[status]:.4g} %" for status in STATUSES),
            f"{100 * row['suites_with_regression']:.3g} % of {row['suites']}" if row["kind"] == "all" else "",
            f"{100 * row['most_regressions_of_a_comparison']:.3g} %" if row["kind"] == "all" else "",
        )
        for row in found
    ]
    return ["", *table(header, rows), "replayed: the comparisons of the same code, their sides swapped by chance"]


def lines(found: dict[str, Any]) -> list[str]:
    """Return the table, a line for the A/A suites of each load, and the table of replays."""
    header = ("head", "load", "workloads", "judged", "regression", "undecided", "ok", "improvement", "pairs", "seconds")
    rows = [
        (
            head_label(row["slowdown"]),
            row["load"],
            row["kind"],
            str(row["benchmarks"]),
            *(share(row[status]) for status in ("regression", "undecided", "ok", "improvement")),
            f"{row['mean_pairs']:.1f}",
            f"{row['mean_seconds']:.2f}",
        )
        for row in found["rows"]
    ]
    said = table(header, rows)
    for one in found["suites_with_false_alarms"]:
        bias = one["bias"]
        said.append(
            f"the same code, {one['load']}: of {one['suites']} suites of {one['size']} have a regression {share(one)}"
            f"; mean effect of a suite's pair {100 * bias['mean']:+.3f} ± {100 * bias['reach']:.3f} %"
        )
    said.append(
        f"counts, and the {100 * found['level']:.3g} % interval of their share (Clopper-Pearson, as if "
        "those of one suite were independent); seconds: of measuring one benchmark on both sides, without the start of "
        "processes"
    )
    return said + (_replay_lines(found["replays"]) if found["replays"] else [])
