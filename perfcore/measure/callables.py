# SPDX-License-Identifier: MIT
"""What kind of callable it is, and its name."""

from __future__ import annotations

import functools
import inspect
import sys
import types


def name_of(function: object) -> str:
    """Return the qualified name of a callable, or of its type where it has none, as a partial."""
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def is_coroutine_function(function: object) -> bool:
    """Whether calling `function` gives a coroutine: partials, bound methods and async ``__call__`` included.

    A function in C bears no mark that says so. A type whose methods in C give coroutines therefore names these in
    ``__perfcore_coroutines__``, as `perfcore.messaging.Ring` does.
    """
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, types.BuiltinMethodType):
        return function.__name__ in getattr(type(function.__self__), "__perfcore_coroutines__", ())
    # The type's __call__: an instance is called through its class, and a class itself through its metaclass.
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        return True
    # What asyncio asks for besides, and compilers to C set. Without asyncio nobody can have set it.
    mark = getattr(sys.modules.get("asyncio.coroutines"), "_is_coroutine", None)
    return mark is not None and getattr(function, "_is_coroutine", None) is mark
