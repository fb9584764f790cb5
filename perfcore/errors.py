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


class SuiteError(PerfcoreError):
    """The processes or the trees of a suite cannot be set up, or what they ran cannot be judged."""
