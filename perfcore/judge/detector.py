# SPDX-License-Identifier: MIT
"""Is it slower than before? One object that holds what a project calls a regression, and judges files by it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from perfcore.errors import ResultsError
from perfcore.judge.metrics import MetricRules, MetricVerdict
from perfcore.judge.thresholds import MetricRule, Rule, Thresholds, limits_for
from perfcore.judge.verdict import Check, Verdict, check_results, judge_new, marked, with_limit
from perfcore.record.environment import changes
from perfcore.record.methods import alike
from perfcore.record.results import MAX_BYTES, Results, load_results

if TYPE_CHECKING:
    from perfcore.record.history import History
    from perfcore.record.series import Series

    Source = Results | str | os.PathLike[str]


def as_results(source: Source, max_bytes: int = MAX_BYTES) -> Results:
    """Return results as they are, or those of the file."""
    return source if isinstance(source, Results) else load_results(source, max_bytes=max_bytes)


@dataclass(frozen=True, slots=True)
class RegressionDetector:
    """Judges results against a baseline or a history: what ``perfcore check`` does, for use in Python.

    Attributes:
        thresholds: when a slow-down is a warning, and when critical.
        rules: other thresholds and absolute limits for the benchmarks that match a pattern.
        metrics: what holds for metrics other than the time.
        allow_backend_mismatch: compare figures of different backends, kernels or timers all the same.
        strict_environment: let verdicts count although the environments differ; else they are advisory.

    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    rules: Sequence[Rule] = ()
    metrics: Mapping[str, MetricRule] = field(default_factory=dict)
    allow_backend_mismatch: bool = False
    strict_environment: bool = False

    @classmethod
    def configured(
        cls,
        folder: Path | None = None,
        *,
        warning: float | None = None,
        critical: float | None = None,
        allow_backend_mismatch: bool = False,
        strict_environment: bool = False,
    ) -> RegressionDetector:
        """Return the detector that ``[tool.perfcore.thresholds]`` describes.

        Args:
            folder: where to look for pyproject.toml, there and above; by default the current one.
            warning: instead of the configured threshold.
            critical: likewise.
            allow_backend_mismatch: as of the class.
            strict_environment: as of the class.

        Raises:
            ConfigError: the configuration is wrong; the text names the key.

        """
        from perfcore.config import load_config

        config = load_config(folder)
        limits = Thresholds(warning or config.thresholds.warning, critical or config.thresholds.critical)
        return cls(limits, config.rules, config.metrics, allow_backend_mismatch, strict_environment)

    def check(self, results: Source, baseline: Source) -> Check:
        """Judge results against a baseline.

        Raises:
            ResultsError: a file cannot be read, or nothing could be compared.

        """
        head, base = as_results(results), as_results(baseline)
        check = check_results(
            base,
            head,
            self.thresholds,
            allow_backend_mismatch=self.allow_backend_mismatch,
            strict_environment=self.strict_environment,
            rules=self.rules,
            metrics=self.metrics,
        )
        if not check.verdicts:
            raise ResultsError(
                f"{head.path}: nothing in common with the baseline {base.path}; give files of the same suite"
            )
        if not check.compared and check.passed:
            raise ResultsError(f"{head.path}: nothing could be compared: {check.verdicts[0].reason}")
        return check

    def check_history(self, results: Source, history: History) -> Check:
        """Judge results by the earlier runs of a history that have the same environment, backend and method.

        Rounds of one call and rounds of many are one method. What has no such runs is undecided; where that is because
        the environment is another one than before, ``differences`` of the check name what changed.

        Raises:
            PerfcoreError: the file or the history cannot be read.

        """
        from perfcore.judge.history import (
            EVIDENCE,
            KEPT_RUNS,
            MAX_RUNS,
            MIN_RUNS,
            clock_share,
            judge_history,
            judge_metrics_by_history,
        )
        from perfcore.judge.pace import PACE_EVIDENCE, pace_of_runs
        from perfcore.record.history import environment_key, make_run, method
        from perfcore.record.pace import pace_of
        from perfcore.record.series import last_figures, read_elsewhere, read_kept, read_paces, read_series

        head = as_results(results)
        this, here = make_run(head), environment_key(head)
        names = [benchmark.fullname for benchmark in head.benchmarks]
        before = math.nextafter(this.at, -math.inf)
        groups, series = read_series(history, names, until=before, environment=here)
        paced = [one.fullname for one in head.benchmarks if not math.isnan(pace_of(one)[0])]
        paces = read_paces(history, paced, until=before, environment=here)
        found: dict[str, list[Series]] = {}
        for one in series:
            found.setdefault(one.fullname, []).append(one)
        known = set(history.names())
        verdicts: list[Verdict] = []
        metrics: list[MetricVerdict] = []
        rules = MetricRules(self.metrics, self.rules)
        judged_by = [limits_for(name, self.thresholds, self.rules) for name in names]
        cases = [bool(rules.cases(one, limits)) for one, (limits, _) in zip(head.benchmarks, judged_by, strict=True)]
        wanted = [name for name, some in zip(names, cases, strict=True) if some]
        kept = read_kept(history, wanted, before=this.at, environment=here, limit=KEPT_RUNS)
        for benchmark, (general, maximum) in zip(head.benchmarks, judged_by, strict=True):
            name, limits, way = benchmark.fullname, marked(benchmark, general), method(benchmark)
            every, ways = self.allow_backend_mismatch, alike(way)
            those = [
                one
                for one in found.get(name, ())
                if every or (groups[one.group].backend == this.backend and one.method in ways)
            ]
            earlier = last_figures(groups, those, MAX_RUNS)
            clock = clock_share(benchmark, way, earlier)
            then = pace_of_runs([paces.get((name, at), math.nan) for at, _, _ in earlier])
            meanwhile = then, pace_of(benchmark)
            runs = kept.get(name, [])
            same = [run.figures for run in runs if every or (run.backend == this.backend and run.method in ways)]
            all_runs = [run.figures for run in runs]
            metrics += judge_metrics_by_history(benchmark, limits, rules, all_runs, same, clock=clock, paces=meanwhile)
            if name in known:
                known_medians = [value for _, value, _ in earlier]
                judged = judge_history(name, benchmark.median, known_medians, limits, clock=clock, paces=meanwhile)
                verdicts.append(with_limit(judged, maximum))
            elif (limited := judge_new(benchmark, maximum)) is not None:
                verdicts.append(limited)
        few = sum(len(group.moments) for group in groups) < MIN_RUNS
        elsewhere = read_elsewhere(history, here, before=this.at) if few else None
        return Check(
            baseline=None,
            results=head,
            thresholds=self.thresholds,
            verdicts=tuple(verdicts),
            new=tuple(name for name in names if name not in known),
            gone=(),
            differences=() if elsewhere is None else tuple(changes(elsewhere, this.described)),
            strict_environment=self.strict_environment,
            evidence=EVIDENCE + (PACE_EVIDENCE if paces else ""),
            history=history.name,
            metrics=tuple(metrics),
        )
