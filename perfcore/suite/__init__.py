# SPDX-License-Identifier: MIT
"""The suite room: whole workloads, run and measured. Nothing is imported here."""
