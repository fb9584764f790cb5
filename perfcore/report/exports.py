# SPDX-License-Identifier: MIT
"""The report in the formats of other tools. Each takes the document of :func:`perfcore.report.model.describe`.

- JUnit XML (the schema that Jenkins and GitLab read): a test case for each benchmark, its median as the time; a
  critical verdict on the time or on a metric of a call is a failure, but one that only advises, which is output of its
  case; and in an A/B comparison a benchmark that fails on head alone, or a module that only head cannot import; one
  that could not be judged is skipped. Jenkins' xUnit plugin checks files against its schema (junit-10.xsd): no time
  has an exponent, that of the suite at most three decimals.
- OpenMetrics 1.0 text: gauges by benchmark, for a Prometheus push or a textfile collector.
- github-action-benchmark's ``customSmallerIsBetter``: a list of name, unit, value, range.
- Bencher's Metric Format (BMF): ``latency`` in nanoseconds with the interval of the median.

Benchmarks without a finite median are left out of all but JUnit, where they are skipped.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from perfcore.names import split_name
from perfcore.report.text import change, printable, seconds

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _measured(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in document["benchmarks"] if one["median"] is not None]


# --- JUnit -------------------------------------------------------------------------------------------------------


def _text(told: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", told))


def _attribute(told: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", told), {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})


def _failure(kind: str, told: str) -> str:
    return f'<failure type="{kind}" message={_attribute(told)}>{_text(told)}</failure>'


def _critical(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give in words what is critical of a benchmark, its time first, and the absolute limit it is over, if any."""
    verdict = one["verdict"]
    if verdict is not None and verdict["status"] == "critical":
        span = ""
        if verdict["low"] is not None and verdict["high"] is not None:
            span = f" ({change(verdict['low'])} to {change(verdict['high'])})"
        said = [verdict["reason"]] if verdict["reason"] else []  # a limit, which a new one may be over, too
        if verdict["ratio"] is not None:
            said.append(f"{change(verdict['ratio'])}{span} against {seconds(verdict['baseline_median'] or 0.0)}")
        yield "; ".join(said), verdict["reason"]
    for each in one["metrics"]:
        if each["status"] == "critical":
            limit = f", {each['reason']}" if each["reason"] else ""
            yield f"{each['metric']} {each['change']}: {each['shown']}{limit}", each["reason"]


def _outcome(one: dict[str, Any], advisory: bool) -> str:
    """Return what stands in a case. Verdicts between two environments only advise; those on absolute limits count."""
    verdict, critical = one["verdict"], list(_critical(one))
    if verdict is not None and verdict["failed"] == ["head"]:
        return _failure("failed", verdict["reason"])
    if failing := [told for told, limit in critical if limit or not advisory]:
        return _failure("regression", "; ".join(failing))
    if one["median"] is None and not (verdict and verdict["reason"]):
        return '<skipped message="no finite median"/>'
    if verdict is not None and verdict["status"] == "undecided":
        return f"<skipped message={_attribute('undecided: ' + (verdict['reason'] or ''))}/>"
    told = "; ".join(told for told, _ in critical)
    return f"<system-out>advisory: {_text(told)}</system-out>" if told else ""


def _broken(document: dict[str, Any]) -> list[str]:
    """Return a case for each module that only head cannot import: no benchmark of it is among the others."""
    check = document["check"]
    cases = []
    for place in () if check is None else check["broken"]:
        said = [note for note in check["notes"] if note.startswith(f"head: cannot collect {place}: ")]
        failure = _failure("failed", said[0] if said else f"head: cannot collect {place}")
        cases.append(f'  <testcase classname={_attribute(place)} name="collection" time="0">{failure}</testcase>')
    return cases


def render_junit(document: dict[str, Any]) -> str:
    """Return the document as JUnit XML."""
    cases = _broken(document)
    failures, skipped, total = len(cases), 0, 0.0
    advisory = document["check"] is not None and document["check"]["advisory"]
    for one in document["benchmarks"]:
        place, name = split_name(one["fullname"])
        outcome, median = _outcome(one, advisory), one["median"] or 0
        failures += outcome.startswith("<failure")
        skipped += outcome.startswith("<skipped")
        total += median
        time = f'time="{Decimal(repr(median)):f}"'
        head = f"  <testcase classname={_attribute(place)} name={_attribute(name)} {time}"
        cases.append(f"{head}>{outcome}</testcase>" if outcome else f"{head}/>")
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0" time="{total:.3f}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites {counts}>",
        f'<testsuite name="perfcore" {counts} skipped="{skipped}">',
        *cases,
        "</testsuite>",
        "</testsuites>",
        "",
    ]
    return "\n".join(lines)


# --- OpenMetrics -------------------------------------------------------------------------------------------------

_GAUGES = (
    ("median", "Median time of a call."),
    ("min", "Shortest time of a call."),
    ("mean", "Mean time of a call."),
    ("p99", "99th percentile of the time of a call."),
)


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def render_openmetrics(document: dict[str, Any]) -> str:
    """Return the document as OpenMetrics text."""
    lines = []
    for key, told in _GAUGES:
        family = f"perfcore_benchmark_{key}_seconds"
        lines += [f"# TYPE {family} gauge", f"# UNIT {family} seconds", f"# HELP {family} {told}"]
        for one in _measured(document):
            if one[key] is not None:
                labels = f'benchmark="{_label(one["fullname"])}",group="{_label(one["group"] or "")}"'
                lines.append(f"{family}{{{labels}}} {float(one[key])!r}")
    family = "perfcore_benchmark_ratio"
    lines += [f"# TYPE {family} gauge", f"# HELP {family} Median against the baseline's; above 1 is slower."]
    for one in _measured(document):
        verdict = one["verdict"]
        if verdict is not None and verdict["ratio"] is not None:
            labels = f'benchmark="{_label(one["fullname"])}",verdict="{verdict["status"]}"'
            lines.append(f"{family}{{{labels}}} {float(verdict['ratio'])!r}")
    return "\n".join([*lines, "# EOF", ""])


# --- github-action-benchmark and Bencher ---------------------------------------------------------------------------


def render_action_benchmark(document: dict[str, Any]) -> str:
    """Return the document as github-action-benchmark's list, smaller is better, times in seconds."""
    made = []
    for one in _measured(document):
        entry = {"name": printable(one["fullname"]), "unit": "s", "value": one["median"]}
        if one["stddev"] is not None:
            entry["range"] = f"± {one['stddev']:.4g}"
        known = (("rounds", ""), ("iterations", ""), ("min", " s"), ("p99", " s"))
        if extra := [f"{key}: {one[key]}{unit}" for key, unit in known if one[key] is not None]:
            entry["extra"] = "\n".join(extra)
        made.append(entry)
    return json.dumps(made, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def render_bencher(document: dict[str, Any]) -> str:
    """Return the document in Bencher's Metric Format, nanoseconds."""
    made = {}
    for one in _measured(document):
        interval = one["median_ci"] or {}
        latency = {"value": one["median"] * 1e9}
        if interval:
            latency |= {"lower_value": interval["low"] * 1e9, "upper_value": interval["high"] * 1e9}
        if all(map(math.isfinite, latency.values())):
            made[printable(one["fullname"])] = {"latency": latency}
    return json.dumps(made, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
