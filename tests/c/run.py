# SPDX-License-Identifier: MIT
"""Build and run the C unit tests: each ``tests/c/test_*.c`` with the core alone, under a checker.

First lines ``// link: FLAG...`` add linker flags, also those of a header in this folder which the test includes:
``failing_malloc.h`` wraps malloc, calloc and realloc that way. A line ``// not under CHECKER: WHY`` leaves a test out.

    python tests/c/run.py [NAME-PART...] [--cc CC] [--under CHECKER]

Checkers: address (ASan and UBSan; the default), scalar (the same, of the code for processors without SSE2),
thread (TSan, of the tests that have threads), valgrind (memcheck), coverage (gcov; see coverage.py).
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
WARNINGS = shlex.split(
    "-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef "
    "-Wvla -Wformat=2 -Wpointer-arith -Wdouble-promotion -Wcast-qual -Werror"
)
ADDRESS = [
    *WARNINGS,
    *shlex.split("-fsanitize=address,undefined -fno-sanitize-recover=undefined"),
    *shlex.split("-fno-omit-frame-pointer -fstrict-overflow"),
]
CHECKERS = {
    "address": ADDRESS,
    "scalar": [*ADDRESS, "-U__SSE2__"],
    "thread": ["-fsanitize=thread", "-fno-omit-frame-pointer"],
    "valgrind": [],
    # As setup.py's PERFCORE_COVERAGE: the same branches, so that both can be added.
    "coverage": shlex.split("--coverage -O0 -DNDEBUG"),
}
# What forked children hold when they end in the middle, as those of some tests do, is no leak.
VALGRIND = shlex.split(
    "valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite,indirect "
    "--errors-for-leak-kinds=definite,indirect --child-silent-after-fork=yes"
)
ENVIRONMENT = {
    **os.environ,
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
    "LSAN_OPTIONS": f"suppressions={ROOT / 'tests' / 'lsan.supp'}:print_suppressions=0",
}


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, errors="replace", check=False, timeout=1200
    )


def link_flags(source: Path) -> list[str]:
    text = source.read_text(encoding="utf-8")
    lines = itertools.takewhile(lambda line: line.startswith("// link:"), text.splitlines())
    own = [flag for line in lines for flag in shlex.split(line.removeprefix("// link:"))]
    headers = [HERE / name for name in re.findall(r'^#include "(\w+\.h)"$', text, re.MULTILINE)]
    return own + [flag for header in headers if header.exists() for flag in link_flags(header)]


def belongs(source: Path, checker: str) -> bool:
    """Whether a test is of those that this checker looks at."""
    text = source.read_text(encoding="utf-8")
    if checker == "thread" and not re.search(r'^#include (<pthread|"measure/pc_sampler)', text, re.MULTILINE):
        return False
    return f"// not under {checker}: " not in text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="run only the tests whose file name contains one of these")
    parser.add_argument("--cc", default=os.environ.get("CC", "gcc"), help="the compiler (default: $CC or gcc)")
    parser.add_argument("--under", choices=CHECKERS, default="address", help="the checker (default: address)")
    options = parser.parse_args()

    build = ROOT / ".build" / f"c-{options.under}"
    build.mkdir(parents=True, exist_ok=True)
    for data in build.glob("*.gcda"):
        data.unlink()
    cflags = [options.cc, "-std=c11", "-O1", "-g", "-ffp-contract=off", "-D_GNU_SOURCE", "-Icsrc/core", "-Itests/c"]
    cflags += CHECKERS[options.under]
    under = VALGRIND if options.under == "valgrind" else []
    packages = ["libcjson", "libproc2"]
    cflags += run(["pkg-config", "--cflags", *packages]).stdout.split()
    libraries = [*run(["pkg-config", "--libs", *packages]).stdout.split(), "-lm", "-pthread"]

    def compile_object(source: Path) -> tuple[Path, str]:
        target = build / (str(source.relative_to(ROOT)).replace("/", "-") + ".o")
        done = run([*cflags, "-c", "-o", str(target), str(source)])
        return target, done.stderr if done.returncode else ""

    core = sorted((ROOT / "csrc" / "core").rglob("*.c"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        compiled = list(pool.map(compile_object, core))
    if any(error for _, error in compiled):
        print("".join(error for _, error in compiled))
        print("the core does not compile")
        return 1
    objects = [str(target) for target, _ in compiled]

    def run_test(source: Path) -> tuple[bool, str]:
        program = build / source.stem
        done = run([*cflags, "-o", str(program), str(source), *objects, *link_flags(source), *libraries])
        if done.returncode == 0:
            done = run([*under, str(program)])
        return done.returncode == 0, done.stdout + done.stderr

    tests = [test for test in sorted(HERE.glob("test_*.c")) if belongs(test, options.under)]
    if options.names:
        tests = [test for test in tests if any(name in test.name for name in options.names)]
    if not tests:
        print("no C test matches")
        return 1
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for test, (passed, output) in zip(tests, pool.map(run_test, tests), strict=True):
            failed += not passed
            last = output.strip().splitlines()[-1:] or ["(no output)"]
            print(f"{test.name}: {last[0]}" if passed else f"{test.name}: FAILED\n{output}", flush=True)
    print(f"C tests: {len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
