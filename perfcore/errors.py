# SPDX-License-Identifier: MIT
"""The errors that perfcore raises. Each text says what is wrong, where, and what to do."""


class PerfcoreError(Exception):
    """Base of every error of perfcore's own. The command line turns it into exit code 2 and one line."""


class ResultsError(PerfcoreError):
    """A results or baseline file cannot be read or is not one."""


class HistoryError(PerfcoreError):
    """The history's database is missing, cannot be reached or used, or what needs it is not installed."""


class ConfigError(PerfcoreError):
    """A value of ``[tool.perfcore]`` or of an option is wrong; the text names the key."""


class CodecError(PerfcoreError, ValueError):
    """A codec cannot encode a value or decode data."""


class EncodeError(CodecError):
    """The format cannot hold a value without changing it; the text says what and where in the object."""


class DecodeError(CodecError):
    """The data are not what the format allows.

    ``offset`` counts bytes (of the UTF-8, where a str was read) from the start; ``line`` and ``column`` (in characters)
    count from 1, and are None for formats without lines.
    """

    def __init__(self, text: str, offset: int = 0, line: int | None = None, column: int | None = None) -> None:
        super().__init__(text)
        self.offset = offset
        self.line = line
        self.column = column


class MeasureError(PerfcoreError):
    """A callable cannot be measured the way it was asked for."""


class LeakError(PerfcoreError, AssertionError):
    """A callable that is called again and again keeps memory; the text names the call sites that grow."""


class Closed(PerfcoreError):  # noqa: N818 - named like queue.Full and queue.Empty, beside which it is raised
    """A ring is closed: nothing can be put, and nothing is left to get."""


class SegmentError(PerfcoreError):
    """A ring in shared memory cannot be made or opened, or its memory is damaged."""


class RouteError(PerfcoreError, LookupError):
    """A router knows no such endpoint or subscription."""


class SuiteError(PerfcoreError):
    """A suite or its workload cannot be set up, run or judged: a process, a tree, an agent, a server, a package."""


class ServiceError(PerfcoreError):
    """A server that a suite needs is not there, does not start, or has died; the text has its own words."""
