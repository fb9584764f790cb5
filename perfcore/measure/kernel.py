# SPDX-License-Identifier: MIT
"""The generated code that makes many calls in one round.

Since CPython 3.11 a call from bytecode to a Python function stays inside the evaluation loop, while a call from C
enters it anew, at 6-10 ns a call on 3.12. So the fastest and truest loop is straight-line bytecode: the callable and
its arguments as locals, 64 calls in a row. Measured over the marginal cost of one more call: 0.5-1.3 ns with 64 in a
row, 1.5-2 with 16, and little better with 128. ``range`` is specialised by the interpreter, ``itertools.repeat`` not.
"""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Callable
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

UNROLL = 64
_LADDER = 8
# Beyond this many arguments the loads outweigh any loop, and the code would only grow.
_MAX_ARGUMENTS = 32

Kernel = Callable[..., Any]

# What looks at its caller's globals sees the kernel's: what every module has, all builtins, and a `range` of our own.
_GLOBALS = {name: value for name, value in globals().items() if name.startswith("__")} | {
    "__builtins__": builtins,
    "range": range,
}


def _can_name(word: object) -> bool:
    """Whether `word` may stand in source text as the name of a keyword argument and still be the same string."""
    # ASCII only: the compiler normalises other identifiers (NFKC), which would change the name.
    return (
        type(word) is str
        and word.isascii()
        and word.isidentifier()
        and not keyword.iskeyword(word)
        and word != "__debug__"
    )


def _source(positional: int, names: tuple[str, ...] | None, *, coroutine: bool) -> str:
    """Write the kernel for `positional` arguments and keywords `names`; ``None`` for a call with stars."""
    if names is None:
        parameters, call = "args, kwargs", "function(*args, **kwargs)"
    else:
        places = [f"a{index}" for index in range(positional)]
        values = [f"k{index}" for index in range(len(names))]
        keywords = [f"{name}={value}" for name, value in zip(names, values, strict=True)]
        parameters = ", ".join(places + values)
        call = f"function({', '.join(places + keywords)})"
    if coroutine:
        call = f"await {call}"
    define = "async def" if coroutine else "def"
    separator = ", " if parameters else ""
    return (
        f"{define} kernel(turns, rest, function{separator}{parameters}):\n"
        "    for _ in range(turns):\n" + f"        {call}\n" * UNROLL + "    if rest:\n"
        f"        for _ in range(rest // {_LADDER}):\n" + f"            {call}\n" * _LADDER + ""
        f"        for _ in range(rest % {_LADDER}):\n"
        f"            {call}\n"
    )


@lru_cache(maxsize=256)
def _compile(positional: int, names: tuple[str, ...] | None, coroutine: bool) -> CodeType:
    """Compile the kernel of one shape of call; shapes recur from benchmark to benchmark."""
    source = _source(positional, names, coroutine=coroutine)
    module = compile(source, "<perfcore kernel>", "exec", dont_inherit=True, optimize=0)
    return next(constant for constant in module.co_consts if isinstance(constant, CodeType))


def make_kernel(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, coroutine: bool = False
) -> tuple[Kernel, tuple[Any, ...]]:
    """Return a kernel for ``function(*args, **kwargs)`` and the arguments it takes after its two counts.

    ``kernel(turns, rest, *arguments)`` makes ``turns * UNROLL + rest`` calls and returns None. With `coroutine` it is a
    coroutine function that awaits each call.
    """
    names: tuple[str, ...] | None = None
    arguments: tuple[Any, ...] = (function, args, kwargs)
    if len(args) + len(kwargs) <= _MAX_ARGUMENTS and all(map(_can_name, kwargs)):
        names = tuple(kwargs)
        arguments = (function, *args, *kwargs.values())
    code = _compile(len(args) if names is not None else 0, names, coroutine)
    # A code object of its own: the interpreter specialises call sites in place, for the callable that they meet.
    return FunctionType(code.replace(), dict(_GLOBALS)), arguments
