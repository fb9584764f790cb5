# SPDX-License-Identifier: MIT
"""The text of a results file with its samples, as pytest-benchmark writes it, to the byte, in a tenth of the time.

pytest-benchmark's own way is ``json.dumps`` with an indent, which is a generator in Python for each sample. Here only
the skeleton goes that way; the long lists of samples are put in as text that C has made. Single owner.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from perfcore import _core

INDENT = 4
FEW = 50  # samples that are not worth the trouble
_LAYOUT = {"ensure_ascii": True, "indent": INDENT}
# Where samples lie: in the list of an object of an object of an array of the root.
_NUMBER = "\n" + 5 * INDENT * " "
_BRACKET = "\n" + 4 * INDENT * " "

Dumps = Callable[..., str]


def results_dumps(stock: Dumps) -> Dumps:
    """Return a function that gives the text that ``stock`` gives, sooner for documents with many samples.

    Args:
        stock: pytest-benchmark's ``safe_dumps``.

    """

    def safe_dumps(obj: Any, **options: Any) -> str:
        arrays: list[list[float]] = []
        mark = os.urandom(16).hex()  # stands nowhere else
        skeleton = _without_samples(obj, mark, arrays) if options == _LAYOUT else obj
        text = None
        if arrays:
            pieces = stock(skeleton, **options).split(f'"{mark}"')
            if len(pieces) == len(arrays) + 1:  # else something made another text of it
                text = _core.splice_doubles(pieces, arrays, "[" + _NUMBER, "," + _NUMBER, _BRACKET + "]")
        return stock(obj, **options) if text is None else text

    return safe_dumps


def _without_samples(document: Any, mark: str, arrays: list[list[float]]) -> Any:
    """Return a copy of a document with ``mark`` for each long list of samples, which are added to ``arrays``."""
    if type(document) is not dict or type(document.get("benchmarks")) is not list:
        return document
    return document | {"benchmarks": [_without_data(one, mark, arrays) for one in document["benchmarks"]]}


def _without_data(benchmark: Any, mark: str, arrays: list[list[float]]) -> Any:
    if type(benchmark) is not dict or type(stats := benchmark.get("stats")) is not dict:
        return benchmark
    data = stats.get("data")
    if type(data) is not list or len(data) < FEW or type(data[0]) is not float:
        return benchmark
    arrays.append(data)
    return benchmark | {"stats": stats | {"data": mark}}
