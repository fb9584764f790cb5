# SPDX-License-Identifier: MIT
"""The text of a results file with its samples, as pytest-benchmark writes it, to the byte, in a tenth of the time.

pytest-benchmark's own way is ``json.dumps`` with an indent, which is a generator in Python for each sample. Here only
the skeleton goes that way; the long lists of samples are put in as text that C has made. Single owner.
"""

from __future__ import annotations

import math
import operator
import os
import re
from collections.abc import Callable
from typing import Any

from perfcore import _core

INDENT = 4
FEW = 50  # samples that are not worth the trouble
_LAYOUT = {"ensure_ascii": True, "indent": INDENT}
_PAST_DOUBLES = 2**1024 - 2**970  # from here on an integer rounds to infinity
_NOT_STRICT = re.compile("[\0\ud800-\udfff]")
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


def strict(value: Any) -> Any:
    """Return a value that is to be saved, with text for what strict JSON lacks; the value itself if there is none.

    That is NaN and the infinities, integers past every double, NUL characters and halves of surrogate pairs:
    pytest-benchmark writes them as Python reads them, and no strict reader takes the file then. Other objects are
    left to pytest-benchmark's own encoder.
    """
    if isinstance(value, str):
        return _NOT_STRICT.sub(lambda found: f"\\u{ord(found[0]):04x}", value) if _NOT_STRICT.search(value) else value
    if isinstance(value, float):
        return value if math.isfinite(value) else float.__repr__(value)
    if isinstance(value, int):
        return value if abs(value) < _PAST_DOUBLES else hex(value)
    if isinstance(value, dict):
        items = [(strict(key) if isinstance(key, str) else key, strict(item)) for key, item in value.items()]
        same = all(new is old and made is item for (new, made), (old, item) in zip(items, value.items(), strict=True))
        return value if same else dict(items)
    if isinstance(value, list | tuple):
        made = [strict(item) for item in value]
        return value if all(map(operator.is_, made, value)) else made
    return value


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
