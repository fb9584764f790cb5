# SPDX-License-Identifier: MIT
"""Judge: statistics of samples, verdicts, and when a benchmark has enough of them."""
