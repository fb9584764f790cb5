# SPDX-License-Identifier: MIT
"""Record: results files, baselines, and the environment they come from."""
