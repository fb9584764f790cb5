# SPDX-License-Identifier: MIT
"""The league's harness: the registry of rows, interleaving, and the run that survives a missing peer and Ctrl-C.

A row is a generator of cases. A case holds, for perfcore and for each peer, one figure per repeat; figures of the same
repeat were taken next to each other, so their quotient is a ratio free of the machine's slow drift.
"""

from __future__ import annotations

import fnmatch
import importlib.metadata
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.peers.spread import AtMost, Spread, Target, ratio, verdict

OURS = "perfcore"


@dataclass(frozen=True, slots=True)
class Case:
    """One piece of work that was measured: ``figures[name][i]`` is the figure of contender ``name`` in repeat ``i``.

    ``targets`` and ``unit`` replace the row's for this case; ``note`` is printed behind the line.
    """

    name: str
    figures: Mapping[str, Sequence[float]]
    targets: Mapping[str, Target] | None = None
    note: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. ``peer`` is None where our figure is held against a limit of its own."""

    row: str
    case: str
    unit: str
    ours: Spread | None = None
    peer: str | None = None
    theirs: Spread | None = None
    ratio: Spread | None = None
    target: Target | None = None
    verdict: str = "no target"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a row may ask of the run: how often to repeat, whether to be quick, which of its peers are there."""

    repeats: int
    quick: bool
    peers: frozenset[str]

    def has(self, peer: str) -> bool:
        """Say whether the peer is installed."""
        return peer in self.peers

    def interleave(self, contenders: Mapping[str, Callable[[], float]], repeats: int = 0) -> dict[str, list[float]]:
        """Call every contender once per repeat and return their figures.

        The order is turned round from repeat to repeat (ABC, CBA, BCA, ACB, ...), so that no contender always runs
        after the same neighbour.
        """
        names = list(contenders)
        figures: dict[str, list[float]] = {name: [] for name in names}
        for repeat in range(repeats or self.repeats):
            shift = repeat // 2 % len(names)
            order = names[shift:] + names[:shift]
            for name in order if repeat % 2 == 0 else reversed(order):
                figures[name].append(contenders[name]())
        return figures


Measure = Callable[[Context], Iterator[Case]]


@dataclass(frozen=True, slots=True)
class Row:
    """A registered row; ``targets`` maps ``perfcore`` to an `AtMost` and a peer to a `TimesLess`."""

    name: str
    measure: Measure
    unit: str
    peers: tuple[str, ...]
    targets: Mapping[str, Target]
    summary: str


@dataclass(slots=True)
class Registry:
    """The rows by name, in the order of their registration."""

    rows: dict[str, Row] = field(default_factory=dict)

    def row(
        self,
        name: str,
        *,
        unit: str,
        peers: Sequence[str] = (),
        target: Mapping[str, Target] | None = None,
    ) -> Callable[[Measure], Measure]:
        """Register the decorated generator of cases as a row.

        Args:
            name: what ``--only`` selects; unique.
            unit: of the figures, lower is better ("ns", "ms", "bytes").
            peers: names as on PyPI, or of modules of the standard library; what is not installed is reported.
            target: what must be reached: ``{"perfcore": AtMost(2), "timeit": TimesLess(1)}``.

        """

        def register(measure: Measure) -> Measure:
            if name in self.rows:
                raise ValueError(f"row {name!r} is registered twice")
            targets = dict(target or {})
            if stray := set(targets) - {OURS, *peers}:
                raise ValueError(f"row {name!r} has a target for {sorted(stray)}, which are not among its peers")
            summary = (measure.__doc__ or "").strip().partition("\n")[0]
            self.rows[name] = Row(name, measure, unit, tuple(peers), targets, summary)
            return measure

        return register

    def select(self, patterns: Iterable[str]) -> list[Row]:
        """Return the rows whose name matches one of the shell patterns; all of them without a pattern."""
        wanted = list(patterns)
        if not wanted:
            return list(self.rows.values())
        chosen: dict[str, Row] = {}
        for pattern in wanted:
            found = {name: row for name, row in self.rows.items() if fnmatch.fnmatchcase(name, pattern)}
            if not found:
                raise LookupError(f"no row is called {pattern!r}; there are: {', '.join(self.rows)}")
            chosen |= found
        return [row for name, row in self.rows.items() if name in chosen]


registry = Registry()
row = registry.row


def installed(peer: str) -> str | None:
    """Return the peer's version, or None where it is not installed."""
    if peer in sys.stdlib_module_names:
        return f"of Python {sys.version.split()[0]}"
    try:
        return importlib.metadata.version(peer)
    except importlib.metadata.PackageNotFoundError:
        return None


def judge(row_: Row, case: Case) -> Iterator[Line]:
    """Turn a case into lines: our figure against its own limit, then one line for every peer that was measured."""
    targets = row_.targets if case.targets is None else case.targets
    ours_values = case.figures[OURS]
    ours = Spread.of(ours_values)
    peers = [name for name in case.figures if name != OURS]
    own = targets.get(OURS)
    unit = case.unit or row_.unit
    if own is not None or not peers:
        limit = own if isinstance(own, AtMost) else None
        yield Line(row_.name, case.name, unit, ours, target=limit, verdict=verdict(limit, ours, None), note=case.note)
    for peer in peers:
        theirs_values = case.figures[peer]
        ratios = Spread.of([ratio(t, o) for t, o in zip(theirs_values, ours_values, strict=True)])
        target = targets.get(peer)
        yield Line(
            row_.name,
            case.name,
            unit,
            ours,
            peer,
            Spread.of(theirs_values),
            ratios,
            target,
            verdict(target, ours, ratios),
            case.note,
        )


@dataclass(slots=True)
class Run:
    """The lines measured so far, and whether the run came to its end."""

    lines: list[Line] = field(default_factory=list)
    interrupted: bool = False


# What a row may meet on a machine that lacks something; anything else is a defect and surfaces as it is.
EXPECTED = (OSError, ImportError, RuntimeError, subprocess.SubprocessError)


def measure_rows(
    rows: Iterable[Row],
    *,
    repeats: int,
    quick: bool,
    run: Run | None = None,
    find: Callable[[str], str | None] = installed,
    say: Callable[[str], None] = lambda text: None,
) -> Run:
    """Measure the rows one after the other.

    A missing peer and a row that fails for want of something become lines that say so. Ctrl-C ends the run and keeps
    what was measured; so does a defect, which is raised: give ``run`` to have the lines of that case too.
    """
    run = Run() if run is None else run
    try:
        for row_ in rows:
            missing = [peer for peer in row_.peers if find(peer) is None]
            context = Context(repeats, quick, frozenset(row_.peers) - frozenset(missing))
            say(f"{row_.name}: {row_.summary}")
            for peer in missing:
                text = f"not installed: pip install {peer}"
                say(f"  {text}")
                run.lines.append(Line(row_.name, "all", row_.unit, peer=peer, verdict="not measured", note=text))
            try:
                for case in row_.measure(context):
                    for line in judge(row_, case):
                        run.lines.append(line)
                        say(f"  {line.case}: {line.verdict}")
            except EXPECTED as error:
                text = f"{type(error).__name__}: {error}"
                say(f"  {text}")
                run.lines.append(Line(row_.name, "all", row_.unit, verdict="failed", note=text))
    except KeyboardInterrupt:
        run.interrupted = True
        say("interrupted: keeping what was measured")
    return run
