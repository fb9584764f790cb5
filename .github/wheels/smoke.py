# SPDX-License-Identifier: MIT
"""Checks an installed wheel: that it brought its own C libraries, and that what leans on each of them works.

Run it outside the checkout, in an environment that holds the wheel alone: ``python -P smoke.py``; with
``--system-libraries`` for an installation from source, which uses those of the machine. Exit code 1 and one line on
stderr say what is wrong.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SUITE = """
def test_sum(benchmark):
    assert benchmark(sum, range(100)) == 4950
"""


def main(own_libraries: bool) -> None:
    """Go through what a user's first minutes touch."""
    import perfcore

    assert perfcore.measure(len, "abc").median > 0
    metrics = perfcore.process_metrics()  # libproc2 and /proc
    assert metrics.rss_bytes > 1 << 20, metrics
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        (where / "test_smoke.py").write_text(SUITE)
        run = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-json=results.json"]
        done = subprocess.run(run, cwd=where, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "perfcore" in json.loads((where / "results.json").read_text()), "the results do not name perfcore"
        for command in (["baseline", "save", "results.json"], ["check", "results.json"]):  # cJSON reads the files
            done = subprocess.run(
                [sys.executable, "-P", "-m", "perfcore", *command, "--baseline", "baseline.json"],
                cwd=where,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"perfcore {command[0]}: {done.stdout}{done.stderr}"
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
    for library in ("libproc2", "libcjson"):
        found = [path for path in mapped if library in path]
        bundled = all("perfcore.libs" in path for path in found)
        assert found, f"{library} is not loaded"
        assert bundled == own_libraries, f"{library} comes from {found}"
    print(f"perfcore {perfcore.__version__} works on {sys.version.split()[0]}")


if __name__ == "__main__":
    try:
        main(own_libraries="--system-libraries" not in sys.argv[1:])
    except AssertionError as error:
        sys.exit(f"smoke test failed: {error}")
