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


def _governor(machine: Machine) -> Finding:
    why = "a processor that changes its frequency with the load runs the first rounds slower"
    found = machine.each("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
    if not found:
        return Finding("frequency governor", "unknown", "the kernel does not say (usual in virtual machines)", why)
    if found == ["performance"]:
        return Finding("frequency governor", "good", "performance", why)
    return Finding(
        "frequency governor", "noisy", ", ".join(found), why, "cpupower frequency-set --governor performance"
    )


def _turbo(machine: Machine) -> Finding:
    why = "turbo frequencies depend on temperature and on what the other cores do"
    off = machine.read("sys/devices/system/cpu/intel_pstate/no_turbo")
    boost = machine.read("sys/devices/system/cpu/cpufreq/boost")
    if off is None and boost is None:
        return Finding("turbo", "unknown", "the kernel does not say", why)
    if off == "1" or boost == "0":
        return Finding("turbo", "good", "off", why)
    path = "intel_pstate/no_turbo" if off is not None else "cpufreq/boost"
    value = 1 if off is not None else 0
    return Finding("turbo", "noisy", "on", why, f"echo {value} > /sys/devices/system/cpu/{path}")


def _load(machine: Machine) -> Finding:
    why = "what else runs takes turns on the cores and pushes data out of the caches"
    text = machine.read("proc/loadavg")
    cores = len(os.sched_getaffinity(0))
    if text is None:
        return Finding("load", "unknown", "no /proc/loadavg", why)
    load = float(text.split()[0])
    found = f"{load:g} over the last minute on {cores} core{'' if cores == 1 else 's'}"
    if load < 0.5:
        return Finding("load", "good", found, why)
    return Finding("load", "noisy", found, why, "end what else runs, or compare in turns with perfcore ab")


def _virtualisation(machine: Machine) -> Finding:
    why = "the host gives the cores to others at times (steal), and caches are shared with strangers"
    cpuinfo = machine.read("proc/cpuinfo")
    if cpuinfo is None:
        return Finding("virtualisation", "unknown", "no /proc/cpuinfo", why)
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    if "hypervisor" not in flags.split():
        known = bool(flags)
        return Finding("virtualisation", "good" if known else "unknown", "none seen" if known else "not told", why)
    return Finding(
        "virtualisation",
        "noisy",
        "a virtual machine",
        why,
        "trust comparisons in turns (perfcore ab), not stored figures",
    )


def _steal(machine: Machine) -> Finding:
    why = "time that the host gave to another machine counts as time of the benchmark"
    text = machine.read("proc/stat") or ""
    fields = text.splitlines()[0].split() if text.startswith("cpu ") else []
    if len(fields) < 9:
        return Finding("steal", "unknown", "the kernel does not count it", why)
    share = int(fields[8]) / max(1, sum(map(int, fields[1:9])))
    found = f"{share:.2%} of the processor time since boot"
    if share < 0.001:
        return Finding("steal", "good", found, why)
    return Finding("steal", "noisy", found, why, "a machine of your own, or comparisons in turns (perfcore ab)")


def _quota(machine: Machine) -> Finding:
    why = "a container over its quota is stopped for the rest of each period, mostly 100 ms"
    text = machine.read("sys/fs/cgroup/cpu.max")
    if text is None:
        return Finding("processor quota", "unknown", "no cgroup v2 limit can be read here", why)
    quota, _, period = text.partition(" ")
    if quota == "max":
        return Finding("processor quota", "good", "none", why)
    found = f"{int(quota) / int(period or 100_000):.2f} cores"
    return Finding("processor quota", "noisy", found, why, "give the container whole cores (cpuset) instead of a quota")


def _siblings(machine: Machine) -> Finding:
    why = "two hardware threads of one core slow each other down"
    text = machine.read("sys/devices/system/cpu/smt/active")
    if text is None:
        return Finding("hardware threads", "unknown", "the kernel does not say", why)
    if text == "0":
        return Finding("hardware threads", "good", "one for each core", why)
    return Finding(
        "hardware threads",
        "noisy",
        "several for each core",
        why,
        "taskset to one core, its sibling idle, or turn SMT off",
    )


def _affinity(machine: Machine) -> Finding:
    why = "a process that moves to another core finds its caches cold"
    here = len(os.sched_getaffinity(0))
    if here == 1:
        return Finding("affinity", "good", "one core", why)
    isolated = machine.read("sys/devices/system/cpu/isolated")
    advice = f"taskset -c {isolated}" if isolated else "taskset -c CORE (perfcore ab does so by itself)"
    return Finding("affinity", "noisy", f"{here} cores", why, advice)


def _hash_seed(machine: Machine) -> Finding:
    why = "the order of sets and the collisions of dicts with str keys change from process to process"
    seed = machine.environ.get("PYTHONHASHSEED", "random")
    if seed == "random":
        return Finding(
            "hash seed", "noisy", "random", why, "average over processes (perfcore ab); a fixed seed hides it, not more"
        )
    return Finding("hash seed", "good", f"fixed at {seed}: figures repeat, for this one layout", why)


def _build(machine: Machine) -> Finding:
    del machine
    why = "a debug build or development mode checks at every step, at several times the cost"
    wrong = []
    if sysconfig.get_config_var("Py_DEBUG"):
        wrong.append("a debug build")
    if sys.flags.dev_mode:
        wrong.append("development mode")
    if "--enable-optimizations" not in (sysconfig.get_config_var("CONFIG_ARGS") or ""):
        wrong.append("built without profile-guided optimisation")
    if not wrong:
        return Finding("Python build", "good", f"{sys.version.split()[0]}, optimised", why)
    return Finding("Python build", "noisy", ", ".join(wrong), why, "measure with the Python that your users run")


def _tracers(machine: Machine) -> Finding:
    why = "a debugger, coverage or a profiler is called at every line or call; perfcore pauses those it knows"
    found = [
        name for name in ("PYTHONMALLOC", "PYTHONTRACEMALLOC", "PYTHONPROFILEIMPORTTIME") if machine.environ.get(name)
    ]
    if sys.gettrace() is not None or sys.getprofile() is not None:
        found.append("a trace function")
    if not found:
        return Finding("tracers", "good", "none", why)
    return Finding("tracers", "noisy", ", ".join(found), why, "measure without them")


def _clock(machine: Machine) -> Finding:
    from perfcore.measure import clock

    why = "a clock that is read through the kernel costs up to a microsecond a reading instead of some ten nanoseconds"
    name = machine.read("sys/devices/system/clocksource/clocksource0/current_clocksource") or "unknown"
    cost = clock.overhead(time.perf_counter)
    found = f"{name}, {cost * 1e9:.0f} ns for an empty round"
    if cost < 200e-9:
        return Finding("clock", "good", found, why)
    return Finding("clock", "noisy", found, why, "boot with clocksource=tsc where the processor's counter is stable")


def _swap(machine: Machine) -> Finding:
    why = "memory that comes back from disk takes milliseconds"
    text = machine.read("proc/meminfo")
    if text is None:
        return Finding("swap", "unknown", "no /proc/meminfo", why)
    sizes = {
        key: int(rest.split()[0])
        for key, _, rest in (line.partition(":") for line in text.splitlines())
        if rest.split()
    }
    used = sizes.get("SwapTotal", 0) - sizes.get("SwapFree", 0)
    if used * 50 < sizes.get("SwapTotal", 0) or not sizes.get("SwapTotal"):
        return Finding("swap", "good", "hardly used" if sizes.get("SwapTotal") else "none", why)
    return Finding("swap", "noisy", f"{used // 1024} MiB in use", why, "free memory first")


def _counters(machine: Machine) -> Finding:
    from perfcore.measure.counters import why_not

    del machine  # the kernel is asked
    why = "instructions are counted the same from run to run, where times are not"
    reason = why_not()
    if reason is None:
        return Finding(
            "hardware counters", "good", "instructions can be counted (--perfcore-metrics=instructions)", why
        )
    advice = "sysctl kernel.perf_event_paranoid=2" if "permitted" in reason else "a machine of your own counts them"
    return Finding("hardware counters", "noisy", reason, why, advice)


_LOOKS: tuple[Callable[[Machine], Finding], ...] = (
    *(_governor, _turbo, _load, _virtualisation, _steal, _quota, _siblings, _affinity),
    *(_swap, _clock, _counters, _hash_seed, _build, _tracers),
)


def examine(machine: Machine | None = None) -> list[Finding]:
    """Return what was found, one finding for each thing that is known to make figures noisy."""
    machine = machine or Machine()
    found = []
    for look in _LOOKS:
        try:
            found.append(look(machine))
        except (ValueError, IndexError) as error:  # a kernel that writes its files in another way
            found.append(Finding(look.__name__.strip("_").replace("_", " "), "unknown", f"cannot be read: {error}", ""))
    return found
