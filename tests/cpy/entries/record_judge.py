# SPDX-License-Identifier: MIT
"""Uses of the entries that read and write results, and of those that judge."""

from __future__ import annotations

import contextlib
import json
from array import array

from perfcore import _core

from .table import Use, case, look


@case
def results() -> Use:
    text = json.dumps(
        {"benchmarks": [{"name": "é", "stats": {"data": (1.5, 2, 3e-9)}, "no": [None, True, {}]}]}
    ).encode()
    pieces, lists = ["a", "b"], [list(array("d", (1.5, 1e300, float("nan"))))]
    wrong = (b"", b"{", b"[1,]", b'{"a":1,"a":2}', b"\xff", b"[" * 5000, b'["' + b"x" * 5000)

    def use() -> None:
        assert _core.load_results(text)["benchmarks"][0]["name"] == "é"
        for data in wrong:
            with contextlib.suppress(_core.JSONError):
                _core.load_results(data)
        around = ("[", ", ", "]")
        assert _core.splice_doubles(pieces, lists, *around) == "a[1.5, 1e+300, NaN]b"
        assert _core.splice_doubles(pieces, [["x"]], *around) is None  # type: ignore[list-item]

    return use


X, Y = array("d", (1.0, 2.5, 3.25, 7.0, 2.75, 2.125)), array("d", (1.5, 2.0, 9.0, 4.0))
WIDE = array("d", (1e-300, 1e300, 1.0))
STEPS = array("d", [10.0 + i * 7 % 5 + 20 * (i > 40) for i in range(80)])
MANY_STEPS = array("d", [10.0 + i * 7 % 5 + 20 * (i // 30 % 2) for i in range(1500)])


@case
def statistics() -> Use:
    def use() -> None:
        _core.summarize(X)
        _core.summarize(WIDE)
        _core.summarize(X, compensated_sum=True, legacy_hd15iqr=True)
        _core.rank_sum(X, Y, "auto")
        _core.rank_sum(STEPS, STEPS, "auto")
        _core.signed_rank(X, "auto")
        _core.shift_two_sample(X, Y, 0.9)
        _core.shift_one_sample(X, 0.9)
        _core.median_mad(X)
        _core.autocorrelation(X, 1)
        _core.adjust_pvalues(array("d", [0.1, 0.5]))
        _core.bootstrap_ratio(X, Y, resamples=100)
        assert 0.97 < _core.normal_cdf(2.0) < 0.98
        _core.normal_quantile(0.3)
        _core.student_cdf(1.0, 3.0)
        _core.student_quantile(0.3, 3.0)
        with contextlib.suppress(TypeError):
            _core.summarize([1.0])  # type: ignore[arg-type]
        with contextlib.suppress(ValueError):
            _core.rank_sum(X, Y, "?")

    return use


@case
def verdicts() -> Use:
    shared = _core.WindowedSeries(30, 0.01)
    shared.append(STEPS)

    def use() -> None:
        series = _core.WindowedSeries(30, 0.01)
        series.append(STEPS)
        assert len(series.find()) == len(shared.find()) == 1
        look(series)
        many = _core.WindowedSeries(30, 0.01)
        many.append(MANY_STEPS)
        assert len(many.find()) > 40
        _core.find_levels(STEPS, 5, 0.01, 0.01, 0.0, 1)
        assert len(_core.find_levels_of_each((STEPS, STEPS, X), 5, 0.01, 0.01, 0.0, 1)[1]) == 1
        _core.judge_medians((1.0, 0.9, 1.1), (2.0, 1.9, 2.1), 0.05, 0.1)
        _core.judge_medians((1.0, 0.9, 1.1), (2.0, 1.9, 2.1), 0.05, 0.1, (1.0, 0.9, 1.1), (1.2, 1.1, 1.3))
        _core.pace_effect((1.0, 0.9, 1.1), (1.2, 1.1, 1.3))
        effects = array("d", [_core.pair_effect(Y, Y)] * 8)
        _core.judge_pairs(effects, 0.05, 0.05, False, 1)

    return use
