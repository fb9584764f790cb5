# SPDX-License-Identifier: MIT
"""Measure: clocks, kernels, calibration and the runners of rounds.

The package can also be called: ``perfcore.measure(function, *args, **kwargs)`` is `perfcore.api.measure`. Importing a
module of a package binds the package's name in its parent, so the two could not share the name in any other way.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcore.api import Measurement


class _CallablePackage(ModuleType):
    def __call__(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Measurement:
        """Measure ``function(*args, **kwargs)``: see `perfcore.api.measure`."""
        from perfcore.api import measure

        return measure(function, *args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
