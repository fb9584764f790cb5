# SPDX-License-Identifier: MIT
"""What the tests of whole programs share."""

from __future__ import annotations

import os

# For pytest in child processes: Hypothesis takes most of a second to import, and none of them needs it.
os.environ.setdefault("PYTEST_ADDOPTS", "-p no:hypothesispytest")
