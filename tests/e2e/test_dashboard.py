# SPDX-License-Identifier: MIT
"""The dashboard in a real Chromium: it draws, offline and without a word on the console; what is clicked works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from results_files import benchmark, write

from perfcore.judge.verdict import check_results
from perfcore.record.results import load_results
from perfcore.report.ab import describe_ab
from perfcore.report.model import describe
from perfcore.report.page import render_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

# Uses the page as a reader does and writes down, in an attribute, what is then seen.
DRIVER = """<script>
const all = (what) => [...document.querySelectorAll(what)], seen = [];
const names = () => all("tr.row td.name button").map((one) => one.textContent).join(" ");
const press = (text) => all("button").find((one) => one.textContent.startsWith(text)).click();
const filter = document.getElementById("filter"), grouped = document.getElementById("grouped");
seen.push(names());
filter.value = "s1 FA"; filter.dispatchEvent(new Event("input")); seen.push(names());
filter.value = ""; filter.dispatchEvent(new Event("input"));
press("▲▲ critical"); seen.push(names()); press("All");
grouped.click(); press("Median"); seen.push(names()); press("Median"); seen.push(names());
press("slow"); seen.push(document.querySelectorAll(".panel").length); press("slow");
seen.push(document.querySelectorAll(".panel").length);
press("Theme"); press("Theme"); seen.push(document.documentElement.dataset.theme);
document.body.dataset.seen = seen.join("|");
</script>"""


def browse(tmp_path: Path, page: str, *, link: str = "", width: int = 1200) -> tuple[str, str]:
    """Open a page; return its elements once its script has run, and what it said on the console."""
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"),
            *(
                "--enable-logging=stderr",
                "--v=0",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                f"--window-size={width},900",
            ),
            *("--dump-dom", f"{path.as_uri()}#{quote(link, safe='')}"),
        ],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    if done.returncode or "</html>" not in done.stdout:
        pytest.skip(f"chromium does not run here: {done.stderr[-300:]}")
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def judged_page(tmp_path: Path) -> str:
    data = [1e-6 + number * 1e-9 for number in range(100)]
    names = ("fast", "slow", HOSTILE)
    old = write(tmp_path / "old.json", *(benchmark(name, stats={"data": data}) for name in names))
    medians = {"fast": 0.8e-6, "slow": 2e-6, HOSTILE: 1e-6}
    new = write(
        tmp_path / "new.json",
        *(benchmark(name, value, group="s1", stats={"data": data}) for name, value in medians.items()),
    )
    results = load_results(new)
    return render_html(describe(results, check_results(load_results(old), results)))


def test_it_draws_and_a_link_opens_its_benchmark(tmp_path: Path) -> None:
    elements, console = browse(tmp_path, judged_page(tmp_path), link="tests/test_x.py::slow")
    assert console == ""
    assert "<title>perfcore: new.json</title>" in elements
    assert elements.count('<tr class="row">') == 3
    assert elements.count('class="panel"') == 1
    assert "1 critical regression" in elements
    assert "<img" not in elements
    assert "NaN" not in elements.split("</main>")[0]


def test_what_is_clicked_works(tmp_path: Path) -> None:
    # The policy would refuse the driver, rightly; see the next test.
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^\n]*', "", judged_page(tmp_path))
    elements, console = browse(tmp_path, page.replace("</body>", DRIVER + "</body>"))
    assert console == ""
    found = re.search(r'data-seen="([^"]*)"', elements)
    assert found is not None
    hostile = HOSTILE.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    seen = found[1].replace("<", "&lt;").replace(">", "&gt;").split("|")
    assert seen == [
        f"slow fast {hostile}",
        "fast",
        "slow",
        f"fast {hostile} slow",
        f"slow {hostile} fast",
        "1",
        "0",
        "dark",
    ]


def test_a_script_that_is_not_ours_does_not_run(tmp_path: Path) -> None:
    page = judged_page(tmp_path).replace("</body>", "<script>document.title = 'taken'</script></body>")
    elements, console = browse(tmp_path, page)
    assert "<title>perfcore: new.json</title>" in elements
    assert "Content Security Policy" in console


@pytest.mark.parametrize("width", [1200, 500])
def test_a_thousand_benchmarks_and_odd_figures(tmp_path: Path, width: int) -> None:
    data = [1e-6 + number * 1e-9 for number in range(300)]
    many = [benchmark(f"test_{number}", group=f"g{number % 9}", stats={"data": data}) for number in range(1000)]
    odd = [
        benchmark("zero", 0.0, 0.0),
        benchmark("same", stats={"data": [1e-6] * 9}),
        benchmark("q", stats={"q1": None}),
    ]
    page = render_html(describe(load_results(write(tmp_path / "new.json", *many, *odd))))
    elements, console = browse(tmp_path, page, link="tests/test_x.py::same", width=width)
    assert console == ""
    assert elements.count('<tr class="row">') == 1003
    assert "NaN" not in elements.split("</main>")[0]


@pytest.mark.parametrize(
    ("mode", "limit"),
    [
        ("detect", "Critical where it is proven slower, and by about half of 5 % or more."),
        ("exceeds", "Critical where it is proven slower by more than 5 %."),
    ],
)
def test_an_ab_comparison(tmp_path: Path, mode: str, limit: str) -> None:
    names = ("fullname", "status", "ratio", "low", "high", "base_s", "head_s", "failed", "reason")
    rows = [
        ("t.py::ok", "ok", 1.0, 0.99, 1.01, 1e-3, 1e-3, [], ""),
        ("t.py::dies", "undecided", None, None, None, None, None, ["head"], "failed on head: boom"),
    ]
    document = {"command": "ab", "base": "main", "head": "the working tree", "threshold": 0.05, "mode": mode}
    document |= {"evidence": "pairs", "benchmarks": [dict(zip(names, row, strict=True)) for row in rows]}
    document |= {"new": ["t.py::new"], "gone": ["t.py::gone"], "notes": ["one processor only"], "common_shift": None}
    (tmp_path / "ab.json").write_text(json.dumps(document | {"passed": False}))
    elements, console = browse(tmp_path, render_html(describe_ab(tmp_path / "ab.json")), link="t.py::dies")
    assert console == ""
    shown = elements.split("</main>")[0]
    assert "Could not judge" in shown
    assert "undecided: failed on head: boom" in shown
    assert limit in shown
    assert "Notes (1)" in shown
    assert "Only in the base (1)" in shown
    assert "Only in the head (1)" in shown
    assert "ab.json  ·  the working tree<" in shown
    for what in ("environments", "No regression", "scale of its own", "NaN", "Warning from"):
        assert what not in shown.replace("Each row has a scale of its own", "")


def test_no_benchmarks(tmp_path: Path) -> None:
    elements, console = browse(tmp_path, render_html(describe(load_results(write(tmp_path / "new.json")))))
    assert console == ""
    assert "The results file holds no benchmarks." in elements


def test_what_has_no_interval_comes_last_among_intervals(tmp_path: Path) -> None:
    """A median of 0 has none that could be told as a share of it."""
    wide, zero, narrow = (
        benchmark(name, median, perfcore={"median_ci": {"low": low * median, "high": median, "level": 0.95}})
        for name, median, low in (("wide", 1e-6, 0.5), ("zero", 0.0, 1.0), ("narrow", 1e-6, 0.9))
    )
    page = render_html(describe(load_results(write(tmp_path / "new.json", wide, zero, narrow))))
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^\n]*', "", page)
    driver = DRIVER.partition("seen.push")[0] + 'press("Interval"); document.body.dataset.seen = names();</script>'
    elements, console = browse(tmp_path, page.replace("</body>", driver + "</body>"))
    assert console == ""
    assert 'data-seen="narrow wide zero"' in elements
