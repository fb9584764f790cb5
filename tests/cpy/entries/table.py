# SPDX-License-Identifier: MIT
"""The table of uses: how a case is put into it, and what the cases have reached (see the package)."""

from __future__ import annotations

import contextlib
import gc
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from perfcore import _core

try:
    from perfcore import _memtrace
except ImportError:  # in a sub-interpreter: its hooks belong to the process
    _memtrace = None  # type: ignore[assignment]

Use = Callable[[], object]
CASES: dict[str, Callable[[], Use]] = {}
LONG = 20.0  # seconds: no call here waits that long unless something is lost

MODULES = [module for module in (_core, _memtrace) if module is not None]
TYPES = [
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type) and not issubclass(value, (tuple, Exception))
]

_seen: set[str] = set()


def case(make: Callable[[], Use]) -> Callable[[], Use]:
    CASES[make.__name__] = make
    return make


def attributes(kind: type) -> list[str]:
    """Return the names of a type's attributes in C, but for methods."""
    found = (types.GetSetDescriptorType, types.MemberDescriptorType)
    return [name for name, value in vars(kind).items() if isinstance(value, found) and not name.startswith("__")]


ATTRIBUTES = {kind: attributes(kind) for kind in TYPES}


def look(thing: Any) -> None:
    """Read every attribute of an object, and ask what Python asks of any object."""
    kind = type(thing)
    while kind not in TYPES:
        kind = kind.__base__
    for name in ATTRIBUTES[kind]:
        getattr(thing, name)
        _seen.add(f"{kind.__name__}.{name}")
    repr(thing), sys.getsizeof(thing), bool(thing), thing == thing
    gc.get_referents(thing)
    with contextlib.suppress(TypeError):
        len(thing)
    with contextlib.suppress(TypeError):
        hash(thing)
    _seen.add(kind.__name__)


def entries() -> set[str]:
    """Return every name that the C code offers: functions, types, methods and attributes."""
    found: set[str] = set()
    for module in MODULES:
        found.update(name for name, value in vars(module).items() if isinstance(value, types.BuiltinFunctionType))
    for kind in TYPES:
        found.add(kind.__name__)
        found.update(f"{kind.__name__}.{name}" for name in attributes(kind))
        found.update(
            f"{kind.__name__}.{name}"
            for name, method in vars(kind).items()
            if isinstance(method, types.MethodDescriptorType)
            and (not name.startswith("__") or name in {"__enter__", "__exit__"})
        )
    return found


@contextlib.contextmanager
def called() -> Iterator[set[str]]:
    """Collect the entries that are reached inside."""
    _seen.clear()
    found: set[str] = set()

    def profile(_frame: Any, event: str, function: Any) -> None:
        if event == "c_call":
            found.add(function.__qualname__)

    sys.setprofile(profile)
    try:
        yield found
    finally:
        sys.setprofile(None)
        found |= _seen
