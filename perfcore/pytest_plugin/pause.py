# SPDX-License-Identifier: MIT
"""The pause of tracers and profilers around measured code."""

from __future__ import annotations

from types import TracebackType

from perfcore.measure.runner import pause_tracers


class Paused:
    """Turns this thread's trace and profile functions off, and on again however the block ends.

    The same as pytest-benchmark's PauseInstrumentation, which releases before 5.2 do not have.
    """

    def __enter__(self) -> None:
        self._resume = pause_tracers()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resume()
