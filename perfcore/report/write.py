# SPDX-License-Identifier: MIT
"""Writing reports: every format is rendered before the first file is written, and every file is replaced whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from perfcore.errors import ResultsError
from perfcore.record.atomic import write_atomic
from perfcore.report.comment import render_comment
from perfcore.report.exports import render_action_benchmark, render_bencher, render_junit, render_openmetrics
from perfcore.report.markdown import render_markdown
from perfcore.report.page import render_html
from perfcore.report.table import render_csv


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


# The formats, with the name of the file that each makes.
FORMATS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "html": ("report.html", render_html),
    "csv": ("report.csv", render_csv),
    "markdown": ("report.md", render_markdown),
    "json": ("report.json", _json),
    "github": ("comment.md", render_comment),
    "junit": ("junit.xml", render_junit),
    "openmetrics": ("metrics.txt", render_openmetrics),
    "action-benchmark": ("action-benchmark.json", render_action_benchmark),
    "bencher": ("bencher.json", render_bencher),
}


def files(formats: Sequence[str], output: str | os.PathLike[str]) -> list[Path]:
    """Return the files of some formats, in their order.

    Args:
        formats: names among ``FORMATS``.
        output: their folder, or the one report's own file: that is what has the ending of the only format, unless there
            is a folder of that name.

    """
    target, names = Path(output), [FORMATS[name][0] for name in formats]
    if len(names) == 1 and target.suffix == Path(names[0]).suffix and not target.is_dir():
        return [target]
    return [target / name for name in names]


def write_reports(document: dict[str, Any], formats: Sequence[str], output: str | os.PathLike[str]) -> list[Path]:
    """Write a document in some formats and return the files, in the order of ``formats``.

    Args:
        document: of :func:`perfcore.report.model.describe`.
        formats: names among ``FORMATS``.
        output: the folder to write to, or the file (see `files`); what is missing of the folder is made.

    Raises:
        ResultsError: the folder or a file cannot be written.

    """
    # What is left of a path in another encoding has no place in UTF-8.
    rendered = [FORMATS[name][1](document).encode("utf-8", "backslashreplace") for name in formats]
    written = files(formats, output)
    for folder in {path.parent for path in written}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(
                f"{folder}: cannot write: {error.strerror}; choose another folder with --output"
            ) from error
    for path, data in zip(written, rendered, strict=True):
        write_atomic(path, data)
    return written
