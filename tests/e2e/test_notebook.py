# SPDX-License-Identifier: MIT
"""Notebooks: the magics in an IPython shell, and the example notebook in a real kernel."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import perfcore
from perfcore.report.display import timeline_html

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


def test_the_magics(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "pytest", "-c", os.devnull, "--noconftest", "-p", "no:cacheprovider", "-q"]
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(
        [*command, str(Path(__file__).with_name("notebook_cases.py"))],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE), done.stdout
    assert "skipped" not in done.stdout


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


def test_what_is_not_known_breaks_the_line() -> None:
    values = [1.0, 2.0, math.nan, 3.0, math.inf, 2.0, 2.0, 1.0]
    page = timeline_html("cpu", range(len(values)), values, "%")
    Tags(page)
    assert [len(points.split()) for points in re.findall('points="([^"]*)"', page)] == [2, 2, 3]
    assert "1 to 3 % over" in page
    assert "too few samples" in timeline_html("cpu", [0, 1], [1.0, math.nan], "%")


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
