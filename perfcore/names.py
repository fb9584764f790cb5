# SPDX-License-Identifier: MIT
"""Names of benchmarks: which of them a pattern means, one rule for thresholds, targets and options; and their parts.

A pattern is a shell pattern (``*``, ``?``, ``[ab]``; case counts), and a parametrised test's name has brackets of its
own: so they are read both as a set of characters and as themselves. ``test_a[x]`` is then the test ``test_a[x]``, and
``test_a[*]`` is all that ``test_a`` is made into.
"""

from __future__ import annotations

from fnmatch import fnmatchcase


def matches(name: str, pattern: str) -> bool:
    """Whether a name matches a shell pattern."""
    return fnmatchcase(name, pattern) or ("[" in pattern and fnmatchcase(name, pattern.replace("[", "[[]")))


def is_chosen(name: str, pattern: str | None) -> bool:
    """Whether an option like ``--benchmark`` means a name: it holds the text, or matches it; None means all."""
    return pattern is None or pattern in name or matches(name, pattern)


def split_name(fullname: str) -> tuple[str, str]:
    """Return where a benchmark is (file and class) and its own name, whose parameters may hold ``::`` as well."""
    test = fullname
    if test.endswith("]") and (found := test.find("[", test.find("::") + 1)) >= 0:
        test = test[:found]
    place, _, name = test.rpartition("::")
    return place, name + fullname[len(test) :]
