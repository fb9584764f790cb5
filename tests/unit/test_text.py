# SPDX-License-Identifier: MIT
"""Tables and figures as a terminal shows them."""

from __future__ import annotations

import sys

import pytest

from perfcore.report.text import change, table

HEADER = ("benchmark", "now", "kind", "verdict")
ROWS = (("tests/test_one.py::test_of_a_long_name[direct]", "1 s", "exact", "ok"), ("short", "10 s", "", "ok: said"))


def narrow(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))


def test_what_goes_to_a_file_is_whole() -> None:
    lines = table(HEADER, ROWS, left=(2,))
    assert lines[1] == "tests/test_one.py::test_of_a_long_name[direct]   1 s  exact  ok"
    assert lines[2] == f"{'short':46}  10 s         ok: said"


@pytest.mark.parametrize("columns", [60, 70, 400])
def test_a_terminal_s_lines_fit(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    narrow(monkeypatch, columns)
    lines = table(HEADER, ROWS, left=(2,))
    assert max(map(len, lines)) <= columns
    assert lines[1].split()[0].endswith("test_of_a_long_name[direct]")
    assert lines[1].startswith("…") == (columns < 70)
    assert [line.index("ok") for line in lines[1:]] == [lines[0].index("verdict")] * 2


def test_a_name_stays_recognisable(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, 10)
    assert table(HEADER, ROWS)[1].split()[0] == "…_of_a_long_name[direct]"


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(1.0, "+0.0 %"), (0.9999, "+0.0 %"), (0.999, "-0.1 %"), (1.05, "+5.0 %"), (12.34, "x 12.34"), (float("nan"), "-")],
)
def test_changes(ratio: float, said: str) -> None:
    assert change(ratio) == said
