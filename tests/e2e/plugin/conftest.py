# SPDX-License-Identifier: MIT
"""Makes the harness importable from the tests beside it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

collect_ignore = ["cases"]
