# SPDX-License-Identifier: MIT
"""The door of the battery: ``python -m benchmarks.noise``."""

from __future__ import annotations

import sys

from benchmarks.noise.cli import main

sys.exit(main())
