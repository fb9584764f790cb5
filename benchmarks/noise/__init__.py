# SPDX-License-Identifier: MIT
"""The battery of ``perfcore ab``: how often it cries wolf, and what it misses, in counts with their intervals."""
