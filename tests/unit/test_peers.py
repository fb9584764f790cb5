# SPDX-License-Identifier: MIT
"""The league's own logic: registry, interleaving, rendering, a missing peer, an interruption."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# At the end: an installed perfcore must win over the source tree.
sys.path.append(str(ROOT))

from benchmarks.peers import cli, harness, render  # noqa: E402
from benchmarks.peers.harness import Case, Context, Line, Registry, Run, measure_rows  # noqa: E402
from benchmarks.peers.spread import AtMost, Spread, TimesLess  # noqa: E402


def nothing_missing(peer: str) -> str:
    return "1.0"


# Registry


@pytest.fixture
def registry() -> Registry:
    made = Registry()

    @made.row(
        "fast", unit="ns", peers=("timeit", "absent-peer"), target={"perfcore": AtMost(2), "timeit": TimesLess(3)}
    )
    def fast(context: Context) -> Iterator[Case]:
        """One case.

        More text.
        """
        yield Case("a | b", {"perfcore": [1.0, 1.0, 1.5], "timeit": [4.0, 6.0, 1.5]})

    @made.row("slow", unit="ms")
    def slow(context: Context) -> Iterator[Case]:
        """Another."""
        yield Case("c", {"perfcore": [float(context.repeats)]}, note="a note")

    return made


def test_registry_knows_summary_and_order(registry: Registry) -> None:
    assert [(row.name, row.summary) for row in registry.select([])] == [("fast", "One case."), ("slow", "Another.")]


def test_registry_selects_by_pattern_in_its_own_order(registry: Registry) -> None:
    assert [row.name for row in registry.select(["slow", "f*"])] == ["fast", "slow"]
    with pytest.raises(LookupError, match=r"'medium'.*fast, slow"):
        registry.select(["fast", "medium"])


def test_registry_refuses_a_second_row_of_a_name_and_a_stray_target(registry: Registry) -> None:
    with pytest.raises(ValueError, match="twice"):
        registry.row("fast", unit="ns")(lambda context: iter(()))
    with pytest.raises(ValueError, match="pyperf"):
        registry.row("new", unit="ns", peers=("timeit",), target={"pyperf": TimesLess(1)})(lambda context: iter(()))


def test_every_topic_registers_its_rows_and_every_row_explains_itself() -> None:
    cli.load_rows()
    rows = harness.registry.rows
    assert {"call-overhead", "round-wall", "sample-bias", "statistics", "memory", "import", "suite-of-50"} <= set(rows)
    assert all(row.summary for row in rows.values())


# The run


def test_run_holds_ours_against_its_limit_and_each_peer(registry: Registry) -> None:
    lines = measure_rows(registry.select(["fast"]), repeats=3, quick=False, find=nothing_missing).lines
    own, timeit = lines
    assert (own.peer, own.ratio, own.verdict) == (None, None, "met")
    assert own.ours is not None
    assert own.ours.median == 1.0
    assert timeit.peer == "timeit"
    assert timeit.ratio is not None
    # Ratios are taken within a repeat: 4, 6, 1. A ratio of the medians would be the same 4; of the means 3.
    assert (timeit.ratio.median, timeit.ratio.low, timeit.ratio.high) == (4.0, 1.0, 6.0)
    assert timeit.verdict == "met, within noise"


def test_run_tells_a_missing_peer_and_goes_on(registry: Registry) -> None:
    said: list[str] = []
    run = measure_rows(registry.select([]), repeats=1, quick=False, say=said.append)
    missing = [line for line in run.lines if line.verdict == "not measured"]
    assert [(line.peer, line.note) for line in missing] == [("absent-peer", "not installed: pip install absent-peer")]
    assert "  not installed: pip install absent-peer" in said
    assert [line.row for line in run.lines] == ["fast", "fast", "fast", "slow"]


def test_row_learns_which_peers_are_there() -> None:
    seen: list[frozenset[str]] = []
    registry = Registry()

    @registry.row("r", unit="ns", peers=("timeit", "absent-peer"))
    def measure(context: Context) -> Iterator[Case]:
        """Record the context."""
        seen.append(context.peers)
        yield from ()

    measure_rows(registry.select([]), repeats=1, quick=True)
    assert seen == [frozenset({"timeit"})]


def test_ctrl_c_keeps_what_was_measured(registry: Registry) -> None:
    @registry.row("long", unit="s")
    def long(context: Context) -> Iterator[Case]:
        """Interrupted in the middle."""
        yield Case("first", {"perfcore": [1.0]})
        raise KeyboardInterrupt

    @registry.row("never", unit="s")
    def never(context: Context) -> Iterator[Case]:
        """Not reached."""
        yield Case("second", {"perfcore": [1.0]})

    run = measure_rows(registry.select([]), repeats=1, quick=False, find=nothing_missing)
    assert run.interrupted
    assert [(line.row, line.case) for line in run.lines][-1] == ("long", "first")


def test_a_row_that_cannot_run_says_why_and_the_next_runs() -> None:
    registry = Registry()

    @registry.row("broken", unit="s")
    def broken(context: Context) -> Iterator[Case]:
        """Fail."""
        yield Case("before", {"perfcore": [1.0]})
        raise RuntimeError("no such machine")

    @registry.row("fine", unit="s")
    def fine(context: Context) -> Iterator[Case]:
        """Work."""
        yield Case("after", {"perfcore": [1.0]})

    run = measure_rows(registry.select([]), repeats=1, quick=False)
    assert [(line.case, line.verdict) for line in run.lines] == [
        ("before", "no target"),
        ("all", "failed"),
        ("after", "no target"),
    ]
    assert run.lines[1].note == "RuntimeError: no such machine"


def test_a_defect_surfaces_but_the_lines_are_kept() -> None:
    registry = Registry()

    @registry.row("defect", unit="s")
    def defect(context: Context) -> Iterator[Case]:
        """Fail in a way that no machine explains."""
        yield Case("before", {"perfcore": [1.0]})
        raise ZeroDivisionError

    run = Run()
    with pytest.raises(ZeroDivisionError):
        measure_rows(registry.select([]), repeats=1, quick=False, run=run)
    assert [line.case for line in run.lines] == ["before"]


def test_interleaving_pairs_the_repeats_and_turns_the_order() -> None:
    order: list[str] = []

    def contender(name: str, value: float) -> float:
        order.append(name)
        return value

    context = Context(repeats=6, quick=False, peers=frozenset())
    names = "ABC"
    figures = context.interleave({name: lambda name=name: contender(name, ord(name)) for name in names})  # type: ignore[misc]
    assert figures == {name: [float(ord(name))] * 6 for name in names}
    rounds = ["".join(order[index : index + 3]) for index in range(0, 18, 3)]
    assert rounds == ["ABC", "CBA", "BCA", "ACB", "CAB", "BAC"]
    # Every contender was as often first, second and third as any other.
    assert all(sorted(turn[place] for turn in rounds) == sorted("AABBCC") for place in range(3))


# Rendering


@pytest.fixture
def measured(registry: Registry) -> Run:
    return measure_rows(registry.select([]), repeats=4, quick=False)


def test_markdown_has_a_table_per_row_and_closed_cells(measured: Run) -> None:
    text = render.markdown(measured, {"python": "CPython 3", "versions": {"perfcore": "1", "absent-peer": None}})
    tables = [line for line in text.splitlines() if line.startswith("| a \\| b")]
    assert len(tables) == 2
    assert "| python | CPython 3 |" in text
    assert "absent-peer not installed" in text
    assert "## slow" in text
    assert "| c | ms | 4.00 | - | - | - | 1 | - | no target | a note |" in text
    assert "1 not measured" in text
    widths = {
        line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith(("| a", "| c", "| case"))
    }
    assert widths == {11}


def test_markdown_of_an_interrupted_run_says_so(measured: Run) -> None:
    assert "**Interrupted**" not in render.markdown(measured, {})
    measured.interrupted = True
    assert "**Interrupted**" in render.markdown(measured, {})


def test_json_is_strict_and_holds_every_line(measured: Run) -> None:
    measured.lines.append(
        Line(
            "fast",
            "inf",
            "ns",
            Spread.of([-1.0]),
            "timeit",
            Spread.of([2.0]),
            Spread.of([math.inf]),
            TimesLess(3),
            "met",
        )
    )

    def refuse(text: str) -> float:
        raise AssertionError(f"{text} is not JSON")

    report = json.loads(render.as_json(measured, {"python": "3"}), parse_constant=refuse)
    assert report["schema"] == render.SCHEMA
    assert report["interrupted"] is False
    assert [line["case"] for line in report["lines"]] == ["all", "a | b", "a | b", "c", "inf"]
    assert report["lines"][1]["target"] == {"at_most": 2}
    assert report["lines"][2]["target"] == {"times": 3}
    assert report["lines"][2]["ratio"]["median"] == 4.0
    assert report["lines"][4]["ratio"]["median"] == "inf"
    assert report["lines"][4]["perfcore"]["median"] == -1.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (0.1234, "0.123"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12345.6, "12,346"),
        (-0.5, "-0.500"),
        (1e-5, "1.00e-05"),
        (2.5e7, "2.50e+07"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert render.number(value) == text


def test_environment_names_python_processor_and_versions() -> None:
    about = render.environment(["timeit", "absent-peer"])
    assert str(about["python"]).startswith("CPython 3.")
    assert about["cpu"]
    versions = about["versions"]
    assert isinstance(versions, dict)
    assert versions["absent-peer"] is None
    assert versions["perfcore"]
    json.dumps(about)


# Command line


@pytest.fixture
def small_league(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setattr(harness, "registry", registry)
    monkeypatch.setattr(cli, "TOPICS", ())
    return registry


def test_command_lists_without_measuring(small_league: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list", "--only", "slow"]) == 0
    assert capsys.readouterr().out.split() == ["slow", "Another."]


def test_command_refuses_an_unknown_row(small_league: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--only", "medium"]) == 2
    assert "no row is called 'medium'" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-3", "many"])
def test_command_refuses_a_senseless_count(count: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--repeats", count])
    assert stopped.value.code == 2


def test_command_writes_both_files(small_league: Registry, tmp_path: Path) -> None:
    table, data = tmp_path / "new" / "t.md", tmp_path / "d.json"
    assert cli.main(["--repeats", "7", "--markdown", str(table), "--json", str(data)]) == 0
    assert "## fast" in table.read_text(encoding="utf-8")
    report = json.loads(data.read_text(encoding="utf-8"))
    assert report["lines"][-1]["perfcore"]["median"] == 7.0


def test_command_writes_what_it_has_when_interrupted(small_league: Registry, tmp_path: Path) -> None:
    @small_league.row("stop", unit="s")
    def stop(context: Context) -> Iterator[Case]:
        """Interrupt."""
        raise KeyboardInterrupt
        yield

    table, data = tmp_path / "t.md", tmp_path / "d.json"
    assert cli.main(["--markdown", str(table), "--json", str(data)]) == 130
    report = json.loads(data.read_text(encoding="utf-8"))
    assert report["interrupted"] is True
    assert {line["row"] for line in report["lines"]} == {"fast", "slow"}
    assert "**Interrupted**" in table.read_text(encoding="utf-8")
