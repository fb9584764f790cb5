# SPDX-License-Identifier: MIT
"""What kind of callable it is."""

from __future__ import annotations

import functools
import inspect


def is_coroutine_function(function: object) -> bool:
    """Whether calling `function` gives a coroutine: partials, bound methods and async ``__call__`` included."""
    while isinstance(function, functools.partial):
        function = function.func
    # The type's __call__: an instance is called through its class, and a class itself through its metaclass.
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
