# SPDX-License-Identifier: MIT
"""``perfcore check``: judge a results file against a baseline."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from perfcore.cli import Parser, UsageError
from perfcore.cli.options import add_baseline, add_database, add_judging, add_reading, write_json
from perfcore.report.metrics import change_text, kind_text
from perfcore.report.text import change, encodable, painted, printable, say, seconds, table, use_colour
from perfcore.units import format_metric

if TYPE_CHECKING:
    from perfcore.judge.detector import RegressionDetector
    from perfcore.judge.metrics import MetricVerdict
    from perfcore.judge.verdict import Check, Verdict
    from perfcore.record.results import Results

_EXAMPLES = """\
examples:
  perfcore check results.json
  perfcore check results.json --baseline old.json --fail-on-regression
  perfcore check results.json --warning 3% --critical 8% --json
  perfcore check results.json --history

exit codes:
  0  passed, or there are regressions but not --fail-on-regression; what is undecided or new passes, so with
     --history also a run that the history has too few runs for
  1  a regression is critical, with --fail-on-regression
  2  could not judge: a file is missing or wrong, or nothing could be compared with the baseline
"""


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore check",
        description="Judge a results file against a baseline: medians, with an allowance for the noise of the rounds, "
        "and the metrics of calls (memory, allocations, processor time) that both have.",
        epilog=_EXAMPLES,
    )
    made.add_argument("results", metavar="RESULTS", help="what pytest --benchmark-json wrote")
    add_baseline(made)
    made.add_argument("--fail-on-regression", action="store_true", help="exit 1 when a regression is critical")
    made.add_argument(
        "--history",
        action="store_true",
        help="judge against the last runs of the same environment in the history, not against a baseline; --database "
        "asks for it too",
    )
    add_database(made)
    add_judging(made)
    add_reading(made)
    return made


def _detector(args: argparse.Namespace) -> RegressionDetector:
    from perfcore.judge.detector import RegressionDetector

    return RegressionDetector.configured(
        warning=args.warning,
        critical=args.critical,
        allow_backend_mismatch=args.allow_backend_mismatch,
        strict_environment=args.strict_environment,
    )


def judge(args: argparse.Namespace, results: Results) -> Check:
    """Judge results against the baseline that the options and the configuration name.

    Raises:
        PerfcoreError: the baseline or the configuration is wrong, or nothing could be compared.

    """
    from perfcore.config import load_config
    from perfcore.record.baseline import load_baseline

    detector = _detector(args)
    return detector.check(results, load_baseline(args.baseline or load_config().baseline, max_bytes=args.max_size))


def _judge_by_history(args: argparse.Namespace, results: Results) -> Check:
    """Judge results against the runs of the history that mean the same and are older."""
    from perfcore.cli.history_command import open_history

    return _detector(args).check_history(results, open_history(args))


def report_json(check: Check, **more: Any) -> dict[str, Any]:
    """Return a check as a JSON document."""
    return {
        "schema": 1,
        "results": str(check.results.path),
        "baseline": check.against,
        "thresholds": asdict(check.thresholds),
        "evidence": check.evidence,
        "environment_differences": check.differences,
        "advisory": check.advisory,
        "verdicts": [asdict(verdict) for verdict in check.verdicts],
        "metrics": [verdict._asdict() for verdict in check.metrics],
        "lost_metrics": dict(check.lost_metrics),
        "new": check.new,
        "gone": check.gone,
        "counts": check.counts,
        "metric_counts": check.metric_counts,
        "passed": check.passed,
        **more,
    }


def _row(verdict: Verdict, advisory: bool) -> tuple[str, ...]:
    known = verdict.low == verdict.low
    words = verdict.status + (" (advisory)" if advisory and verdict.comparable and not verdict.over_limit else "")
    return (
        printable(verdict.fullname),
        seconds(verdict.baseline_median),
        seconds(verdict.median),
        change(verdict.ratio),
        f"{change(verdict.low)} to {change(verdict.high)}" if known else "-",
        words + (f": {printable(verdict.reason)}" if verdict.reason else ""),
    )


def _metric_row(verdict: MetricVerdict, advisory: bool) -> tuple[str, ...]:
    words = verdict.status + (" (advisory)" if advisory and verdict.comparable and not verdict.over_limit else "")
    return (
        printable(verdict.fullname),
        printable(verdict.metric),
        format_metric(verdict.metric, verdict.baseline),
        format_metric(verdict.metric, verdict.value),
        change_text(verdict.ratio),
        kind_text(verdict),
        words + (f": {printable(verdict.reason)}" if verdict.reason else ""),
    )


def _say_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], statuses: Sequence[str], left: Sequence[int] = ()
) -> None:
    """Print a table in one piece (it may have a thousand rows), each row in the colour of its status."""
    first, *lines = map(encodable, table(header, rows, left))
    if use_colour():
        lines = list(map(painted, lines, statuses))
    say("\n".join((first, *lines)))


def _print_metrics(check: Check) -> None:
    """Print the metrics that are not ok, the worst first, and count the others."""
    from perfcore.judge.metrics import JUDGED
    from perfcore.judge.verdict import STATUSES

    told = sorted(
        (verdict for verdict in check.metrics if verdict.status != "ok"),
        key=lambda verdict: STATUSES.index(verdict.status),
    )
    if told:
        header = ("benchmark", "metric", "baseline", "now", "change", "", "verdict")
        _say_table(
            header,
            [_metric_row(verdict, check.advisory) for verdict in told],
            [verdict.status for verdict in told],
            left=(1, 5),
        )
        say("")
    if check.metrics:
        counts = ", ".join(f"{count} {status}" for status, count in check.metric_counts.items() if count)
        names = ", ".join(dict.fromkeys(printable(verdict.metric) for verdict in check.metrics))
        say(f"metrics ({names}): {counts}")
    for name, count in check.lost_metrics.items():
        missing = f"{count} {'benchmark lacks' if count == 1 else 'benchmarks lack'}"
        advice = "; run pytest with --perfcore-metrics" if name in JUDGED else ""
        say(f"not judged: {printable(name)}, which {missing} although the baseline has it{advice}")


def print_check(check: Check) -> None:
    """Print a check: the table, the worst first, and what stands beside it."""
    from perfcore.judge.verdict import STATUSES
    from perfcore.report.pace import pace_line
    from perfcore.report.passes import passes_line

    verdicts = sorted(check.verdicts, key=lambda verdict: STATUSES.index(verdict.status))
    header = ("benchmark", "baseline", "now", "change", "with the allowance", "verdict")
    rows = [_row(verdict, check.advisory) for verdict in verdicts]
    _say_table(header, rows, [verdict.status for verdict in verdicts])
    say("")
    _print_metrics(check)
    other = "history" if check.baseline is None else "baseline"
    for title, names in ((f"new, not in the {other}", check.new), (f"gone, only in the {other}", check.gone)):
        if names:
            say(f"{title} ({len(names)}):")
            for name in names:
                say(f"  {printable(name)}")
    if check.differences:
        if check.baseline is None:
            say("the history has runs of another environment, which do not count; from the last of them to this one:")
        else:
            count = "and the verdicts count (--strict-environment)"
            say(f"the environments differ, {'so the verdicts are advisory' if check.advisory else count}:")
        for difference in check.differences:
            say(f"  {printable(difference)}")
    if line := pace_line(check, f"the {other}"):
        say(line)
    say(f"evidence: {check.evidence}")
    if line := passes_line(check.results):
        say(line)


def _summary(check: Check, *, fail: bool) -> str:
    told = [f"{count} {status}" for status, count in check.counts.items() if count]
    judged = f"{len(check.verdicts)} judged"
    if not check.compared and not check.counts["critical"]:  # by a history that does not have enough runs yet
        judged = "nothing could be compared"
        told += [f"{len(check.new)} new"] if check.new else []
    if not check.counts["critical"] + check.metric_counts["critical"]:
        ending = "passed"
    elif check.advisory and check.passed:
        ending = "passed, because the verdicts are advisory; let them count with --strict-environment"
    elif fail:
        ending = "FAILED"
    else:
        ending = "regressions; they fail the check with --fail-on-regression"
    metrics = f", metrics of calls: {check.metric_counts['critical']} critical" if check.metrics else ""
    return f"{judged}: {', '.join(told)}{metrics}: {ending}"


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from perfcore.record.results import load_results

    by_history = args.history or args.database is not None
    if by_history and args.baseline is not None:
        raise UsageError("judge by a baseline or by the history: leave out --baseline, or --history and --database")
    results = load_results(args.results, max_bytes=args.max_size)
    check = _judge_by_history(args, results) if by_history else judge(args, results)
    code = 1 if args.fail_on_regression and not check.passed else 0
    if args.json:
        write_json(report_json(check, command="check", exit_code=code))
    else:
        print_check(check)
        say(_summary(check, fail=args.fail_on_regression))
    return code
