# SPDX-License-Identifier: MIT
"""Compare two JUnit reports of one suite, test by test.

    python outcomes.py WITHOUT.xml WITH.xml

Exit code 0 if every test has the same outcome in both, else 1 with the tests that differ.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path


def outcomes(path: str) -> dict[str, str]:
    """Return the outcome of every test of a report; parametrized twins of one name are numbered."""
    seen: Counter[str] = Counter()
    found: dict[str, str] = {}
    if not Path(path).exists():  # nothing was collected; the log beside it says why
        return found
    for case in ElementTree.parse(path).getroot().iter("testcase"):  # noqa: S314 - a report that we made
        name = f"{case.get('classname')}::{case.get('name')}"
        seen[name] += 1
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        found[f"{name}#{seen[name]}"] = "+".join(sorted(kinds)) or "passed"
    return found


def main(before: str, after: str) -> int:
    """Print the counts and the differences."""
    without, with_ = outcomes(before), outcomes(after)
    for label, found in (("without", without), ("with", with_)):
        print(f"{label:>8}: {len(found)} tests, {dict(sorted(Counter(found.values()).items()))}")
    different = sorted(name for name in without.keys() | with_.keys() if without.get(name) != with_.get(name))
    for name in different:
        print(f"  {name}: {without.get(name)} without, {with_.get(name)} with")
    print("the same outcome everywhere" if not different else f"{len(different)} tests differ")
    return 1 if different or not without else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
