# SPDX-License-Identifier: MIT
"""Where results come from: what of the machine and the interpreter decides how fast code runs.

Only what stays the same from run to run is in it: no MHz, no bogomips, no host name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from perfcore.record.results import Results

# What must agree for two files to be compared without a note, and how a message calls it.
COMPARED = {
    "processor": "processor model",
    "cores": "usable cores",
    "python_implementation": "Python implementation",
    "python_version": "Python version",
    "python_build": "Python build",
    "system": "operating system",
    "machine": "machine type",
}


def _processor() -> str:
    """Return the processor's model name, or the machine type where the kernel tells none (as on many ARM boards)."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name" and value.strip():
                    return value.strip()
    except OSError:
        pass  # no /proc in this container
    import platform

    return platform.processor() or platform.machine()


def environment() -> dict[str, Any]:
    """Return the environment of this process, for the top-level ``perfcore`` key of a results file.

    Returns:
        A flat dict of strings, except ``cores`` (int): the processors that this process may run on.

    """
    import platform  # here, because who only compares files need not load it

    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python_implementation": platform.python_implementation(),
        "python_version": platform.python_version(),
        "python_build": " ".join(platform.python_build()),
        "python_compiler": platform.python_compiler(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
    }


def _from_machine_info(info: Mapping[str, Any]) -> dict[str, Any]:
    """Translate what pytest-benchmark writes; py-cpuinfo before 5 called the model name ``brand``."""
    cpu = info.get("cpu")
    cpu = cpu if isinstance(cpu, Mapping) else {}
    build = info.get("python_build")
    return {
        "processor": cpu.get("brand_raw") or cpu.get("brand"),
        "cores": cpu.get("count"),
        "python_implementation": info.get("python_implementation"),
        "python_version": info.get("python_version"),
        "python_build": " ".join(map(str, build)) if isinstance(build, list) else build,
        "system": info.get("system"),
        "machine": info.get("machine"),
    }


def describe(results: Results) -> Mapping[str, Any]:
    """Return what a file tells of its environment, by the keys of ``COMPARED``; None where it does not tell."""
    ours = results.perfcore.get("environment")
    source = ours if isinstance(ours, Mapping) else _from_machine_info(results.machine_info)
    return {key: source.get(key) for key in COMPARED}


def differences(baseline: Results, head: Results) -> list[str]:
    """Return what differs between the environments of two files, as phrases ``what: baseline -> head``.

    What only one of the files tells is no difference. perfcore's own record is used where both files have it.
    """
    old, new = baseline.perfcore.get("environment"), head.perfcore.get("environment")
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        old, new = _from_machine_info(baseline.machine_info), _from_machine_info(head.machine_info)
    return [
        f"{words}: {old[key]} -> {new[key]}"
        for key, words in COMPARED.items()
        if old.get(key) is not None and new.get(key) is not None and old[key] != new[key]
    ]


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what differs between two environments of `describe`, likewise, and what one of them does not tell."""
    pairs = ((words, old.get(key), new.get(key)) for key, words in COMPARED.items())
    return [
        f"{words}: {'not told' if before is None else before} -> {'not told' if after is None else after}"
        for words, before, after in pairs
        if before != after
    ]
