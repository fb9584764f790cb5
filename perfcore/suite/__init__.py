# SPDX-License-Identifier: MIT
"""Whole workloads, built of real parts: agents, their messages, what they call, and how they are driven."""
