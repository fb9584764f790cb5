# SPDX-License-Identifier: MIT
"""Say what a script's heap holds, by type and by call site: the same as ``perfcore heap``, with its options.

Without a script it is what 100 agents add to the heap that have taken 20 steps each, in a world that they share.
"""

from __future__ import annotations

import sys

import perfcore
from perfcore.cli import main
from perfcore.suite.agent import spawn

AGENTS, STEPS = 100, 20


def agents_heap() -> str:
    """Return the tables."""
    from perfcore.suite.gridworld import grid_agents

    spawn(grid_agents(), 1)[0].step()  # what all share is there before: pymdp, the world
    with perfcore.track_allocations(sites=True) as tracker:
        before = perfcore.heap_snapshot(tracker)
        agents = spawn(grid_agents(), AGENTS)
        for agent in agents:
            for _ in range(STEPS):
                agent.step()
        return perfcore.heap_snapshot(tracker).diff(before).text()


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(main(["heap", *sys.argv[1:]]))
    try:
        print(f"{AGENTS} agents after {STEPS} steps each:\n{agents_heap()}")
    except (ImportError, perfcore.PerfcoreError) as error:
        print(f"error: {error}; try: pip install 'perfcore[suites]'", file=sys.stderr)
        sys.exit(2)
