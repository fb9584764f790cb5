# SPDX-License-Identifier: MIT
"""Whole workloads: load, databases, servers of our own, and what they are measured with."""
