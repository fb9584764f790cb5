# SPDX-License-Identifier: MIT
"""Builds the C extensions. Everything else is declared in pyproject.toml.

Environment switches (for developers and CI, never needed by a user):

* ``PERFCORE_WERROR=1``: the project's warning set, as errors;
* ``PERFCORE_SANITIZE=address,undefined``: a sanitizer build with assertions on;
* ``PERFCORE_COVERAGE=1``: a gcov build.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent

# pkg-config name: what to install on Debian/Ubuntu, and on Fedora.
LIBRARIES = {
    "libcjson": ("libcjson-dev", "cjson-devel"),
    "libproc2": ("libproc2-dev", "procps-ng-devel"),
}

# What perfcore._memtrace takes of the core; its own files are csrc/memtrace/*.c.
MEMTRACE_CORE = ["base/pc_alloc.c", "measure/pc_alloccount.c", "measure/pc_allocmap.c"]

WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wundef",
    "-Wvla",
    "-Wformat=2",
    "-Wpointer-arith",
    "-Wdouble-promotion",
]


def stop(message: str) -> None:
    """End the build with one line that says what to install."""
    sys.exit(f"perfcore: {message}")


def pkg_config(name: str, option: str) -> list[str]:
    """Return the words that ``pkg-config option name`` prints."""
    debian, fedora = LIBRARIES[name]
    tool = os.environ.get("PKG_CONFIG", "pkg-config")
    try:
        done = subprocess.run([tool, option, name], capture_output=True, text=True, check=False)
    except OSError:
        stop(f"{tool} cannot be run; install it with `apt-get install pkg-config` or `dnf install pkgconf`")
    if done.returncode:
        stop(f"{name} not found; install it with `apt-get install {debian}` or `dnf install {fedora}`")
    return done.stdout.split()


def check_python_headers() -> None:
    """Refuse to build without Python.h, naming the package that has it."""
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.exists():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stop(
            f"{header} not found; install it with `apt-get install python{version}-dev` "
            f"or `dnf install python{version}-devel`"
        )


def check_compiler() -> None:
    """Refuse to build without a C compiler, naming the package that has one."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    if shutil.which(shlex.split(compiler)[0]) is None:
        stop(
            f"C compiler `{compiler}` not found; install it with `apt-get install build-essential` or `dnf install gcc`"
        )


def compile_args() -> tuple[list[str], list[str]]:
    """Return the compiler's and the linker's own flags."""
    # No contraction: a fused multiply-add would change the last bit of the statistics. Nobody reads errno after sqrt().
    compiler = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"]
    linker: list[str] = []
    if os.environ.get("PERFCORE_WERROR") == "1":
        compiler += [*WARNINGS, "-Werror"]
    if sanitize := os.environ.get("PERFCORE_SANITIZE"):
        compiler += [f"-fsanitize={sanitize}", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
        compiler += ["-O1", "-g", "-UNDEBUG", "-fno-wrapv", "-fstrict-overflow"]
        linker += [f"-fsanitize={sanitize}"]
    if os.environ.get("PERFCORE_COVERAGE") == "1":
        # No assertions: the branches that only a failed one takes are not code to be covered.
        compiler += ["--coverage", "-O0", "-DNDEBUG"]
        linker += ["--coverage"]
    return compiler, linker


def extensions() -> list[Extension]:
    """Return the extension modules, with what pkg-config says of the libraries."""
    check_compiler()
    check_python_headers()
    cflags: list[str] = []
    libs: list[str] = []
    for name in LIBRARIES:
        cflags += pkg_config(name, "--cflags")
        libs += pkg_config(name, "--libs")
    compiler, linker = compile_args()
    sources = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("csrc/**/*.c"))
    memtrace = [path for path in sources if path.startswith("csrc/memtrace/")]
    headers = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("csrc/**/*.h"))
    return [
        Extension(
            "perfcore._core",
            sources=[path for path in sources if path not in memtrace],
            depends=headers,
            include_dirs=["csrc/core", "csrc/ext"],
            define_macros=[("_GNU_SOURCE", None)],
            extra_compile_args=[*cflags, *compiler],
            extra_link_args=[*libs, *linker],
        ),
        Extension(
            "perfcore._memtrace",
            sources=[*memtrace, *(f"csrc/core/{path}" for path in MEMTRACE_CORE)],
            depends=headers,
            include_dirs=["csrc/core", "csrc/memtrace"],
            define_macros=[("_GNU_SOURCE", None)],
            extra_compile_args=compiler,
            extra_link_args=linker,
        ),
    ]


class BuildInParallel(build_ext):
    """Compiles the files of an extension side by side, one for each processor; setuptools does one after the other."""

    def build_extension(self, ext: Extension) -> None:
        """Build `ext` with a compiler that is given one file at a time, by several threads."""
        one_by_one = self.compiler.compile

        def compile_all(sources: list[str], **options: object) -> list[str]:
            with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
                objects = threads.map(lambda source: one_by_one([source], **options), sources)
                return [path for paths in objects for path in paths]

        self.compiler.compile = compile_all
        try:
            super().build_extension(ext)
        finally:
            self.compiler.compile = one_by_one


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildInParallel})
