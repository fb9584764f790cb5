# SPDX-License-Identifier: MIT
"""Every public entry of the C code, used: the table behind test_faults.py, where each use meets each fault.

A case is a function that makes some objects and returns a use of them, which can be called any number of times: with
the objects it closes over (so that a fork or an exception finds them in the middle of something) and with new ones.
``called`` says which entries a use really reached, so nothing here declares what it covers: an entry that no case
reaches fails test_faults.py.

A use leaves its objects as it found them, and makes no function: CPython 3.12.1 crashes where the allocation for one
fails. Nor does a list of three or more constants stand here, of which 3.12.1 leaks one when compiling.
"""

from __future__ import annotations

from . import measure, record_judge, workload
from .table import CASES, LONG, _memtrace, called, entries

__all__ = ["CASES", "LONG", "_memtrace", "called", "entries", "measure", "record_judge", "workload"]
