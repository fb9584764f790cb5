# SPDX-License-Identifier: MIT
"""The report as Markdown: the body of a comment on a pull request.

It opens with a hidden marker, by which a job finds its own comment again, and stays under the size that GitHub takes
whatever the number of benchmarks: what does not fit is counted, never cut in the middle. Names are written so that
neither Markdown nor HTML nor a mention in them has an effect.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from typing import Any

from perfcore.report.metrics import loud_metrics
from perfcore.report.series import bars
from perfcore.report.text import change, printable, seconds

MARKER = "<!-- perfcore-report -->"
LIMIT = 65_536  # characters, of a comment on GitHub
_ROOM = 500  # for the note, and what closes the body
_LONGEST, _HEAD = 160, 60  # characters of a name, and of its beginning where it is too long
_WORST_FIRST = ("critical", "warning", "undecided", "improvement", "ok")
_SIGNS = {"critical": "❌", "warning": "⚠️", "undecided": "❔", "improvement": "🟢", "ok": "✔️"}
_SPECIAL = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=/)|w(?=ww\.)|[^\w ./:,=+-]")
_APART = "<!-- -->"  # behind @: GitHub looks for addresses of e-mail where references are characters again


def _reference(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};{_APART if found[0] == '@' else ''}"


def escaped(text: str) -> str:
    """Return text as code that shows what it is: no markup, no table cell's end, no mention, no link."""
    text = printable(text)
    if len(text) > _LONGEST:
        text = f"{text[:_HEAD]}…{text[_HEAD + 1 - _LONGEST :]}"  # parameters, at the end, tell benchmarks apart
    return f"<code>{_SPECIAL.sub(_reference, text)}</code>"


def _time(value: float | None) -> str:
    return seconds(math.nan if value is None else value)


def _change(value: float | None) -> str:
    return change(math.nan if value is None else value)


def _judged(one: dict[str, Any], trends: bool) -> str:
    verdict = one["verdict"]
    span = "-"
    if verdict["low"] is not None and verdict["high"] is not None:
        span = f"{_change(verdict['low'])} to {_change(verdict['high'])}"
    return (
        f"| {_SIGNS[verdict['status']]} {verdict['status']} | {escaped(one['fullname'])} "
        f"| {_time(verdict['baseline_median'])} | {_time(one['median'])} | {_change(verdict['ratio'])} | {span} |"
        + (f" {bars(one)} |\n" if trends else "\n")
    )


def _metric(fullname: str, metric: dict[str, Any]) -> str:
    return (
        f"| {_SIGNS[metric['status']]} {metric['status']} | {escaped(fullname)} | {escaped(metric['metric'])} "
        f"| {metric['baseline_shown']} | {metric['shown']} | {metric['change']} |\n"
    )


def _plain(one: dict[str, Any]) -> str:
    return (
        f"| {escaped(one['fullname'])} | {_time(one['median'])} | {_time(one['min'])} | {_time(one['p99'])} "
        f"| {one['rounds'] or '-'} |\n"
    )


_JUDGED_HEAD = ("| verdict | benchmark | baseline | now | change | with the allowance |", "\n|:--|:--|--:|--:|--:|--:|")
_METRIC_HEAD = "| verdict | benchmark | metric of a call | baseline | now | change |\n|:--|:--|:--|--:|--:|--:|\n"
_PLAIN_HEAD = "| benchmark | median | min | p99 | rounds |\n|:--|--:|--:|--:|--:|\n"


class _Body:
    """The text so far; a line is added whole or counted as left out."""

    def __init__(self) -> None:
        self.parts = [f"{MARKER}\n"]
        self.size = len(self.parts[0])
        self.left_out = 0

    def add(self, text: str) -> bool:
        if self.size + len(text) > LIMIT - _ROOM:
            return False
        self.parts.append(text)
        self.size += len(text)
        return True

    def block(self, title: str, head: str, lines: Iterable[str]) -> None:
        """Add lines folded under a title (open where it is empty), as many as there is room for."""
        rest = list(lines)
        ending = "\n</details>\n" if title else ""
        opening = f"\n<details><summary>{title}</summary>\n\n{head}" if title else f"\n{head}"
        if not rest:
            return
        if self.size + len(opening) + len(ending) + len(rest[0]) > LIMIT - _ROOM:
            self.left_out += len(rest)
            return
        self.add(opening)
        self.size += len(ending)
        for number, line in enumerate(rest):
            if not self.add(line):
                self.left_out += len(rest) - number
                break
        self.parts.append(ending)


def _title(document: dict[str, Any]) -> str:
    check, count = document["check"], len(document["benchmarks"])
    if check is None:
        return f"### perfcore: {count} benchmark{'' if count == 1 else 's'}, no baseline\n"
    found, ofmetrics = (
        ", ".join(f"{number} {status}" for status, number in check[counts].items() if number)
        for counts in ("counts", "metric_counts")
    )
    bad = check["counts"]["critical"] + check["metric_counts"]["critical"]
    ending = "" if check["passed"] else " – could not judge"
    if bad:
        ending = " (advisory)" if check["advisory"] and check["passed"] else " – regression"
    told = found or f"nothing in common with the {check['against']}"
    return f"### perfcore: {told}{f'; metrics of calls: {ofmetrics}' if ofmetrics else ''}{ending}\n"


def _add_metrics(body: _Body, document: dict[str, Any]) -> None:
    """Add the verdicts on metrics: what is worse in sight, what is better or undecided folded, the rest counted."""
    loud = [(one["fullname"], metric) for one in document["benchmarks"] for metric in loud_metrics(one)]
    loud.sort(key=lambda pair: _WORST_FIRST.index(pair[1]["status"]))
    calm = [
        (one["fullname"], metric)
        for one in document["benchmarks"]
        for metric in one["metrics"]
        if metric["status"] in ("undecided", "improvement")
    ]
    body.block("", _METRIC_HEAD, (_metric(*pair) for pair in loud))
    body.block(f"{len(calm)} metrics better or undecided", _METRIC_HEAD, (_metric(*pair) for pair in calm))
    for name, count in document["check"]["lost_metrics"].items():
        lacking = f"{count} {'benchmark lacks' if count == 1 else 'benchmarks lack'}"
        body.add(f"\nNot judged: {escaped(name)}, which {lacking} although the baseline has it.\n")


def _over_limits(judged: Iterable[dict[str, Any]], every: Iterable[dict[str, Any]]) -> list[str]:
    """Say which absolute limits are exceeded: a change does not show it, and what is new has none."""
    found = [(one["fullname"], one["verdict"]) for one in judged]
    found += [(f"{one['fullname']} ({metric['metric']})", metric) for one in every for metric in one["metrics"]]
    return [
        f"- {escaped(name)}: {escaped(verdict['reason'])}\n"
        for name, verdict in found
        if verdict["status"] == "critical" and verdict["reason"]
    ]


def render_comment(document: dict[str, Any]) -> str:
    """Return the document of :func:`perfcore.report.model.describe` as Markdown, under ``LIMIT`` characters."""
    check, body = document["check"], _Body()
    body.add(_title(document))
    if check is None:
        rows = [_plain(one) for one in document["benchmarks"]]
        body.block("" if len(rows) <= 20 else f"{len(rows)} benchmarks", _PLAIN_HEAD, rows)
    else:
        judged = [one for one in document["benchmarks"] if one["verdict"] is not None]
        # The worst first: by status, then by how much slower; what cannot be compared comes last of its kind.
        judged.sort(key=lambda one: (_WORST_FIRST.index(one["verdict"]["status"]), -(one["verdict"]["ratio"] or 0)))
        trends = "history" in document
        head = f"{_JUDGED_HEAD[0]}{' trend |' if trends else ''}{_JUDGED_HEAD[1]}{':--|' if trends else ''}\n"
        loud = [_judged(one, trends) for one in judged if one["verdict"]["status"] != "ok"]
        calm = [_judged(one, trends) for one in judged if one["verdict"]["status"] == "ok"]
        body.block("", head, loud)
        body.block("over a limit", "", _over_limits(judged, document["benchmarks"]))
        doubts = [one for one in judged if one["verdict"]["status"] == "undecided" and one["verdict"]["reason"]]
        reasons = [f"- {escaped(one['fullname'])}: {escaped(one['verdict']['reason'])}\n" for one in doubts]
        body.block(f"why {len(doubts)} {'is' if len(doubts) == 1 else 'are'} undecided", "", reasons)
        _add_metrics(body, document)
        body.block(f"{len(calm)} within the limits", head, calm)
        for title, names in ((f"new, not in the {check['against']}", check["new"]), ("gone", check["gone"])):
            body.block(f"{len(names)} {title}", "", (f"- {escaped(name)}\n" for name in names))
        why = "the environments differ" + (", so the verdicts are advisory" if check["advisory"] else "")
        if check["against"] == "history":
            why = "runs of another environment do not count; from the last of them to this one"
        for title, lines in ((why, check["differences"]), ("notes", check["notes"])):
            body.block(title, "", (f"- {escaped(line)}\n" for line in lines))
    if body.left_out:
        body.parts.append(f"\n{body.left_out} more lines were left out to stay under GitHub's limit.\n")
    if check is not None:
        body.parts.append(f"\n<sub>{html.escape(printable(check['evidence']))}</sub>\n")
    return "".join(body.parts)
