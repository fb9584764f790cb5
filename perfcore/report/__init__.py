# SPDX-License-Identifier: MIT
"""The report room: a results file, and its verdicts where there is a baseline, as documents for people and tools."""
