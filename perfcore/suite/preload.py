# SPDX-License-Identifier: MIT
"""What a fork server imports once, so that the processes it forks share it: the grid world's agents and pymdp."""

from perfcore.suite.gridworld import grid_agents

grid_agents()(0).step()
