# SPDX-License-Identifier: MIT
"""The process in which a lane's callable runs: ``python -m perfcore.suite.call module:function FOLDER DESCRIPTOR``.

Imports the module, from the lane's folder if it is there, calls the function once and writes the seconds of the call
alone to the descriptor. A coroutine function is awaited, with the event loop's set-up outside the clock. An exception
ends the process like any script's: a traceback, and exit code 1.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any


async def _timed(function: Callable[[], Coroutine[Any, Any, object]]) -> int:
    begun = time.monotonic_ns()
    await function()
    return time.monotonic_ns() - begun


def call(target: str) -> float:
    """Import and call ``module:function`` and return the seconds of the call."""
    module, _, path = target.partition(":")
    function: Any = importlib.import_module(module)
    for name in path.split("."):
        function = getattr(function, name)
    if inspect.iscoroutinefunction(function):
        import asyncio

        return asyncio.run(_timed(function)) / 1e9
    begun = time.monotonic_ns()
    function()
    return (time.monotonic_ns() - begun) / 1e9


if __name__ == "__main__":
    _, wanted, folder, descriptor = sys.argv
    sys.path.insert(0, folder)
    sys.argv = [wanted]
    seconds = call(wanted)
    os.write(int(descriptor), repr(seconds).encode())
