# SPDX-License-Identifier: MIT
"""What perfcore knows about one benchmark beyond pytest-benchmark's statistics, and how it gets into the JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from perfcore.measure.pollution import is_polluted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcore.measure.call_metrics import CallMetrics
    from perfcore.measure.pace import Pace
    from perfcore.measure.runner import Runner


class Record:
    """One benchmark: its Metadata of pytest-benchmark, its kernel, what disturbed it.

    ``calibrated`` tells whether we chose the number of calls in a round, or the test did (pedantic). ``superseded``:
    the test was set up and measured again, by a plugin that reruns what failed. ``entry`` is what the last JSON has.
    """

    def __init__(
        self, metadata: Any, kernel: str, runner: Runner | None, *, pace: Pace | None = None, calibrated: bool = True
    ) -> None:
        self.metadata = metadata
        self.kernel = kernel
        self.calibrated = calibrated
        self.flags: dict[str, Any] = {}
        self.metrics: CallMetrics | None = None
        self.thresholds: dict[str, float] = {}
        self.superseded = False
        self.entry: dict[str, Any] | None = None
        self.pace: Mapping[str, float] | None = None
        self._runner = runner
        self._looks = pace
        self._stock_as_dict = metadata.as_dict
        # The entry is made where pytest-benchmark makes it, so that it is never matched to the wrong benchmark and
        # survives hooks that build the JSON anew.
        metadata.as_dict = self._as_dict

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if kind is not None and not self.metadata:
            # Interrupted in its first round: pytest-benchmark cannot write the file of all others if this is in it.
            self.metadata.fixture.has_error = True
        # However the rounds ended, take over what disturbed them and let the runner go.
        if self._runner is not None:
            self.flags, self._runner = self._runner.flags, None
        if self._looks is not None:
            self.pace, self._looks = self._looks.figures, None

    @property
    def polluted(self) -> bool:
        """Whether too many rounds were interrupted for the figures to be trusted as they stand."""
        interrupted = self.flags.get("interrupted_rounds", 0)  # those of stock's own loops nobody has counted
        return bool(interrupted) and is_polluted(interrupted, self.metadata.stats.rounds)

    @property
    def ours(self) -> bool:
        """Whether the statistics are ours: stock's loops make their own, and a test may put others in their place."""
        return self.kernel != "stock" and hasattr(self.metadata.stats, "median_ci")

    def as_dict(self) -> dict[str, Any]:
        """Return the benchmark's own "perfcore" entry."""
        entry: dict[str, Any] = {"kernel": self.kernel, "calibrated": self.calibrated}
        if self.ours:
            stats = self.metadata.stats
            interval = stats.median_ci  # None, as the others, where it is not defined: too few rounds, infinite samples
            entry |= {
                "percentiles": stats.percentiles,
                "mad": stats.mad,
                "median_ci": None if interval is None else interval._asdict(),
            }
        entry["flags"] = self.flags
        if self.pace is not None:
            entry["pace"] = self.pace
        if self.metrics is not None:
            entry["metrics"] = self.metrics.as_dict()
        if self.thresholds:
            entry["thresholds"] = self.thresholds
        return entry

    def _as_dict(self, *args: Any, **kwargs: Any) -> Any:
        result = self._stock_as_dict(*args, **kwargs)
        # Nested "stats" is the form of the file; tables ask for the flat one.
        if isinstance(result, dict) and "stats" in result:
            from perfcore.record.write import strict  # here, as it loads the C library, which a session may not need

            for key in ("group", "params", "param", "extra_info"):
                if key in result:
                    result[key] = strict(result[key])
            self.entry = result["perfcore"] = self.as_dict()
        return result
