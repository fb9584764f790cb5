# SPDX-License-Identifier: MIT
"""What the kernel alone takes for what our readers ask of it: a few lines of C that do nothing else.

It is compiled when a row asks for it, with the machine's own compiler; where there is none, the rows go without. No
reader can be faster than this, in whatever language.
"""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

FLOOR = "kernel alone"

_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int read_once(int file)
{
    char text[256];
    return pread(file, text, sizeof text, 0) > 0;
}

/* Microseconds of a pread of statm; below zero where it cannot be read. */
double statm_us(int count)
{
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC), good = file >= 0;
    double start = seconds_of(CLOCK_MONOTONIC);
    for (int i = 0; i < count && good; i++)
        good = read_once(file);
    double us = (seconds_of(CLOCK_MONOTONIC) - start) / count * 1e6;
    (void)close(file);
    return good ? us : -1.0;
}

/* Percent of a core of a thread that sleeps for a millisecond and reads statm, again and again. */
double sleeper_percent(double seconds)
{
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC), slack = prctl(PR_GET_TIMERSLACK), good = file >= 0;
    struct timespec due;
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    double start = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID), now = start;
    (void)clock_gettime(CLOCK_MONOTONIC, &due);
    while (good && now - start < seconds) {
        due.tv_nsec += 1000000;
        if (due.tv_nsec >= 1000000000) {
            due.tv_nsec -= 1000000000;
            due.tv_sec++;
        }
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        good = read_once(file);
        now = seconds_of(CLOCK_MONOTONIC);
    }
    cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu;
    (void)prctl(PR_SET_TIMERSLACK, (unsigned long)slack);
    (void)close(file);
    return good ? cpu / (now - start) * 100.0 : -1.0;
}
"""


@functools.cache
def _library() -> ctypes.CDLL | None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        source, built = Path(name) / "floor.c", Path(name) / "floor.so"
        source.write_text(_SOURCE, encoding="ascii")
        command = [compiler, "-O2", "-std=c11", "-shared", "-fPIC", "-o", str(built), str(source)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return None
        library = ctypes.CDLL(str(built))
    library.statm_us.argtypes, library.statm_us.restype = [ctypes.c_int], ctypes.c_double
    library.sleeper_percent.argtypes, library.sleeper_percent.restype = [ctypes.c_double], ctypes.c_double
    return library


def is_known() -> bool:
    """Tell whether the floor can be measured here."""
    return _library() is not None


def _sound(figure: float) -> float:
    if figure < 0:
        raise RuntimeError("/proc/self/statm cannot be read")
    return figure


def statm_us(count: int) -> float:
    """Return the microseconds of one reading of statm through a kept descriptor, over ``count`` of them."""
    library = _library()
    if library is None:
        raise RuntimeError("there is no C compiler")
    return _sound(library.statm_us(count))


def sleeper_percent(seconds: float) -> float:
    """Return what of a core a thread takes that wakes up each millisecond to read statm, in percent."""
    library = _library()
    if library is None:
        raise RuntimeError("there is no C compiler")
    return _sound(library.sleeper_percent(seconds))
