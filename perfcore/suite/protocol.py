# SPDX-License-Identifier: MIT
"""What the comparing process and its workers, one pytest process for each side, have agreed on.

The two talk in lines of JSON over two pipes, strictly in turns: the worker sends one event and waits for one command,
so that of the two sides only one ever runs.

========================== =========================================================================================
event                      what it says, and the command it waits for
========================== =========================================================================================
collected                  ids of the tests with a benchmark, errors of collection -> ``select`` with ids, in order
ready                      a benchmark is calibrated: seconds per round, calls, kernel -> ``block`` or ``next``
block                      lower quartile of a block, in seconds per call -> ``block`` or ``next``
done                       a test is over: its outcome -> ``go``
finished                   pytest is over: source files used from outside the side's own folder
========================== =========================================================================================
"""

from __future__ import annotations

PIPES = "PERFCORE_AB_PIPES"
"""The environment variable with the worker's two descriptors. The worker takes it out of its environment at once:
pytest processes that a test starts are no workers."""

OUTSIDE = "PERFCORE_AB_OUTSIDE"
"""The one with the folders that the side must import nothing from, separated as in PATH."""
