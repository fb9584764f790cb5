# SPDX-License-Identifier: MIT
"""``python -m perfcore``: the same as the command ``perfcore``."""

import sys

from perfcore.cli import main

sys.exit(main())
