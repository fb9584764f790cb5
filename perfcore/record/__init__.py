# SPDX-License-Identifier: MIT
"""record: results files, baselines, the environment they come from."""
