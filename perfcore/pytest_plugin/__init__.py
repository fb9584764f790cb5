# SPDX-License-Identifier: MIT
"""The door from pytest: pytest-benchmark's tests on the C loops."""
