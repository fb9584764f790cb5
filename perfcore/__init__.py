# SPDX-License-Identifier: MIT
"""perfcore: the benchmark backend for pytest-benchmark."""

__version__ = "0.1.0"
