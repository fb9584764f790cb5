# SPDX-License-Identifier: MIT
"""USE reports and flame graphs on the page, in a real Chromium: a table with signs, boxes that zoom, keys, a search."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from results_files import benchmark, write

from perfcore.cli import main
from perfcore.measure.use import Figure, ResourceUse, UseReport
from perfcore.report.stacks import render_folded, render_speedscope

# At the end: an installed perfcore must win over the source tree.
sys.path.append(str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.peers.chromium import Browser, Page

HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">\u202e\n"
STACKS = {
    ("main (src/app/x.py:1)", "load (src/app/x.py:5)", "parse"): 600_000,
    ("main (src/app/x.py:1)", "save (src/app/x.py:9)", "parse"): 300_000,
    (HOSTILE,): 100_000,
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    write(folder / "new.json", benchmark("a"))
    cpu = (Figure("processors used", 1.9, "processors", limit=2), Figure(HOSTILE, 1.0, "seconds"))
    memory = ResourceUse("memory", (), (), (Figure("killed", 2, "count", "cgroup"),))
    report = UseReport(HOSTILE, 2.0, 5, (ResourceUse("cpu", cpu, (), ()), memory))
    use = {"schema": 1, "command": "use", "exit_code": -9} | report.as_dict()
    (folder / "use.json").write_text(json.dumps(use))
    (folder / "times.json").write_text(render_speedscope(STACKS, HOSTILE, "microseconds"))
    deep = {(*(f"f{number}" for number in range(300)),): 1} | {(f"g{number}", "h"): 2 for number in range(5000)}
    (folder / "deep.txt").write_text(render_folded(deep))
    profiles = ["--flamegraph", str(folder / "times.json"), "--flamegraph", str(folder / "deep.txt")]
    words = ["report", str(folder / "new.json"), "--use", str(folder / "use.json"), *profiles]
    assert main([*words, "--output", str(folder)]) == 0
    return (folder / "report.html").as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    made = browser.page()
    made.look(1280, 900)
    made.open(address)
    yield made
    assert made.value("document.title") == "perfcore: new.json"
    assert made.value("document.querySelectorAll('main img, main script').length") == 0
    assert "NaN" not in made.value("document.querySelector('main').innerHTML")
    assert made.console == []


def opened(page: Page) -> None:
    page.value("document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
    page.wait("[...document.querySelectorAll('.flame svg')].every((one) => one.querySelector('.frame'))")


FRAMES = "[...document.querySelector('.flame svg').querySelectorAll('.frame')]"
SHOWN = f"{FRAMES}.map((one) => one.querySelector('title').textContent.split(':')[0])"
READOUT = "document.querySelector('.flame .readout').textContent"


def test_resources_have_signs(page: Page) -> None:
    told = page.value("document.querySelector('details.use > summary').textContent")
    assert told.endswith(", 2.00 s; ended by signal 9, ▲▲ 1 error, ▲ 1 at a limit or waiting")
    assert "\\u202e\\u000a" in told
    opened(page)
    rows = page.value("[...document.querySelectorAll('.use tbody tr')].map((row) => row.innerText.split(/\\s*\\t/))")
    assert rows[0] == ["cpu", "utilisation", "processors used", "▲ 1.90 of 2.00 (95 %)", "processes"]
    assert rows[2] == ["memory", "errors", "killed", "▲▲ 2", "cgroup"]
    assert page.value("document.querySelector('.share .part').getAttribute('width')") == "76"


def test_boxes_zoom_by_pointer(page: Page) -> None:
    assert page.value("document.querySelectorAll('.frame').length") == 0, "closed ones are not drawn"
    opened(page)
    assert page.value(READOUT) == "all: 1.000\u202fs (100\u202f%)"
    everything = page.value(SHOWN)
    assert sorted(everything)[1:] == [
        "all",
        "load (src/app/x.py",
        "main (src/app/x.py",
        "parse",
        "parse",
        "save (src/app/x.py",
    ]
    x, y = page.value(
        f"((box) => [box.x + 9, box.y + 5])({FRAMES}[{everything.index('save (src/app/x.py')}].getBoundingClientRect())"
    )
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    page.wait(f"{READOUT} === 'save (src/app/x.py:9): 300.0\u202fms (30\u202f%)'")
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    page.wait(f"{FRAMES}.length === 4")
    assert page.value(SHOWN) == ["all", "main (src/app/x.py", "save (src/app/x.py", "parse"]
    assert page.value("document.querySelectorAll('.frame.above').length") == 2
    page.value("[...document.querySelectorAll('.flame button')].find((one) => !one.hidden).click()")
    assert page.value(SHOWN) == everything


def test_boxes_are_reached_by_keys_and_found_by_name(page: Page) -> None:
    opened(page)
    page.value("document.querySelector('.flame svg').focus()")
    keys = {"ArrowDown": 40, "ArrowRight": 39, "ArrowLeft": 37, "ArrowUp": 38, "Enter": 13, "Escape": 27}

    def press(*names: str) -> str:
        for name in names:
            page.press(name, code=keys[name])
        told: str = page.value(READOUT)
        return told.partition(" (")[0]

    assert [press(key) for key in ("ArrowUp", "ArrowDown", "ArrowDown", "ArrowRight")] == [
        "all: 1.000\u202fs",
        "main",
        "load",
        "save",
    ]
    assert press("ArrowRight", "ArrowLeft") == "load"
    press("Enter")
    assert page.value(f"{FRAMES}.length") == 4
    press("ArrowUp", "Escape")
    assert page.value(f"{FRAMES}.length") == 7
    find = (
        "(() => {{ const one = document.querySelector('.flame input'); one.value = {!r}; "
        "one.dispatchEvent(new Event('input')); }})()"
    )
    page.value(find.format("PARSE"))
    assert page.value("document.querySelectorAll('.frame.found').length") == 2
    assert page.value("document.querySelector('.flame output').textContent") == "90\u202f% of the whole"
    for absent in ("absent", "all"):  # the root is called so, which is no frame
        page.value(find.format(absent))
        assert page.value("document.querySelector('.flame output').textContent") == "no such name"
        assert page.value("document.querySelectorAll('.frame.found').length") == 0


def test_it_is_drawn_anew_for_every_window_and_tells_what_would_not_fit(page: Page) -> None:
    opened(page)
    second = "document.querySelectorAll('.flame')[1].querySelector"
    for width, dark in ((390, False), (2400, True)):
        page.look(width, 844, dark=dark, phone=width < 1000)
        drawn, wide = f"{second}('svg').viewBox.baseVal.width", f"{second}('svg').getBoundingClientRect().width"
        page.wait(f"Math.abs({drawn} - {wide}) < 1 && {wide} > {width / 3} && {wide} < {width}")
        assert page.value("document.documentElement.scrollWidth") <= width
    page.value(
        f"(() => {{ const one = {second}('input'); one.value = 'g'; one.dispatchEvent(new Event('input')); }})()"
    )
    assert page.value(f"{second}('output').textContent").startswith("at least ")
    notes = page.value(f"[...{second}All('.note')].at(-1).textContent")
    assert notes == "201 lighter calls would not fit on this page."
