# SPDX-License-Identifier: MIT
"""The errors that perfcore raises. Each text says what is wrong, where, and what to do."""


class PerfcoreError(Exception):
    """Base of every error of perfcore's own. The command line turns it into exit code 2 and one line."""


class ResultsError(PerfcoreError):
    """A results or baseline file cannot be read or is not one."""


class ConfigError(PerfcoreError):
    """A value of ``[tool.perfcore]`` or of an option is wrong; the text names the key."""


class MeasureError(PerfcoreError):
    """A callable cannot be measured the way it was asked for."""


class Closed(PerfcoreError):  # noqa: N818 - named like queue.Full and queue.Empty, beside which it is raised
    """A ring is closed: nothing can be put, and nothing is left to get."""


class RouteError(PerfcoreError, LookupError):
    """A router knows no such endpoint or subscription."""
