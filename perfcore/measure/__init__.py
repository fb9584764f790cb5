# SPDX-License-Identifier: MIT
"""Measure: clocks, kernels, calibration and the runners of rounds."""
