# SPDX-License-Identifier: MIT
"""Trends, change points and metric verdicts on the page, in a real Chromium: pictures, links, keys, narrow windows."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from results_files import MACHINE, benchmark, document, write

from perfcore.cli import main
from perfcore.judge.verdict import check_results
from perfcore.record.history import History, make_run
from perfcore.record.results import load_results, parse_results
from perfcore.report.model import describe
from perfcore.report.page import render_html
from perfcore.report.trends import add_trends

# At the end: an installed perfcore must win over the source tree.
sys.path.append(str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.peers.chromium import Browser, Page
from benchmarks.peers.reports import first_paint, suite

HOSTILE = "</script><script>document.title = 'taken'</script>&change=<img src=x onerror=\"document.title = 'taken'\">\n"
SPAN = 40


def day(number: float) -> str:
    return datetime.fromtimestamp(1767225600 + number * 86400, UTC).isoformat()


def benchmarks(number: int) -> list[dict[str, Any]]:
    """Of one run: `up` is slower from the 20th on, `dip` is faster for a while and not always there."""
    wobble = 1 + 0.002 * ((number * 7) % 5 - 2)
    levels = {
        "up": 1.5 if number >= 20 else 1,
        "dip": 0.5 if 12 <= number < 24 else 1,
        "flat": 1,
        HOSTILE: 1 + number // 25,
    }
    metrics = {"allocations": 10 + 5 * (number == SPAN), "peak_bytes": 4096}
    made = [
        benchmark(name, 1e-5 * level * wobble, perfcore={"metrics": metrics if name == "flat" else {}})
        for name, level in levels.items()
        if name != "dip" or number % 6
    ]
    return made if number < SPAN else [*made, benchmark("fresh")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    history, runs = History(str(folder / "history.db"), create=True), []
    for number in range(SPAN):
        about = {"datetime": day(number), "commit_info": {"id": f"{number:02}<b>" + "c" * 36}}
        if number % 10 == 9:
            about["machine_info"] = MACHINE | {"python_version": HOSTILE}
        runs.append(make_run(parse_results("r.json", json.dumps(document(*benchmarks(number), **about)).encode())))
    history.add(runs)
    results = load_results(write(folder / "new.json", *benchmarks(SPAN), datetime=day(SPAN)))
    old = load_results(write(folder / "old.json", *benchmarks(SPAN - 1), datetime=day(SPAN - 1)))
    made = describe(results, check_results(old, results))
    add_trends(made, results, history)
    page = folder / "page.html"
    page.write_text(render_html(made), encoding="utf-8")
    return page.as_uri()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    made = browser.page()
    made.look(1280, 900)
    yield made
    assert made.value("document.title") == "perfcore: new.json"
    assert made.console == []


ROWS = "[...document.querySelectorAll('tr.row')]"
ROW = ROWS + ".find((one) => one.querySelector('button').textContent === {!r})"


def test_each_row_has_its_trend_with_marks(page: Page, address: str) -> None:
    page.open(address)
    page.wait(f"{ROWS}.every((one) => one.querySelector('td.trend').firstChild)")
    marks = f"(({ROW}).querySelectorAll('.spark .mark.{{}}').length)"
    found = {
        name: [page.value(marks.format(name, kind)) for kind in ("critical", "improvement")]
        for name in ("up", "dip", "flat")
    }
    assert found == {"up": [1, 0], "dip": [1, 1], "flat": [0, 0]}
    assert page.value(f"({ROW.format('fresh')}).querySelector('td.trend').textContent") == "–"
    assert page.value("document.querySelectorAll('td.trend svg .curve').length") == 4
    assert "NaN" not in page.value("document.body.innerHTML")


def test_a_mark_stands_where_the_line_steps(browser: Browser, tmp_path: Path) -> None:
    """Also where most runs lack the benchmark: of 20 figures the 11th is the first of the new level."""
    made = describe(load_results(write(tmp_path / "new.json", benchmark("gap", 2e-6))))
    change = {"run": 90, "previous": 9, "before": 1e-6, "after": 2e-6, "magnitude": 1.0, "pvalue": 1e-9}
    values = [1e-6] * 10 + [None] * 80 + [2e-6] * 10
    made["benchmarks"][0] |= {
        "trends": [{"group": 0, "method": "unrolled", "values": values, "changes": [change]}],
        "trend_is_own": True,
    }
    group = {"own": True, "environment": "", "backend": "perfcore", "python": "", "earlier": 0, "processor": ""}
    runs = [[1767225600 + 86400 * number, None] for number in range(len(values))]
    made["history"] = {"days": 365.0, "groups": [group | {"runs": runs}], "left_out": 0}
    (tmp_path / "page.html").write_text(render_html(made), encoding="utf-8")
    page = browser.page()
    page.open((tmp_path / "page.html").as_uri())
    page.wait("document.querySelector('.spark .mark')")
    mark = page.value("document.querySelector('.spark .mark').getAttribute('transform')")
    steps = page.value("document.querySelector('.spark .curve').getAttribute('d')")[1:].split("L")
    assert mark == f"translate({steps[10].split()[0]} 23)"
    assert steps[9].split()[1] != steps[10].split()[1] == steps[11].split()[1]
    assert page.console == []


def test_the_changes_lead_to_their_benchmarks(page: Page, address: str) -> None:
    page.open(address)
    told = page.value("document.querySelector('#changes > summary').textContent")
    assert told == "History: 37 runs, 2026-01-01 to 2026-02-10; levels changed at 4 places"
    page.value("document.querySelectorAll('#changes, #changes details').forEach((one) => { one.open = true; })")
    page.value("[...document.querySelectorAll('#changes a')].find((one) => one.textContent === 'up').click()")
    page.wait("document.querySelector('.panel .changes li.linked')")
    shown = page.value("document.querySelector('.changes li.linked').textContent")
    assert shown.startswith("▲ +")
    assert "18<b>ccccc..20<b>ccccc 2026-01-21" in shown  # the 19th is of another Python
    assert page.value("document.activeElement.textContent") == "up"
    assert page.value("location.hash") == "#tests%2Ftest_x.py%3A%3Aup&change=20%3Cb%3Eccccccc"


@pytest.mark.parametrize("name", ["up", HOSTILE])
def test_a_deep_link_opens_the_change(page: Page, address: str, name: str) -> None:
    shown = f"tests/test_x.py::{name}"
    commit = {"up": "20<b>ccccccc"}.get(name, "25<b>ccccccc")
    page.open(f"{address}#{quote(shown, safe='')}&change={quote(commit, safe='')}")
    page.wait("document.querySelector('.changes li.linked')")
    assert page.value("document.querySelectorAll('.panel').length") == 1
    assert page.value("document.querySelectorAll('.panel img, .panel script').length") == 0
    box = page.value("(({top, bottom}) => [top, bottom])(document.querySelector('li.linked').getBoundingClientRect())")
    assert 0 <= box[0] < box[1] <= 900
    # Followed again in the page, with a filter in its way.
    page.value("history.replaceState(null, '', '#')")
    page.value("filter.value = 'flat'; filter.dispatchEvent(new Event('input'))")
    page.value(f"location.hash = {json.dumps('#' + quote('tests/test_x.py::dip', safe=''))}")
    page.wait("[...document.querySelectorAll('.panel')].some((one) => /dip$/.test(one.querySelector('p').textContent))")
    assert page.value("filter.value") == ""


def test_the_chart_tells_the_run_below_the_pointer(page: Page, address: str) -> None:
    page.open(f"{address}#{quote('tests/test_x.py::up', safe='')}")
    page.wait("document.querySelector('svg.trend')")
    x, y = page.value(
        "(({right, top}) => [right - 3, top + 40])(document.querySelector('svg.trend').getBoundingClientRect())"
    )
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    page.wait("document.querySelector('.readout').textContent.startsWith('2026-02-10')")
    assert page.value("document.querySelector('.readout').textContent").endswith("· 0123abc · 14.94\u202fµs")
    levels = page.value("document.querySelector('svg.trend .level').getAttribute('d')")
    assert levels.count("V") == 1
    assert page.value("document.querySelector('details.elsewhere summary').textContent").startswith(
        "history elsewhere: Proc"
    )
    assert page.value("document.querySelectorAll('details.elsewhere img').length") == 0


def test_metrics_are_told_and_found(page: Page, address: str) -> None:
    page.open(address)
    assert page.value("document.querySelector('.verdict b').textContent") == (
        "1 critical regression: 0 in time, 1 in metrics of calls"
    )
    assert page.value(f"({ROW.format('flat')}).querySelector('small').textContent") == "▲▲ allocations +50.0\u202f%"
    assert (
        page.value("document.querySelector('#metrics > summary').textContent") == "Metrics of calls: 1 critical, 1 ok"
    )
    page.value(
        "[...document.querySelectorAll('.chips button')].find((one) => /critical/.test(one.textContent)).click()"
    )
    assert page.value(f"{ROWS}.map((one) => one.querySelector('button').textContent).join()") == "flat"
    page.value("document.querySelector('#metrics a').click()")
    page.wait("document.querySelector('.panel .metrics')")
    cells = page.value("[...document.querySelectorAll('.panel .metrics tbody tr')].map((one) => one.innerText)")
    assert cells[0].split() == ["allocations", "exact", "10", "15", "+50.0", "%", "▲▲", "critical"]


def test_it_is_used_by_keys_alone(page: Page, address: str) -> None:
    page.open(address)
    page.press("/", "/", 191)
    assert page.value("document.activeElement.id") == "filter"
    for letter in "flat":
        page.press(letter, letter, ord(letter.upper()))
    assert page.value(f"{ROWS}.length") == 1
    for _ in range(20):  # past the columns' heads to the row
        page.press("Tab", code=9)
        if page.value("document.activeElement.closest('tr.row') !== null"):
            break
    page.press("Enter", "\r", 13)
    assert page.value("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert page.value("document.querySelectorAll('.panel').length") == 1
    page.press("Enter", "\r", 13)
    assert page.value("document.querySelectorAll('.panel').length") == 0


@pytest.mark.parametrize(("width", "dark", "phone"), [(1280, True, False), (390, False, True), (2400, False, False)])
def test_nothing_is_wider_than_the_window(page: Page, address: str, width: int, dark: bool, phone: bool) -> None:
    page.look(width, 844, dark=dark, phone=phone)
    page.open(f"{address}#{quote('tests/test_x.py::up', safe='')}")
    page.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.value("document.documentElement.scrollWidth") <= width
    colour = page.value("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(20, 23, 26)") == dark


def test_a_printed_page_has_every_picture(browser: Browser, page: Page, address: str, tmp_path: Path) -> None:
    many = [benchmark(f"test_{number}") for number in range(300)]
    path = tmp_path / "many.html"
    document_ = describe(load_results(write(tmp_path / "new.json", *many)))
    path.write_text(render_html(document_), encoding="utf-8")
    page.open(path.as_uri())
    assert page.value("document.querySelectorAll('td.strip svg').length") < 300
    page.value("window.dispatchEvent(new Event('beforeprint'))")
    assert page.value("document.querySelectorAll('td.strip svg').length") == 300


def test_the_page_that_the_league_measures(browser: Browser, tmp_path: Path) -> None:
    command = suite(tmp_path, 20, 80)
    assert main(command[command.index("report") :]) == 0
    assert first_paint(browser, tmp_path / "report.html") > 0
    shown = browser.page()
    shown.open((tmp_path / "report.html").as_uri())
    assert shown.value(f"{ROWS}.length") == 20
    assert shown.value("document.querySelector('#changes > summary').textContent").endswith("levels changed at 1 place")
    assert shown.value("document.querySelector('#changes b').textContent") == "▲ 2 slower"
    assert shown.console == []
