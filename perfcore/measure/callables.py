# SPDX-License-Identifier: MIT
"""What kind of callable it is, and its name."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from contextlib import suppress


def name_of(function: object) -> str:
    """Return the qualified name of a callable, or of its type where it has none, as a partial."""
    name = None
    with suppress(Exception):  # of an attribute that is looked up in its own way
        name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) else type(function).__qualname__


def is_coroutine_function(function: object) -> bool:
    """Whether calling `function` gives a coroutine: partials, bound methods and async ``__call__`` included.

    A function in C bears no mark that says so. A type whose methods in C give coroutines therefore names these in
    ``__perfcore_coroutines__``, as `perfcore.messaging.Ring` does. What cannot even be asked (a mock with the
    specification of a function, a proxy of nothing yet) is called as it is.
    """
    with suppress(Exception):
        return _gives_coroutines(function)
    return False


def _gives_coroutines(function: object) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, types.BuiltinMethodType):
        return function.__name__ in getattr(type(function.__self__), "__perfcore_coroutines__", ())
    # The type's __call__: an instance is called through its class, and a class itself through its metaclass.
    if inspect.iscoroutinefunction(type(function).__call__) or inspect.iscoroutinefunction(function):
        return True
    # What asyncio asks for besides, and compilers to C set. Without asyncio nobody can have set it.
    mark = getattr(sys.modules.get("asyncio.coroutines"), "_is_coroutine", None)
    return mark is not None and getattr(function, "_is_coroutine", None) is mark
