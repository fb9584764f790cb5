# SPDX-License-Identifier: MIT
"""Suite: whole suites of benchmarks run in processes of their own, such as the two sides of ``perfcore ab``."""
