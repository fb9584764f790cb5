# SPDX-License-Identifier: MIT
"""What of this machine and this interpreter makes figures noisy.

Each finding says what is, why it matters and what to do. What the kernel does not tell is "unknown", never "good". The
kernel's files are read below ``root``, so that tests can show another machine.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Status = Literal["good", "noisy", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        item: what.
        status: "good", "noisy" or "unknown".
        found: what it is here.
        why: how it gets into figures.
        advice: what to do about it; empty where nothing is wrong.

    """

    item: str
    status: Status
    found: str
    why: str
    advice: str = ""


@dataclass(frozen=True)
class Machine:
    """Where to look.

    Attributes:
        root: the folder that holds proc and sys.
        environ: the environment variables.

    """

    root: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def read(self, path: str) -> str | None:
        """Return a small file of the kernel, None where there is none or it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def each(self, pattern: str) -> list[str]:
        """Return what the files that match hold, without repetition."""
        texts = (self.read(str(path.relative_to(self.root))) for path in sorted(self.root.glob(pattern)))
        return sorted({text for text in texts if text is not None})


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a look at one thing says of this machine."""

    status: Status
    found: str
    advice: str = ""


def _good(found: str) -> _Answer:
    return _Answer("good", found)


def _unknown(found: str) -> _Answer:
    return _Answer("unknown", found)


def _noisy(found: str, advice: str) -> _Answer:
    return _Answer("noisy", found, advice)


@dataclass(frozen=True, slots=True)
class _Look:
    """A thing that makes figures noisy, and how to ask a machine for it."""

    item: str
    why: str
    ask: Callable[[Machine], _Answer]

    def __call__(self, machine: Machine) -> Finding:
        try:
            answer = self.ask(machine)
        except (ValueError, IndexError) as error:  # a kernel that writes its files in another way
            answer = _unknown(f"cannot be read: {error}")
        return Finding(self.item, answer.status, answer.found, self.why, answer.advice)


def _look(item: str, why: str) -> Callable[[Callable[[Machine], _Answer]], _Look]:
    return lambda ask: _Look(item, why, ask)


@_look("frequency governor", "a processor that changes its frequency with the load runs the first rounds slower")
def _governor(machine: Machine) -> _Answer:
    found = machine.each("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
    if not found:
        return _unknown("the kernel does not say (usual in virtual machines)")
    if found == ["performance"]:
        return _good("performance")
    return _noisy(", ".join(found), "cpupower frequency-set --governor performance")


@_look("turbo", "turbo frequencies depend on temperature and on what the other cores do")
def _turbo(machine: Machine) -> _Answer:
    off = machine.read("sys/devices/system/cpu/intel_pstate/no_turbo")
    boost = machine.read("sys/devices/system/cpu/cpufreq/boost")
    if off is None and boost is None:
        return _unknown("the kernel does not say")
    if off == "1" or boost == "0":
        return _good("off")
    path = "intel_pstate/no_turbo" if off is not None else "cpufreq/boost"
    value = 1 if off is not None else 0
    return _noisy("on", f"echo {value} > /sys/devices/system/cpu/{path}")


@_look("load", "what else runs takes turns on the cores and pushes data out of the caches")
def _load(machine: Machine) -> _Answer:
    text = machine.read("proc/loadavg")
    cores = len(os.sched_getaffinity(0))
    if text is None:
        return _unknown("no /proc/loadavg")
    load = float(text.split()[0])
    found = f"{load:g} over the last minute on {cores} core{'' if cores == 1 else 's'}"
    if load < 0.5:
        return _good(found)
    return _noisy(found, "end what else runs, or compare in turns with perfcore ab")


@_look("virtualisation", "the host gives the cores to others at times (steal), and caches are shared with strangers")
def _virtualisation(machine: Machine) -> _Answer:
    cpuinfo = machine.read("proc/cpuinfo")
    if cpuinfo is None:
        return _unknown("no /proc/cpuinfo")
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    if "hypervisor" not in flags.split():
        return _good("none seen") if flags else _unknown("not told")
    return _noisy(
        "a virtual machine",
        "trust comparisons in turns (perfcore ab), not stored figures",
    )


@_look("steal", "time that the host gave to another machine counts as time of the benchmark")
def _steal(machine: Machine) -> _Answer:
    text = machine.read("proc/stat") or ""
    fields = text.splitlines()[0].split() if text.startswith("cpu ") else []
    if len(fields) < 9:
        return _unknown("the kernel does not count it")
    share = int(fields[8]) / max(1, sum(map(int, fields[1:9])))
    found = f"{share:.2%} of the processor time since boot"
    if share < 0.001:
        return _good(found)
    return _noisy(found, "a machine of your own, or comparisons in turns (perfcore ab)")


@_look("processor quota", "a container over its quota is stopped for the rest of each period, mostly 100 ms")
def _quota(machine: Machine) -> _Answer:
    text = machine.read("sys/fs/cgroup/cpu.max")
    if text is None:
        return _unknown("no cgroup v2 limit can be read here")
    quota, _, period = text.partition(" ")
    if quota == "max":
        return _good("none")
    found = f"{int(quota) / int(period or 100_000):.2f} cores"
    return _noisy(found, "give the container whole cores (cpuset) instead of a quota")


@_look("hardware threads", "two hardware threads of one core slow each other down")
def _siblings(machine: Machine) -> _Answer:
    text = machine.read("sys/devices/system/cpu/smt/active")
    if text is None:
        return _unknown("the kernel does not say")
    if text == "0":
        return _good("one for each core")
    return _noisy(
        "several for each core",
        "taskset to one core, its sibling idle, or turn SMT off",
    )


@_look("affinity", "a process that moves to another core finds its caches cold")
def _affinity(machine: Machine) -> _Answer:
    here = len(os.sched_getaffinity(0))
    if here == 1:
        return _good("one core")
    isolated = machine.read("sys/devices/system/cpu/isolated")
    advice = f"taskset -c {isolated}" if isolated else "taskset -c CORE (perfcore ab does so by itself)"
    return _noisy(f"{here} cores", advice)


@_look("hash seed", "the order of sets and the collisions of dicts with str keys change from process to process")
def _hash_seed(machine: Machine) -> _Answer:
    seed = machine.environ.get("PYTHONHASHSEED", "random")
    if seed == "random":
        return _noisy("random", "average over processes (perfcore ab); a fixed seed hides it, not more")
    return _good(f"fixed at {seed}: figures repeat, for this one layout")


@_look("Python build", "a debug build or development mode checks at every step, at several times the cost")
def _build(machine: Machine) -> _Answer:
    del machine
    wrong = []
    if sysconfig.get_config_var("Py_DEBUG"):
        wrong.append("a debug build")
    if sys.flags.dev_mode:
        wrong.append("development mode")
    if "--enable-optimizations" not in (sysconfig.get_config_var("CONFIG_ARGS") or ""):
        wrong.append("built without profile-guided optimisation")
    if not wrong:
        return _good(f"{sys.version.split()[0]}, optimised")
    return _noisy(", ".join(wrong), "measure with the Python that your users run")


@_look("tracers", "a debugger, coverage or a profiler is called at every line or call; perfcore pauses those it knows")
def _tracers(machine: Machine) -> _Answer:
    found = [
        name for name in ("PYTHONMALLOC", "PYTHONTRACEMALLOC", "PYTHONPROFILEIMPORTTIME") if machine.environ.get(name)
    ]
    if sys.gettrace() is not None or sys.getprofile() is not None:
        found.append("a trace function")
    if not found:
        return _good("none")
    return _noisy(", ".join(found), "measure without them")


@_look(
    "clock",
    "a clock that is read through the kernel costs up to a microsecond a reading instead of some ten nanoseconds",
)
def _clock(machine: Machine) -> _Answer:
    from perfcore.measure import clock

    name = machine.read("sys/devices/system/clocksource/clocksource0/current_clocksource") or "unknown"
    cost = clock.overhead(time.perf_counter)
    found = f"{name}, {cost * 1e9:.0f} ns for an empty round"
    if cost < 200e-9:
        return _good(found)
    return _noisy(found, "boot with clocksource=tsc where the processor's counter is stable")


@_look("swap", "memory that comes back from disk takes milliseconds")
def _swap(machine: Machine) -> _Answer:
    text = machine.read("proc/meminfo")
    if text is None:
        return _unknown("no /proc/meminfo")
    sizes = {
        key: int(rest.split()[0])
        for key, _, rest in (line.partition(":") for line in text.splitlines())
        if rest.split()
    }
    used = sizes.get("SwapTotal", 0) - sizes.get("SwapFree", 0)
    if used * 50 < sizes.get("SwapTotal", 0) or not sizes.get("SwapTotal"):
        return _good("hardly used" if sizes.get("SwapTotal") else "none")
    return _noisy(f"{used // 1024} MiB in use", "free memory first")


@_look("hardware counters", "instructions are counted the same from run to run, where times are not")
def _counters(machine: Machine) -> _Answer:
    from perfcore.measure.counters import why_not

    del machine  # the kernel is asked
    reason = why_not()
    if reason is None:
        return _good("instructions can be counted (--perfcore-metrics=instructions)")
    advice = "sysctl kernel.perf_event_paranoid=2" if "permitted" in reason else "a machine of your own counts them"
    return _noisy(reason, advice)


_LOOKS = (
    *(_governor, _turbo, _load, _virtualisation, _steal, _quota, _siblings, _affinity),
    *(_swap, _clock, _counters, _hash_seed, _build, _tracers),
)


def examine(machine: Machine | None = None) -> list[Finding]:
    """Return what was found, one finding for each thing that is known to make figures noisy."""
    machine = machine or Machine()
    return [look(machine) for look in _LOOKS]
