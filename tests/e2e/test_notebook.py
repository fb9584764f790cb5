# SPDX-License-Identifier: MIT
"""Notebooks: the magics in an IPython shell, and the example notebook in a real kernel."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import perfcore

ROOT = Path(__file__).resolve().parents[2]

pytest.importorskip("IPython")


class Tags(HTMLParser):
    """Checks that every tag is closed, in order."""

    VOID = frozenset({"br", "rect", "polyline"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def shell() -> Any:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "perfcore")
    yield shell
    shell.atexit_operations()


def test_a_line_and_its_options(shell: Any) -> None:
    shell.user_ns["numbers"] = [3, 1, 2]
    found = shell.run_line_magic("perfcore", "-q -o -t 0.02 -r 7 -g sorted(numbers)")
    assert isinstance(found, perfcore.Measurement)
    assert found.rounds >= 7
    assert found.name == "sorted(numbers)" or "sorted" in found.name
    assert shell.run_line_magic("perfcore", "-q -t 0.02 -numbers[0]") is None  # a minus that is no option
    assert "sorted" not in shell.user_ns


def test_a_cell_with_set_up(shell: Any) -> None:
    calls: list[int] = []
    shell.user_ns["calls"] = calls
    found = shell.run_cell_magic(
        "perfcore", "-q -o -t 0.02 calls.append(1); word = 'abc'", "upper = word.upper()\nupper[0]\n"
    )
    assert calls == [1], "the set-up runs once"
    assert found.rounds >= 5
    assert "word" not in shell.user_ns
    assert "upper" not in shell.user_ns


def test_await(shell: Any) -> None:
    found = shell.run_cell_magic("perfcore", "-q -o -t 0.05 import asyncio", "await asyncio.sleep(0)")
    assert found.kernel == "coroutine"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "nothing to measure"),
        ("-t soon 1", "could not convert"),
        ("-p 0% 1", "precision"),
        ("-r 0 1", "min_rounds"),
    ],
)
def test_mistakes_are_told(shell: Any, line: str, words: str) -> None:
    from IPython.core.error import UsageError

    with pytest.raises((UsageError, perfcore.MeasureError), match=words):
        shell.run_line_magic("perfcore", line)


def test_errors_of_the_statement_come_through(shell: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        shell.run_line_magic("perfcore", "-t 0.02 1 / 0")
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("perfcore", "-t 0.02", "import asyncio\nawait asyncio.sleep(0)\n1 / 0")
    with pytest.raises(SyntaxError):
        shell.run_line_magic("perfcore", "-t 0.02 1 +")


def test_html_is_whole_and_escaped() -> None:
    def function() -> None:
        pass

    function.__qualname__ = "<script>alert(1)</script>"
    timer = perfcore.Timer(max_time=0.02)
    measurement = timer.measure(function)
    page = measurement._repr_html_()
    assert {"table", "svg"} <= Tags(page).seen
    assert "script" not in Tags(page).seen
    assert {"table", "svg"} <= Tags(timer.compare(function, function)._repr_html_()).seen
    with perfcore.MetricsCollector(interval=0.001) as collector:
        sum(range(3_000_000))
    assert "svg" in Tags(collector._repr_html_()).seen


def test_the_example_notebook_runs_in_a_kernel(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(ROOT / "benchmarks/notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    pages = [
        output["data"]["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    assert len(pages) == 5
    assert all(re.search("<svg|too few", page) for page in pages)
